"""Simulated placements: named ones, documents, and limits as the solver sees them."""

from __future__ import annotations

import json
import random

import pytest

from multi_x_serverless.errors import InvalidPlacementError, InvalidProblemError, UsageError
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.simulation import ALL_HOME, Simulator, simulate
from tests.oracles.checker import Checker
from tests.oracles.problems import random_problem
from tests.unit.core.documents import ENTRY, JOIN, LABEL, RESIZE, dump, fan_out_problem

SINGLE = 3e-6


@pytest.mark.parametrize("seed", range(3000, 3040))
def test_limits_are_judged_as_the_solver_judges_them(seed: int) -> None:
    problem = random_problem(seed, hours=2)
    solution = json.loads(LoadedProblem(dump(problem)).solve("fine-grained").document)
    outcome = simulate(dump(problem), json.dumps(solution).encode())
    assert [entry.hour for entry in outcome.hours] == problem["hours"]
    for entry, solved in zip(outcome.hours, solution["hours"], strict=True):
        assert entry.placement == solved["placement"]
        assert entry.metrics.to_members() == solved["metrics"]
        assert entry.home_metrics.to_members() == solved["home_metrics"]
        found = {(check.kind, check.metric): check.to_members() for check in entry.limits}
        expected = {(check["kind"], check["metric"]): check for check in solved["constraints"]}
        assert found.keys() == expected.keys()
        for key, members in found.items():
            assert members == {name: expected[key][name] for name in members}


def test_a_limit_on_the_edge_shows_its_tightest_comparison() -> None:
    problem = fan_out_problem()
    problem["constraints"]["hard"] = {"runtime": {"type": "relative", "value": 1.0}}
    (entry,) = simulate(dump(problem), "ca-central-1", hour=0).hours
    (check,) = entry.limits
    assert [part.statistic for part in check.compared] == ["lower_bound", "estimate", "upper_bound"]
    assert all(part.slack < 0 for part in check.compared)
    assert check.is_violated
    assert check.tightest.fraction == max(part.fraction for part in check.compared)
    assert check.slack == check.tightest.slack
    (home,) = simulate(dump(problem), ALL_HOME, hour=0).hours
    assert (home.limits[0].slack, home.limits[0].is_violated) == (0.0, False)


def test_the_limits_of_that_test_are_broken_and_kept() -> None:
    outcomes = [simulate(dump(random_problem(seed)), ALL_HOME) for seed in range(3000, 3040)]
    verdicts = {(check.kind, check.is_violated) for outcome in outcomes for check in outcome.hours[0].limits}
    assert verdicts == {("hard", True), ("hard", False), ("soft", True), ("soft", False)}
    assert {outcome.breaks_a_hard_limit for outcome in outcomes} == {True, False}


@pytest.mark.parametrize("seed", range(3100, 3110))
def test_metrics_are_those_of_the_independent_checker(seed: int) -> None:
    problem = random_problem(seed, limits=False)
    source = random.Random(seed)
    placement = {node["name"]: source.choice(node["allowed"]) for node in problem["nodes"]}
    (entry,) = simulate(dump(problem), dump(placement), hour=5).hours
    for metric, summary in Checker(problem).summaries(placement, 5).items():
        found = entry.metrics.to_members()[metric]
        assert found["mean"] == pytest.approx(summary.mean, rel=SINGLE)
        assert found["tail"] == pytest.approx(summary.tail, rel=SINGLE)


def test_a_region_takes_the_nodes_that_may_run_there() -> None:
    problem = fan_out_problem()
    problem["nodes"][2]["allowed"] = ["us-east-1"]
    (entry,) = simulate(dump(problem), "ca-central-1", hour=3).hours
    assert entry.placement == {
        ENTRY: "ca-central-1",
        RESIZE: "ca-central-1",
        LABEL: "us-east-1",
        JOIN: "ca-central-1",
    }
    (home,) = simulate(dump(problem), ALL_HOME, hour=3).hours
    assert set(home.placement.values()) == {"us-east-1"}
    assert home.metrics == home.home_metrics


