"""What a plan changes against what runs follow now, for whoever just solved: a plan may move nothing at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multi_x_serverless.model.units import HOURS_PER_DAY
from multi_x_serverless.solving.simulation import Simulator

if TYPE_CHECKING:
    from multi_x_serverless.model.plan import Objective, Placement, Plan
    from multi_x_serverless.solving.simulation import LimitKind
    from multi_x_serverless.solving.solution import Solution


@dataclass(frozen=True)
class LimitAtHome:
    """Limits that keep everything home, as far as single regions tell.

    Attributes:
        region: The region in which all nodes would have least of the objective, of those that break fewest limits.
        objective: The first one.
        change: What is less there, as a fraction of home's, at the hour where that is most.
        limits: Kind and metric of those that it breaks then, of the soft ones those that home does not.
    """

    region: str
    objective: Objective
    change: float
    limits: tuple[tuple[LimitKind, Objective], ...]


@dataclass(frozen=True)
class PlanChange:
    """What a plan changes.

    Attributes:
        everything_home: Whether it has every node at home at every hour.
        moves_nothing: Whether every node is at each hour where runs have it now: no migration is needed.
        kept_home_by: Of a plan with everything at home, if limits keep it there.
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
    """What the best single region breaks at the hour when it would be best.

    A region that breaks one limit says what that one costs; of one that breaks several none alone is the cause.
    """
    simulator = Simulator(problem)
    found: list[LimitAtHome] = []
    for entry in solution.hours:
        at_home = _broken(simulator, simulator.home, entry.hour)
        home = entry.home_metrics.of(entry.objective).mean
        for candidate in entry.candidates:
            mean = candidate.metrics.of(entry.objective).mean
            if mean < home:
                broken = _broken(simulator, _all_in(simulator, candidate.region), entry.hour)
                limits = tuple(limit for limit in broken if limit[0] == "hard" or limit not in at_home)
                found.append(LimitAtHome(candidate.region, entry.objective, 1.0 - mean / home, limits))
    kept = [entry for entry in found if entry.limits]
    return min(kept, key=lambda entry: (len(entry.limits), -entry.change)) if kept else None


def _all_in(simulator: Simulator, region: str) -> Placement:
    allowed = simulator.frame.allowed
    return {node: region if region in allowed[node] else home for node, home in simulator.home.items()}


def _broken(simulator: Simulator, placement: Placement, hour: int) -> tuple[tuple[LimitKind, Objective], ...]:
    return tuple((check.kind, check.metric) for check in simulator.at(placement, hour).limits if check.is_violated)
