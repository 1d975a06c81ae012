"""Metrics of a given placement of a problem document, held against the document's limits; no cloud, no solver.

The engine computes the metrics. What is a limit and when it counts as kept is in `docs/problem-document.md`, section
"Limits"; a test holds the answers here against those of the solver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import orjson

from multi_x_serverless.errors import InvalidPlacementError, InvalidProblemError, UsageError
from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import Fields
from multi_x_serverless.model.plan import Metric, Metrics, Objective, Placement
from multi_x_serverless.model.robust import RobustCase
from multi_x_serverless.model.units import HOURS_PER_DAY
from multi_x_serverless.solving.comparisons import TAIL, Comparison, statistic_of, tightest
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.problem import PROBLEM_SCHEMA, PROBLEM_VERSION
from multi_x_serverless.solving.robust_problem import read_robust_case
from multi_x_serverless.solving.solution import SOLUTION_SCHEMA, read_solution

LimitKind: TypeAlias = Literal["hard", "soft"]

ALL_HOME = "all-home"
"""Name of the placement that leaves every node in the home region."""

TAIL_TOLERANCE = 1e-6
"""Relative excess over a limit that still counts as within it, for tails and mean run times: single precision."""

MEAN_TOLERANCE = 1e-9
"""The same for mean cost and carbon, which are sums in double precision."""

METRICS: tuple[Objective, ...] = ("carbon", "cost", "runtime")


@dataclass(frozen=True)
class LimitCheck:
    """One limit of the document and how a placement stands to it at an hour.

    Attributes:
        kind: ``hard`` (on the percentile) or ``soft`` (on the mean).
        metric: ``carbon`` (gCO2eq), ``cost`` (USD) or ``runtime`` (s).
        estimate: Estimated percentile (hard) or mean (soft), in the metric's unit.
        compared: What is held against the limit, relative limits multiplied out. Soft: the mean. Hard and absolute:
            the percentile's upper confidence bound. Hard and relative: its lower bound, estimate and upper bound, each
            against home's, in this order.
        is_violated: Whether any of these is above the limit by more than rounding.
    """

    kind: LimitKind
    metric: Objective
    estimate: float
    compared: tuple[Comparison, ...]
    is_violated: bool

    @property
    def limit(self) -> float:
        """Limit on the upper confidence bound (hard) or the mean (soft), in the metric's unit."""
        return self.compared[-1].limit

    @property
    def upper_bound(self) -> float:
        """Upper confidence bound (hard) or mean (soft), in the metric's unit."""
        return self.compared[-1].value

    @property
    def tightest(self) -> Comparison:
        """The comparison whose value is the largest fraction of its limit."""
        return tightest(self.compared)

    @property
    def slack(self) -> float:
        """Slack of the tightest comparison, in the metric's unit; negative when the limit is broken."""
        return self.tightest.slack

    @property
    def margin(self) -> float:
        """Slack as a fraction of the limit that it is of; the slack itself where that limit is zero."""
        tightest = self.tightest
        return tightest.slack / tightest.limit if tightest.limit > 0 else tightest.slack

    def to_members(self) -> dict[str, Any]:
        """The check as part of a document, with the names of the solution document."""
        return {
            "kind": self.kind,
            "metric": self.metric,
            "limit": self.limit,
            "estimate": self.estimate,
            "upper_bound": self.upper_bound,
            "slack": self.slack,
            "violated": self.is_violated,
            "compared": [comparison.to_members() for comparison in self.compared],
        }


@dataclass(frozen=True)
class SimulatedHour:
    """A placement at one UTC hour."""

    hour: int
    placement: Placement
    metrics: Metrics
    home_metrics: Metrics
    limits: tuple[LimitCheck, ...]


