"""The door to the native engine: the only module that imports `multi_x_serverless._core`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

from multi_x_serverless import _core
from multi_x_serverless.errors import InvalidDocumentError, UsageError
from multi_x_serverless.model.plan import Objective
from multi_x_serverless.solving.solution import Solution, read_solution

SolverName: TypeAlias = Literal["fine-grained", "coarse-grained", "heuristic"]

SOLVERS: tuple[str, ...] = get_args(SolverName)


def solve_problem(
    problem: bytes, solver: str, *, threads: int | None = None, deadline_s: float | None = None
) -> Solution:
    """Solve a problem document.

    Args:
        problem: The document as JSON.
        solver: One of `SOLVERS`.
        threads: Threads to use; all processors if `None`. The answer does not depend on it.
        deadline_s: Overrides the document's deadline, in seconds.

    Raises:
        UsageError: There is no such solver.
        InvalidDocumentError: The document is refused; the message names the field.
        KeyboardInterrupt: Ctrl-C; the engine answers within 100 ms.
    """
    if solver not in SOLVERS:
        raise UsageError(f"there is no solver '{solver}'; there are {', '.join(SOLVERS)}.")
    try:
        parsed = _core.Problem.from_json(problem)
        answer = parsed.solve(solver, threads=threads, deadline_s=deadline_s)
    except _core.EngineError as error:
        raise InvalidDocumentError("problem", error.path or "", str(error)) from error
    return read_solution(answer)


def mean_of_placement(problem: bytes, placement: Mapping[str, str], hour: int, objective: Objective) -> float:
    """Mean of an objective for a placement at an hour, in the objective's unit.

    Raises:
        InvalidDocumentError: The problem or the placement does not fit it.
    """
    try:
        metrics = _core.Problem.from_json(problem).evaluate(dict(placement), hour)
    except _core.EngineError as error:
        raise InvalidDocumentError("problem", error.path or "", str(error)) from error
    return {"carbon": metrics.carbon, "cost": metrics.cost, "runtime": metrics.runtime}[objective].mean


def engine_version() -> str:
    """Version of the native engine and how it was built."""
    return f"{_core.__version__}, {_core.build_profile}"
