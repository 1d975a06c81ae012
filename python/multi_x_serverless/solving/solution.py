"""The solution document, as the engine writes it, in types; and the plan that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import Fields, as_number, as_text
from multi_x_serverless.model.plan import Certificate, HourPlan, Metrics, Objective, Plan
from multi_x_serverless.model.shared_constants import SAMPLES_THAT_COUNT_FULLY
from multi_x_serverless.solving.comparisons import Comparison, Statistic, read_statistic, tightest
from multi_x_serverless.solving.frontier import Frontier

SOLUTION_SCHEMA = "multi-x-serverless/solution"
SOLUTION_VERSION = 1

Status: TypeAlias = Literal["optimal", "feasible", "infeasible", "timed_out"]

Bounds: TypeAlias = tuple[float | None, ...]
"""Of each objective in order of priority: what no placement that counts is below, `None` where that is not proven.
Those that a solver did not come to are missing at the end."""


@dataclass(frozen=True)
class Constraint:
    """One limit and how an hour's placement stands to it.

    Attributes:
        kind: ``hard`` (on the 95th percentile) or ``soft`` (on the mean).
        metric: ``carbon`` (gCO2eq), ``cost`` (USD) or ``runtime`` (s).
        limit: In the metric's unit, relative limits multiplied out: on `upper_bound`.
        estimate: Estimated percentile or mean.
        upper_bound: For hard limits the percentile's upper confidence bound, for soft ones the mean.
        compared: All that was held against the limit; of solutions of older engines the upper bound alone.
    """

    kind: str
    metric: Objective
    limit: float
    estimate: float
    upper_bound: float
    is_binding: bool
    is_violated: bool
    compared: tuple[Comparison, ...]

    @property
    def tightest(self) -> Comparison:
        """The comparison whose value is the largest fraction of its limit."""
        return tightest(self.compared)


@dataclass(frozen=True)
class Candidate:
    """A single-region placement; not pure when pinned nodes had to stay home."""

    region: str
    is_pure: bool
    is_feasible: bool
    metrics: Metrics


@dataclass(frozen=True)
class Validation:
    """What is to be expected of an hour's placement and of its baselines, over scenarios none was chosen by.

    Attributes:
        scenarios: How many fresh scenarios.
        best_single_metrics: Of the best single region of the hour; `None` if there is none.
        best_static_metrics: Of the best single region for all hours; `None` if there is none.
        constraints: The limits over these scenarios, in the order of the hour's own.
    """

    scenarios: int
    metrics: Metrics
    home_metrics: Metrics
    best_single_metrics: Metrics | None
    best_static_metrics: Metrics | None
    constraints: tuple[Constraint, ...]


@dataclass(frozen=True)
class UnmetLimit:
    """A hard limit at an hour at which no placement was found that keeps all of them.

    Attributes:
        statistic: What of the tail is the farthest above its limit in the placement that comes closest.
        limit: On that statistic, in the metric's unit.
        best_achievable: What that placement reaches, in the metric's unit.
        excess: How far that is above the limit, in the metric's unit; 0 or less if the limit alone could be met.
    """

    metric: Objective
    statistic: Statistic
    limit: float
    best_achievable: float
    excess: float


@dataclass(frozen=True)
class HourSolution:
    """One hour of a solution.

    `metrics`, `home_metrics`, `constraints` and `candidates` are over the scenarios that the placement was chosen by:
    they belong to the proof. What to expect is in `validation`.

    Attributes:
        is_proven_infeasible: Whether no placement keeps the hard limits, as opposed to none having been found.
        min_marginals_metric: The first of carbon and cost in the order of priority; `None` if there is neither, or no
            exact minimum.
        min_marginals: Node -> region it may run in -> least mean of that metric over all placements with the node
            there, limits ignored: no placement that keeps them is below. In the metric's unit.
    """

    hour: int
    status: Status
    placement: Mapping[str, str]
    metrics: Metrics
    home_metrics: Metrics
    objective: Objective
    value: float
    lower_bound: float
    gap: float
    bounds: Bounds
    constraints: tuple[Constraint, ...]
    validation: Validation
    candidates: tuple[Candidate, ...]
    best_single_region: str | None
    unmet_limits: tuple[UnmetLimit, ...]
    is_proven_infeasible: bool
    min_marginals_metric: Objective | None
    min_marginals: Mapping[str, Mapping[str, float]]
    frontier: Frontier | None
    evaluations: int
    explored: int

    def candidate(self, region: str | None) -> Candidate | None:
        """The candidate of a region."""
        return next((entry for entry in self.candidates if entry.region == region), None)


@dataclass(frozen=True)
class Solution:
    """What the engine answered.

    Attributes:
        runs: Observed runs that scenarios were drawn from; 0 if they rest on declared estimates.
        scenarios: Scenarios to plan with.
        validation_scenarios: Fresh ones to validate with.
        tail: The percentile that hard limits hold for, as a fraction.
        confidence: Of the percentile's bounds, as a fraction.
        best_static_region: The best single region for all hours; `None` if none keeps the hard limits at all hours.
        document: The whole answer for machines.
    """

    problem_hash: str
    solver: str
    seed: int
    runs: int
    scenarios: int
    validation_scenarios: int
    tail: float
    confidence: float
    is_prior: bool
    elapsed_s: float
    provenance: Mapping[str, str]
    best_static_region: str | None
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

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that belong with every figure of this solution."""
        warning = few_runs_warning(self.runs)
        return () if warning is None else (warning,)


