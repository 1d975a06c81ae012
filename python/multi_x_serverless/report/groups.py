"""The hours of an explanation that are placed alike, summed up: what a table has room for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multi_x_serverless.model.plan import Objective
from multi_x_serverless.model.robust import CarbonBesideHome
from multi_x_serverless.report.explanation import (
    Alternative,
    ExplainedHour,
    Explanation,
    LimitStanding,
    PlacedNode,
    Verdict,
    relative_change,
)
from multi_x_serverless.report.verdicts import count_broken


@dataclass(frozen=True)
class AlternativeOfHours:
    """Another region for a node in a group of hours.

    Attributes:
        by_hour: UTC hour -> the alternative at it.
        changes: Metric -> how much more of its mean the node moved alone brings, as a fraction of the placement's, of
            the sums over the hours; `None` where the placement has none of it.
        tail_change: The same of the run time's percentile.
        bound_change: How much more of the bounds' metric any placement with the node there has at the least; `None`
            where nothing is proven.
        verdicts: Verdict -> the hours of which it holds, ascending.
    """

    region: str
    by_hour: Mapping[int, Alternative]
    changes: Mapping[Objective, float | None]
    tail_change: float | None
    bound_change: float | None
    verdicts: Mapping[Verdict, tuple[int, ...]]


@dataclass(frozen=True)
class NodeOfHours:
    """A node in a group of hours; alternatives as `PlacedNode` has them, the best over all of the hours first."""

    node: PlacedNode
    alternatives: tuple[AlternativeOfHours, ...]


@dataclass(frozen=True)
class HourGroup:
    """Hours with the same placement, ascending."""

    hours: tuple[ExplainedHour, ...]
    nodes: tuple[NodeOfHours, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The UTC hours."""
        return tuple(entry.hour for entry in self.hours)

    def mean(self, objective: Objective) -> float:
        """Mean of an objective over the hours, in its unit."""
        return sum(entry.chosen.metrics.of(objective).mean for entry in self.hours) / len(self.hours)

    @property
    def expected(self) -> CarbonBesideHome | None:
        """Mean carbon over the hours that is expected of a robust plan, gCO2eq per run; `None` of another plan."""
        found = [entry.expected for entry in self.hours if entry.expected is not None]
        if len(found) < len(self.hours):
            return None
        return CarbonBesideHome(
            sum(entry.carbon_gco2eq for entry in found) / len(found),
            sum(entry.home_carbon_gco2eq for entry in found) / len(found),
        )

    @property
    def change_from_home(self) -> Mapping[Objective, float | None]:
        """How much more of each objective than at home, as a fraction."""
        return {objective: self._change_from_home(objective) for objective in ("carbon", "cost", "runtime")}

    def _change_from_home(self, objective: Objective) -> float | None:
        home = sum(entry.chosen.home_metrics.of(objective).mean for entry in self.hours)
        return relative_change(home, self.mean(objective) * len(self.hours))

    def tightest(self, position: int) -> tuple[int, LimitStanding]:
        """The hour at which the limit of that position has least slack relative to it, and how it stands there."""
        entry = min(self.hours, key=lambda entry: relative_slack(entry.limits[position]))
        return entry.hour, entry.limits[position]


def group_hours(explanation: Explanation) -> tuple[HourGroup, ...]:
    """The hours of an explanation by their placements, in order of the first hour of each."""
    groups: list[list[ExplainedHour]] = []
    for entry in explanation.hours:
        for members in groups:
            if dict(members[0].chosen.placement) == dict(entry.chosen.placement):
                members.append(entry)
                break
        else:
            groups.append([entry])
    return tuple(_group(explanation, members) for members in groups)


def relative_slack(limit: LimitStanding) -> float:
    """What is left up to a limit, as a fraction of it; negative where it is broken."""
    return limit.check.margin


def _group(explanation: Explanation, hours: Sequence[ExplainedHour]) -> HourGroup:
    nodes = tuple(_node(explanation, hours, position) for position in range(len(hours[0].nodes)))
    return HourGroup(tuple(hours), nodes)


def _node(explanation: Explanation, hours: Sequence[ExplainedHour], position: int) -> NodeOfHours:
    node = hours[0].nodes[position]
    regions = [alternative.region for alternative in node.alternatives]
    found = [_alternative(explanation, hours, position, region) for region in regions]

    def harm(alternative: AlternativeOfHours) -> tuple[float, ...]:
        moved = [entry.moved for entry in alternative.by_hour.values()]
        return (
            sum(count_broken(entry, "hard") for entry in moved),
            sum(count_broken(entry, "soft") for entry in moved),
            *(sum(entry.metrics.of(objective).mean for entry in moved) for objective in explanation.order),
        )

    return NodeOfHours(node, tuple(sorted(found, key=harm)))


def _alternative(
    explanation: Explanation, hours: Sequence[ExplainedHour], position: int, region: str
) -> AlternativeOfHours:
    by_hour = {
        entry.hour: next(other for other in entry.nodes[position].alternatives if other.region == region)
        for entry in hours
    }
    moved = [by_hour[entry.hour].moved.metrics for entry in hours]
    here = [entry.chosen.metrics for entry in hours]
    objectives: tuple[Objective, ...] = ("carbon", "cost", "runtime")
    verdicts: dict[Verdict, tuple[int, ...]] = {}
    for hour, alternative in by_hour.items():
        verdicts[alternative.verdict] = (*verdicts.get(alternative.verdict, ()), hour)
    bounds = [alternative.bound for alternative in by_hour.values() if alternative.bound is not None]
    metric = explanation.bound_metric
    return AlternativeOfHours(
        region=region,
        by_hour=by_hour,
        changes={
            objective: relative_change(
                sum(metrics.of(objective).mean for metrics in here),
                sum(metrics.of(objective).mean for metrics in moved),
            )
            for objective in objectives
        },
        tail_change=relative_change(
            sum(metrics.runtime.tail for metrics in here), sum(metrics.runtime.tail for metrics in moved)
        ),
        bound_change=None
        if metric is None or len(bounds) < len(hours)
        else relative_change(sum(metrics.of(metric).mean for metrics in here), sum(bounds)),
        verdicts=verdicts,
    )
