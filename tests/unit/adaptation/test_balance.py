"""What plans earned, what planning spent, and when to check again."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.balance import (
    CHECK_SHARE,
    LONGEST_S,
    SHORTEST_S,
    Balance,
    balance,
    next_check,
    next_count,
    read_check_state,
)
from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import CheckSettings, check_solver
from multi_x_serverless.adaptation.homes import Homes
from multi_x_serverless.adaptation.ledger import Ledger
from multi_x_serverless.adaptation.overhead import Overhead
from multi_x_serverless.adaptation.staging import KEEP_PLANS, KEEP_PLANS_S, stage_plan
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import PlanStore, physical_name
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.errors import CloudError
from multi_x_serverless.model.amounts import grams
from multi_x_serverless.model.check_state import CheckState
from multi_x_serverless.model.ledger import LedgerEntry
from multi_x_serverless.observation.history import History
from multi_x_serverless.solving.problem import SolveSettings
from tests.fakes import Call
from tests.unit.adaptation.deployed import HOME, add_runs, deployed_example
from tests.unit.deployment.projects import WORKFLOW_ID

SETTINGS = CheckSettings(solve=SolveSettings(hours=(0, 12), scenarios=100, validation_scenarios=100))
MONTH_S = 30 * 86_400.0
NOW = 1_700_000_000.0
AT_HOME = Homes(HOME, {})


def test_each_run_earns_what_its_plan_expects_of_its_hour(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    plan = PlanStore(cloud).active(WORKFLOW_ID)
    assert plan is not None
    add_runs(cloud, 7, region="ca-central-1", plan_version=plan.version, started_at=cloud.now())
    add_runs(cloud, 3, plan_version=plan.version, reason="home_share", started_at=cloud.now() + 100.0)
    add_runs(
        cloud, 2, region="ca-central-1", plan_version=plan.version, started_at=cloud.now() + 200.0, status="failed"
    )
    runs = History(cloud).runs(WORKFLOW_ID)
    home = [replace(run, placement_key="home") if run.reason == "home_share" else run for run in runs]
    spending = Overhead(0.25, 0.125)
    found = balance(home, [plan], AT_HOME, spending)
    entry = plan.at(int(cloud.now() // 3600 % 24))
    assert entry.metrics is not None
    assert entry.home_metrics is not None
    assert found.routed_runs == 7, "neither those of the first plan, nor controls, nor failed ones"
    assert found.earned_carbon_gco2eq == pytest.approx(7 * (entry.home_metrics.carbon.mean - entry.metrics.carbon.mean))
    assert found.earned_cost_usd == pytest.approx(7 * (entry.home_metrics.cost.mean - entry.metrics.cost.mean))
    assert (found.spent_carbon_gco2eq, found.spent_cost_usd) == (spending.carbon_gco2eq, spending.cost_usd)
    heavy = balance([replace(run, weight=3.0) for run in home], [plan], AT_HOME, spending)
    assert heavy.earned_carbon_gco2eq == pytest.approx(3 * found.earned_carbon_gco2eq)
    assert balance(home, [], AT_HOME, spending).routed_runs == 0


def test_millions_of_small_savings_are_summed_exactly(tmp_path: Path) -> None:
    """In floating point a thousand times 1e-13 beside 1e3 would be lost one by one."""
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    plan = PlanStore(cloud).active(WORKFLOW_ID)
    assert plan is not None
    run = History(cloud).runs(WORKFLOW_ID)[0]
    small = [replace(run, run_id=str(number), plan_version=plan.version, weight=1e-13) for number in range(1_000)]
    large = replace(run, run_id="large", plan_version=plan.version, weight=1e3)
    nothing = Overhead(0.0, 0.0)
    both, alone, rest = (
        balance(runs, [plan], AT_HOME, nothing).earned_carbon_gco2eq for runs in ([large, *small], [large], small)
    )
    assert both - alone == pytest.approx(rest, rel=0.1)


@pytest.mark.parametrize("earned_per_day", [1e-3, 0.1, 10.0])
def test_checks_spend_a_hundredth_of_what_plans_earn(earned_per_day: float) -> None:
    found = Balance(earned_per_day * 30, 0.0, 0.0, 0.0, 1)
    check_carbon = 1e-4
    then, why = next_check(found, check_carbon, NOW, None)
    wait_s = then - NOW
    assert SHORTEST_S <= wait_s <= LONGEST_S
    if SHORTEST_S < wait_s < LONGEST_S:
        assert check_carbon == pytest.approx(CHECK_SHARE * earned_per_day * wait_s / 86_400.0)
    assert why.startswith(f"this check took {grams(check_carbon)} of CO2eq, and ")
    assert "100 times that" in why


@pytest.mark.parametrize(
    ("check_gco2eq", "why"),
    [
        (4.35e-5, "this check took 43.5 ug of CO2eq, and plans save more than 100 times that in an hour."),
        (0.01, "this check took 10 mg of CO2eq, and until then plans save about 100 times that."),
        (
            2.0,
            "this check took 2 g of CO2eq, and plans save less than 100 times that in a day; it is not put off longer.",
        ),
    ],
)
def test_the_wait_is_told_in_plain_words_and_one_unit(check_gco2eq: float, why: str) -> None:
    assert next_check(Balance(300.0, 0.0, 1.0, 0.0, 9), check_gco2eq, NOW, None)[1] == why


def test_without_savings_once_a_day_is_enough_and_a_plan_that_ends_is_renewed_in_time() -> None:
    nothing = Balance(0.0, 0.0, 1.0, 0.0, 0)
    assert next_check(nothing, 1.0, NOW, None)[0] == NOW + LONGEST_S
    assert next_check(nothing, 1.0, NOW, NOW + 7_200.0)[0] == NOW + 7_200.0
    assert next_check(nothing, 1.0, NOW, NOW + 5.0)[0] == NOW + SHORTEST_S
    assert next_check(nothing, 1.0, NOW, NOW - 5.0)[0] == NOW + LONGEST_S, "this check has weighed the renewal"
    assert next_check(nothing, 1.0, NOW, NOW + MONTH_S)[0] == NOW + LONGEST_S


def test_while_planning_takes_more_than_it_saves_checks_are_rare_and_say_so(tmp_path: Path) -> None:
    even = Balance(1_000.0, 0.0, 1_000.0, 0.0, 100)
    assert next_check(even, 0.01, NOW, None)[0] == NOW + SHORTEST_S
    loss = replace(even, spent_carbon_gco2eq=1_500.0)
    then, why = next_check(loss, 0.01, NOW, None)
    assert then == NOW + LONGEST_S
    assert "planning took more (1.5 kg of CO2eq) than plans saved (1 kg)" in why
    assert next_check(loss, 0.01, NOW, NOW + 7_200.0)[0] == NOW + 7_200.0, "what is in force is renewed in time"

    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    cloud.time += 3_600.0
    add_runs(cloud, 7, region="ca-central-1", plan_version=2, started_at=cloud.now() - 60.0)
    Ledger(cloud).add(LedgerEntry(WORKFLOW_ID, "migration", cloud.now(), 0.0, 0.0, 0, 1e6, 1e3))
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.balance is not None
    assert decision.balance.earned_carbon_gco2eq > 0
    assert decision.next_check_at == cloud.now() + LONGEST_S
    assert "planning took more" in decision.why_then


def test_runs_are_counted_as_often_as_they_come() -> None:
    long_ago = NOW - MONTH_S
    assert next_count(100, 0, NOW, NOW - 60.0)[0] == NOW + SHORTEST_S, "somebody may be trying it out"
    then, why = next_count(100, 0, NOW, long_ago)
    assert (then, "no run in the last day" in why) == (NOW + LONGEST_S, True)
    assert next_count(50, 200, NOW, long_ago)[0] == NOW + LONGEST_S / 4
    assert next_count(1, 5_000, NOW, long_ago)[0] == NOW + SHORTEST_S
    assert next_count(100, 3, NOW, long_ago)[0] == NOW + LONGEST_S


def test_plans_that_routed_runs_of_the_history_are_kept_for_what_they_earned(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    first = PlanStore(cloud).active(WORKFLOW_ID)
    assert first is not None
    add_runs(cloud, 7, region="ca-central-1", plan_version=first.version, started_at=cloud.now())
    for _ in range(KEEP_PLANS + 5):
        cloud.time += 3_600.0
        stage_plan(cloud, deployed_workflow(cloud, WORKFLOW_ID), replace(first, created_at=cloud.now()), b"{}")
        check_deployment(cloud, progress=SILENT)
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.balance is not None
    assert decision.balance.routed_runs == 7
    cloud.time += KEEP_PLANS_S
    stage_plan(
        cloud,
        deployed_workflow(cloud, WORKFLOW_ID),
        replace(first, created_at=cloud.now(), expires_at=cloud.now() + MONTH_S),
        b"{}",
    )
    assert len(PlanStore(cloud).versions(WORKFLOW_ID)) == KEEP_PLANS + 2, "besides those in force and staged"


def test_a_damaged_state_of_checks_is_written_anew(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=3)
    check_solver(cloud, SETTINGS)
    table = physical_name("statistics")
    cloud.key_value.put(cloud.system_region, table, Key(WORKFLOW_ID, "check"), {"document": "{}"})
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "wait"
    state = read_check_state(cloud, WORKFLOW_ID)
    assert state is not None
    assert state.deployment_seen_at == cloud.now()


def test_a_state_of_before_deployments_were_noted_is_read() -> None:
    old = CheckState(1.0, 2.0, "then", "keep", "because")
    members = json.loads(old.to_document())
    del members["deployment"], members["deployment_seen_at"]
    assert CheckState.from_document(json.dumps(members)) == old


def test_a_check_notes_when_the_next_one_is_and_a_dry_run_does_not(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS, dry_run=True)
    assert read_check_state(cloud, WORKFLOW_ID) is None
    (decision,) = check_solver(cloud, SETTINGS)
    state = read_check_state(cloud, WORKFLOW_ID)
    assert state is not None
    assert (state.checked_at, state.verdict, state.reason) == (cloud.now(), "staged", decision.reason)
    assert state.next_check_at == decision.next_check_at
    assert CheckState.from_document(state.to_document()) == state
    assert decision.balance is not None
    assert decision.balance.spent_carbon_gco2eq > 0


def test_a_workflow_that_waits_for_runs_is_looked_at_every_hour(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=3)
    (decision,) = check_solver(cloud, SETTINGS)
    assert (decision.verdict, decision.next_check_at) == ("wait", cloud.now() + SHORTEST_S)


def refuse_statistics(call: Call) -> Exception | None:
    """The error of a write that comes after reading the logs and before solving."""
    is_refused = call.operation == "put" and call.arguments[1] == "multi-x-serverless-statistics"
    return CloudError("the table is away.", operation="put") if is_refused else None


def test_checks_that_decline_fail_or_wait_lose_nothing_of_what_was_earned_and_spent(tmp_path: Path) -> None:
    """The balance after many checks is the sum of all entries, to the last digit: nothing is rounded and carried on."""
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    plan = PlanStore(cloud).active(WORKFLOW_ID)
    assert plan is not None
    add_runs(cloud, 7, region="ca-central-1", plan_version=plan.version, started_at=cloud.now())
    spent = []
    for _ in range(3):
        cloud.time += 3_600.0
        (declined,) = check_solver(cloud, SETTINGS)
        assert (declined.verdict, declined.balance is None) == ("keep", False)
        cloud.key_value.faults.before = refuse_statistics
        (failed,) = check_solver(cloud, SETTINGS)
        assert (failed.verdict, failed.reason) == ("failed", "the table is away.")
        cloud.key_value.faults.reset()
        spent.append(Ledger(cloud).spending(WORKFLOW_ID))
    assert [entry.by_kind["check"].count for entry in spent] == [3, 5, 7], "failed ones have computed as well"
    entries = [
        LedgerEntry.from_document(str(item.attributes["document"]))
        for item in cloud.key_value.query(cloud.system_region, "multi-x-serverless-ledger", WORKFLOW_ID)
    ]
    exact = sum(Fraction(part) for entry in entries for part in (entry.carbon_gco2eq, entry.copied_best_gco2eq))
    assert spent[-1].carbon_gco2eq == float(exact)
    (last,) = check_solver(cloud, SETTINGS)
    entry = plan.at(int((cloud.now() - 3 * 3_600.0) // 3600 % 24))
    assert entry.metrics is not None
    assert entry.home_metrics is not None
    assert last.balance is not None
    earned = entry.home_metrics.carbon.mean - entry.metrics.carbon.mean
    assert last.balance.earned_carbon_gco2eq == pytest.approx(7 * earned, rel=1e-15)
