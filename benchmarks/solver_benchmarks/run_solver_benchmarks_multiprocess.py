"""Measure the three solvers on random workflows, each solve in a process of its own.

    python benchmarks/solver_benchmarks/run_solver_benchmarks_multiprocess.py [--full] [--output FILE] ...

Writes `results/results.json` beside this file; `plotting/solver_benchmark_plotting.py` draws it. `README.md` says what
is measured and how to read it.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # A file that is run has its own directory on the path, not the one that the packages are in.
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from benchmarks.solver_benchmarks.command import main

if __name__ == "__main__":
    sys.exit(main())
