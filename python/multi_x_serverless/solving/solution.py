"""The solution document, as the engine writes it, in types; and the plan that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import Fields, as_text
from multi_x_serverless.model.plan import Certificate, HourPlan, Metrics, Objective, Plan

SOLUTION_SCHEMA = "multi-x-serverless/solution"
SOLUTION_VERSION = 1

Status: TypeAlias = Literal["optimal", "feasible", "infeasible", "timed_out"]


@dataclass(frozen=True)
class Constraint:
    """One limit and how an hour's placement stands to it.

    Attributes:
        kind: ``hard`` (on the 95th percentile) or ``soft`` (on the mean).
        metric: ``carbon`` (gCO2eq), ``cost`` (USD) or ``runtime`` (s).
        limit: In the metric's unit, relative limits multiplied out.
        estimate: Estimated percentile or mean.
        upper_bound: What was held against the limit: for hard limits the percentile's upper confidence bound.
    """

    kind: str
    metric: Objective
    limit: float
    estimate: float
    upper_bound: float
    is_binding: bool
    is_violated: bool


@dataclass(frozen=True)
class Candidate:
    """A single-region placement; not pure when pinned nodes had to stay home."""

    region: str
    is_pure: bool
    is_feasible: bool
    metrics: Metrics


@dataclass(frozen=True)
class UnmetLimit:
    """A hard limit at an hour at which no placement was found that keeps all of them.

    Attributes:
        best_achievable: The least that any placement found reaches, in the metric's unit.
        excess: How far that is above the limit, in the metric's unit; 0 or less if the limit alone could be met.
    """

    metric: Objective
    limit: float
    best_achievable: float
    excess: float


@dataclass(frozen=True)
class HourSolution:
    """One hour of a solution."""

    hour: int
    status: Status
    placement: Mapping[str, str]
    metrics: Metrics
    home_metrics: Metrics
    objective: Objective
    value: float
    lower_bound: float
    gap: float
    constraints: tuple[Constraint, ...]
    candidates: tuple[Candidate, ...]
    best_single_region: str | None
    unmet_limits: tuple[UnmetLimit, ...]
    evaluations: int
    explored: int

    def candidate(self, region: str | None) -> Candidate | None:
        """The candidate of a region."""
        return next((entry for entry in self.candidates if entry.region == region), None)


@dataclass(frozen=True)
class Solution:
    """What the engine answered. `document` is the whole answer for machines."""

    problem_hash: str
    solver: str
    seed: int
    scenarios: int
    is_prior: bool
    elapsed_s: float
    provenance: Mapping[str, str]
    hours: tuple[HourSolution, ...]
    document: bytes

    @property
    def infeasible_hours(self) -> tuple[int, ...]:
        """Hours at which no placement satisfies the hard limits: everything stays home then."""
        return tuple(entry.hour for entry in self.hours if entry.status == "infeasible")

    @property
    def is_infeasible_at_all_hours(self) -> bool:
        """Whether no hour has a placement that satisfies the hard limits."""
        return len(self.infeasible_hours) == len(self.hours)


def read_solution(text: bytes) -> Solution:
    """Read the engine's answer.

    Raises:
        InvalidDocumentError: It is no solution document of a known version.
    """
    fields = documents.read(text, SOLUTION_SCHEMA, SOLUTION_VERSION)
    return Solution(
        problem_hash=fields.text("problem_hash"),
        solver=fields.text("solver"),
        seed=fields.integer("seed"),
        scenarios=fields.integer("scenarios"),
        is_prior=fields.truth("prior"),
        elapsed_s=fields.number("elapsed_s"),
        provenance=fields.mapping("provenance", as_text),
        hours=tuple(_hour(entry) for entry in fields.sections("hours")),
        document=text,
    )


def plan_from_solution(solution: Solution, workflow_id: str, *, created_at: float, expires_at: float) -> Plan:
    """The plan of a solution, without a version yet."""
    return Plan(
        workflow_id=workflow_id,
        version=0,
        created_at=created_at,
        expires_at=expires_at,
        solver=solution.solver,
        problem_hash=solution.problem_hash,
        provenance=solution.provenance,
        hours=tuple(_hour_plan(entry) for entry in sorted(solution.hours, key=lambda entry: entry.hour)),
    )


def _hour_plan(entry: HourSolution) -> HourPlan:
    single = entry.candidate(entry.best_single_region)
    return HourPlan(
        hour=entry.hour,
        placement=entry.placement,
        certificate=Certificate(entry.status, entry.objective, entry.value, entry.lower_bound, entry.gap),
        metrics=entry.metrics,
        home_metrics=entry.home_metrics,
        best_single_region=entry.best_single_region,
        best_single_metrics=None if single is None else single.metrics,
    )


def _hour(fields: Fields) -> HourSolution:
    status = fields.text("status")
    if status not in ("optimal", "feasible", "infeasible", "timed_out"):
        raise InvalidDocumentError(fields.document, f"{fields.path}.status", f"is '{status}'")
    objective = fields.section("objective")
    infeasibility = fields.optional_section("infeasibility")
    return HourSolution(
        hour=fields.integer("hour"),
        status=status,  # type: ignore[arg-type]  # checked above
        placement=fields.mapping("placement", as_text),
        metrics=Metrics.from_fields(fields.section("metrics")),
        home_metrics=Metrics.from_fields(fields.section("home_metrics")),
        objective=_metric_name(objective, "name"),
        value=objective.number("value"),
        lower_bound=objective.number("lower_bound"),
        gap=objective.number("gap"),
        constraints=tuple(_constraint(entry) for entry in fields.sections("constraints")),
        candidates=tuple(
            Candidate(
                region=entry.text("region"),
                is_pure=entry.truth("placement_is_pure"),
                is_feasible=entry.truth("feasible"),
                metrics=Metrics.from_fields(entry.section("metrics")),
            )
            for entry in fields.sections("candidates")
        ),
        best_single_region=fields.optional_text("best_single_region"),
        unmet_limits=() if infeasibility is None else tuple(map(_unmet, infeasibility.sections("limits"))),
        evaluations=fields.integer("evaluations"),
        explored=fields.integer("explored"),
    )


def _constraint(fields: Fields) -> Constraint:
    return Constraint(
        kind=fields.text("kind"),
        metric=_metric_name(fields, "metric"),
        limit=fields.number("limit"),
        estimate=fields.number("estimate"),
        upper_bound=fields.number("upper_bound"),
        is_binding=fields.truth("binding"),
        is_violated=fields.truth("violated"),
    )


def _unmet(fields: Fields) -> UnmetLimit:
    return UnmetLimit(
        metric=_metric_name(fields, "metric"),
        limit=fields.number("limit"),
        best_achievable=fields.number("best_achievable"),
        excess=fields.number("excess"),
    )


def _metric_name(fields: Fields, name: str) -> Objective:
    value = fields.text(name)
    if value not in ("carbon", "cost", "runtime"):
        raise InvalidDocumentError(fields.document, f"{fields.path}.{name}", f"is '{value}'")
    return value  # type: ignore[return-value]  # checked above