@dataclass(frozen=True)
class Simulation:
    """What was simulated.

    Attributes:
        problem_hash: SHA-256 of the problem document.
        scenarios: Planning scenarios that the metrics rest on.
        tail: The percentile of hard limits, as a fraction.
        confidence: Of the percentile's upper bound, as a fraction.
        is_prior: Whether the metrics rest on declared estimates only.
        robust: The case least favourable to moving, in which all carbon is, if the document asks for it.
    """

    workflow: str
    problem_hash: str
    scenarios: int
    tail: float
    confidence: float
    is_prior: bool
    hours: tuple[SimulatedHour, ...]
    robust: RobustCase | None = None

    @property
    def breaks_a_hard_limit(self) -> bool:
        """Whether at any hour any hard limit is broken."""
        return any(check.is_violated for entry in self.hours for check in entry.limits if check.kind == "hard")

    def to_members(self) -> dict[str, Any]:
        """The simulation as members of a document."""
        return {
            "workflow": self.workflow,
            "problem_hash": self.problem_hash,
            "scenarios": self.scenarios,
            "tail": self.tail,
            "confidence": self.confidence,
            "prior": self.is_prior,
            "robust": None if self.robust is None else self.robust.to_members(),
            "hours": [
                {
                    "hour": entry.hour,
                    "placement": dict(entry.placement),
                    "metrics": entry.metrics.to_members(),
                    "home_metrics": entry.home_metrics.to_members(),
                    "constraints": [check.to_members() for check in entry.limits],
                }
                for entry in self.hours
            ],
        }


@dataclass(frozen=True)
class _Frame:
    """The few fields of the problem document that are read on this side of the engine.

    Attributes:
        allowed: Regions that each node may run in.
        limits: (kind, metric) -> type and value.
    """

    home: str
    allowed: Mapping[str, tuple[str, ...]]
    limits: Mapping[tuple[LimitKind, Objective], tuple[str, float]]
    scenarios: int
    tail: float
    confidence: float
    is_prior: bool


def simulate(problem: bytes, placement: str | bytes, *, hour: int | None = None) -> Simulation:
    """Metrics and limits of a placement, at one hour or at all hours of the problem document.

    Args:
        problem: The problem document as JSON.
        placement: As text a name: `ALL_HOME`, or a region: every node there that may run there, the others at home.
            As bytes a document: a JSON object from node to region, or a solution document, of which each hour's
            placement is taken.
        hour: UTC hour from 0 to 23; all hours of the problem document if `None`.

    Raises:
        InvalidProblemError: The problem document is refused; the error names the field.
        InvalidPlacementError: The placement's document is none, or does not fit the problem.
        InvalidDocumentError: It calls itself a solution document and is none.
        UsageError: The hour is none, or the solution has no placement for it; or there is no such region.
    """
    simulator = Simulator(problem)
    loaded, frame = simulator.problem, simulator.frame
    if hour is not None and not 0 <= hour < HOURS_PER_DAY:
        raise UsageError(f"{hour} is no UTC hour; there are 0 to {HOURS_PER_DAY - 1}.")
    hours = loaded.hours if hour is None else [hour]
    if isinstance(placement, bytes):
        by_hour = _read_placement(placement, hours)
    else:
        by_hour = dict.fromkeys(hours, _named_placement(frame, loaded.regions, placement))
    return Simulation(
        workflow=loaded.workflow,
        problem_hash=loaded.hash,
        scenarios=frame.scenarios,
        tail=frame.tail,
        confidence=frame.confidence,
        is_prior=frame.is_prior,
        hours=tuple(simulator.at(by_hour[entry], entry) for entry in hours),
        robust=read_robust_case(problem),
    )


class Simulator:
    """A problem document, read once, over which placements are held against its limits.

    Args:
        document: The problem document as JSON.

    Attributes:
        problem: The document as the engine has read it.

    Raises:
        InvalidProblemError: The document is refused; the error names the field.
    """

    def __init__(self, document: bytes) -> None:
        self._set(LoadedProblem(document), _read_frame(document))

    def _set(self, problem: LoadedProblem, frame: _Frame) -> None:
        self.problem = problem
        self.frame = frame
        self._home = dict.fromkeys(frame.allowed, frame.home)

    def with_intensity(
        self, intensity: Mapping[str, Sequence[float]], *, hours: Sequence[int] | None = None
    ) -> Simulator:
        """The same document under other intensities; see `LoadedProblem.with_intensity`."""
        other = Simulator.__new__(Simulator)
        other._set(self.problem.with_intensity(intensity, hours=hours), self.frame)  # noqa: SLF001 - its own class
        return other

    @property
    def home(self) -> Placement:
        """Every node at home."""
        return self._home

    def everything_in(self, region: str) -> Placement:
        """Every node in one region, as far as it may run there; the others at home."""
        return _everything_in(self.frame, region)

    def at(self, placement: Placement, hour: int) -> SimulatedHour:
        """Metrics and limits of a placement at a UTC hour, over the planning scenarios.

        Raises:
            InvalidPlacementError: The placement does not fit the problem.
            UsageError: There is no such hour.
        """
        metrics, home_metrics = self.problem.evaluate(placement, hour), self.problem.evaluate(self._home, hour)
        return SimulatedHour(
            hour=hour,
            placement=placement,
            metrics=metrics,
            home_metrics=home_metrics,
            limits=tuple(
                _check(kind, metric, limit, metrics.of(metric), home_metrics.of(metric))
                for (kind, metric), limit in self.frame.limits.items()
            ),
        )


