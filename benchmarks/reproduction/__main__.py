"""Reproduce the published results and what lies beyond them, offline, from the traces of 2023.

    python -m benchmarks.reproduction [--output DIRECTORY] [--full]

Takes about three minutes on one core; `--full` plans every day by forecast, and takes more graphs and draws. Written
are `results.json` (all tables), `reproduction.md` (the tables of `docs/reproduction.md`) and the pictures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.reproduction.report import DEFAULT, FULL, run


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Reproduce published results of shifting serverless workflows.")
    parser.add_argument("--output", type=Path, default=Path(".reproduction"), help="directory of tables and pictures")
    parser.add_argument("--full", action="store_true", help="more seeds, graphs and days")
    arguments = parser.parse_args()
    for table in run(arguments.output, FULL if arguments.full else DEFAULT):
        print(f"\n{table.to_markdown()}")


if __name__ == "__main__":
    main()
