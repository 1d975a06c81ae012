"""The problem document, through the engine: what was observed is what is planned with."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from multi_x_serverless.errors import InvalidDocumentError, NotEnoughDataError, UsageError
from multi_x_serverless.model.config import Constraints, Limit, Limits
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.solving.engine import SOLVERS, LoadedProblem, solve_problem
from multi_x_serverless.solving.problem import Signals, SolveSettings, build_problem
from multi_x_serverless.solving.solution import plan_from_solution
from tests.unit.solving.workflows import HOME, REGIONS, embedded_signals, observed_runs, workflow

SETTINGS = SolveSettings(hours=(3, 12), scenarios=200, validation_scenarios=200)


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_answers_with_a_plan_that_is_no_worse_than_home(solver: str) -> None:
    problem = build_problem(workflow(), observed_runs(), embedded_signals(), SETTINGS)
    solution = solve_problem(problem, solver)
    assert solution.solver == solver
    for entry in solution.hours:
        assert entry.metrics.carbon.mean <= entry.home_metrics.carbon.mean * (1 + 1e-9)
        assert entry.lower_bound <= entry.value * (1 + 1e-9)
        assert {candidate.region for candidate in entry.candidates} == set(REGIONS)
        found = LoadedProblem(problem).evaluate(entry.placement, entry.hour)
        assert found.carbon.mean == pytest.approx(entry.value)
    plan = plan_from_solution(solution, "text-0.0.1", created_at=1.0, expires_at=2.0)
    assert Plan.from_document(plan.to_document()) == plan


def test_cleanest_region_wins_without_limits() -> None:
    problem = build_problem(workflow(), observed_runs(), embedded_signals(), SETTINGS)
    for entry in solve_problem(problem, "fine-grained").hours:
        assert set(entry.placement.values()) == {"ca-central-1"}
        assert entry.status == "optimal"


def test_pinned_function_stays_home() -> None:
    problem = build_problem(workflow(pinned=("receive",)), observed_runs(), embedded_signals(), SETTINGS)
    for entry in solve_problem(problem, "fine-grained").hours:
        assert entry.placement["receive:entry_point:0"] == HOME
        assert not any(candidate.is_pure for candidate in entry.candidates if candidate.region != HOME)


def test_runtime_limit_of_home_is_kept_and_only_slack_is_used() -> None:
    tight = Constraints(hard=Limits(runtime=Limit("relative", 1.0)))
    problem = build_problem(workflow(constraints=tight), observed_runs(), embedded_signals(), SETTINGS)
    for entry in solve_problem(problem, "fine-grained").hours:
        assert entry.status == "optimal"
        bound, home_bound = entry.metrics.runtime.tail_upper, entry.home_metrics.runtime.tail_upper
        assert bound is not None
        assert home_bound is not None
        assert bound <= home_bound * (1 + 1e-9)
        assert entry.placement["receive:entry_point:0"] == HOME, "moving the entry makes every run longer"


def test_limit_that_nothing_meets_is_infeasible() -> None:
    impossible = Constraints(hard=Limits(runtime=Limit("absolute", 1e-6)))
    problem = build_problem(workflow(constraints=impossible), observed_runs(), embedded_signals(), SETTINGS)
    solution = solve_problem(problem, "fine-grained")
    assert solution.is_infeasible_at_all_hours
    assert all(set(entry.placement.values()) == {HOME} for entry in solution.hours)
    (unmet,) = solution.hours[0].unmet_limits
    assert (unmet.metric, unmet.limit) == ("runtime", 1e-6)
    assert unmet.best_achievable > unmet.limit
    assert unmet.excess > 0


def test_setting_of_the_solver_reaches_the_solver() -> None:
    for seed in (0, 7):
        problem = build_problem(workflow(), observed_runs(), embedded_signals(), replace(SETTINGS, seed=seed))
        assert solve_problem(problem, "fine-grained").seed == seed


def test_declared_data_region_takes_the_bytes_of_its_function() -> None:
    model = workflow(data_regions={"join": "us-west-2"})
    columns = orjson.loads(build_problem(model, observed_runs(), embedded_signals(), SETTINGS))["observations"]["nodes"]
    assert set(columns["join:sync:2"]["data_bytes"]) == {0.0}
    assert set(columns["join:sync:2"]["sent_bytes"]["us-west-2"]) == {5.0}
    assert set(columns["join:sync:2"]["received_bytes"]["us-west-2"]) == {10.0}
    assert columns["receive:entry_point:0"]["sent_bytes"] == {}


def test_data_where_the_workflow_may_not_run_is_outside() -> None:
    model = workflow(data_regions={"join": "eu-west-1"})
    runs = tuple(
        replace(run, nodes={index: replace(node, sent_bytes={"sa-east-1": 7.0}) for index, node in run.nodes.items()})
        for run in observed_runs()
    )
    problem = build_problem(model, runs, embedded_signals(), SETTINGS)
    columns = orjson.loads(problem)["observations"]["nodes"]
    assert set(columns["join:sync:2"]["sent_bytes"]["outside"]) == {12.0}
    assert set(columns["join:sync:2"]["received_bytes"]["outside"]) == {10.0}
    assert set(columns["receive:entry_point:0"]["sent_bytes"]["outside"]) == {7.0}
    assert len(solve_problem(problem, "fine-grained").hours) == 2


def test_runs_of_another_graph_and_failed_ones_do_not_count() -> None:
    runs = observed_runs(10)
    other = tuple(replace(run, manifest_id="older") for run in runs)
    failed = tuple(replace(run, status="failed") for run in runs)
    with pytest.raises(NotEnoughDataError, match="no finished run"):
        build_problem(workflow(), (*other, *failed), embedded_signals(), SETTINGS)


@pytest.mark.parametrize(
    ("lacking", "name"), [("carbon", "carbon"), ("prices", "provider"), ("performance", "performance")]
)
def test_missing_signal_names_the_collector_and_the_region(lacking: str, name: str) -> None:
    complete, partial = embedded_signals(), embedded_signals(REGIONS[:3])
    signals = Signals(**{**complete.__dict__, lacking: getattr(partial, lacking)})
    with pytest.raises(NotEnoughDataError, match=f"no {name} data of ca-central-1"):
        build_problem(workflow(), observed_runs(), signals, SETTINGS)


def test_unknown_solver_and_damaged_problem_are_refused() -> None:
    problem = build_problem(workflow(), observed_runs(), embedded_signals(), SETTINGS)
    with pytest.raises(UsageError, match="magic"):
        solve_problem(problem, "magic")
    document = orjson.loads(problem)
    document["regions"][1] = 5
    with pytest.raises(InvalidDocumentError, match=r"regions\[1\]"):
        solve_problem(orjson.dumps(document), "fine-grained")