def test_each_hour_has_the_placement_of_the_solution() -> None:
    problem = fan_out_problem()
    solution = LoadedProblem(dump(problem)).solve("fine-grained")
    placements = {entry.hour: entry.placement for entry in simulate(dump(problem), solution.document).hours}
    assert placements[0] != placements[12]
    assert placements == {entry.hour: entry.placement for entry in solution.hours}
    with pytest.raises(UsageError, match="hour 7"):
        simulate(dump(problem), solution.document, hour=7)


@pytest.mark.parametrize(
    ("placement", "message"),
    [
        ({ENTRY: "us-east-1"}, "has no region"),
        (dict.fromkeys((ENTRY, RESIZE, LABEL, JOIN), "eu-west-1"), "may not run in region"),
        (dict.fromkeys((ENTRY, RESIZE, LABEL, JOIN, "ghost"), "us-east-1"), "ghost"),
        (dict.fromkeys((ENTRY, RESIZE, LABEL, JOIN), 3), "expected the name of a region"),
        ([1, 2], "neither an object"),
    ],
)
def test_placements_that_do_not_fit_are_refused(placement: object, message: str) -> None:
    with pytest.raises(InvalidPlacementError, match=message):
        simulate(dump(fan_out_problem()), json.dumps(placement).encode())


def test_what_is_no_json_no_region_or_no_hour_is_refused() -> None:
    document = dump(fan_out_problem())
    with pytest.raises(InvalidPlacementError, match="is not JSON"):
        simulate(document, b"{")
    with pytest.raises(UsageError, match="ca-central-1, and 'all-home'"):
        simulate(document, "mars-north-1")
    with pytest.raises(UsageError, match="24"):
        simulate(document, ALL_HOME, hour=24)
    with pytest.raises(InvalidProblemError) as refusal:
        simulate(document.replace(b'"memory_mb": 1769', b'"memory_mb": -1', 1), ALL_HOME)
    assert (refusal.value.path, refusal.value.reason) == ("nodes[0].memory_mb", "out-of-range")
    assert str(refusal.value).count("nodes[0].memory_mb") == 1


def test_defaults_of_the_document_are_told() -> None:
    problem = fan_out_problem()
    del problem["settings"], problem["constraints"]
    outcome = simulate(dump(problem), ALL_HOME, hour=0)
    assert (outcome.scenarios, outcome.tail, outcome.confidence) == (1000, 0.95, 0.95)
    assert outcome.hours[0].limits == ()
    assert len(outcome.hours) == 1
    assert not outcome.breaks_a_hard_limit


def test_other_intensities_keep_the_limits_and_the_scenarios() -> None:
    problem = fan_out_problem()
    problem["constraints"]["hard"] = {"carbon": {"type": "absolute", "value": 1e-3}}
    simulator = Simulator(dump(problem))
    other = {"us-east-1": [800.0] * 24, "ca-central-1": [60.0] * 24}
    problem["intensity_gco2e_per_kwh"] = other
    expected = Simulator(dump(problem))
    found = simulator.with_intensity(other, hours=[7])
    assert found.problem.hours == [7]
    for hour in (0, 7):
        assert found.at(found.home, hour) == expected.at(expected.home, hour)
    assert simulator.at(simulator.home, 7) != found.at(found.home, 7), "the first one is as it was"


def test_run_times_are_those_of_the_scenarios() -> None:
    problem = LoadedProblem(dump(fan_out_problem()))
    home = dict.fromkeys(problem.nodes, "us-east-1")
    times = problem.run_times(home)
    assert times.shape == (100,)
    assert float(times.mean()) == pytest.approx(problem.evaluate(home, 3).runtime.mean, rel=SINGLE)
    with pytest.raises(InvalidPlacementError):
        problem.run_times({**home, ENTRY: "eu-west-1"})
