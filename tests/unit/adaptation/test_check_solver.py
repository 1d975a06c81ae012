"""When a new plan is staged, when not, and what is said about it."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.adaptation.balance import read_check_state
from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import CheckSettings, check_solver
from multi_x_serverless.adaptation.check_work import CheckWork
from multi_x_serverless.adaptation.ledger import Ledger
from multi_x_serverless.adaptation.signals import COLLECTORS, KEEP_LEARNED_S, collect_signals
from multi_x_serverless.adaptation.solve import PLAN_LIFETIME_S, WorkflowProblem, build_workflow_problem
from multi_x_serverless.adaptation.statistics import read_statistics
from multi_x_serverless.adaptation.upkeep import Synced, sync_workflow
from multi_x_serverless.adaptation.workflows import each_deployed_workflow
from multi_x_serverless.cloud.locks import LEASE_S, lock
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import PlanStore, physical_name, workflow_table
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.deployment.withdrawal import GRACE_S
from multi_x_serverless.errors import (
    CloudError,
    ConflictError,
    InvalidProblemError,
    MultiXServerlessError,
    NotEnoughDataError,
    OutOfTimeError,
    UnknownWorkflowError,
)
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import History
from multi_x_serverless.solving.problem import SolveSettings
from tests.fakes import Call, FakeCloud
from tests.unit.adaptation.deployed import add_runs, deployed_example
from tests.unit.adaptation.month import slow_processor
from tests.unit.deployment.projects import CONFIGURATION, WORKFLOW_ID, check_consistent, make_project, record_of, stage

SETTINGS = CheckSettings(solve=SolveSettings(hours=(0, 12), scenarios=100, validation_scenarios=100))


def test_too_few_runs_wait_and_say_how_many_are_needed(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=99)
    (decision,) = check_solver(cloud, SETTINGS)
    assert (decision.verdict, decision.runs) == ("wait", 99)
    assert "99" in decision.reason
    assert "100" in decision.reason
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None


def test_plan_that_pays_is_staged_once(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "staged"
    assert decision.gain is not None
    assert decision.gain.fraction > 0.5, "ca-central-1 is far cleaner than us-east-1"
    assert decision.overhead is not None
    assert decision.overhead.carbon_gco2eq > 0
    staged = PlanStore(cloud).staged(WORKFLOW_ID)
    assert staged is not None
    assert staged.version == decision.plan_version
    assert "ca-central-1" in staged.regions
    (outcome,) = check_deployment(cloud, progress=SILENT)
    assert outcome.outcome == "migrated"
    (again,) = check_solver(cloud, SETTINGS)
    assert again.verdict == "keep"
    assert "threshold" in again.reason


def test_a_whole_day_has_as_many_placements_as_pay(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    whole_day = replace(SETTINGS, solve=replace(SETTINGS.solve, hours=tuple(range(24))))
    (decision,) = check_solver(cloud, whole_day)
    assert decision.verdict == "staged"
    # Quebec is cleaner all day long: one placement is as good as 24.
    assert (decision.granularity, decision.switches) == (1, 0)
    staged = PlanStore(cloud).staged(WORKFLOW_ID)
    assert staged is not None
    assert len({tuple(sorted(entry.placement.items())) for entry in staged.hours}) == 1


def test_a_workflow_of_which_every_run_stays_home_keeps_its_plan(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120, configuration=CONFIGURATION + "home_share: 1.0\n")
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "keep"
    assert "does not pay" in decision.reason


def test_two_checks_are_never_at_work_at_once_whoever_calls_them(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    with lock(cloud, f"{WORKFLOW_ID} (update_check_solver)"):
        (decision,) = check_solver(cloud, SETTINGS)
        assert (decision.verdict, decision.error_code) == ("failed", "conflict")
        assert "another command is working" in decision.reason
        assert PlanStore(cloud).staged(WORKFLOW_ID) is None
        assert Ledger(cloud).spending(WORKFLOW_ID).solves == 0
        assert check_solver(cloud, SETTINGS, dry_run=True)[0].verdict == "would stage", "that changes nothing"
    assert check_solver(cloud, SETTINGS)[0].verdict == "staged"


def test_a_check_that_lost_its_lock_stages_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    name = f"{WORKFLOW_ID} (update_check_solver)"

    def slow(*arguments: Any, **named: Any) -> WorkflowProblem:
        cloud.time += LEASE_S
        taken.enter_context(lock(cloud, name))
        return build_workflow_problem(*arguments, **named)

    monkeypatch.setattr("multi_x_serverless.adaptation.check_solver.build_workflow_problem", slow)
    with ExitStack() as taken:
        (decision,) = check_solver(cloud, SETTINGS)
    assert (decision.verdict, decision.error_code) == ("failed", "conflict")
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None


def test_dry_run_stages_nothing(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    (decision,) = check_solver(cloud, SETTINGS, dry_run=True)
    assert decision.verdict == "would stage"
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None


def test_plan_that_does_not_pay_for_itself_is_not_staged(tmp_path: Path) -> None:
    # Copying three megabytes to another region costs more than a run in four saves there.
    (tmp_path / "model.bin").write_bytes(random.Random(0).randbytes(3_000_000))
    rare = CONFIGURATION + "estimated_invocations_per_month: 1\n"
    cloud = deployed_example(tmp_path, runs=120, configuration=rare)
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "keep"
    assert "does not pay" in decision.reason


def test_limits_that_nothing_meets_keep_the_plan_in_force(tmp_path: Path) -> None:
    limits = "constraints: {hard_resource_constraints: {runtime: {type: absolute, value: 0.000001}}}\n"
    cloud = deployed_example(tmp_path, runs=120, configuration=CONFIGURATION + limits)
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "keep"
    assert "hard limits" in decision.reason


def test_failure_of_one_workflow_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    table = physical_name("history")
    (item,) = list(cloud.key_value.query(cloud.system_region, table, WORKFLOW_ID))
    cloud.key_value.put(cloud.system_region, table, Key(WORKFLOW_ID, item.key.sort), {"document": "{"})
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "failed"
    assert "history" in decision.reason


def test_runs_of_a_replaced_graph_and_failed_ones_do_not_count(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=60)
    add_runs(cloud, 30, reason="home_share")
    add_runs(cloud, 30, status="failed")
    other = [
        replace(run, run_id=f"older-{run.run_id}", manifest_id="older") for run in History(cloud).runs(WORKFLOW_ID)
    ]
    History(cloud).add(WORKFLOW_ID, other)
    assert check_solver(cloud, SETTINGS, dry_run=True)[0].runs == 90


def _with(tmp_path: Path, cloud: FakeCloud, more: str) -> None:
    """Deploy again with another line in the configuration; code, and so the graph, stay."""
    deploy(cloud, make_project(tmp_path, configuration=CONFIGURATION + more))


RUNTIME_LIMIT = "constraints: {hard_resource_constraints: {runtime: {type: relative, value: %s}}}\n"


def _let_pass(cloud: FakeCloud, days: float) -> None:
    """Let some days go by, with as many runs and fresh signals."""
    cloud.time += days * 86_400.0
    if days:
        add_runs(cloud, 120)


@pytest.mark.parametrize("days", [0.0, 6.5], ids=["fresh", "on its last day"])
def test_plan_that_breaks_a_tightened_limit_is_replaced_whatever_it_gains(tmp_path: Path, days: float) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    _let_pass(cloud, days)
    _with(tmp_path, cloud, RUNTIME_LIMIT % "1.0")
    active = PlanStore(cloud).active(WORKFLOW_ID)
    assert active is not None
    assert "ca-central-1" in active.regions, "it stays in force until the check"
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "staged"
    assert "hard limits" in decision.reason
    staged = PlanStore(cloud).staged(WORKFLOW_ID)
    assert staged is not None
    assert staged.regions == {"us-east-1"}


@pytest.mark.parametrize("days", [0.0, 6.5], ids=["fresh", "on its last day"])
def test_limits_that_nothing_meets_bring_everything_home(tmp_path: Path, days: float) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    _let_pass(cloud, days)
    _with(tmp_path, cloud, RUNTIME_LIMIT % "0.000001")
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "staged"
    assert "goes home" in decision.reason
    check_deployment(cloud, progress=SILENT)
    active = PlanStore(cloud).active(WORKFLOW_ID)
    assert active is not None
    assert active.regions == {"us-east-1"}
    (again,) = check_solver(cloud, SETTINGS)
    assert again.verdict == "keep"


def test_on_its_last_day_a_plan_is_renewed_against_home_and_what_has_ended_is_home(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    _let_pass(cloud, 6.5)
    (decision,) = check_solver(cloud, SETTINGS, dry_run=True)
    assert decision.verdict == "would stage"
    assert decision.reason.startswith("against home, where runs go when plan 2 ends: carbon falls by ")
    _let_pass(cloud, 0.6)
    _with(tmp_path, cloud, RUNTIME_LIMIT % "0.000001")
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "keep"
    assert decision.reason.endswith("everything is home.")


def test_soft_limits_come_before_gains(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    _with(tmp_path, cloud, "constraints: {soft_resource_constraints: {runtime: {type: relative, value: 1.0}}}\n")
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "staged"
    assert "soft limits" in decision.reason


def test_objectives_are_weighed_in_order_of_priority(tmp_path: Path) -> None:
    """Cost first: nothing is cheaper than home, and carbon must not speak for moving away."""
    order = "constraints: {priority_order: [cost, carbon, runtime]}\n"
    cloud = deployed_example(tmp_path, runs=120, configuration=CONFIGURATION + order)
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.gain is not None
    assert (decision.verdict, decision.gain.objective) == ("keep", "cost")
    assert decision.gain.fraction <= SETTINGS.hysteresis


def test_gain_is_that_of_the_runs_that_follow_the_plan(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120, configuration=CONFIGURATION + "home_share: 0.25\n")
    (decision,) = check_solver(cloud, SETTINGS)
    gain = decision.gain
    assert gain is not None
    assert gain.routed_share == 0.75
    assert gain.total == pytest.approx(0.75 * gain.expected_runs * (gain.in_force - gain.planned))


def test_load_of_weeks_ago_is_not_expected_again(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    add_runs(cloud, 120, started_at=cloud.now() - 20 * 86_400.0)
    add_runs(cloud, 30, started_at=cloud.now() - 6 * 86_400.0)
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.runs == 150
    assert decision.gain is not None
    assert decision.gain.expected_runs == pytest.approx(30.0), "those of the last week, over a plan's week"


def test_data_that_could_not_be_refreshed_is_told(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    cloud.time += 3 * 86_400.0
    cloud.faults.before = lambda call: (
        CloudError("throttled", operation="put_item")
        if call.operation == "put" and call.arguments[1] == physical_name("signals")
        else None
    )
    (decision,) = check_solver(cloud, SETTINGS, dry_run=True)
    assert decision.verdict == "would stage"
    assert any("could not be refreshed" in warning for warning in decision.warnings)
    assert any("3 days old" in warning for warning in decision.warnings)
    cloud.time += 12 * 86_400.0
    add_runs(cloud, 1)
    (decision,) = check_solver(cloud, SETTINGS, dry_run=True)
    assert decision.verdict == "failed"
    assert "too old" in decision.reason


def test_record_that_cannot_be_read_stops_no_other(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    table = physical_name("workflows")
    cloud.key_value.put(cloud.system_region, table, Key("a-0.0.1"), {"document": "{"})
    broken, sound = check_solver(cloud, SETTINGS)
    assert (broken.workflow_id, broken.verdict) == ("a-0.0.1", "failed")
    assert sound.verdict == "staged"
    broken_outcome, migrated = check_deployment(cloud, progress=SILENT)
    assert (broken_outcome.workflow_id, broken_outcome.outcome) == ("a-0.0.1", "failed")
    assert migrated.outcome == "migrated"


def test_a_check_of_many_learns_from_all_runs_once_and_reads_records_one_by_one(tmp_path: Path) -> None:
    """Reading all statistics and records for each workflow anew would be millions of reads for thousands of them."""
    cloud = deployed_example(tmp_path, runs=120)
    stored = workflow_table(cloud).get(Key(WORKFLOW_ID))
    assert stored is not None
    runs = History(cloud).runs(WORKFLOW_ID)
    names = [f"copy{number}-0.0.1" for number in range(6)]
    for name in names:
        workflow_table(cloud).put(Key(name), replace(stored.value, workflow_id=name))
        History(cloud).add(name, runs)
    cloud.faults.reset()
    decisions = check_solver(cloud, SETTINGS, dry_run=True)
    assert {decision.verdict for decision in decisions} == {"would stage"}
    reads = [call.arguments for call in cloud.faults.calls if call.operation == "get"]
    summaries = [arguments for arguments in reads if arguments[2] in {Key(name, "summary") for name in names}]
    records = [arguments for arguments in reads if arguments[1] == physical_name("workflows")]
    assert summaries == []
    # Its own: to find it, when its turn has come, for the sync, and for each of the day's first entries in the ledger.
    assert Counter(arguments[2] for arguments in records) == {Key(name): 7 for name in (*names, WORKFLOW_ID)}
    cloud.faults.reset()
    found = each_deployed_workflow(cloud)
    next(found)
    assert [call.arguments[2] for call in cloud.faults.calls if call.operation == "get"] == [Key(names[0])]
    # A day later what was learned is learned anew, by the first one that comes.
    cloud.time += KEEP_LEARNED_S
    reports = collect_signals(cloud, ("performance",), cloud.regions[:2], learned_kept_s=KEEP_LEARNED_S)
    assert reports[0].notes != ()
    (again,) = collect_signals(cloud, ("performance",), cloud.regions[:2], learned_kept_s=KEEP_LEARNED_S)
    assert (again.notes, [outcome.is_refreshed for outcome in again.outcomes]) == ((), [True, True])
    (wider,) = collect_signals(cloud, ("performance",), cloud.regions, learned_kept_s=KEEP_LEARNED_S)
    assert wider.notes != (), "distances to the other regions were not learned yet"


def test_plan_that_cannot_be_read_stops_no_other(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    cloud.key_value.put(cloud.system_region, physical_name("plans"), Key(WORKFLOW_ID, "v00000001"), {"document": "{"})
    (outcome,) = check_deployment(cloud, progress=SILENT)
    assert outcome.outcome == "failed"


def test_a_defect_that_one_workflow_meets_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    stored = workflow_table(cloud).get(Key(WORKFLOW_ID))
    assert stored is not None
    for name in ("a-0.0.1", "z-0.0.1"):
        workflow_table(cloud).put(Key(name), replace(stored.value, workflow_id=name))
    checked: list[str] = []

    def sync(cloud: Cloud, record: WorkflowRecord, **named: Any) -> Synced:
        checked.append(record.workflow_id)
        if record.workflow_id == "a-0.0.1":
            raise ZeroDivisionError("met by a")
        return sync_workflow(cloud, record, **named)

    monkeypatch.setattr("multi_x_serverless.adaptation.check_solver.sync_workflow", sync)
    broken, sound, without_runs = check_solver(cloud, SETTINGS)
    assert checked == ["a-0.0.1", WORKFLOW_ID, "z-0.0.1"]
    assert (broken.verdict, broken.error_code) == ("failed", "defect")
    assert "ZeroDivisionError: met by a" in broken.reason
    assert "test_check_solver.py:" in broken.reason
    assert (sound.verdict, without_runs.verdict) == ("staged", "wait")

    def migrate(*_: object, **__: object) -> None:
        raise KeyError("met by the migration")

    monkeypatch.setattr("multi_x_serverless.adaptation.check_deployment.migrate", migrate)
    first, failed, last = check_deployment(cloud, progress=SILENT)
    assert (failed.outcome, failed.error_code) == ("failed", "defect")
    assert "KeyError" in failed.message
    assert (first.workflow_id, last.workflow_id) == ("a-0.0.1", "z-0.0.1")


def test_an_engine_that_refuses_leaves_what_it_cost_in_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    before = Ledger(cloud).spending(WORKFLOW_ID)

    def refuse(*_: object) -> None:
        raise InvalidProblemError("nodes", "is refused", reason="out-of-range")

    monkeypatch.setattr("multi_x_serverless.adaptation.check_solver.Simulator", refuse)
    (decision,) = check_solver(cloud, SETTINGS)
    assert (decision.verdict, decision.error_code, decision.runs) == ("failed", "invalid-problem", 120)
    after = Ledger(cloud).spending(WORKFLOW_ID)
    assert after.by_kind["check"].count == 1
    assert after.carbon_gco2eq > before.carbon_gco2eq


def test_what_raises_before_it_has_an_entry_is_noted_with_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = deployed_example(tmp_path)
    record = record_of(cloud)
    assert record is not None
    slow_processor(monkeypatch, 0.25)
    before = Ledger(cloud).spending(WORKFLOW_ID).cpu_s
    work = CheckWork(cloud, record)  # reads the clock once, each block twice but for one that raises, the end once
    with work.noted_elsewhere():
        pass
    with suppress(CloudError), work.noted_elsewhere():
        raise CloudError("out", operation="x")
    work.note()
    assert Ledger(cloud).spending(WORKFLOW_ID).cpu_s - before == pytest.approx(3 * 0.25)


def refuse_state(call: Call) -> Exception | None:
    is_state = call.operation == "put" and call.arguments[2] == Key(WORKFLOW_ID, "check")
    return CloudError("out", operation="put") if is_state else None


def test_what_was_decided_stays_so_when_a_check_cannot_be_closed(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    before = Ledger(cloud).spending(WORKFLOW_ID)
    cloud.faults.before = refuse_state
    (decision,) = check_solver(cloud, SETTINGS)
    staged = PlanStore(cloud).staged(WORKFLOW_ID)
    assert staged is not None
    assert (decision.verdict, decision.plan_version, decision.error_code) == ("staged", staged.version, None)
    assert decision.warnings[-1:] == ("The check could not be closed as it should be: out",)
    assert len(set(decision.warnings)) == len(decision.warnings)
    assert decision.next_check_at is None, "nothing keeps the next one from coming sooner"
    assert Ledger(cloud).spending(WORKFLOW_ID).by_kind["check"].count == 1
    assert Ledger(cloud).spending(WORKFLOW_ID).solves == before.solves + 1


def test_a_balance_that_cannot_be_made_puts_the_next_check_off(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    table = physical_name("ledger")
    for item in list(cloud.key_value.query(cloud.system_region, table, WORKFLOW_ID)):
        cloud.key_value.put(cloud.system_region, table, item.key, {"document": "{"})
    check_deployment(cloud, progress=SILENT)
    cloud.time += 3_600.0
    (decision,) = check_solver(cloud, SETTINGS)
    assert (decision.verdict, decision.balance) == ("keep", None)
    assert any("could not be closed" in warning for warning in decision.warnings)
    state = read_check_state(cloud, WORKFLOW_ID)
    assert state is not None
    assert (state.verdict, state.failures, state.next_check_at) == ("keep", 1, cloud.now() + 3_600.0)
    assert decision.next_check_at == state.next_check_at


def test_a_state_of_a_newer_program_is_left_and_the_decision_stands(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    key, newer = Key(WORKFLOW_ID, "check"), {"document": '{"schema": "multi-x-serverless/check-state", "version": 99}'}
    cloud.key_value.put(cloud.system_region, physical_name("statistics"), key, newer)
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "staged"
    assert "install a newer one" in decision.warnings[-1]
    item = cloud.key_value.get(cloud.system_region, physical_name("statistics"), key)
    assert item is not None
    assert item.attributes == newer


def test_a_check_that_keeps_failing_comes_ever_more_rarely_until_it_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = deployed_example(tmp_path, runs=120)

    def refuse(*_: object) -> None:
        raise InvalidProblemError("nodes", "is refused", reason="out-of-range")

    with monkeypatch.context() as patched:
        patched.setattr("multi_x_serverless.adaptation.check_solver.Simulator", refuse)
        check_solver(cloud, SETTINGS, dry_run=True)
        assert read_check_state(cloud, WORKFLOW_ID) is None, "a dry run puts nothing off"
        waits = []
        for _ in range(7):
            (decision,) = check_solver(cloud, SETTINGS)
            state = read_check_state(cloud, WORKFLOW_ID)
            assert state is not None
            assert (state.verdict, state.reason) == ("failed", decision.reason)
            assert (state.next_check_at, state.why_then) == (decision.next_check_at, decision.why_then)
            waits.append(round((state.next_check_at - cloud.now()) / 3_600.0))
        assert waits == [1, 2, 4, 8, 16, 24, 24]
        assert "7 checks in a row that went wrong the next comes 24 h later" in decision.why_then
        _with(tmp_path, cloud, RUNTIME_LIMIT % "2.0")
        (decision,) = check_solver(cloud, SETTINGS)
        assert decision.next_check_at == cloud.now() + 3_600.0, "what is deployed now has failed once"
    assert check_solver(cloud, SETTINGS)[0].verdict == "staged"
    state = read_check_state(cloud, WORKFLOW_ID)
    assert state is not None
    assert state.failures == 0


@pytest.mark.parametrize("error", [ConflictError("busy"), OutOfTimeError("no time")])
def test_what_is_no_failure_puts_nothing_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: MultiXServerlessError
) -> None:
    cloud = deployed_example(tmp_path, runs=120)

    def stop(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("multi_x_serverless.adaptation.check_solver.sync_workflow", stop)
    assert check_solver(cloud, SETTINGS)[0].error_code == error.code
    assert read_check_state(cloud, WORKFLOW_ID) is None


def test_a_ledger_that_cannot_be_written_is_told_with_the_failure(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    cloud.faults.before = lambda call: CloudError("out", operation="query") if call.operation == "query" else None
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "failed"
    assert "is not in the ledger" in decision.reason


def test_what_expired_is_replaced_by_home_once_and_then_swept(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    cloud.time += PLAN_LIFETIME_S
    (preview,) = check_deployment(cloud, progress=SILENT, dry_run=True)
    assert (preview.outcome, preview.plan_version) == ("would migrate", 2)
    assert "plan 2 has expired" in preview.message
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None, "a dry run stages nothing"
    (outcome,) = check_deployment(cloud, progress=SILENT)
    assert (outcome.outcome, outcome.plan_version, outcome.deleted) == ("migrated", 3, ())
    assert outcome.message == "plan 2 has expired, everything goes home: plan 3 is in force."
    cloud.time += GRACE_S
    (swept,) = check_deployment(cloud, progress=SILENT)
    assert (swept.outcome, swept.plan_version) == ("unchanged", 3)
    assert {place.partition(" in ")[2] for place in swept.deleted} == {"ca-central-1"}
    check_consistent(cloud)


def test_a_plan_that_is_staged_meanwhile_goes_before_going_home(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    plans = PlanStore(cloud)
    waiting = stage(cloud, left="ca-central-1")
    assert plans.stage_if_none_is(waiting) is None
    assert plans.staged(WORKFLOW_ID) == waiting
    assert plans.unstage(WORKFLOW_ID, waiting.version)
    other = cloud.copy()

    def stage_first(call: Call) -> None:
        if call.operation == "put" and call.arguments[2] == Key(WORKFLOW_ID, "staged"):
            other.faults.reset()
            PlanStore(other).stage(waiting)

    other.faults.before = stage_first
    assert PlanStore(other).stage_if_none_is(waiting) is None
    assert PlanStore(other).staged(WORKFLOW_ID) is not None


def test_staged_plan_that_has_expired_is_dropped(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    cloud.time += PLAN_LIFETIME_S
    (outcome,) = check_deployment(cloud, progress=SILENT)
    assert outcome.outcome == "failed"
    assert "expired" in outcome.message
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None
    active = PlanStore(cloud).active(WORKFLOW_ID)
    assert active is not None
    assert active.version == 1


def test_failed_sweep_does_not_hide_the_migration(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    stage(cloud)
    cloud.faults.before = lambda call: (
        CloudError("throttled", operation="delete_function") if call.operation == "delete_function" else None
    )
    (outcome,) = check_deployment(cloud, progress=SILENT, grace_s=0.0)
    assert outcome.outcome == "failed"
    assert outcome.plan_version == 3
    assert outcome.message.startswith("plan 3 is in force. But ")
    cloud.faults.before = lambda call: None
    (preview,) = check_deployment(cloud, progress=SILENT, grace_s=0.0, dry_run=True)
    assert (preview.outcome, preview.plan_version) == ("unchanged", 3)
    (swept,) = check_deployment(cloud, progress=SILENT, grace_s=0.0)
    assert swept.deleted == preview.deleted != ()


def test_old_plans_are_forgotten(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    plans = PlanStore(cloud)
    for _ in range(6):
        stage(cloud)
    assert plans.prune(WORKFLOW_ID, keep=2) == 3
    # The active one, the last two before it, and the staged one.
    assert [plan.version for plan in plans.versions(WORKFLOW_ID)] == [1, 5, 6, 7]
    plans.remove(WORKFLOW_ID)
    assert plans.versions(WORKFLOW_ID) == ()


def test_number_of_a_plan_is_not_used_twice(tmp_path: Path) -> None:
    """A removal that dies before the plans are gone leaves one with the number that is next."""
    cloud = deployed_example(tmp_path)
    cloud.key_value.delete(cloud.system_region, physical_name("plan_pointers"), Key(WORKFLOW_ID, "last"))
    assert stage(cloud).version == 2


def test_unknown_workflow_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnknownWorkflowError):
        check_solver(deployed_example(tmp_path), SETTINGS, workflow_ids=("other-0.0.1",))


def test_plan_that_is_about_to_expire_is_renewed(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    assert check_solver(cloud, SETTINGS)[0].verdict == "keep"
    cloud.time += PLAN_LIFETIME_S - 3_600.0
    add_runs(cloud, 1, reason="home_share")
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "staged"


def test_a_check_leaves_the_statistics_that_it_rests_on(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=7)
    check_solver(cloud, SETTINGS)
    statistics = read_statistics(cloud, WORKFLOW_ID)
    assert statistics is not None
    assert (statistics.runs, statistics.collected_at) == (7, cloud.now())


def test_nothing_deployed_is_no_error() -> None:
    cloud = FakeCloud()
    assert check_solver(cloud, SETTINGS) == ()
    assert check_deployment(cloud, progress=SILENT) == ()
    with pytest.raises(NotEnoughDataError, match="setup_tables"):
        collect_signals(cloud, COLLECTORS, cloud.regions)


def test_a_caller_without_time_is_told_so_and_nothing_is_staged(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    (decision,) = check_solver(cloud, SETTINGS, time_left_s=lambda: 59.0)
    assert (decision.verdict, decision.error_code) == ("failed", "out-of-time")
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None


def test_the_solver_has_the_time_that_the_caller_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    seen: list[float] = []

    def build(
        cloud: Cloud, record: WorkflowRecord, settings: SolveSettings, *, runs: tuple[ObservedRun, ...]
    ) -> WorkflowProblem:
        seen.append(settings.deadline_s)
        return build_workflow_problem(cloud, record, settings, runs=runs)

    monkeypatch.setattr("multi_x_serverless.adaptation.check_solver.build_workflow_problem", build)
    for left_s in (100.0, 1000.0):
        check_solver(cloud, SETTINGS, time_left_s=lambda left_s=left_s: left_s)  # type: ignore[misc]  # bound now
    assert seen == [40.0, SETTINGS.solve.deadline_s]


def test_a_failure_carries_the_code_of_its_error(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    with lock(cloud, f"{WORKFLOW_ID} (data_sync)"):
        (decision,) = check_solver(cloud, SETTINGS)
    assert (decision.verdict, decision.error_code) == ("failed", "conflict")
    stage(cloud, left="ca-central-1")
    with lock(cloud, WORKFLOW_ID):
        (outcome,) = check_deployment(cloud, progress=SILENT)
    assert (outcome.outcome, outcome.error_code) == ("failed", "conflict")
