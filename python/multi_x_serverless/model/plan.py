"""Plans: where each node runs at each hour, with the proof and the data it rests on.

A plan is immutable; a new one gets the next version. `active` and `staged` are pointers in the tables (see
`cloud.tables`), a plan document itself never says which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import Fields, as_text
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.robust import CarbonBesideHome, RobustCase

PLAN_SCHEMA = "multi-x-serverless/plan"
PLAN_VERSION = 1

Placement: TypeAlias = Mapping[str, str]
"""Node name -> region code."""

Objective: TypeAlias = Literal["carbon", "cost", "runtime"]


@dataclass(frozen=True)
class Metric:
    """A quantity over runs: mean, estimated 95th percentile, and that percentile's confidence bounds.

    Units: gCO2eq (carbon), USD (cost), seconds (runtime). A bound is `None` when there are too few scenarios for one;
    the lower one in documents of older versions, too.
    """

    mean: float
    tail: float
    tail_upper: float | None
    tail_lower: float | None = None

    @classmethod
    def from_fields(cls, fields: Fields) -> Metric:
        """Read a metric."""
        return cls(
            fields.number("mean"),
            fields.number("tail"),
            fields.optional_number("tail_upper"),
            fields.optional_number("tail_lower"),
        )

    def to_members(self) -> dict[str, float | None]:
        """The metric as part of a document."""
        return {"mean": self.mean, "tail": self.tail, "tail_upper": self.tail_upper, "tail_lower": self.tail_lower}


@dataclass(frozen=True)
class Metrics:
    """What one placement costs per run at one hour."""

    carbon: Metric
    cost: Metric
    runtime: Metric

    @classmethod
    def from_fields(cls, fields: Fields) -> Metrics:
        """Read metrics."""
        return cls(*(Metric.from_fields(fields.section(name)) for name in ("carbon", "cost", "runtime")))

    def to_members(self) -> dict[str, Any]:
        """The metrics as part of a document."""
        return {name: getattr(self, name).to_members() for name in ("carbon", "cost", "runtime")}

    def of(self, objective: Objective) -> Metric:
        """The metric of an objective."""
        return {"carbon": self.carbon, "cost": self.cost, "runtime": self.runtime}[objective]


@dataclass(frozen=True)
class Certificate:
    """How good an hour's placement is known to be; of a robust plan, in the case least favourable to moving.

    Attributes:
        status: ``optimal`` (proven), ``feasible`` (within `gap`), ``infeasible`` (home, limits cannot be met),
            ``timed_out``, ``declared`` (no solver was asked: the home-only plan of a deployment).
        objective: Quantity minimised first.
        value: Its mean for the placement, in its unit.
        lower_bound: No admissible placement has less.
        gap: ``(value - lower_bound) / value``; 0 when proven.
    """

    status: Literal["optimal", "feasible", "infeasible", "timed_out", "declared"]
    objective: Objective
    value: float
    lower_bound: float
    gap: float


@dataclass(frozen=True)
class HourPlan:
    """One hour of a plan, with what is expected of it and of its baselines over fresh scenarios.

    Attributes:
        metrics: Of the placement; `None` in the home-only plan, like all that follow.
        home_metrics: Everything home.
        best_single_region: The best single region of this hour; `None` if none keeps the hard limits.
        best_single_metrics: Everything there, as far as nodes may run there.
        best_static_metrics: Everything in the plan's `best_static_region`, as far as nodes may run there.
        least_favourable: Carbon in the case that a robust plan is made for; all metrics are what is expected.
    """

    hour: int
    placement: Placement
    certificate: Certificate
    metrics: Metrics | None
    home_metrics: Metrics | None
    best_single_region: str | None
    best_single_metrics: Metrics | None
    best_static_metrics: Metrics | None = None
    least_favourable: CarbonBesideHome | None = None


@dataclass(frozen=True)
class Plan:
    """Placements for hours 0-23 UTC (at least one), each in force until the next planned hour.

    Attributes:
        version: From 1; grows by one with every plan of the workflow.
        created_at: Seconds since the epoch, UTC.
        expires_at: Afterwards runs go home.
        solver: ``fine-grained``, ``coarse-grained``, ``heuristic``, or ``none`` for the home-only plan.
        problem_hash: SHA-256 of the problem document, empty for the home-only plan.
        provenance: Signal -> where its values come from and how old they are.
        observed_runs: Observed runs that the scenarios were drawn from; `None` if no solver was asked.
        best_static_region: The best single region for the whole day; `None` if none keeps the hard limits all day.
        robust: The case least favourable to moving that its placements are chosen for; `None` if for what is expected.
    """

    workflow_id: str
    version: int
    created_at: float
    expires_at: float
    solver: str
    problem_hash: str
    provenance: Mapping[str, str]
    hours: tuple[HourPlan, ...]
    observed_runs: int | None = None
    best_static_region: str | None = None
    robust: RobustCase | None = None

    def __post_init__(self) -> None:
        planned = [entry.hour for entry in self.hours]
        if not planned or planned != sorted(set(planned)) or planned[0] < 0 or planned[-1] > 23:
            raise InvalidDocumentError("plan", "hours", f"{planned} are not ascending hours of a day")
        nodes = set(self.hours[0].placement)
        for entry in self.hours:
            if set(entry.placement) != nodes:
                raise InvalidDocumentError("plan", f"hours[{entry.hour}].placement", "places other nodes")

    @cached_property
    def regions(self) -> frozenset[str]:
        """All regions in which some node runs at some hour."""
        return frozenset(region for entry in self.hours for region in entry.placement.values())

    @property
    def timed_out_hours(self) -> tuple[int, ...]:
        """Planned UTC hours whose placement the solver had no time to settle."""
        return tuple(entry.hour for entry in self.hours if entry.certificate.status == "timed_out")

    def is_all_in(self, region: str) -> bool:
        """Whether every node is in that region at every hour."""
        return self.regions == {region}

    def regions_of_functions(self, graph: Graph) -> dict[str, frozenset[str]]:
        """Function -> regions in which it is needed."""
        needed: dict[str, set[str]] = {function: set() for function in graph.functions}
        for entry in self.hours:
            for node in graph.nodes:
                needed[node.function].add(entry.placement[node.name])
        return {function: frozenset(regions) for function, regions in needed.items()}

    def at(self, hour: int) -> HourPlan:
        """The entry in force at a UTC hour 0-23."""
        earlier = [entry for entry in self.hours if entry.hour <= hour]
        return earlier[-1] if earlier else self.hours[-1]

    def with_version(self, version: int) -> Plan:
        """The same plan under another version."""
        return replace(self, version=version)

    def to_document(self) -> bytes:
        """The plan as a JSON document."""
        return documents.write(
            PLAN_SCHEMA,
            PLAN_VERSION,
            {
                "workflow_id": self.workflow_id,
                "plan_version": self.version,
                "created_at": self.created_at,
                "expires_at": self.expires_at,
                "solver": self.solver,
                "problem_hash": self.problem_hash,
                "provenance": dict(self.provenance),
                "observed_runs": self.observed_runs,
                "best_static_region": self.best_static_region,
                "robust": None if self.robust is None else self.robust.to_members(),
                "hours": [_hour_members(entry) for entry in self.hours],
            },
        )

    @classmethod
    def from_document(cls, text: bytes | str) -> Plan:
        """Read a plan.

        Raises:
            InvalidDocumentError: The text is no plan; the message names the field.
        """
        fields = documents.read(text, PLAN_SCHEMA, PLAN_VERSION)
        robust = fields.optional_section("robust")
        return cls(
            workflow_id=fields.text("workflow_id"),
            version=fields.integer("plan_version"),
            created_at=fields.number("created_at"),
            expires_at=fields.number("expires_at"),
            solver=fields.text("solver"),
            problem_hash=fields.text("problem_hash"),
            provenance=fields.mapping("provenance", as_text),
            hours=tuple(_hour_from(entry) for entry in fields.sections("hours")),
            # Plans of before these were kept do without.
            observed_runs=fields.optional_integer("observed_runs"),
            best_static_region=fields.optional_text("best_static_region"),
            robust=None if robust is None else RobustCase.from_fields(robust),
        )


def home_plan(workflow_id: str, graph: Graph, home: str, *, version: int, created_at: float, expires_at: float) -> Plan:
    """The plan of a fresh deployment: everything home, at every hour."""
    return Plan(
        workflow_id=workflow_id,
        version=version,
        created_at=created_at,
        expires_at=expires_at,
        solver="none",
        problem_hash="",
        provenance={},
        hours=(
            HourPlan(
                hour=0,
                placement={node.name: home for node in graph.nodes},
                certificate=Certificate("declared", "carbon", 0.0, 0.0, 0.0),
                metrics=None,
                home_metrics=None,
                best_single_region=None,
                best_single_metrics=None,
            ),
        ),
    )


def _hour_members(entry: HourPlan) -> dict[str, Any]:
    def metrics(value: Metrics | None) -> dict[str, Any] | None:
        return None if value is None else value.to_members()

    certificate = entry.certificate
    return {
        "hour": entry.hour,
        "placement": dict(entry.placement),
        "certificate": {
            "status": certificate.status,
            "objective": certificate.objective,
            "value": certificate.value,
            "lower_bound": certificate.lower_bound,
            "gap": certificate.gap,
        },
        "metrics": metrics(entry.metrics),
        "home_metrics": metrics(entry.home_metrics),
        "best_single_region": entry.best_single_region,
        "best_single_metrics": metrics(entry.best_single_metrics),
        "best_static_metrics": metrics(entry.best_static_metrics),
        "least_favourable": None if entry.least_favourable is None else entry.least_favourable.to_members(),
    }


def _hour_from(fields: Fields) -> HourPlan:
    def metrics(name: str) -> Metrics | None:
        section = fields.optional_section(name)
        return None if section is None else Metrics.from_fields(section)

    certificate, least_favourable = fields.section("certificate"), fields.optional_section("least_favourable")
    status = certificate.text("status")
    objective = certificate.text("objective")
    if status not in ("optimal", "feasible", "infeasible", "timed_out", "declared"):
        raise InvalidDocumentError("plan", f"{certificate.path}.status", f"is '{status}'")
    if objective not in ("carbon", "cost", "runtime"):
        raise InvalidDocumentError("plan", f"{certificate.path}.objective", f"is '{objective}'")
    return HourPlan(
        hour=fields.integer("hour"),
        placement=fields.mapping("placement", as_text),
        certificate=Certificate(
            status=status,  # type: ignore[arg-type]  # checked above
            objective=objective,  # type: ignore[arg-type]  # checked above
            value=certificate.number("value"),
            lower_bound=certificate.number("lower_bound"),
            gap=certificate.number("gap"),
        ),
        metrics=metrics("metrics"),
        home_metrics=metrics("home_metrics"),
        best_single_region=fields.optional_text("best_single_region"),
        best_single_metrics=metrics("best_single_metrics"),
        best_static_metrics=metrics("best_static_metrics"),
        least_favourable=None if least_favourable is None else CarbonBesideHome.from_fields(least_favourable),
    )
