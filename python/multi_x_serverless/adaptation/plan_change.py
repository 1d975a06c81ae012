"""What a plan changes against what runs follow now, for whoever just solved: a plan may move nothing at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multi_x_serverless.model.units import HOURS_PER_DAY
from multi_x_serverless.solving.simulation import Simulator

if TYPE_CHECKING:
    from multi_x_serverless.model.plan import Objective, Placement, Plan
    from multi_x_serverless.solving.solution import HourSolution, Solution


@dataclass(frozen=True)
class LimitAtHome:
    """Hard limits that keep everything home, as far as single regions tell.

    Attributes:
        region: The region in which all nodes would have least of the objective, among those where it is less than home.
        objective: The first one.
        change: What is less there, as a fraction of home's, at the hour where that is most.
        limits: Metrics whose hard limits that breaks then.
    """

    region: str
    objective: Objective
    change: float
    limits: tuple[Objective, ...]


@dataclass(frozen=True)
class PlanChange:
    """What a plan changes.

    Attributes:
        everything_home: Whether it has every node at home at every hour.
        moves_nothing: Whether every node is at each hour where runs have it now: no migration is needed.
        kept_home_by: Of a plan with everything at home, if hard limits keep it there.
    """

    everything_home: bool
    moves_nothing: bool
    kept_home_by: LimitAtHome | None


def plan_change(plan: Plan, in_force: Plan | None, home: str, problem: bytes, solution: Solution) -> PlanChange:
    """Hold a plan against what runs follow now.

    Args:
        in_force: The plan that runs follow away from home; `None` if they stay there.
        home: The home region.
        problem: The document that the plan was made of.
        solution: What the solver found.
    """
    everything_home = plan.is_all_in(home)
    moves_nothing = (
        everything_home
        if in_force is None
        else all(plan.at(hour).placement == in_force.at(hour).placement for hour in range(HOURS_PER_DAY))
    )
    return PlanChange(everything_home, moves_nothing, _kept_home_by(problem, solution) if everything_home else None)


def _kept_home_by(problem: bytes, solution: Solution) -> LimitAtHome | None:
    """The limits that the best single region breaks at the hour when it would be best."""
    found = [(less, entry, region) for entry in solution.hours for less, region in _better_regions(entry)]
    if not found:
        return None
    less, entry, region = max(found, key=lambda better: better[0])
    simulator = Simulator(problem)
    placement: Placement = {
        node: region if region in simulator.frame.allowed[node] else home for node, home in simulator.home.items()
    }
    broken = tuple(
        check.metric
        for check in simulator.at(placement, entry.hour).limits
        if check.kind == "hard" and check.is_violated
    )
    return LimitAtHome(region, entry.objective, less, broken) if broken else None


def _better_regions(entry: HourSolution) -> list[tuple[float, str]]:
    """Regions that have less of the first objective than home and break a hard limit, and how much less."""
    home = entry.home_metrics.of(entry.objective).mean
    return [
        (1.0 - candidate.metrics.of(entry.objective).mean / home, candidate.region)
        for candidate in entry.candidates
        if not candidate.is_feasible and candidate.metrics.of(entry.objective).mean < home
    ]