def few_runs_warning(runs: int) -> str | None:
    """What has to be said of figures that rest on so few observed runs; `None` if they are enough."""
    if runs >= SAMPLES_THAT_COUNT_FULLY:
        return None
    if runs == 0:
        return "No runs were observed: all figures rest on declared estimates."
    return (
        f"All figures rest on {runs} observed run{'s' if runs > 1 else ''}: below {SAMPLES_THAT_COUNT_FULLY}, means "
        "and percentiles of future runs may be far from these."
    )


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
        runs=fields.integer("runs"),
        scenarios=fields.integer("scenarios"),
        validation_scenarios=fields.integer("validation_scenarios"),
        # Engines that did not tell were asked for these alone.
        tail=_share(fields, "tail"),
        confidence=_share(fields, "confidence"),
        is_prior=fields.truth("prior"),
        elapsed_s=fields.number("elapsed_s"),
        provenance=fields.mapping("provenance", as_text),
        best_static_region=fields.optional_text("best_static_region"),
        hours=tuple(_hour(entry) for entry in fields.sections("hours")),
        document=text,
    )


def _share(fields: Fields, name: str) -> float:
    found = fields.optional_number(name)
    return 0.95 if found is None else found


@dataclass(frozen=True)
class PlacedHour:
    """What is to be done at an hour, without how good it is and why."""

    hour: int
    status: Status
    placement: Mapping[str, str]
    bounds: Bounds


def read_placements(text: bytes) -> tuple[PlacedHour, ...]:
    """Read of the engine's answer what is to be done; most of the answer is about candidates, and takes far longer.

    Raises:
        InvalidDocumentError: It is no solution document of a known version.
    """
    fields = documents.read(text, SOLUTION_SCHEMA, SOLUTION_VERSION)
    return tuple(
        PlacedHour(entry.integer("hour"), _status(entry), entry.mapping("placement", as_text), _bounds(entry))
        for entry in fields.sections("hours")
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
        observed_runs=solution.runs,
        best_static_region=solution.best_static_region,
    )


def _hour_plan(entry: HourSolution) -> HourPlan:
    expected = entry.validation
    return HourPlan(
        hour=entry.hour,
        placement=entry.placement,
        certificate=Certificate(entry.status, entry.objective, entry.value, entry.lower_bound, entry.gap),
        metrics=expected.metrics,
        home_metrics=expected.home_metrics,
        best_single_region=entry.best_single_region,
        best_single_metrics=expected.best_single_metrics,
        best_static_metrics=expected.best_static_metrics,
    )


