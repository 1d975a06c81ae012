"""A point of a frontier as a plan: one placement at all hours, with the figures and certificates of each hour."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.adaptation.picking import pick_point
from multi_x_serverless.adaptation.solve import TradeOffs, solve_workflow
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import EXIT_INFEASIBLE, LimitsNotMetError, UsageError
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.frontier import HourFrontier
from multi_x_serverless.solving.problem import SolveSettings
from multi_x_serverless.solving.simulation import Simulator
from multi_x_serverless.solving.solution import plan_from_solution
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.core.documents import dump, fan_out_problem, one_node_problem
from tests.unit.deployment.projects import WORKFLOW_ID


def solved(problem: dict[str, Any], hour: int | None = None, tolerance: float = 0.0) -> tuple[Plan, HourFrontier]:
    loaded = LoadedProblem(dump(problem))
    solution = loaded.solve("fine-grained")
    plan = plan_from_solution(solution, "fan_out-0.1.0", created_at=1.0, expires_at=2.0)
    return plan, loaded.frontier_beside(solution, hour, tolerance=tolerance)


def test_a_point_is_placed_alike_at_all_hours() -> None:
    problem = fan_out_problem()
    plan, found = solved(problem)
    assert found.hour == 0
    assert found.home_metrics == LoadedProblem(dump(problem)).evaluate(Simulator(dump(problem)).home, 0)
    point = found.frontier.points[3]
    picked = pick_point(dump(problem), plan, found, 4)
    assert [entry.placement for entry in picked.plan.hours] == [point.placement] * 2
    assert (picked.number, picked.warnings) == (4, ())
    for before, after in zip(plan.hours, picked.plan.hours, strict=True):
        assert after.certificate.status == "feasible"
        assert after.certificate.lower_bound == before.certificate.lower_bound
        value = LoadedProblem(dump(problem)).evaluate(point.placement, after.hour).carbon.mean
        assert after.certificate.value == value
        assert after.certificate.gap == pytest.approx(1.0 - before.certificate.lower_bound / value)
        assert after.metrics not in (None, before.metrics)
        assert after.best_single_region == before.best_single_region


def test_the_best_point_of_an_hour_keeps_the_proof_of_that_hour() -> None:
    problem = fan_out_problem()
    plan, found = solved(problem, hour=12)
    picked = pick_point(dump(problem), plan, found, 1)
    assert [entry.certificate.status for entry in picked.plan.hours] == ["feasible", "optimal"]
    assert picked.plan.at(12) == plan.at(12)


def test_a_point_that_breaks_a_hard_limit_at_another_hour_is_refused_with_that_hour() -> None:
    problem = fan_out_problem()
    problem["constraints"]["hard"] = {"carbon": {"type": "relative", "value": 1.1}}
    plan, found = solved(problem, hour=0)
    with pytest.raises(LimitsNotMetError, match="at 12:00 the percentile of carbon") as caught:
        pick_point(dump(problem), plan, found, 1)
    assert caught.value.exit_code == EXIT_INFEASIBLE
    assert "--hour 12" in str(caught.value)
    last = len(found.frontier.points)
    assert pick_point(dump(problem), plan, found, last).plan.hours[1].placement == plan.hours[1].placement


@pytest.mark.parametrize(
    ("rank", "words"),
    [(93, "lower bound of the percentile of runtime is "), (95, "the percentile of runtime is estimated at ")],
)
def test_a_refusal_names_the_statistic_that_is_above_its_limit(rank: int, words: str) -> None:
    problem = one_node_problem({})
    plan, found = solved(problem)
    slower = dump(one_node_problem({rank: 0.01}))
    placement = found.frontier.points[0].placement
    (check,) = Simulator(slower).at(placement, 0).limits
    assert check.is_violated
    assert check.upper_bound <= check.limit, "what may be is allowed: another statistic is not"
    with pytest.raises(LimitsNotMetError, match=words) as caught:
        pick_point(slower, plan, found, 1)
    value, limit = re.findall(r"([0-9.]+) s, at most ([0-9.]+) is allowed", str(caught.value))[0]
    assert float(value) > float(limit)


def test_soft_limits_that_a_point_breaks_are_named() -> None:
    problem = fan_out_problem()
    problem["constraints"]["soft"] = {"carbon": {"type": "relative", "value": 1.0}}
    plan, found = solved(problem, hour=0)
    (warning,) = pick_point(dump(problem), plan, found, 1).warnings
    assert "soft limit of carbon at hours 12" in warning


@pytest.mark.parametrize("number", [0, 13])
def test_a_point_that_is_not_there_is_refused(number: int) -> None:
    plan, found = solved(fan_out_problem())
    assert len(found.frontier.points) == 12
    with pytest.raises(UsageError, match="1 to 12"):
        pick_point(dump(fan_out_problem()), plan, found, number)


def test_numbers_of_an_incomplete_frontier_are_not_relied_on() -> None:
    plan, found = solved(fan_out_problem())
    cut = replace(found, frontier=replace(found.frontier, is_complete=False, epsilon=0.3))
    with pytest.raises(UsageError, match="--deadline"):
        pick_point(dump(fan_out_problem()), plan, cut, 1)


def test_where_nothing_keeps_the_limits_there_is_nothing_to_pick() -> None:
    problem = fan_out_problem()
    problem["constraints"]["hard"] = {"runtime": {"type": "absolute", "value": 0.1}}
    plan, found = solved(problem)
    assert found.frontier.points == ()
    with pytest.raises(LimitsNotMetError, match="none to pick"):
        pick_point(dump(problem), plan, found, 1)


def test_an_hour_that_is_not_planned_has_no_frontier() -> None:
    with pytest.raises(UsageError, match="planned are 0, 12"):
        solved(fan_out_problem(), hour=5)


def test_a_point_of_a_workflow_is_staged(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=60)
    settings = SolveSettings(scenarios=100, validation_scenarios=100)
    looked = solve_workflow(cloud, WORKFLOW_ID, settings=settings, stage=False, trade_offs=TradeOffs(hour=3))
    assert looked.frontier is not None
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None
    last = len(looked.frontier.frontier.points)
    assert last > 1
    outcome = solve_workflow(cloud, WORKFLOW_ID, settings=settings, trade_offs=TradeOffs(hour=3, pick=last))
    staged = PlanStore(cloud).staged(WORKFLOW_ID)
    assert staged == outcome.plan
    assert staged is not None
    assert len(staged.hours) == 24
    assert outcome.frontier is not None
    point = outcome.frontier.frontier.points[last - 1]
    assert point.placement == looked.frontier.frontier.points[last - 1].placement, "numbers are those that were shown"
    assert {tuple(sorted(entry.placement.items())) for entry in staged.hours} == {
        tuple(sorted(point.placement.items()))
    }


def test_nothing_is_staged_where_the_point_is_refused(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=60)
    settings = SolveSettings(scenarios=100, validation_scenarios=100)
    with pytest.raises(UsageError):
        solve_workflow(cloud, WORKFLOW_ID, settings=settings, trade_offs=TradeOffs(pick=999))
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None
