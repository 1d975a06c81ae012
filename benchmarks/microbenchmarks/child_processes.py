"""A timer for benchmarks that start a process: its processor time, which others on the machine disturb less."""

from __future__ import annotations

import resource


def children_processor_s() -> float:
    """Processor seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
