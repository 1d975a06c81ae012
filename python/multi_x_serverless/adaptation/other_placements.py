"""A plan of the engine with other placements than the engine's: what they are expected to do, and how good they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import orjson

from multi_x_serverless.model.plan import Certificate, HourPlan, Metrics, Placement, Plan
from multi_x_serverless.model.robust import CarbonBesideHome
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.robust_problem import read_robust_case, without_intervals
from multi_x_serverless.solving.simulation import Simulator


def with_placements(plan: Plan, placements: Mapping[int, Placement], problem: bytes) -> Plan:
    """The plan with other placements.

    What an hour's new placement is expected to do is evaluated over fresh scenarios, as the engine's validation is, and
    its certificate says how far it is above the bound of that hour. The hour's baselines are evaluated over the same
    ones: the difference between two samples would be taken for a saving, even of a placement that is home.

    Args:
        plan: The engine's.
        placements: UTC hour -> placement, for each of its hours.
        problem: The document that the plan was made of.
    """
    changed = [entry.hour for entry in plan.hours if dict(entry.placement) != dict(placements[entry.hour])]
    if not changed:
        return plan
    planning, fresh = LoadedProblem(problem), Simulator(_with_fresh_scenarios(problem))
    hours = []
    for entry in plan.hours:
        if entry.hour not in changed:
            hours.append(entry)
            continue
        placement, before = placements[entry.hour], entry.certificate
        value = planning.evaluate(placement, entry.hour).of(before.objective).mean
        gap = max(0.0, value - before.lower_bound) / value if value > 0.0 else 0.0
        certificate = Certificate("feasible", before.objective, value, before.lower_bound, gap)
        hours.append(_expected(replace(entry, placement=placement, certificate=certificate), fresh, plan))
    return replace(plan, hours=tuple(hours))


def with_expectations(plan: Plan, problem: bytes) -> Plan:
    """A plan of a problem with intervals, with what is expected beside its carbon in the least favourable case.

    Its metrics become those without intervals, so that whoever reads a plan reads what is expected, and the baselines
    those that are expected to be the best: in the other case home often is. The certificates stay those of the case
    that it is made for. All is evaluated over the same fresh scenarios.

    Args:
        plan: As the engine, or whoever chose other placements, made it.
        problem: The document that it was made of; without intervals the plan is returned as it is.
    """
    case = read_robust_case(problem)
    if case is None:
        return plan
    fresh = _with_fresh_scenarios(problem)
    cautious, expected = Simulator(fresh), Simulator(without_intervals(fresh))
    # It compares all regions whatever the deadline, which is for telling why a limit cannot be met.
    baselines = LoadedProblem(without_intervals(problem)).solve("coarse-grained", deadline_s=0.0)
    best_single = {entry.hour: entry.best_single_region for entry in baselines.hours}
    plan = replace(
        plan,
        robust=case,
        best_static_region=baselines.best_static_region,
        hours=tuple(replace(entry, best_single_region=best_single[entry.hour]) for entry in plan.hours),
    )
    hours = []
    for entry in plan.hours:
        carbon, home = (
            cautious.problem.evaluate(placement, entry.hour).carbon.mean
            for placement in (entry.placement, cautious.home)
        )
        hours.append(replace(_expected(entry, expected, plan), least_favourable=CarbonBesideHome(carbon, home)))
    return replace(plan, hours=tuple(hours))


def _expected(entry: HourPlan, fresh: Simulator, plan: Plan) -> HourPlan:
    """The hour with what is expected of its placement and of its baselines, all over the same scenarios."""

    def in_region(region: str | None) -> Metrics | None:
        return None if region is None else fresh.problem.evaluate(fresh.everything_in(region), entry.hour)

    return replace(
        entry,
        metrics=fresh.problem.evaluate(entry.placement, entry.hour),
        home_metrics=fresh.problem.evaluate(fresh.home, entry.hour),
        best_single_metrics=in_region(entry.best_single_region),
        best_static_metrics=in_region(plan.best_static_region),
    )


def _with_fresh_scenarios(problem: bytes) -> bytes:
    """The same document with the scenarios of another seed, as many as the engine validates with."""
    document = orjson.loads(problem)
    settings = document["settings"]
    settings["seed"] = (int(settings["seed"]) + 1) % 2**64
    settings["scenarios"] = settings["validation_scenarios"]
    return orjson.dumps(document)
