"""What can be chosen about the embedded cloud."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from multi_x_serverless.errors import UsageError

Synchronous: TypeAlias = Literal["NORMAL", "FULL"]
VisiblePackages: TypeAlias = Literal["runtime", "all"]

_MINIMUM_CONCURRENCY = 4


def default_concurrency() -> int:
    """As many deliveries at once as the machine has cores, at least four."""
    return max(_MINIMUM_CONCURRENCY, os.cpu_count() or 1)


@dataclass(frozen=True)
class LocalSettings:
    """Settings of the embedded cloud.

    Attributes:
        concurrency: Deliveries that compute at the same time. A function that waits for a simulated round trip
            does not count, so that latency between regions never holds up others.
        maximum_workers: Worker processes alive at the same time, idle ones included. The one that has been idle for
            longest ends first when another is needed.
        retry_delays_s: Waits before the retries of a failed delivery, one per retry, in seconds (Lambda retries
            twice, after one and two minutes; here it need not take that long).
        initialisation_timeout_s: Longest time between the start of a worker and its first request for work.
        termination_grace_s: How long a worker may take to end after SIGTERM before it is killed, and how long
            deliveries under way may take to end when a host closes.
        synchronous: SQLite's synchronous level. Committed state survives the death of the process (``kill -9``)
            at both levels; a loss of power it survives with ``FULL`` only (``NORMAL`` may lose the last commits, never
            the database).
        visible_packages: What a function can import beside its own package: ``runtime`` is what Lambda's runtime
            holds (the runtime client and boto3), so that a forgotten requirement fails here as it would on AWS;
            ``all`` is every package of the interpreter that runs the embedded cloud.
    """

    concurrency: int = field(default_factory=default_concurrency)
    maximum_workers: int = 24
    retry_delays_s: tuple[float, ...] = (0.5, 1.0)
    initialisation_timeout_s: float = 60.0
    termination_grace_s: float = 2.0
    synchronous: Synchronous = "FULL"
    visible_packages: VisiblePackages = "runtime"

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            UsageError: A number is out of its range.
        """
        if self.concurrency < 1 or self.maximum_workers < 1:
            raise UsageError("concurrency and maximum_workers must be at least 1.")
        if not all(math.isfinite(delay) and delay >= 0 for delay in self.retry_delays_s):
            raise UsageError("retry_delays_s must be finite and not negative.")
        if not (self.initialisation_timeout_s > 0 and self.termination_grace_s >= 0):
            raise UsageError("initialisation_timeout_s must be positive and termination_grace_s not negative.")
        if self.synchronous not in {"NORMAL", "FULL"}:
            raise UsageError("synchronous must be NORMAL or FULL.")
        if self.visible_packages not in {"runtime", "all"}:
            raise UsageError("visible_packages must be 'runtime' or 'all'.")
