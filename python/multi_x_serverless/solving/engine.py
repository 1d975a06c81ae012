"""The door to the native engine: the only module that imports `multi_x_serverless._core`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from multi_x_serverless import _core
from multi_x_serverless.errors import InvalidPlacementError, InvalidProblemError, UsageError
from multi_x_serverless.model import documents
from multi_x_serverless.model.plan import Metric, Metrics
from multi_x_serverless.solving.frontier import FRONTIER_SCHEMA, FRONTIER_VERSION, Frontier, HourFrontier
from multi_x_serverless.solving.solution import PlacedHour, Solution, read_placements, read_solution

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SolverName: TypeAlias = Literal["fine-grained", "coarse-grained", "heuristic"]

SOLVERS: tuple[str, ...] = get_args(SolverName)


class LoadedProblem:
    """A problem document that the engine has read, checked and drawn scenarios for.

    Args:
        document: The document as JSON, or a problem that the engine made of one.

    Raises:
        InvalidProblemError: The document is refused; the error names the field.
    """

    def __init__(self, document: bytes | _core.Problem) -> None:
        if isinstance(document, _core.Problem):
            self._problem = document
            return
        try:
            self._problem = _core.Problem.from_json(document)
        except _core.InvalidProblemError as error:
            raise _refusal(error) from error

    def with_intensity(
        self, intensity: Mapping[str, Sequence[float]], *, hours: Sequence[int] | None = None
    ) -> LoadedProblem:
        """The same problem under other intensities; scenarios and times are shared with this one.

        Args:
            intensity: gCO2eq/kWh by region, 24 values each, by UTC hour; all regions of the problem and no other.
            hours: UTC hours to plan; those of this problem if `None`.

        Raises:
            InvalidProblemError: A region is missing or unknown, or a value is out of range.
        """
        try:
            return LoadedProblem(self._problem.with_intensity(intensity, hours=hours))
        except _core.InvalidProblemError as error:
            raise _refusal(error) from error

    @property
    def workflow(self) -> str:
        """Id of the workflow."""
        return self._problem.workflow

    @property
    def nodes(self) -> list[str]:
        """Names of the nodes, in document order."""
        return self._problem.nodes

    @property
    def regions(self) -> list[str]:
        """Names of the regions, in document order."""
        return self._problem.regions

    @property
    def hours(self) -> list[int]:
        """UTC hours to plan, in document order."""
        return self._problem.hours

    @property
    def hash(self) -> str:
        """SHA-256 of the document's bytes, in hexadecimal."""
        return self._problem.hash

    def evaluate(self, placement: Mapping[str, str], hour: int) -> Metrics:
        """Metrics per run of a placement at a UTC hour, over the planning scenarios.

        Raises:
            InvalidPlacementError: The placement does not fit the problem.
            UsageError: There is no such hour.
        """
        try:
            found = self._problem.evaluate(dict(placement), hour)
        except _core.EngineError as error:
            if error.path == "placement":
                raise InvalidPlacementError("", _sentence(error)) from error
            raise UsageError(str(error)) from error
        parts = (found.carbon, found.cost, found.runtime)
        return Metrics(*(Metric(part.mean, part.tail, part.tail_upper, part.tail_lower) for part in parts))

    def run_times(self, placement: Mapping[str, str]) -> NDArray[np.float32]:
        """Run time of a placement in every planning scenario, in seconds, shape (scenarios,).

        Raises:
            InvalidPlacementError: The placement does not fit the problem.
        """
        try:
            return self._problem.samples(dict(placement), 0)["runtime"]
        except _core.EngineError as error:
            raise InvalidPlacementError("", _sentence(error)) from error

    def solve(
        self,
        solver: str,
        *,
        threads: int | None = None,
        deadline_s: float | None = None,
        seed: int | None = None,
        frontier: float | None = None,
    ) -> Solution:
        """Solve all hours.

        Args:
            solver: One of `SOLVERS`.
            threads: Threads to use; all processors if `None`. The answer does not depend on it.
            deadline_s: Overrides the document's deadline, in seconds.
            seed: Overrides the document's seed of scenarios and heuristic.
            frontier: Adds to each hour its Pareto frontier within this fraction; what is left of the hour's share of
                the deadline is the time for it.

        Raises:
            UsageError: There is no such solver, or an argument is out of range.
            InvalidProblemError: The document cannot be solved; the error names the field.
            KeyboardInterrupt: Ctrl-C; the call returns within 100 ms.
        """
        return read_solution(self._solve(solver, threads, deadline_s, seed, frontier))

    def place(
        self, solver: str, *, threads: int | None = None, deadline_s: float | None = None
    ) -> tuple[PlacedHour, ...]:
        """Solve all hours as `solve` does, and return only what is to be done at each.

        Raises:
            UsageError: There is no such solver, or an argument is out of range.
            InvalidProblemError: The document cannot be solved; the error names the field.
            KeyboardInterrupt: Ctrl-C; the call returns within 100 ms.
        """
        return read_placements(self._solve(solver, threads, deadline_s))

    def _solve(
        self,
        solver: str,
        threads: int | None,
        deadline_s: float | None = None,
        seed: int | None = None,
        frontier: float | None = None,
    ) -> bytes:
        if solver not in SOLVERS:
            raise UsageError(f"there is no solver '{solver}'; there are {', '.join(SOLVERS)}.")
        try:
            return self._problem.solve(solver, threads=threads, deadline_s=deadline_s, seed=seed, frontier=frontier)
        except _core.InvalidProblemError as error:
            raise _refusal(error) from error
        except _core.EngineError as error:
            raise UsageError(str(error)) from error

    def pareto(
        self, hour: int, *, tolerance: float = 0.0, deadline_s: float | None = None, seed: int | None = None
    ) -> Frontier:
        """The Pareto frontier of a UTC hour over mean carbon, mean cost and the tail of the run time.

        Args:
            hour: One of `hours`.
            tolerance: Fraction by which a placement that is left out may be better in a metric; 0 asks for every
                point, of which there may be very many.
            deadline_s: Overrides the document's deadline, in seconds; after it, what was found and proven is returned.
            seed: Overrides the document's seed.

        Raises:
            UsageError: An argument is out of range.
            KeyboardInterrupt: Ctrl-C; the call returns within 100 ms.
        """
        try:
            answer = self._problem.pareto(hour, tolerance=tolerance, deadline_s=deadline_s, seed=seed)
        except _core.EngineError as error:
            raise UsageError(str(error)) from error
        fields = documents.read(answer, FRONTIER_SCHEMA, FRONTIER_VERSION)
        return Frontier.from_fields(fields.section("frontier"))

    def frontier_beside(
        self,
        solution: Solution,
        hour: int | None,
        *,
        tolerance: float,
        deadline_s: float | None = None,
        seed: int | None = None,
    ) -> HourFrontier:
        """The frontier of one of the hours of a solution of this problem; arguments and errors as for `pareto`.

        Args:
            hour: Which; the first planned one if `None`.

        Raises:
            UsageError: The solution has no such hour.
        """
        planned = [entry.hour for entry in solution.hours]
        if hour is not None and hour not in planned:
            raise UsageError(f"hour {hour} is not planned; planned are {', '.join(map(str, planned))}.")
        entry = solution.hours[0 if hour is None else planned.index(hour)]
        found = self.pareto(entry.hour, tolerance=tolerance, deadline_s=deadline_s, seed=seed)
        return HourFrontier(entry.hour, found, entry.home_metrics)


def solve_problem(
    problem: bytes,
    solver: str,
    *,
    threads: int | None = None,
    deadline_s: float | None = None,
    frontier: float | None = None,
) -> Solution:
    """Solve a problem document; arguments and errors as for `LoadedProblem.solve`.

    Raises:
        UsageError: There is no such solver, or an argument is out of range.
        InvalidProblemError: The document is refused; the error names the field.
        KeyboardInterrupt: Ctrl-C; the call returns within 100 ms.
    """
    return LoadedProblem(problem).solve(solver, threads=threads, deadline_s=deadline_s, frontier=frontier)


def engine_version() -> str:
    """Version of the native engine and how it was built."""
    return f"{_core.__version__}, {_core.build_profile}"


def _refusal(error: _core.InvalidProblemError) -> InvalidProblemError:
    return InvalidProblemError(error.path, _sentence(error), reason=error.code)


def _sentence(error: _core.EngineError) -> str:
    """The engine's message without the path that it starts with."""
    return str(error).removeprefix(f"{error.path}: ")
