"""What a limit costs: the hours of a problem document solved again without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from multi_x_serverless.model.plan import Objective
from multi_x_serverless.report.explanation import Optimum
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.solution import HourSolution, Solution

SOLVER = "fine-grained"
"""The exact solver answers for all plans, whatever they were made by: what is best does not depend on it."""


@dataclass(frozen=True)
class SolvedHours:
    """A problem document solved for some hours, and again without each of its limits.

    Attributes:
        solution: With all limits.
        without: (kind, metric) of a limit -> UTC hour -> the best of the hour without this one limit.
    """

    solution: Solution
    without: Mapping[tuple[str, Objective], Mapping[int, Optimum]]

    def at(self, hour: int) -> HourSolution:
        """The solution of an hour."""
        return next(entry for entry in self.solution.hours if entry.hour == hour)


def solve_with_and_without_limits(problem: bytes, hours: Sequence[int], *, deadline_s: float) -> SolvedHours:
    """Solve some hours of a problem document, and again without each limit alone.

    Args:
        problem: The problem document.
        hours: UTC hours.
        deadline_s: Seconds for each solve; an hour that is not settled by then says so in its status.
    """
    document = orjson.loads(problem)
    document["hours"] = list(hours)

    def solve() -> Solution:
        return LoadedProblem(orjson.dumps(document)).solve(SOLVER, deadline_s=deadline_s)

    solution = solve()
    without: dict[tuple[str, Objective], dict[int, Optimum]] = {}
    for limit in solution.hours[0].constraints:
        limits = document["constraints"][limit.kind]
        value = limits.pop(limit.metric)
        without[limit.kind, limit.metric] = {entry.hour: optimum(entry) for entry in solve().hours}
        limits[limit.metric] = value
    return SolvedHours(solution, without)


def optimum(entry: HourSolution) -> Optimum:
    """The best of an hour, as it was solved."""
    return Optimum(entry.value, entry.lower_bound, entry.status)
