"""Run all benchmark workflows on the embedded cloud: no account, no network but the package index for requirements.

    python -m benchmarks.run [--runs N] [--only NAME] [--state-dir DIRECTORY] [--json FILE]

Each is deployed, gets its sample input and runs N times, one run after the other. A benchmark that fails stops no
other; the exit code is 1 then. With --state-dir all stays deployed there, and `python -m benchmarks.plan` uses
the runs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from benchmarks.suite.discovery import Benchmark, find_benchmarks
from benchmarks.suite.execution import Measured, measure
from benchmarks.suite.tables import aligned, write_json
from multi_x_serverless.cli.output import seconds, write_error, write_wrapped
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK, MultiXServerlessError

HEADER = ("benchmark", "runs", "failures", "nodes", "mean time", "cold starts")
CAPTION = "Times are measured on this machine, warm and cold runs together; round trips between regions are simulated."


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, run, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description="Run the benchmark workflows on the embedded cloud."
    )
    parser.add_argument("--runs", type=whole_number, default=3, metavar="N", help="runs of each  [default: 3]")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this one; repeatable")
    parser.add_argument("--state-dir", type=Path, help="directory of the embedded cloud  [default: a temporary one]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to this file")
    options = parser.parse_args(arguments)
    try:
        benchmarks = find_benchmarks(options.only)
    except MultiXServerlessError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    with state_directory(options.state_dir) as directory:
        measured = run_all(benchmarks, options.runs, Path(directory))
    print(table_of(measured))
    print()
    write_wrapped(CAPTION)
    for one in measured:
        if one.problem:
            write_error(f"error: {one.name}: {one.problem}")
    if options.json is not None:
        write_json(options.json, {"caption": CAPTION, "benchmarks": measured})
    return EXIT_FAILURE if any(one.failures or one.problem for one in measured) else EXIT_OK


def whole_number(text: str) -> int:
    """An argument from 1 on.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def run_all(benchmarks: Sequence[Benchmark], runs: int, state_dir: Path) -> list[Measured]:
    """Run benchmarks one after the other."""
    measured = []
    for number, benchmark in enumerate(benchmarks, start=1):
        print(f"{number}/{len(benchmarks)} {benchmark.name}", file=sys.stderr, flush=True)
        measured.append(measure(state_dir, benchmark, runs))
    return measured


def state_directory(given: Path | None) -> nullcontext[str] | tempfile.TemporaryDirectory[str]:
    """The directory that was given, or one that is deleted afterwards."""
    if given is None:
        return tempfile.TemporaryDirectory(prefix="benchmarks-", ignore_cleanup_errors=True)
    return nullcontext(str(given))


def table_of(measured: Sequence[Measured]) -> str:
    """The results as a table."""
    rows = [
        (
            one.name,
            str(one.runs),
            str(one.failures),
            str(one.nodes or "-"),
            "-" if one.mean_s is None else seconds(one.mean_s),
            str(one.cold_starts),
        )
        for one in measured
    ]
    return aligned(HEADER, rows)


if __name__ == "__main__":
    sys.exit(main())
