"""How fast and with how much memory a long log is read into the history.

    python -m benchmarks.microbenchmarks.million_lines [LINES ...]

For each number of lines (100,000 and 1,000,000 by default) a process of its own folds so many lines of a log, ten a
run, into a history in memory, and prints lines per second of processor time and the process's largest resident memory.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

from multi_x_serverless.cloud.ports import Cloud, LogEvent
from multi_x_serverless.observation.sync import LogSource, sync_logs
from tests.fakes import FakeKeyValueStore
from tests.unit.observation.records import WORKFLOW_ID, RunLog, as_line, diamond

EPOCH = 1_700_000_000.0
SECONDS_BETWEEN_RUNS = 2.0
LINES_OF_A_RUN = len(RunLog("any").complete())


def log_of(lines: int) -> Iterator[LogEvent]:
    """Lines of runs that follow each other, made while they are read."""
    for number in range(lines // LINES_OF_A_RUN):
        records = RunLog(f"{number:032x}", EPOCH + SECONDS_BETWEEN_RUNS * number).complete()
        for record in sorted(records, key=lambda record: float(record["ts"])):
            yield LogEvent(str(number), float(record["ts"]), as_line(record))


def measure(lines: int) -> None:
    """Fold so many lines in this process and print how it went."""
    start = time.process_time()
    count = sum(1 for _ in log_of(lines))
    making_s = time.process_time() - start
    cloud = SimpleNamespace(
        key_value=FakeKeyValueStore.of("us-east-1", "history", "statistics", "locks"),
        logs=SimpleNamespace(read_logs=lambda *_: log_of(lines)),
        system_region="us-east-1",
        now=lambda: EPOCH + SECONDS_BETWEEN_RUNS * lines + 10.0,
    )
    start = time.process_time()
    report = sync_logs(cast(Cloud, cloud), WORKFLOW_ID, diamond(), (LogSource("us-east-1", "function"),))
    # The lines are made again while they are read; that is not what is measured.
    seconds = time.process_time() - start - making_s
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count:>9,} lines  {report.completed:>7,} runs  {count / seconds:>9,.0f} lines/s  {memory_mb:>5.0f} MB")


def main() -> None:
    """Measure each number of lines in a process of its own: memory is given back by none."""
    parser = argparse.ArgumentParser(description="Speed and memory of reading a long log.")
    parser.add_argument("lines", type=int, nargs="*", default=[100_000, 1_000_000])
    numbers = parser.parse_args().lines
    if len(numbers) == 1:
        measure(numbers[0])
        return
    for lines in numbers:
        subprocess.run([sys.executable, "-m", "benchmarks.microbenchmarks.million_lines", str(lines)], check=True)


if __name__ == "__main__":
    main()
