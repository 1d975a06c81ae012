"""Draw what the solver benchmarks measured.

    python plotting/solver_benchmark_plotting.py RESULTS [--output DIRECTORY]

RESULTS is the file that `benchmarks/solver_benchmarks/run_solver_benchmarks_multiprocess.py` wrote; pictures go to
`plotting/plots/`. Entries of another build or of other settings than those of the last run are not drawn.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    # A file that is run has its own directory on the path, not the one that the packages are in.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.solver_benchmarks.results import read_results
from multi_x_serverless.errors import EXIT_OK, MultiXServerlessError, UsageError

OUTPUT = Path(__file__).parent / "plots"


def draw(source: Path, directory: Path) -> tuple[Path, ...]:
    """Draw a results file; returns the pictures.

    Raises:
        UsageError: There is no such file, it is empty or holds nothing to draw, the directory cannot be written, or
            matplotlib is not installed.
        InvalidDocumentError: It is no results document, or its entries contradict each other.
        NewerSchemaError: A newer version wrote it.
    """
    results = read_results(source)
    try:
        from plotting.solver_figures import draw_all  # noqa: PLC0415  # says what is missing instead of a traceback
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise UsageError("matplotlib is needed to draw: pip install 'multi-x-serverless[plots]'.") from error
    left_out = len(results.entries) - len(results.of_last_run())
    if left_out:
        print(f"{left_out} entries of other builds or settings are not drawn.", file=sys.stderr)
    try:
        written = draw_all(results, directory)
    except OSError as error:
        raise UsageError(f"{directory} cannot be written: {error.strerror}.") from error
    if not written:
        raise UsageError(
            f"{source} holds too little to draw: measure at least two places of an axis "
            f"(it has {len(results.of_last_run())} measurements of the last build and settings)."
        )
    return written


def main(words: Sequence[str] | None = None) -> int:
    """Read the command line, draw, and return the exit code."""
    parser = argparse.ArgumentParser(description="Draw what the solver benchmarks measured.")
    parser.add_argument("results", type=Path, help="results file of the solver benchmarks")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="directory of the pictures (%(default)s)")
    arguments = parser.parse_args(words)
    try:
        for path in draw(arguments.results, arguments.output):
            print(path)
    except MultiXServerlessError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
