"""The command line of the solver benchmarks: which cases are left, measure them, keep each result."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TypeVar

from benchmarks.machine import Machine
from benchmarks.solver_benchmarks.cases import FULL_GRAPHS, GRAPHS, Case, cases_of, default_shapes, full_shapes
from benchmarks.solver_benchmarks.measurement import Measurement, Settings
from benchmarks.solver_benchmarks.results import Build, Entry, Results, read_results, write_results
from benchmarks.solver_benchmarks.runner import MeasuringFailedError, measure_all
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK, MultiXServerlessError, UsageError

OUTPUT = Path(__file__).parent / "results" / "results.json"
SCENARIOS = 1000
EXIT_INTERRUPTED = 130
"""What a shell says of a program that Ctrl-C ended."""

T = TypeVar("T", int, float)


def continued(path: Path, build: Build, settings: Settings) -> Results:
    """What an earlier run left in the file, with the next run's build and settings; nothing if there is no file.

    Raises:
        UsageError: The file is empty, or of another machine: its times must not stand beside those of this one.
        InvalidDocumentError: It is no results document.
        NewerSchemaError: A newer version wrote it.
    """
    here = Machine.here()
    if not path.exists():
        return Results(here, build, settings, ())
    found = read_results(path)
    if found.machine != here:
        raise UsageError(
            f"{path} was measured on another machine or interpreter ({found.machine}; this is {here}): "
            "name another file with --output, or start anew with --no-resume."
        )
    return Results(here, build, settings, found.entries)


def left_of(cases: Sequence[Case], results: Results) -> tuple[Case, ...]:
    """The cases that this build has not measured with these settings."""
    measured = {entry.case for entry in results.of_last_run()}
    return tuple(case for case in cases if case not in measured)


class Session:
    """One run of the benchmark: keeps each result in the file, and tells how far it is.

    Args:
        path: The results file.
        results: What is in it.
        cases: How many cases are to be measured.
        clock: Seconds, of any beginning.
    """

    def __init__(
        self, path: Path, results: Results, cases: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._cases = cases
        self._clock = clock
        self._began = clock()
        self._done = 0
        self.results = results
        self.failures = 0

    def keep(self, case: Case, found: Measurement, load: float) -> None:
        """Write a measurement into the file."""
        entry = Entry(case, self.results.settings, self.results.build, load, found)
        self.results = self.results.with_entry(entry)
        write_results(self.results, self._path)
        self._tell(f"{case}: {describe(found)}")

    def note_failure(self, error: MeasuringFailedError) -> None:
        """Count a case that is not in the file and will be tried again by the next run."""
        self.failures += 1
        self._tell(f"failed: {error}")

    def _tell(self, text: str) -> None:
        self._done += 1
        left_s = (self._clock() - self._began) / self._done * (self._cases - self._done)
        width = len(str(self._cases))
        _tell(f"[{self._done:{width}}/{self._cases}, {_duration(left_s)} left] {text}")


def describe(found: Measurement) -> str:
    """A measurement in a line."""
    milliseconds = 1000.0 * median(found.solve_processor_s)
    return f"{milliseconds:.1f} ms, {found.status}, gap {100.0 * found.gap:.2f} %, {found.peak_mb:.0f} MB"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _at_least(least: T, convert: Callable[[str], T]) -> Callable[[str], T]:
    """A converter for argparse."""

    def read(text: str) -> T:
        try:
            value = convert(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        # Also refuses what is not a number at all: nothing compares with it.
        if not value >= least or value == float("inf"):
            raise argparse.ArgumentTypeError(f"has to be {least} or more, not {text}")
        return value

    return read


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        description="Measure the solvers on random workflows. A results file with finished cases is continued: "
        "Ctrl-C at any time, and the same command goes on."
    )
    made.add_argument("--output", type=Path, default=OUTPUT, help="results file (%(default)s)")
    made.add_argument("--full", action="store_true", help="the large grid, which takes hours instead of minutes")
    made.add_argument("--no-resume", action="store_true", help="start anew, in the place of what the file holds")
    made.add_argument("--seed", type=_at_least(0, int), default=0, help="seed of the first random graph (%(default)s)")
    made.add_argument(
        "--graphs",
        type=_at_least(1, int),
        help=f"random graphs for each shape, of this seed and the next ones ({GRAPHS}; with --full {FULL_GRAPHS})",
    )
    made.add_argument(
        "--workers",
        type=_at_least(1, int),
        default=1,
        help="measuring processes at a time (%(default)s); more are done sooner and disturb each other's times",
    )
    made.add_argument(
        "--threads",
        type=_at_least(1, int),
        default=1,
        help="threads of a solve (%(default)s)",
    )
    made.add_argument(
        "--repetitions",
        type=_at_least(1, int),
        default=3,
        help="counted solves after one that is not; a solve of more than a second is done once (%(default)s)",
    )
    made.add_argument(
        "--deadline", type=_at_least(0.001, float), default=30.0, help="seconds after which a solve ends (%(default)g)"
    )
    return made


def measure(arguments: argparse.Namespace) -> int:
    """Measure what is left and return the exit code.

    Raises:
        UsageError: The results file is empty, of another machine, or cannot be read or written.
        InvalidDocumentError: It is no results document.
        NewerSchemaError: A newer version wrote it.
    """
    settings = Settings(SCENARIOS, arguments.deadline, arguments.threads, arguments.repetitions)
    build = Build.here()
    graphs = arguments.graphs or (FULL_GRAPHS if arguments.full else GRAPHS)
    seeds = range(arguments.seed, arguments.seed + graphs)
    cases = cases_of(full_shapes() if arguments.full else default_shapes(), seeds)
    results = (
        Results(Machine.here(), build, settings, ())
        if arguments.no_resume
        else continued(arguments.output, build, settings)
    )
    left = left_of(cases, results)
    _tell(f"{len(cases)} cases, {len(cases) - len(left)} of them measured before; {results.machine}")
    if arguments.workers > 1:
        _tell(f"{arguments.workers} processes at a time disturb each other: do not compare their times with others.")
    # Before anything is measured: a file that cannot be written is found out now.
    write_results(results, arguments.output)
    session = Session(arguments.output, results, len(left))
    work = measure_all(
        left, settings, workers=arguments.workers, on_measured=session.keep, on_failed=session.note_failure
    )
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        left = left_of(cases, session.results)
        _tell(f"interrupted; {len(left)} cases are left, and the same command without --no-resume goes on with them.")
        return EXIT_INTERRUPTED
    if session.failures:
        _tell(f"cases that failed: {session.failures}; the same command tries them again.")
        return EXIT_FAILURE
    print(arguments.output)
    return EXIT_OK


def main(words: Sequence[str] | None = None) -> int:
    """Read the command line, measure, and return the exit code."""
    arguments = parser().parse_args(words)
    try:
        return measure(arguments)
    except MultiXServerlessError as error:
        _tell(f"error: {error}")
        return error.exit_code
