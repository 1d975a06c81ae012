"""The explanation of placements over a problem document: no cloud, no clock.

The problem is solved again for what a plan does not hold: the bounds of all alternatives, and the best of each hour
with and without each limit. The metrics of alternatives are evaluated one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from multi_x_serverless.errors import UsageError
from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import Fields, as_number, as_text
from multi_x_serverless.model.plan import HourPlan, Objective, Plan
from multi_x_serverless.model.robust import CarbonBesideHome
from multi_x_serverless.model.settings import suggestion
from multi_x_serverless.report.explanation import (
    Basis,
    ExplainedHour,
    ExplainedPlan,
    Explanation,
    IntensityChange,
    LimitStanding,
    Move,
    PlacedNode,
    PlacementChange,
    PlanRole,
    ProblemOrigin,
)
from multi_x_serverless.report.relaxations import SolvedHours, optimum, solve_with_and_without_limits
from multi_x_serverless.report.verdicts import by_harm, judge
from multi_x_serverless.solving.problem import PROBLEM_SCHEMA, PROBLEM_VERSION
from multi_x_serverless.solving.robust_problem import read_robust_case
from multi_x_serverless.solving.simulation import METRICS, SimulatedHour, Simulator
from multi_x_serverless.solving.solution import HourSolution

DEADLINE_S = 10.0
"""Seconds for each solve, with all limits and without each: milliseconds do unless limits are very tight."""


@dataclass(frozen=True)
class _Frame:
    """The few fields of the problem document that an explanation names and that the engine does not hand back.

    Attributes:
        intensity: Region -> gCO2eq/kWh at each UTC hour.
    """

    home: str
    order: tuple[Objective, ...]
    tolerance: float
    intensity: Mapping[str, tuple[float, ...]]
    provenance: Mapping[str, str]


@dataclass(frozen=True)
class _Problem:
    simulator: Simulator
    frame: _Frame
    solved: SolvedHours


def explain_placements(
    problem: bytes,
    plan: Plan,
    *,
    role: PlanRole,
    origin: ProblemOrigin,
    hour: int | None = None,
    node: str | None = None,
    warnings: Sequence[str] = (),
    deadline_s: float = DEADLINE_S,
) -> Explanation:
    """Explain a plan over a problem document.

    Args:
        problem: The document that it was made of, or another one with the same nodes.
        plan: The plan; its placements are explained, not its metrics.
        role: Which plan of its workflow it is.
        origin: Where the document is from.
        hour: Only the placement that is in force at this UTC hour.
        node: Only this node; the name of a function will do if it is one node.
        warnings: What else has to be said.
        deadline_s: Seconds for each of the solves, one and another for each limit.

    Raises:
        InvalidProblemError: The document is refused.
        InvalidPlacementError: The plan does not fit it.
        UsageError: The plan has no such node, or several of that function.
    """
    entries = plan.hours if hour is None else (plan.at(hour),)
    hours = [entry.hour for entry in entries]
    if node is not None:
        node = _node_meant(node, plan)
    simulator = Simulator(problem)
    solved = solve_with_and_without_limits(problem, hours, deadline_s=deadline_s)
    of = _Problem(simulator, _read_frame(problem), solved)
    nodes = simulator.problem.nodes if node is None else [node]
    explained = tuple(replace(_explain_hour(of, entry, nodes), expected=_expected(plan, entry)) for entry in entries)
    settings = simulator.frame
    return Explanation(
        workflow_id=plan.workflow_id,
        home=of.frame.home,
        plan=_named(plan, role),
        basis=Basis(
            origin=origin,
            problem_hash=simulator.problem.hash,
            scenarios=settings.scenarios,
            tail=settings.tail,
            confidence=settings.confidence,
            runs=solved.solution.runs,
            provenance=of.frame.provenance,
            robust=read_robust_case(problem),
        ),
        order=of.frame.order,
        tolerance=of.frame.tolerance,
        bound_metric=solved.solution.hours[0].min_marginals_metric,
        hours=explained,
        changes=tuple(change for change in _changes(of, plan) if change.hour in hours),
        warnings=(*warnings, *solved.solution.warnings),
    )


def _node_meant(name: str, plan: Plan) -> str:
    nodes = sorted(plan.hours[0].placement)
    if name in nodes:
        return name
    of_function = [node for node in nodes if node.partition(":")[0] == name]
    if len(of_function) > 1:
        raise UsageError(f"'{name}' is several nodes, name one of them: {', '.join(of_function)}.")
    if not of_function:
        functions = sorted({node.partition(":")[0] for node in nodes})
        meant = suggestion(name, functions) or suggestion(name, nodes)
        raise UsageError(f"the plan has no node '{name}'{meant}; there are {', '.join(nodes)}.")
    return of_function[0]


def _expected(plan: Plan, entry: HourPlan) -> CarbonBesideHome | None:
    """What a robust plan says of itself besides the case that it is made for."""
    if plan.robust is None or entry.metrics is None or entry.home_metrics is None:
        return None
    return CarbonBesideHome(entry.metrics.carbon.mean, entry.home_metrics.carbon.mean)


def _named(plan: Plan, role: PlanRole) -> ExplainedPlan:
    is_anew = role == "anew"
    return ExplainedPlan(
        role=role,
        version=plan.version,
        solver=plan.solver,
        problem_hash=plan.problem_hash,
        created_at=None if is_anew else plan.created_at,
        expires_at=None if is_anew else plan.expires_at,
    )


def _explain_hour(of: _Problem, entry: HourPlan, nodes: Sequence[str]) -> ExplainedHour:
    chosen, solved = of.simulator.at(entry.placement, entry.hour), of.solved.at(entry.hour)
    binding = {(limit.kind, limit.metric): limit.is_binding for limit in solved.constraints}
    return ExplainedHour(
        hour=entry.hour,
        status=entry.certificate.status,
        objective=of.frame.order[0],
        chosen=chosen,
        best=optimum(solved),
        limits=tuple(
            LimitStanding(check, binding[key], of.solved.without[key][entry.hour])
            for check in chosen.limits
            for key in ((check.kind, check.metric),)
        ),
        nodes=tuple(_explain_node(of, chosen, solved, name) for name in nodes),
    )


def _explain_node(of: _Problem, chosen: SimulatedHour, solved: HourSolution, node: str) -> PlacedNode:
    allowed, region = of.simulator.frame.allowed[node], chosen.placement[node]
    bounds = solved.min_marginals.get(node, {})
    alternatives = [
        judge(
            other,
            chosen,
            of.simulator.at({**chosen.placement, node: other}, chosen.hour),
            bounds.get(other),
            of.frame.order,
            of.frame.tolerance,
            solved.bounds,
        )
        for other in allowed
        if other != region
    ]
    return PlacedNode(
        node=node,
        region=region,
        allowed=allowed,
        not_allowed=tuple(other for other in of.simulator.problem.regions if other not in allowed),
        bound=bounds.get(region),
        alternatives=by_harm(alternatives, of.frame.order),
    )


def _changes(of: _Problem, plan: Plan) -> tuple[PlacementChange, ...]:
    """The hours that are placed otherwise than the one before; before the first comes the last of the day before."""
    pairs = pairwise((plan.hours[-1], *plan.hours))
    return tuple(_change(of, before, now) for before, now in pairs if dict(before.placement) != dict(now.placement))


def _change(of: _Problem, before: HourPlan, now: HourPlan) -> PlacementChange:
    moves = tuple(
        Move(node, before.placement[node], now.placement[node])
        for node in of.simulator.problem.nodes
        if before.placement[node] != now.placement[node]
    )
    regions = sorted({region for move in moves for region in (move.source, move.target)})
    return PlacementChange(
        hour=now.hour,
        previous_hour=before.hour,
        moves=moves,
        intensities=tuple(
            IntensityChange(
                region,
                # What the grid of the hour before it was like, not of the hour in which that placement began.
                of.frame.intensity[region][(now.hour - 1) % 24],
                of.frame.intensity[region][now.hour],
            )
            for region in regions
        ),
        kept=of.simulator.at(before.placement, now.hour),
        changed=of.simulator.at(now.placement, now.hour),
    )


def _read_frame(problem: bytes) -> _Frame:
    """Read what the engine has already checked."""
    fields = documents.read(problem, PROBLEM_SCHEMA, PROBLEM_VERSION)
    constraints = fields.optional_section("constraints") or Fields(fields.document, "constraints", {})
    order = constraints.texts("priority_order") if "priority_order" in constraints.values else METRICS
    return _Frame(
        home=fields.text("home"),
        order=tuple(metric for name in order for metric in METRICS if metric == name),
        tolerance=constraints.optional_number("priority_tolerance") or 0.0,
        intensity=fields.mapping("intensity_gco2e_per_kwh", _hours),
        provenance=fields.mapping("provenance", as_text),
    )


def _hours(value: object) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise TypeError(f"is {value!r}, expected a list of numbers")
    return tuple(as_number(number) for number in value)
