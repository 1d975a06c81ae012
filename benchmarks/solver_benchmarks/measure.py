"""One case in a process of its own, so that its peak memory and its caches are its own.

    python -m benchmarks.solver_benchmarks.measure SOLVER OPTIONS < problem.json

Prints the measurement as a document. `run_solver_benchmarks_multiprocess.py` starts it.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from benchmarks.solver.measure import peak_memory_mb
from benchmarks.solver_benchmarks.measurement import MEASUREMENT_SCHEMA, MEASUREMENT_VERSION, Measurement, Settings
from multi_x_serverless.model import documents
from multi_x_serverless.solving.engine import LoadedProblem

if TYPE_CHECKING:
    from multi_x_serverless.solving.solution import Solution

LONG_SOLVE_S = 1.0
"""A first solve that takes longer is the only one: what a warm-up brings is lost in it."""


def measure(document: bytes, solver: str, settings: Settings, *, idle_mb: float) -> Measurement:
    """Read and solve a problem document of one hour in this process.

    Raises:
        InvalidProblemError: The document is refused.
        UsageError: There is no such solver, or an argument is out of range.
    """
    began = time.process_time()
    problem = LoadedProblem(document)
    read_s = time.process_time() - began
    solution, *times = _timed(problem, solver, settings)
    solves = [times]
    if times[0] < LONG_SOLVE_S:
        solves = []
        for _ in range(settings.repetitions):
            solution, *times = _timed(problem, solver, settings)
            solves.append(times)
    (hour,) = solution.hours
    return Measurement(
        problem_hash=solution.problem_hash,
        status=hour.status,
        objective_gco2eq=hour.value,
        lower_bound_gco2eq=hour.lower_bound,
        gap=hour.gap,
        evaluations=hour.evaluations,
        explored=hour.explored,
        read_processor_s=read_s,
        solve_wall_s=tuple(wall for wall, _ in solves),
        solve_processor_s=tuple(processor for _, processor in solves),
        peak_mb=peak_memory_mb(),
        idle_mb=idle_mb,
    )


def _timed(problem: LoadedProblem, solver: str, settings: Settings) -> tuple[Solution, float, float]:
    """A solution, its wall and its processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    solution = problem.solve(solver, threads=settings.threads, deadline_s=settings.deadline_s)
    return solution, time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """Read the command line and the document."""
    parser = argparse.ArgumentParser(description="Measure one solve; the problem document is read from standard input.")
    parser.add_argument("solver")
    parser.add_argument("--scenarios", type=int, required=True, help="of the document")
    parser.add_argument("--deadline", type=float, required=True, help="seconds of a solve")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--repetitions", type=int, required=True)
    arguments = parser.parse_args()
    settings = Settings(arguments.scenarios, arguments.deadline, arguments.threads, arguments.repetitions)
    idle_mb = peak_memory_mb()
    found = measure(sys.stdin.buffer.read(), arguments.solver, settings, idle_mb=idle_mb)
    sys.stdout.buffer.write(documents.write(MEASUREMENT_SCHEMA, MEASUREMENT_VERSION, {"measurement": asdict(found)}))


if __name__ == "__main__":
    main()