def _check(kind: LimitKind, metric: Objective, limit: tuple[str, float], found: Metric, home: Metric) -> LimitCheck:
    how, value = limit
    tolerance = TAIL_TOLERANCE if kind == "hard" or metric == "runtime" else MEAN_TOLERANCE
    if kind == "soft":
        compared = [Comparison("mean", found.mean, value * home.mean if how == "relative" else value)]
    else:
        if found.tail_upper is None:
            # The engine refuses such documents when they have hard limits.
            raise InvalidProblemError("settings.scenarios", "too few for a hard limit", reason="out-of-range")
        if how == "relative":
            compared = [
                Comparison(statistic, reached, value * reference)
                for statistic in TAIL
                # Of few scenarios and a low percentile there may be no lower bound.
                if (reached := statistic_of(found, statistic)) is not None
                and (reference := statistic_of(home, statistic)) is not None
            ]
        else:
            compared = [Comparison("upper_bound", found.tail_upper, value)]
    return LimitCheck(
        kind=kind,
        metric=metric,
        estimate=found.mean if kind == "soft" else found.tail,
        compared=tuple(compared),
        is_violated=any(part.value > part.limit * (1.0 + tolerance) for part in compared),
    )


def _read_frame(problem: bytes) -> _Frame:
    """Read what the engine has already checked."""
    fields = documents.read(problem, PROBLEM_SCHEMA, PROBLEM_VERSION)
    settings = _optional(fields, "settings")
    constraints = _optional(fields, "constraints")
    limits: dict[tuple[LimitKind, Objective], tuple[str, float]] = {}
    kinds: tuple[LimitKind, ...] = ("hard", "soft")
    for kind in kinds:
        section = _optional(constraints, kind)
        for metric in METRICS:
            limit = section.optional_section(metric)
            if limit is not None:
                limits[kind, metric] = (limit.text("type"), limit.number("value"))
    return _Frame(
        home=fields.text("home"),
        allowed={node.text("name"): node.texts("allowed") for node in fields.sections("nodes")},
        limits=limits,
        scenarios=settings.integer("scenarios") if "scenarios" in settings.values else DEFAULT_SCENARIOS,
        tail=settings.number("tail") if "tail" in settings.values else DEFAULT_TAIL,
        confidence=settings.number("confidence") if "confidence" in settings.values else DEFAULT_CONFIDENCE,
        is_prior=fields.section("observations").integer("runs") == 0,
    )


DEFAULT_SCENARIOS, DEFAULT_TAIL, DEFAULT_CONFIDENCE = 1000, 0.95, 0.95
"""What the problem document means when it leaves these settings out."""


def _optional(fields: Fields, name: str) -> Fields:
    return fields.section(name) if name in fields.values else Fields(fields.document, name, {})


def _named_placement(frame: _Frame, regions: Sequence[str], name: str) -> Placement:
    region = frame.home if name == ALL_HOME else name
    if region not in regions:
        raise UsageError(f"the problem has no region '{name}'; there are {', '.join(regions)}, and '{ALL_HOME}'.")
    return _everything_in(frame, region)


def _everything_in(frame: _Frame, region: str) -> Placement:
    return {node: region if region in allowed else frame.home for node, allowed in frame.allowed.items()}


def _read_placement(text: bytes, hours: Sequence[int]) -> dict[int, Placement]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidPlacementError("", f"is not JSON ({error})") from None
    if isinstance(document, dict) and document.get("schema") == SOLUTION_SCHEMA:
        found = {entry.hour: entry.placement for entry in read_solution(text).hours}
        missing = [hour for hour in hours if hour not in found]
        if missing:
            raise UsageError(f"the solution has no placement for hour {missing[0]}; it has {sorted(found)}.")
        return {hour: found[hour] for hour in hours}
    if not isinstance(document, dict):
        raise InvalidPlacementError("", "is neither an object from node to region nor a solution document")
    for node, region in document.items():
        if not isinstance(region, str):
            raise InvalidPlacementError(node, f"is {region!r}, expected the name of a region")
    return dict.fromkeys(hours, document)