def _bounds(fields: Fields) -> Bounds:
    return tuple(
        entry.number("lower_bound") if entry.truth("proven") else None for entry in fields.sections("priority")
    )


def _hour(fields: Fields) -> HourSolution:
    objective = fields.section("objective")
    infeasibility = fields.optional_section("infeasibility")
    return HourSolution(
        hour=fields.integer("hour"),
        status=_status(fields),
        placement=fields.mapping("placement", as_text),
        metrics=Metrics.from_fields(fields.section("metrics")),
        home_metrics=Metrics.from_fields(fields.section("home_metrics")),
        objective=_metric_name(objective, "name"),
        value=objective.number("value"),
        lower_bound=objective.number("lower_bound"),
        gap=objective.number("gap"),
        bounds=_bounds(fields),
        constraints=tuple(_constraint(entry) for entry in fields.sections("constraints")),
        validation=_validation(fields.section("validation")),
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
        is_proven_infeasible=infeasibility is not None and infeasibility.truth("proven"),
        min_marginals_metric=None
        if fields.optional_text("min_marginals_metric") is None
        else _metric_name(fields, "min_marginals_metric"),
        min_marginals=fields.mapping("min_marginals", _by_region),
        evaluations=fields.integer("evaluations"),
        explored=fields.integer("explored"),
        frontier=_frontier(fields),
    )


def _by_region(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        raise TypeError(f"is {value!r}, expected an object from region to number")
    return {as_text(region): as_number(number) for region, number in value.items()}


def _status(fields: Fields) -> Status:
    status = fields.text("status")
    if status not in ("optimal", "feasible", "infeasible", "timed_out"):
        raise InvalidDocumentError(fields.document, f"{fields.path}.status", f"is '{status}'")
    return status  # type: ignore[return-value]  # checked above


def _frontier(fields: Fields) -> Frontier | None:
    section = fields.optional_section("frontier")
    return None if section is None else Frontier.from_fields(section)


def _validation(fields: Fields) -> Validation:
    def metrics(name: str) -> Metrics | None:
        section = fields.optional_section(name)
        return None if section is None else Metrics.from_fields(section)

    return Validation(
        scenarios=fields.integer("scenarios"),
        metrics=Metrics.from_fields(fields.section("metrics")),
        home_metrics=Metrics.from_fields(fields.section("home_metrics")),
        best_single_metrics=metrics("best_single_metrics"),
        best_static_metrics=metrics("best_static_metrics"),
        constraints=tuple(_constraint(entry) for entry in fields.sections("constraints")),
    )


def _constraint(fields: Fields) -> Constraint:
    kind, limit, upper_bound = fields.text("kind"), fields.number("limit"), fields.number("upper_bound")
    if "compared" in fields.values:
        compared = tuple(map(Comparison.from_fields, fields.sections("compared")))
    else:
        compared = (Comparison("upper_bound" if kind == "hard" else "mean", upper_bound, limit),)
    if not compared:
        raise InvalidDocumentError(fields.document, f"{fields.path}.compared", "is empty")
    return Constraint(
        kind=kind,
        metric=_metric_name(fields, "metric"),
        limit=limit,
        estimate=fields.number("estimate"),
        upper_bound=upper_bound,
        is_binding=fields.truth("binding"),
        is_violated=fields.truth("violated"),
        compared=compared,
    )


def _unmet(fields: Fields) -> UnmetLimit:
    return UnmetLimit(
        metric=_metric_name(fields, "metric"),
        statistic=read_statistic(fields, "statistic") if "statistic" in fields.values else "upper_bound",
        limit=fields.number("limit"),
        best_achievable=fields.number("best_achievable"),
        excess=fields.number("excess"),
    )


def _metric_name(fields: Fields, name: str) -> Objective:
    value = fields.text(name)
    if value not in ("carbon", "cost", "runtime"):
        raise InvalidDocumentError(fields.document, f"{fields.path}.{name}", f"is '{value}'")
    return value  # type: ignore[return-value]  # checked above
