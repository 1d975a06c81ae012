"""Everything that the page of a report shows, read from a cloud."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version

from multi_x_serverless import data
from multi_x_serverless.adaptation.ledger import Ledger
from multi_x_serverless.adaptation.savings import SavingsReport
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.problems import ProblemStore
from multi_x_serverless.collection.store import REGION, SignalStore
from multi_x_serverless.errors import MultiXServerlessError
from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import as_number
from multi_x_serverless.model.plan import Metrics, Plan
from multi_x_serverless.model.regions import Region
from multi_x_serverless.model.units import HOURS_PER_DAY
from multi_x_serverless.report.page.report_data import ReportData, ReportRegion, TradeOffPoint, TradeOffs
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.problem import PROBLEM_SCHEMA, PROBLEM_VERSION
from multi_x_serverless.solving.robust_problem import read_robust_case
from multi_x_serverless.solving.simulation import Simulator

MANY_POINTS = 40
"""A frontier of more points than a person looks through is found anew, more coarsely."""

TOLERANCES = (0.01, 0.05, 0.2)
"""Fractions within which a frontier is asked for, one after the other while it has too many points."""

DEADLINE_S = 3.0
"""Time for each of them, in seconds."""

ROUNDING = 1e-6
"""Relative difference within which values are equal: the engine's own of values that it sums in single precision."""


def gather_report(cloud: Cloud, savings: SavingsReport) -> ReportData:
    """Put together what belongs with the figures of a report.

    Args:
        cloud: Is only read.
        savings: The figures (`adaptation.savings`).

    Raises:
        UnknownWorkflowError: There is no such workflow.
        InvalidDocumentError: The plan does not fit the workflow as it is deployed now.
    """
    record = deployed_workflow(cloud, savings.workflow_id)
    plan, made_at = savings.plan, cloud.now()
    problem, obstacle = _problem_of(cloud, plan)
    intensities = _collected(cloud) if problem is None else _planned_with(problem)
    places = _places(cloud)
    others = sorted({*record.regions, *plan.regions} - {record.home_region})
    trade_offs, breaking = None, {}
    if problem is not None:
        try:
            breaking = limits_broken(problem)
            trade_offs = find_trade_offs(problem, plan, int(made_at // 3600) % HOURS_PER_DAY)
        except MultiXServerlessError as error:
            obstacle = f"What plan {plan.version} was made of cannot be solved again: {error}"
    map_source = data.source_of("land_outlines.json")
    return ReportData(
        workflow_id=savings.workflow_id,
        made_at=made_at,
        program=f"multi-x-serverless {version('multi-x-serverless')}",
        home=record.home_region,
        graph=record.graph,
        regions=tuple(
            _region(code, places, intensities, breaks_a_hard_limit=breaking.get(code))
            for code in (record.home_region, *others)
        ),
        intensity_origin="signals" if problem is None else "problem",
        savings=savings,
        trade_offs=trade_offs,
        no_trade_offs=obstacle,
        ledger=Ledger(cloud).entries(savings.workflow_id)[::-1],
        attribution=data.attribution(),
        map_source=f"{map_source.source}, {map_source.vintage}",
    )


def _problem_of(cloud: Cloud, plan: Plan) -> tuple[bytes | None, str]:
    """What the plan was made of, or why there is nothing."""
    if plan.solver == "none":
        return None, f"Plan {plan.version} was made by a deployment: no solver was asked."
    try:
        problem = ProblemStore(cloud).get(plan.workflow_id, plan.problem_hash)
    except MultiXServerlessError as error:
        return None, f"What plan {plan.version} was made of cannot be read: {error}"
    return problem, "" if problem is not None else f"What plan {plan.version} was made of was not kept."


def _planned_with(problem: bytes) -> Mapping[str, tuple[float, ...]]:
    fields = documents.read(problem, PROBLEM_SCHEMA, PROBLEM_VERSION).section("intensity_gco2e_per_kwh")
    return {region: fields.sequence(region, as_number) for region in fields.values}


def _collected(cloud: Cloud) -> Mapping[str, tuple[float, ...]]:
    signals = read_signals(cloud).carbon
    return {region: signal.intensity_gco2eq_per_kwh for region, signal in signals.items()}


def _places(cloud: Cloud) -> Mapping[str, Region]:
    """What is known of regions: as collected, over the embedded list."""
    collected = SignalStore(cloud.key_value, cloud.system_region).all(REGION)
    return {**data.regions(), **{code: signal.details for code, signal in collected.items()}}


def _region(
    code: str,
    places: Mapping[str, Region],
    intensities: Mapping[str, tuple[float, ...]],
    *,
    breaks_a_hard_limit: bool | None,
) -> ReportRegion:
    place = places.get(code)
    return ReportRegion(
        code=code,
        name="" if place is None else place.name,
        latitude=None if place is None else place.latitude,
        longitude=None if place is None else place.longitude,
        intensity_gco2eq_per_kwh=intensities.get(code),
        breaks_a_hard_limit=breaks_a_hard_limit,
    )


def limits_broken(problem: bytes) -> dict[str, bool]:
    """Region -> whether everything there, with pinned nodes at home, breaks a hard limit at a planned hour.

    Raises:
        InvalidProblemError: The document is refused.
    """
    simulator = Simulator(problem)
    return {
        region: any(
            check.kind == "hard" and check.is_violated
            for hour in simulator.problem.hours
            for check in simulator.at(simulator.everything_in(region), hour).limits
        )
        for region in simulator.problem.regions
    }


def find_trade_offs(problem: bytes, plan: Plan, hour: int) -> TradeOffs:
    """The frontier of a UTC hour (of the planned hour whose placement holds at it), with the plan beside it.

    Raises:
        InvalidProblemError: The document is refused.
        InvalidPlacementError: The plan does not fit it.
    """
    loaded = LoadedProblem(problem)
    entry = plan.at(hour)
    hour, placement = entry.hour, entry.placement
    found = loaded.pareto(hour, tolerance=TOLERANCES[0], deadline_s=DEADLINE_S)
    for tolerance in TOLERANCES[1:]:
        if len(found.points) <= MANY_POINTS:
            break
        found = loaded.pareto(hour, tolerance=tolerance, deadline_s=DEADLINE_S)
    planned = loaded.evaluate(placement, hour)
    return TradeOffs(
        hour=hour,
        points=tuple(
            TradeOffPoint(point.metrics, Counter(point.placement.values()), _is_like(point.metrics, planned))
            for point in found.points
        ),
        plan=planned,
        home=loaded.evaluate(dict.fromkeys(loaded.nodes, _home_of(problem)), hour),
        epsilon=found.epsilon,
        is_complete=found.is_complete,
        is_robust=read_robust_case(problem) is not None,
    )


def _is_like(point: Metrics, planned: Metrics) -> bool:
    """Whether a point is as good as the plan in all that a frontier is of; placements that differ may be."""
    pairs = (
        (point.carbon.mean, planned.carbon.mean),
        (point.cost.mean, planned.cost.mean),
        (point.runtime.tail, planned.runtime.tail),
    )
    return all(math.isclose(value, plans, rel_tol=ROUNDING) for value, plans in pairs)


def _home_of(problem: bytes) -> str:
    """The home region of a problem document."""
    return documents.read(problem, PROBLEM_SCHEMA, PROBLEM_VERSION).text("home")
