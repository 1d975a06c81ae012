"""The Pareto frontier of an hour: which trade-offs between carbon, cost and time there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from multi_x_serverless.model.documents import Fields, as_text
from multi_x_serverless.model.plan import Metrics

FRONTIER_SCHEMA = "multi-x-serverless/frontier"
FRONTIER_VERSION = 1


@dataclass(frozen=True)
class FrontierPoint:
    """A placement that no other on the frontier beats in one metric without losing in another.

    Attributes:
        placement: Node -> region.
        metrics: Over the planning scenarios; mean carbon, mean cost and the tail of the run time are compared.
        is_supported: Whether it minimises some weighted sum of mean carbon and mean cost over all placements.
    """

    placement: Mapping[str, str]
    metrics: Metrics
    is_supported: bool


@dataclass(frozen=True)
class Frontier:
    """Points in ascending order of mean carbon, and how much of the frontier they are.

    Attributes:
        tolerance: The fraction that was asked for.
        is_complete: Whether it is proven that every placement that keeps the hard limits is matched, within
            `tolerance` in each metric, by a point.
        epsilon: The fraction for which that is proven; `None` if time was up before anything was proven,
            whatever points were found.
    """

    tolerance: float
    is_complete: bool
    epsilon: float | None
    points: tuple[FrontierPoint, ...]

    @classmethod
    def from_fields(cls, fields: Fields) -> Frontier:
        """Read the part of an engine's answer that holds a frontier."""
        return cls(
            tolerance=fields.number("tolerance"),
            is_complete=fields.truth("complete"),
            epsilon=fields.optional_number("epsilon"),
            points=tuple(_point(entry) for entry in fields.sections("points")),
        )


@dataclass(frozen=True)
class HourFrontier:
    """The frontier of a UTC hour, with what everything at home comes to then."""

    hour: int
    frontier: Frontier
    home_metrics: Metrics

    def to_members(self) -> dict[str, Any]:
        """The frontier as part of a document; points have the numbers that they are picked by."""
        return {
            "hour": self.hour,
            "home_metrics": self.home_metrics.to_members(),
            "tolerance": self.frontier.tolerance,
            "complete": self.frontier.is_complete,
            "epsilon": self.frontier.epsilon,
            "points": [
                {
                    "number": number,
                    "placement": dict(point.placement),
                    "metrics": point.metrics.to_members(),
                    "supported": point.is_supported,
                }
                for number, point in enumerate(self.frontier.points, start=1)
            ],
        }


def _point(fields: Fields) -> FrontierPoint:
    return FrontierPoint(
        placement=fields.mapping("placement", as_text),
        metrics=Metrics.from_fields(fields.section("metrics")),
        is_supported=fields.truth("supported"),
    )
