"""What an explanation says is what evaluating and solving say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from multi_x_serverless.errors import InvalidPlacementError, UsageError
from multi_x_serverless.model.plan import HourPlan, Plan
from multi_x_serverless.report.document import explanation_members
from multi_x_serverless.report.explain import explain_problem
from multi_x_serverless.report.explanation import Explanation, PlacedNode
from multi_x_serverless.report.placements import explain_placements
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.solution import plan_from_solution
from tests.oracles.problems import random_problem
from tests.unit.core.documents import ENTRY, JOIN, LABEL, RESIZE, dump, fan_out_problem

HOME, AWAY = "us-east-1", "ca-central-1"
NODES = (ENTRY, RESIZE, LABEL, JOIN)


def limited(**hard: float) -> dict[str, Any]:
    """The example with limits relative to home."""
    problem = fan_out_problem()
    problem["constraints"]["hard"] = {metric: {"type": "relative", "value": value} for metric, value in hard.items()}
    return problem


def plan_of(problem: dict[str, Any], solver: str = "fine-grained") -> Plan:
    solution = LoadedProblem(dump(problem)).solve(solver)
    return plan_from_solution(solution, problem["workflow"], created_at=1.0, expires_at=2.0)


def explained(problem: dict[str, Any], plan: Plan, **options: Any) -> Explanation:
    return explain_placements(dump(problem), plan, role="staged", origin="kept", **options)


def placed(plan: Plan, change: Callable[[HourPlan], dict[str, str]]) -> Plan:
    """The plan with other placements."""
    return replace(plan, hours=tuple(replace(entry, placement=change(entry)) for entry in plan.hours))


def node_at(explanation: Explanation, hour: int, name: str) -> PlacedNode:
    entry = next(entry for entry in explanation.hours if entry.hour == hour)
    return next(node for node in entry.nodes if node.node == name)


@pytest.mark.parametrize("seed", range(12))
def test_moves_are_evaluated_and_bounds_are_below_them(seed: int) -> None:
    problem = random_problem(seed, max_nodes=5, max_regions=4, hours=2, runs=20)
    loaded = LoadedProblem(dump(problem))
    explanation = explain_problem(dump(problem))
    assert [entry.hour for entry in explanation.hours] == problem["hours"]
    for entry in explanation.hours:
        assert [node.node for node in entry.nodes] == loaded.nodes
        for node, declared in zip(entry.nodes, problem["nodes"], strict=True):
            assert sorted([node.region, *(other.region for other in node.alternatives)]) == sorted(declared["allowed"])
            for other in node.alternatives:
                placement = {**entry.chosen.placement, node.node: other.region}
                assert other.moved.metrics == loaded.evaluate(placement, entry.hour)
                if other.bound is not None:
                    assert explanation.bound_metric is not None
                    assert other.bound <= other.moved.metrics.of(explanation.bound_metric).mean * (1 + 1e-9)
            if node.bound is not None:
                assert explanation.bound_metric is not None
                assert node.bound <= entry.chosen.metrics.of(explanation.bound_metric).mean * (1 + 1e-9)
        if entry.status == "optimal" and not problem["constraints"]["priority_tolerance"]:
            verdicts = {other.verdict for node in entry.nodes for other in node.alternatives}
            assert "better" not in verdicts, "a proven optimum has no better neighbour"


def test_the_bound_is_the_best_of_all_placements_with_the_node_there() -> None:
    problem = fan_out_problem()
    loaded = LoadedProblem(dump(problem))
    regions = (HOME, AWAY)
    placements = [
        dict(zip(NODES, (a, b, c, d), strict=True)) for a in regions for b in regions for c in regions for d in regions
    ]
    explanation = explain_problem(dump(problem))
    assert explanation.bound_metric == "carbon"
    for hour in (0, 12):
        for name in NODES:
            node = node_at(explanation, hour, name)
            bounds = {node.region: node.bound, **{other.region: other.bound for other in node.alternatives}}
            for region in regions:
                best = min(
                    loaded.evaluate(placement, hour).carbon.mean
                    for placement in placements
                    if placement[name] == region
                )
                assert bounds[region] == pytest.approx(best, rel=1e-12)


def test_a_limit_that_binds_says_what_it_costs() -> None:
    problem = limited(runtime=1.05)
    explanation = explain_problem(dump(problem))
    night = explanation.hours[0]
    (limit,) = night.limits
    assert (limit.check.kind, limit.check.metric, limit.is_binding) == ("hard", "runtime", True)
    assert limit.check.upper_bound <= limit.check.limit
    free = plan_of(fan_out_problem()).hours[0].certificate.value
    assert limit.without.value == pytest.approx(free, rel=1e-12)
    assert limit.without.status == "optimal"
    assert limit.without.value < night.best.value
    noon = explanation.hours[1]
    assert not noon.limits[0].is_binding, "everything is home at noon"
    assert noon.limits[0].without.value == noon.best.value


def test_a_region_is_out_because_of_a_limit_and_by_how_much() -> None:
    problem = limited(runtime=1.05)
    explanation = explain_problem(dump(problem))
    broken = [
        (other, check)
        for node in explanation.hours[0].nodes
        for other in node.alternatives
        if other.verdict == "breaks-hard-limit"
        for check in other.broken
    ]
    assert broken
    for other, check in broken:
        assert check.metric == "runtime"
        assert check.upper_bound == other.moved.metrics.runtime.tail_upper
        assert check.estimate == other.moved.metrics.runtime.tail
        assert check.slack < 0


def test_soft_limits_decide_before_objectives() -> None:
    problem = fan_out_problem()
    problem["constraints"]["soft"] = {"runtime": {"type": "relative", "value": 1.0}}
    explanation = explain_problem(dump(problem))
    verdicts = {other.verdict for node in explanation.hours[0].nodes for other in node.alternatives}
    assert "breaks-soft-limit" in verdicts
    assert explanation.hours[0].limits[0].check.kind == "soft"


def test_home_is_worse_in_carbon_only_and_away_at_noon_in_all() -> None:
    explanation = explain_problem(dump(fan_out_problem()))
    (home,) = node_at(explanation, 0, ENTRY).alternatives
    assert (home.region, home.verdict, home.decided_by) == (HOME, "worse", "carbon")
    assert not home.is_worse_in_all, "home is cheaper"
    away = node_at(explanation, 12, RESIZE).alternatives[0]
    assert (away.region, away.verdict, away.decided_by) == (AWAY, "worse-in-all", None)


def test_a_placement_that_is_not_the_best_says_so() -> None:
    problem = fan_out_problem()
    home_only = placed(plan_of(problem), lambda entry: dict.fromkeys(entry.placement, HOME))
    explanation = explained(problem, home_only)
    night, noon = explanation.hours
    assert {node.alternatives[0].verdict for node in night.nodes} >= {"better"}
    assert night.gap == pytest.approx(1.0 - night.best.lower_bound / night.chosen.metrics.carbon.mean)
    assert night.gap > 0.8
    assert noon.gap == 0.0
    assert explanation.changes == ()


def test_what_is_within_the_tolerance_is_equal() -> None:
    problem = fan_out_problem()
    problem["intensity_gco2e_per_kwh"][AWAY] = [400.0] * 24
    problem["constraints"]["priority_order"] = ["carbon"]
    problem["constraints"]["priority_tolerance"] = 0.5
    explanation = explain_problem(dump(problem))
    assert {other.verdict for node in explanation.hours[0].nodes for other in node.alternatives} <= {
        "equal",
        "worse-in-all",
    }


def test_pinned_nodes_have_no_alternative() -> None:
    problem = fan_out_problem()
    problem["nodes"][2]["allowed"] = [HOME]
    explanation = explain_problem(dump(problem))
    pinned = node_at(explanation, 0, LABEL)
    assert (pinned.region, pinned.allowed, pinned.not_allowed) == (HOME, (HOME,), (AWAY,))
    assert pinned.alternatives == ()
    assert pinned.best_alternative is None
    assert node_at(explanation, 0, ENTRY).not_allowed == ()


def test_one_region_only() -> None:
    problem = fan_out_problem()
    for node in problem["nodes"]:
        node["allowed"] = [HOME]
    explanation = explain_problem(dump(problem))
    assert all(node.alternatives == () for entry in explanation.hours for node in entry.nodes)
    assert explanation.changes == ()
    assert [entry.gap for entry in explanation.hours] == pytest.approx([0.0, 0.0], abs=1e-12)


def test_limits_that_nothing_keeps() -> None:
    problem = limited(runtime=0.5)
    explanation = explain_problem(dump(problem))
    for entry in explanation.hours:
        assert entry.status == entry.best.status == "infeasible"
        assert set(entry.chosen.placement.values()) == {HOME}
        assert entry.limits[0].check.is_violated
        assert entry.limits[0].without.status == "optimal"
        verdicts = {other.verdict for node in entry.nodes for other in node.alternatives}
        assert verdicts == {"breaks-hard-limit"}


def test_why_an_hour_is_placed_otherwise() -> None:
    problem = fan_out_problem()
    explanation = explain_problem(dump(problem))
    to_home, back = (next(change for change in explanation.changes if change.hour == hour) for hour in (12, 0))
    assert (to_home.previous_hour, back.previous_hour) == (0, 12)
    assert {(move.source, move.target) for move in to_home.moves} == {(AWAY, HOME)}
    assert [move.node for move in to_home.moves] == list(NODES)
    intensities = {entry.region: (entry.before, entry.now) for entry in to_home.intensities}
    assert intensities == {HOME: (400.0, 400.0), AWAY: (30.0, 900.0)}
    loaded = LoadedProblem(dump(problem))
    assert to_home.kept.metrics == loaded.evaluate(dict.fromkeys(NODES, AWAY), 12)
    assert to_home.changed.metrics == loaded.evaluate(dict.fromkeys(NODES, HOME), 12)


def test_one_hour_and_one_node_only() -> None:
    problem = fan_out_problem()
    plan = plan_of(problem)
    whole, part = explained(problem, plan), explained(problem, plan, hour=15, node=RESIZE)
    assert [entry.hour for entry in part.hours] == [12], "what is in force at 15 o'clock began at 12"
    assert part.hours[0].nodes == (node_at(whole, 12, RESIZE),)
    assert [change.hour for change in part.changes] == [12]
    with pytest.raises(UsageError, match=LABEL):
        explained(problem, plan, node="nobody")


def test_a_plan_of_other_nodes_is_refused() -> None:
    problem = fan_out_problem()
    other = placed(plan_of(problem), lambda _: {"alone": HOME})
    with pytest.raises(InvalidPlacementError):
        explained(problem, other)


def test_run_time_first_has_bounds_of_carbon() -> None:
    problem = fan_out_problem()
    problem["constraints"]["priority_order"] = ["runtime", "cost", "carbon"]
    explanation = explain_problem(dump(problem))
    assert (explanation.objective, explanation.bound_metric) == ("runtime", "cost")
    problem["constraints"]["priority_order"] = ["runtime"]
    explanation = explain_problem(dump(problem))
    assert explanation.bound_metric is None
    assert {other.bound for node in explanation.hours[0].nodes for other in node.alternatives} == {None}


def test_the_document_holds_all_of_it() -> None:
    problem = limited(runtime=1.05)
    explanation = explained(problem, plan_of(problem))
    members = orjson.loads(orjson.dumps(explanation_members(explanation)))
    assert members["basis"]["is_what_the_plan_was_made_of"] is True
    assert members["plan"]["role"] == "staged"
    assert (members["basis"]["tail"], members["basis"]["confidence"], members["basis"]["runs"]) == (0.95, 0.95, 30)
    night = members["hours"][0]
    assert [node["node"] for node in night["nodes"]] == list(NODES)
    assert night["limits"][0]["binding"] is True
    assert night["limits"][0]["best_without"]["status"] == "optimal"
    for node, entry in zip(explanation.hours[0].nodes, night["nodes"], strict=True):
        assert entry["region"] == node.region == night["placement"][node.node]
        assert [other["region"] for other in entry["alternatives"]] == [other.region for other in node.alternatives]
    assert {change["hour"] for change in members["changes"]} == {0, 12}
