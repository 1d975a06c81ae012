"""A plan from a point of a Pareto frontier: a trade-off that a person chose instead of the order of priority.

A frontier is that of one hour, whose grids it rests on. What is picked is a placement, and the plan has it at all
hours: what differs between hours is carbon only, and a plan that a person chose should not move by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from multi_x_serverless.adaptation.other_placements import with_placements
from multi_x_serverless.errors import LimitsNotMetError, UsageError
from multi_x_serverless.model.plan import Placement, Plan
from multi_x_serverless.solving.comparisons import Statistic
from multi_x_serverless.solving.frontier import HourFrontier
from multi_x_serverless.solving.simulation import LimitCheck, Simulator


@dataclass(frozen=True)
class PickedPlan:
    """A plan that has one placement at all hours.

    Attributes:
        number: Of the point, from 1 in the frontier's order.
        warnings: Soft limits that it breaks.
    """

    number: int
    plan: Plan
    warnings: tuple[str, ...]


def pick_point(problem: bytes, plan: Plan, found: HourFrontier, number: int) -> PickedPlan:
    """The plan of a point.

    Args:
        problem: The document that the plan and the frontier were made of.
        plan: The engine's, for all hours.
        found: The frontier of an hour.
        number: Of the point, from 1.

    Raises:
        UsageError: There is no such point, or the frontier is not complete, so that numbers may be others next time.
        LimitsNotMetError: At some hour the point's placement breaks a hard limit, or there is no point that keeps them.
    """
    points = found.frontier.points
    if not found.frontier.is_complete:
        raise UsageError(
            f"time was up before the frontier of {found.hour:02}:00 UTC was complete, and its numbers may be others "
            "the next time: allow it more time with --deadline, or a wider --frontier."
        )
    if not points:
        raise LimitsNotMetError(f"no placement keeps the hard limits at {found.hour:02}:00 UTC: there is none to pick.")
    if not 1 <= number <= len(points):
        raise UsageError(f"the frontier of {found.hour:02}:00 UTC has no point {number}; there are 1 to {len(points)}.")
    placement = points[number - 1].placement
    broken = _broken(Simulator(problem), plan, placement)
    hard = [(hour, check) for hour, check in broken if check.kind == "hard"]
    if hard:
        hour, check = hard[0]
        hours = ", ".join(dict.fromkeys(str(hour) for hour, _ in hard))
        raise LimitsNotMetError(
            f"point {number} keeps the hard limits at {found.hour:02}:00 UTC and not at all hours: at {hour:02}:00 "
            f"{_standing(check)} (broken at hours {hours}). Pick another point, or one of the frontier of that hour: "
            f"--hour {hour}."
        )
    hours_of: dict[str, list[str]] = {}
    for hour, check in broken:
        hours_of.setdefault(check.metric, []).append(str(hour))
    return PickedPlan(
        number=number,
        plan=with_placements(plan, {entry.hour: placement for entry in plan.hours}, problem),
        warnings=tuple(
            f"point {number} breaks the soft limit of {metric} at hours {', '.join(hours)}."
            for metric, hours in hours_of.items()
        ),
    )


_UNITS = {"carbon": "gCO2eq", "cost": "USD", "runtime": "s"}

_STATISTICS: Mapping[Statistic, str] = {
    "lower_bound": "the lower bound of the percentile of {} is",
    "estimate": "the percentile of {} is estimated at",
    "upper_bound": "the percentile of {} may be",
    "mean": "the mean of {} is",
}


def _standing(check: LimitCheck) -> str:
    """What of a broken limit is above what is allowed: any of three statistics may be."""
    tightest = check.tightest
    most, value = _digits(tightest.limit, tightest.value)
    what = _STATISTICS[tightest.statistic].format(check.metric)
    return f"{what} {value} {_UNITS[check.metric]}, at most {most} is allowed"


def _digits(limit: float, value: float) -> tuple[str, str]:
    """Both with four digits, or as many as it takes to tell them apart."""
    digits = next((count for count in range(4, 17) if f"{limit:.{count}g}" != f"{value:.{count}g}"), 17)
    return f"{limit:.{digits}g}", f"{value:.{digits}g}"


def _broken(simulator: Simulator, plan: Plan, placement: Placement) -> list[tuple[int, LimitCheck]]:
    """The limits that a placement breaks at the hours of a plan."""
    return [
        (entry.hour, check)
        for entry in plan.hours
        for check in simulator.at(placement, entry.hour).limits
        if check.is_violated
    ]
