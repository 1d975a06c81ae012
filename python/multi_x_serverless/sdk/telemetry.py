"""Writing records, and measuring what stands in them: processor time, memory, initialisation, network.

A record is one write of one whole line to standard output, so that the platform's log keeps it whole whatever else
the developer's code prints.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Protocol

from multi_x_serverless.sdk.records import format_record

_MEGABYTE = 1024.0 * 1024.0
# Linux counts the peak resident set in KiB, macOS in bytes.
_PEAK_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
_LONGEST_TEXT = 500
_TRACEBACK_LINES = 30


class TextStream(Protocol):
    """Where records go."""

    def write(self, text: str, /) -> object:
        """Write a text."""

    def flush(self) -> object:
        """Pass on what is buffered."""


class RecordWriter:
    """Writes the records of one function; safe to use from several threads.

    Args:
        stream: Usually standard output as it was when the container started: code that redirects
            ``sys.stdout`` does not swallow records.
        workflow_id: Member ``wf`` of every record.
        region: Member ``region``.
        clock: Seconds since the epoch.
    """

    def __init__(self, stream: TextStream, *, workflow_id: str, region: str, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._workflow_id = workflow_id
        self._region = region
        self._clock = clock
        self._lock = threading.Lock()
        self._bytes_written = 0

    @property
    def bytes_written(self) -> int:
        """Bytes of all records so far."""
        return self._bytes_written

    def write(self, record_type: str, run_id: str, request_id: str, **members: object) -> None:
        """Write one record; members that are `None` are left out."""
        present = {name: value for name, value in members.items() if value is not None}
        line = format_record(
            record_type,
            {
                "wf": self._workflow_id,
                "run": run_id,
                "region": self._region,
                "ts": round(self._clock(), 6),
                "req": request_id,
                **present,
            },
        )
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()
            self._bytes_written += len(line) + 1


def cpu_seconds() -> float:
    """Processor time of this process and its ended children, user and system, in seconds."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


def peak_memory_mb() -> float:
    """Highest resident set of this process so far, plus that of its largest ended child, in MB (MiB)."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (own + child) * _PEAK_UNIT_BYTES / _MEGABYTE


def process_age_s(stat_file: Path = Path("/proc/self/stat")) -> float | None:
    """Seconds since this process was started (to the clock tick, 10 ms); `None` where the system does not tell."""
    try:
        # The second field is the command in parentheses and may hold blanks; field 22 is the start in clock ticks.
        fields = stat_file.read_text(encoding="utf-8").rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (OSError, AttributeError, IndexError, ValueError):
        return None


@dataclass(frozen=True)
class Failure:
    """An exception as `node_failed` records show it."""

    error: str
    message: str
    traceback: tuple[str, ...]


def describe_failure(error: BaseException, boundary: CodeType | None = None) -> Failure:
    """Type, message and the last lines of the traceback of an exception, shortened.

    Args:
        error: The exception.
        boundary: Code of the function that calls the developer's: what stands outside of it is of no use to them and
            left out. An exception that did not pass it is shown whole.
    """
    import traceback  # noqa: PLC0415 - only failures need it, every cold start would pay for it

    inside = error.__traceback__
    while inside is not None and inside.tb_frame.f_code is not boundary:
        inside = inside.tb_next
    shown = error.__traceback__ if inside is None or inside.tb_next is None else inside.tb_next
    formatted = traceback.format_exception(type(error), error, shown)
    lines = [line for text in formatted for line in text.rstrip("\n").split("\n")]
    return Failure(
        type(error).__name__,
        _shortened(str(error)),
        tuple(_shortened(line) for line in lines[-_TRACEBACK_LINES:]),
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."
