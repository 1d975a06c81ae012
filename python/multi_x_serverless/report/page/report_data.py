"""What the page of a report shows: figures and names, no HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model.units import HOURS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multi_x_serverless.adaptation.savings import SavingsReport
    from multi_x_serverless.model.graph import Graph
    from multi_x_serverless.model.ledger import LedgerEntry
    from multi_x_serverless.model.plan import Metrics, Plan

IntensityOrigin: TypeAlias = Literal["problem", "signals"]
"""``problem``: what the plan was made with. ``signals``: what was collected last, as that was not kept."""


@dataclass(frozen=True)
class ReportRegion:
    """A region that the workflow may use.

    Attributes:
        code: AWS's name of it.
        name: AWS's name for people; empty if it is not known.
        latitude: Degrees north, `None` with `longitude` if the place is not known.
        longitude: Degrees east.
        intensity_gco2eq_per_kwh: Of the 24 UTC hours; `None` if it is not known.
        breaks_a_hard_limit: Whether everything there, as far as it may be, breaks one at a planned hour; `None` if that
            is not known.
    """

    code: str
    name: str
    latitude: float | None
    longitude: float | None
    intensity_gco2eq_per_kwh: tuple[float, ...] | None
    breaks_a_hard_limit: bool | None = None

    def __post_init__(self) -> None:
        intensity = self.intensity_gco2eq_per_kwh
        if intensity is not None and len(intensity) != HOURS_PER_DAY:
            raise InvalidDocumentError("report", self.code, f"has {len(intensity)} hours of carbon intensity")
        if (self.latitude is None) != (self.longitude is None):
            raise InvalidDocumentError("report", self.code, "has one half of a place")


@dataclass(frozen=True)
class TradeOffPoint:
    """A placement of an hour and its metrics over the planning scenarios.

    Attributes:
        nodes: Region -> how many nodes are there.
        is_the_plans: Whether the plan has these metrics at this hour.
    """

    metrics: Metrics
    nodes: Mapping[str, int]
    is_the_plans: bool


@dataclass(frozen=True)
class TradeOffs:
    """The Pareto frontier of an hour beside what it can be compared with, all simulated.

    Attributes:
        hour: UTC.
        points: In ascending order of mean carbon.
        plan: Of the plan, whether it is a point or not.
        home: Everything at home.
        epsilon: Every placement that keeps the hard limits is matched, within this fraction in each metric, by a point;
            `None` if not known.
        is_complete: Whether the search came to its end.
        is_robust: Whether all carbon is that in the case least favourable to moving.
    """

    hour: int
    points: tuple[TradeOffPoint, ...]
    plan: Metrics
    home: Metrics
    epsilon: float | None
    is_complete: bool
    is_robust: bool = False


@dataclass(frozen=True)
class ReportData:
    """Everything that the page of a workflow's report shows.

    Attributes:
        made_at: When this was put together, seconds since the epoch, UTC.
        program: Name and version of what made it.
        home: The home region.
        graph: The workflow's graph; the plan places all of its nodes.
        regions: Every region that the workflow may use, home first.
        intensity_origin: Where the intensities come from.
        savings: Figures of the report, and the plan in force.
        trade_offs: `None` if there is nothing to find them with.
        no_trade_offs: Why there are none; empty if there are.
        ledger: Entries of the last 30 days, newest first.
        attribution: What has to stay with the carbon data.
        map_source: Where the outlines of the map come from.
    """

    workflow_id: str
    made_at: float
    program: str
    home: str
    graph: Graph
    regions: tuple[ReportRegion, ...]
    intensity_origin: IntensityOrigin
    savings: SavingsReport
    trade_offs: TradeOffs | None
    no_trade_offs: str
    ledger: tuple[LedgerEntry, ...]
    attribution: str
    map_source: str

    def __post_init__(self) -> None:
        if {node.name for node in self.graph.nodes} != set(self.plan.hours[0].placement):
            raise InvalidDocumentError("report", "plan", "places other nodes than the workflow has")
        known = {region.code for region in self.regions}
        if self.home not in known or not self.plan.regions <= known:
            raise InvalidDocumentError("report", "regions", "lacks one that the plan uses")

    @property
    def plan(self) -> Plan:
        """The plan in force."""
        return self.savings.plan

    def region(self, code: str) -> ReportRegion:
        """A region by its code."""
        return next(region for region in self.regions if region.code == code)

    def placement(self, hour: int) -> tuple[str, ...]:
        """Region of each node, in the order of the graph, at a UTC hour."""
        placed = self.plan.at(hour).placement
        return tuple(placed[node.name] for node in self.graph.nodes)

    @property
    def hour_made(self) -> int:
        """UTC hour (0-23) in which this was put together."""
        return int(self.made_at // 3600) % HOURS_PER_DAY
