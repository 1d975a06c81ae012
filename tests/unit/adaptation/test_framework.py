"""The jobs on a schedule: one invocation per workflow, no failure shared, nothing done twice, an end in time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.adaptation import framework_handler
from multi_x_serverless.adaptation.balance import LONGEST_S, read_check_state
from multi_x_serverless.adaptation.framework import (
    EVENT_LIFE_S,
    STOP_BEFORE_S,
    JobContext,
    JobResult,
    run_job,
)
from multi_x_serverless.adaptation.framework_bill import Machine
from multi_x_serverless.adaptation.ledger import Ledger
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.statistics import read_statistics
from multi_x_serverless.adaptation.upkeep import Collected
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.local import LocalCloud, LocalSettings
from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import PlanStore, create_tables, physical_name
from multi_x_serverless.collection.collector import CollectorReport, SignalOutcome
from multi_x_serverless.collection.store import CARBON, SignalStore
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.errors import (
    CloudError,
    InvalidDocumentError,
    JobFailedError,
    MultiXServerlessError,
    NewerSchemaError,
    NotEnoughDataError,
)
from multi_x_serverless.model.framework import JOBS, FrameworkEvent, Job
from multi_x_serverless.observation.sync import SyncReport, sync_logs
from multi_x_serverless.solving.accounting import execution_kwh
from multi_x_serverless.solving.model_constants import MEMORY_KW_PER_GB, PUE_DEFAULT, VCPU_MAXIMUM_KW, VCPU_MINIMUM_KW
from tests.fakes import Call, FakeCloud
from tests.unit.adaptation.deployed import add_runs, deployed_example
from tests.unit.deployment.projects import CONFIGURATION, SOURCE, WORKFLOW_ID, functions, make_project, stage


@dataclass
class Function:
    """A job's function: what it was invoked with, what it logged, and how much time an invocation has."""

    cloud: Cloud
    time_left_s: Callable[[], float] = lambda: 900.0
    events: list[FrameworkEvent] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    unavailable: frozenset[str] = frozenset()
    machine: Machine | None = None

    def run(self, event: FrameworkEvent, *, request: str = "request-1") -> JobResult:
        return run_job(self.cloud, event, JobContext(request, self.time_left_s, self._invoke, self._log, self.machine))

    def run_all(self, job: Job, *, request: str = "request-1") -> dict[str, str]:
        """Start all workflows and handle each as the cloud would; what became of each."""
        self.events.clear()
        self.run(FrameworkEvent(job), request=request)
        return {event.workflow_id or "": self._outcome(event) for event in list(self.events)}

    def _outcome(self, event: FrameworkEvent) -> str:
        try:
            return self.run(event, request=f"of {event.workflow_id}").outcome
        except MultiXServerlessError as error:
            return f"raised {error.code}"

    def _invoke(self, event: FrameworkEvent) -> None:
        if event.workflow_id in self.unavailable:
            raise CloudError("throttled.", operation="invoke_async", retryable=True)
        self.events.append(FrameworkEvent.from_members(json.loads(event.to_json())))

    def _log(self, line: str) -> None:
        assert "\n" not in line
        self.lines.append(json.loads(line))


def three_workflows(cloud: Cloud, directory: Path) -> tuple[str, ...]:
    names = ("alpha", "beta", "gamma")
    for name in names:
        project = make_project(
            directory / name,
            SOURCE.replace('name="example"', f'name="{name}"'),
            CONFIGURATION.replace("workflow_name: example", f"workflow_name: {name}"),
        )
        deploy(cloud, project)
    return tuple(f"{name}-0.0.1" for name in names)


def poison(cloud: Cloud, workflow_id: str) -> None:
    """Make the record of a workflow unreadable."""
    table = physical_name("workflows")
    cloud.key_value.put(cloud.system_region, table, Key(workflow_id), {"document": '{"schema": "nonsense"}'})


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[LocalCloud]:
    with LocalCloud(
        tmp_path / "state",
        regions=("us-east-1", "us-west-1", "ca-central-1"),
        round_trip_seconds=lambda region, other_region: 0.0,
        settings=LocalSettings(retry_delays_s=(0.01, 0.01)),
    ) as cloud:
        create_tables(cloud, cloud.regions)
        yield cloud


def test_a_poisoned_workflow_on_the_embedded_cloud_stops_no_other(embedded: LocalCloud, tmp_path: Path) -> None:
    alpha, beta, gamma = three_workflows(embedded, tmp_path)
    poison(embedded, beta)
    function = Function(embedded)
    for job in JOBS:
        assert function.run_all(job) == {alpha: "done", beta: "raised invalid-document", gamma: "done"}, job
    failed = [line for line in function.lines if line["outcome"] == "failed"]
    assert [(line["job"], line["workflow"]) for line in failed] == [(job, beta) for job in JOBS]
    assert all(line["details"]["code"] == "invalid-document" for line in failed)
    assert SignalStore(embedded.key_value, embedded.system_region).all(CARBON).keys() == set(embedded.regions)


def test_a_region_whose_logs_cannot_be_read_is_in_the_details_and_all_of_them_fail_the_job(tmp_path: Path) -> None:
    cloud = FakeCloud()
    create_tables(cloud, cloud.regions)
    alpha, *_ = three_workflows(cloud, tmp_path)

    down = {"us-east-1"}

    def refuse(call: Call) -> None:
        if call.operation in {"list_logs", "read_logs"} and call.arguments[0] in down:
            raise CloudError("CloudWatch is down.", operation=call.operation)

    cloud.logs.faults.before = refuse
    function = Function(cloud)
    function_name = next(entry.name for entry in deployed_workflow(cloud, alpha).resources if entry.kind == "function")
    cloud.logs.logs["ca-central-1", function_name] = []
    assert function.run(FrameworkEvent("data_sync", alpha, "first")).outcome == "done"
    unread = function.lines[-1]["details"]["unread"]
    assert {log["region"] for log in unread} == {"us-east-1"}
    down |= set(cloud.regions)
    with pytest.raises(JobFailedError, match=r"could not be read.*CloudWatch is down"):
        function.run(FrameworkEvent("data_sync", alpha, "tick"))


def test_starting_reads_no_record(tmp_path: Path) -> None:
    cloud = FakeCloud()
    create_tables(cloud, cloud.regions)
    names = three_workflows(cloud, tmp_path)
    cloud.faults.reset()
    function = Function(cloud)
    function.run(FrameworkEvent("update_check_deployment"))
    assert [event.workflow_id for event in function.events] == list(names)
    assert {call.operation for call in cloud.faults.calls} == {"list_tables", "keys"}


def test_before_there_are_tables_the_job_says_so() -> None:
    function = Function(FakeCloud())
    with pytest.raises(NotEnoughDataError):
        function.run(FrameworkEvent("data_sync"))
    assert function.lines[-1]["details"]["code"] == "not-enough-data"


def many_workflows(count: int) -> FakeCloud:
    cloud = FakeCloud()
    create_tables(cloud, cloud.regions)
    for number in range(count):
        poison(cloud, f"w-{number:03d}")
    return cloud


def test_a_start_that_runs_out_of_time_goes_on_in_another_invocation() -> None:
    cloud = many_workflows(25)
    left = iter([STOP_BEFORE_S] * 9 + [0.0] * 100)
    function = Function(cloud, time_left_s=lambda: next(left))
    queue, started, links = [FrameworkEvent("data_sync")], [], 0
    while queue:
        function.events.clear()
        function.run(queue.pop(), request=f"request-{links}")
        started += [event for event in function.events if event.workflow_id is not None]
        queue = [event for event in function.events if event.workflow_id is None]
        links += 1
    assert [event.workflow_id for event in started] == [f"w-{number:03d}" for number in range(25)]
    assert {event.tick for event in started} == {"request-0"}, "all links are of one tick"
    assert links == 1 + 15, "ten in the first link; then there is time for one in each"


def test_what_cannot_be_started_is_told_when_all_others_are() -> None:
    function = Function(many_workflows(4), unavailable=frozenset({"w-001"}))
    with pytest.raises(JobFailedError, match=r"started 3 workflows, but w-001: throttled"):
        function.run(FrameworkEvent("data_sync"))
    assert [event.workflow_id for event in function.events] == ["w-000", "w-002", "w-003"]


def test_collecting_refreshes_the_shared_signals_once_and_starts_all_even_if_that_fails(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    function = Function(cloud)
    signals = physical_name("signals")
    cloud.faults.reset()
    assert function.run_all("data_collect") == {WORKFLOW_ID: "done"}
    writes = [call for call in cloud.faults.calls if call.operation == "put" and call.arguments[1] == signals]
    assert len(writes) == 12, "four kinds for each of three regions"
    cloud.faults.before = lambda call: (
        CloudError("out", operation="put") if call.operation == "put" and call.arguments[1] == signals else None
    )
    function.events.clear()
    with pytest.raises(JobFailedError, match="carbon of us-east-1 was not refreshed"):
        function.run(FrameworkEvent("data_collect"))
    assert [event.workflow_id for event in function.events] == [WORKFLOW_ID]


def test_each_workflow_is_handled_once_per_tick(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    function = Function(cloud)
    event = FrameworkEvent("update_check_solver", WORKFLOW_ID, tick="one")
    assert function.run(event).outcome == "done"
    assert function.run(event, request="another").outcome == "repeated"
    assert function.run(replace(event, tick="two")).outcome == "not due", "a check says when the next one pays"
    cloud.time += LONGEST_S
    assert function.run(replace(event, tick="three")).outcome == "done"
    assert function.run(FrameworkEvent("data_sync", WORKFLOW_ID, tick="one")).outcome == "done", "another job's tick"
    staged = PlanStore(cloud).staged(WORKFLOW_ID)
    assert staged is not None
    by_hand = FrameworkEvent("update_check_deployment", WORKFLOW_ID)
    assert [function.run(by_hand, request="r").outcome for _ in range(2)] == ["done", "repeated"]
    active = PlanStore(cloud).active(WORKFLOW_ID)
    assert active is not None
    assert active.version == staged.version


def test_a_failed_attempt_is_not_the_last_one(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    function = Function(cloud)
    event = FrameworkEvent("data_sync", WORKFLOW_ID, tick="one")
    cloud.faults.before = lambda call: CloudError("out", operation="x") if call.operation == "query" else None
    with pytest.raises(CloudError):
        function.run(event)
    cloud.faults.reset()
    assert function.run(event).outcome == "done"


def test_a_check_that_cannot_be_closed_is_not_done_again_in_its_tick(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)

    def refuse(call: Call) -> Exception | None:
        is_state = call.operation == "put" and call.arguments[2] == Key(WORKFLOW_ID, "check")
        return CloudError("throttled.", operation="put") if is_state else None

    cloud.key_value.faults.before = refuse
    function = Function(cloud)
    outcomes = [
        function.run(FrameworkEvent("update_check_solver", WORKFLOW_ID, tick=str(tick)), request="r").outcome
        for tick in range(3)
        for _attempt in range(3)
    ]
    assert outcomes == ["done", "repeated", "repeated"] * 3
    assert Ledger(cloud).spending(WORKFLOW_ID).solves == 3


def test_a_check_that_failed_is_not_tried_again_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = deployed_example(tmp_path, runs=120)

    def broken(*_arguments: object, **_named: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("multi_x_serverless.adaptation.check_solver.build_workflow_problem", broken)
    function = Function(cloud)
    event = FrameworkEvent("update_check_solver", WORKFLOW_ID, tick="one")
    with pytest.raises(JobFailedError, match=r"a defect Next check: after a check that went wrong .* 1 h later"):
        function.run(event)
    again = function.run(event)
    assert again.outcome == "not due"
    assert "after a check that went wrong the next comes 1 h later" in again.details["why_then"]
    cloud.time += 3_600.0
    with pytest.raises(JobFailedError, match="a defect"):
        function.run(replace(event, tick="two"))


@pytest.mark.parametrize(
    ("job", "name"),
    [
        ("data_sync", f"{WORKFLOW_ID} (data_sync)"),
        ("update_check_solver", f"{WORKFLOW_ID} (data_sync)"),
        ("update_check_solver", f"{WORKFLOW_ID} (update_check_solver)"),
        ("update_check_deployment", WORKFLOW_ID),
    ],
)
def test_a_held_lock_is_left_to_the_next_schedule(tmp_path: Path, job: Job, name: str) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    stage(cloud, left="ca-central-1")
    function = Function(cloud)
    with lock(cloud, name):
        assert function.run(FrameworkEvent(job, WORKFLOW_ID, tick="one")).outcome == "busy"
    assert function.run(FrameworkEvent(job, WORKFLOW_ID, tick="one")).outcome == "done", "it was not handled before"


@pytest.mark.parametrize("job", JOBS)
def test_a_workflow_that_was_removed_meanwhile_is_no_failure(tmp_path: Path, job: Job) -> None:
    function = Function(deployed_example(tmp_path))
    assert function.run(FrameworkEvent(job, "gone-0.0.1")).outcome == "gone"


@pytest.mark.parametrize("job", JOBS)
def test_what_waited_too_long_is_dropped(tmp_path: Path, job: Job) -> None:
    cloud = deployed_example(tmp_path)
    function = Function(cloud)
    function.run(FrameworkEvent(job))
    [event] = function.events
    cloud.time += EVENT_LIFE_S
    cloud.faults.reset()
    assert function.run(event).outcome == "superseded"
    assert cloud.faults.calls == []
    cloud.time -= 1.0
    assert function.run(event).outcome == "done"


@pytest.mark.parametrize("job", JOBS)
def test_without_time_nothing_is_begun(tmp_path: Path, job: Job) -> None:
    function = Function(deployed_example(tmp_path, runs=120), time_left_s=lambda: STOP_BEFORE_S - 1)
    result = function.run(FrameworkEvent(job, WORKFLOW_ID))
    assert result.outcome == "out of time"
    assert "next schedule" in str(result.details["message"])


def test_a_migration_stops_in_time_and_the_next_one_ends_it(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    stage(cloud, left="ca-central-1", join="us-west-1")
    left = iter([900.0, 900.0, 900.0])
    function = Function(cloud, time_left_s=lambda: next(left, 0.0))
    result = function.run(FrameworkEvent("update_check_deployment", WORKFLOW_ID))
    assert result.outcome == "out of time"
    assert function.lines[-1]["outcome"] == "out of time"
    active = PlanStore(cloud).active(WORKFLOW_ID)
    assert active is not None
    assert active.version == 1
    assert Function(cloud).run(FrameworkEvent("update_check_deployment", WORKFLOW_ID)).outcome == "done"
    assert {"left in ca-central-1", "join in us-west-1"} <= functions(cloud)


def test_a_check_without_time_for_a_solve_says_so(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    left = iter([900.0])
    function = Function(cloud, time_left_s=lambda: next(left, 10.0))
    assert function.run(FrameworkEvent("update_check_solver", WORKFLOW_ID)).outcome == "out of time"
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None


def test_a_failed_migration_is_raised_with_its_reason(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    stage(cloud, left="ca-central-1")
    cloud.faults.before = lambda call: CloudError("no", operation="x") if call.operation == "create_topic" else None
    function = Function(cloud)
    with pytest.raises(JobFailedError, match=r"update_check_deployment of 'example-0\.0\.1' failed: no"):
        function.run(FrameworkEvent("update_check_deployment", WORKFLOW_ID))
    assert function.lines[-1]["details"]["code"] == "job-failed"


def test_a_defect_is_logged_with_its_place_and_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_named: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("multi_x_serverless.adaptation.framework.sync_workflow", broken)
    function = Function(deployed_example(tmp_path))
    with pytest.raises(ZeroDivisionError):
        function.run(FrameworkEvent("data_sync", WORKFLOW_ID))
    [line] = function.lines
    assert (line["outcome"], line["details"]["error"]) == ("failed", "ZeroDivisionError")
    assert any("in broken" in entry for entry in line["details"]["traceback"])


def test_a_line_says_what_was_done(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    add_runs(cloud, 3)
    function = Function(cloud)
    function.run(FrameworkEvent("data_collect", WORKFLOW_ID), request="r-7")
    [line] = function.lines
    assert {name: line[name] for name in ("schema", "version", "job", "workflow", "request", "outcome")} == {
        "schema": "multi-x-serverless/framework-log",
        "version": 1,
        "job": "data_collect",
        "workflow": WORKFLOW_ID,
        "request": "r-7",
        "outcome": "done",
    }
    assert (line["details"]["runs"], line["details"]["regions"]) == (3, ["us-east-1"])
    assert "nodes" not in line["details"], "they are in the table"
    stored = read_statistics(cloud, WORKFLOW_ID)
    assert stored is not None
    assert (stored.runs, len(stored.gaps)) == (3, line["details"]["gaps"])


def test_what_failed_on_the_way_to_a_signal_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = deployed_example(tmp_path)
    function = Function(cloud)
    outcomes = tuple(
        SignalOutcome("performance", region, "x", "2020", 0.0, warnings=("CloudPing: timed out",))
        for region in cloud.regions[:2]
    )
    collected = Collected((CollectorReport("performance", 0.0, outcomes),))
    monkeypatch.setattr("multi_x_serverless.adaptation.framework.collect_for_workflows", lambda *_, **__: collected)
    function.run(FrameworkEvent("data_collect"))
    [line] = function.lines
    assert line["outcome"] == "started"
    assert line["details"]["warnings"] == [
        f"performance of {', '.join(sorted(cloud.regions[:2]))}: CloudPing: timed out"
    ]


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ([], ""),
        ({}, "job"),
        ({"job": "solve"}, "job"),
        ({"job": "data_sync", "workflow": 3}, "workflow"),
        ({"job": "data_sync", "valid_until": "soon"}, "valid_until"),
        ({"job": "data_sync", "valid_until": float("nan")}, "valid_until"),
        ({"job": "data_sync", "workflows": ["x"]}, "workflows"),
    ],
)
def test_what_is_no_event_is_refused(event: object, path: str) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        FrameworkEvent.from_members(event)
    assert caught.value.path == path


def test_an_event_of_a_newer_program_is_refused() -> None:
    with pytest.raises(NewerSchemaError):
        FrameworkEvent.from_members({"version": 2, "job": "data_sync"})


def test_the_shortest_event_is_enough() -> None:
    assert FrameworkEvent.from_members({"job": "data_sync"}) == FrameworkEvent("data_sync")


def test_an_hourly_check_comes_every_hour_though_it_takes_a_minute(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=5)
    function = Function(cloud)
    check = FrameworkEvent("update_check_solver", WORKFLOW_ID)
    for request in ("1", "2", "3"):
        assert function.run(check, request=request).outcome == "done"
        state = read_check_state(cloud, WORKFLOW_ID)
        assert state is not None
        assert state.next_check_at - state.checked_at == 3_600.0, "it waits for runs, on the first day"
        cloud.time += 3_600.0 - 60.0
    cloud.time -= 600.0
    assert function.run(check, request="4").outcome == "not due"


@pytest.mark.parametrize("damaged", [{"document": "{}"}, {"note": "no document"}, {"document_zlib": b"no zlib"}])
def test_a_damaged_state_of_checks_makes_one_due_which_writes_it_anew(
    tmp_path: Path, damaged: dict[str, str | bytes]
) -> None:
    cloud = deployed_example(tmp_path, runs=5)
    function = Function(cloud)
    check = FrameworkEvent("update_check_solver", WORKFLOW_ID)
    key = Key(WORKFLOW_ID, "check")
    cloud.key_value.put(cloud.system_region, physical_name("statistics"), key, damaged)
    assert function.run(check, request="1").outcome == "done"
    state = read_check_state(cloud, WORKFLOW_ID)
    assert state is not None
    assert (state.verdict, state.checked_at) == ("wait", cloud.now())
    assert function.run(check, request="2").outcome == "not due"


def test_a_state_of_checks_of_a_newer_program_is_left_to_it(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=5)
    function = Function(cloud)
    check = FrameworkEvent("update_check_solver", WORKFLOW_ID)
    table, key = physical_name("statistics"), Key(WORKFLOW_ID, "check")
    newer = {"document": '{"schema": "multi-x-serverless/check-state", "version": 99}'}
    cloud.key_value.put(cloud.system_region, table, key, newer)
    with pytest.raises(NewerSchemaError):
        function.run(check, request="1")
    item = cloud.key_value.get(cloud.system_region, table, key)
    assert item is not None
    assert item.attributes == newer


def test_a_migration_and_its_sweep_make_no_check_due(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    function = Function(cloud)
    check = FrameworkEvent("update_check_solver", WORKFLOW_ID)
    migration = FrameworkEvent("update_check_deployment", WORKFLOW_ID)
    assert function.run(check, request="1").outcome == "done"
    for request in ("2", "3"):
        cloud.time += 5_400.0
        assert function.run(migration, request=request).outcome == "done"
        assert function.run(check, request=request).outcome == "not due"


def test_a_clock_that_is_set_back_makes_a_check_due(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    right = cloud.time
    function = Function(cloud)
    cloud.time += 400 * 86_400.0
    add_runs(cloud, 120)
    assert function.run(FrameworkEvent("update_check_solver", WORKFLOW_ID), request="1").outcome == "done"
    cloud.time = right + 60.0
    assert function.run(FrameworkEvent("update_check_solver", WORKFLOW_ID), request="2").outcome == "done"
    assert function.run(FrameworkEvent("update_check_solver", WORKFLOW_ID), request="3").outcome == "not due"


def test_a_deployment_makes_a_check_due(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    function = Function(cloud)
    event = FrameworkEvent("update_check_solver", WORKFLOW_ID, tick="one")
    assert function.run(event).outcome == "done"
    cloud.time += 60.0
    assert function.run(replace(event, tick="two")).outcome == "not due"
    deploy(cloud, make_project(tmp_path, configuration=CONFIGURATION + "home_share: 0.2\n"))
    cloud.time += 60.0
    assert function.run(replace(event, tick="three")).outcome == "done"


def test_what_an_invocation_is_billed_is_in_the_ledger_of_its_workflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = deployed_example(tmp_path, runs=3)
    function = Function(cloud, machine=Machine(1769, "arm64"))

    def take_two_seconds(*_arguments: object, **_options: object) -> tuple[()]:
        cloud.time += 2.0
        raise LookupError("a defect")

    function.run(FrameworkEvent("data_collect", WORKFLOW_ID))
    monkeypatch.setattr("multi_x_serverless.adaptation.framework.check_deployment", take_two_seconds)
    with pytest.raises(LookupError):
        function.run(FrameworkEvent("update_check_deployment", WORKFLOW_ID))
    spent = Ledger(cloud).spending(WORKFLOW_ID).by_kind["framework"]
    assert (spent.count, spent.billed_s) == (2, 2.0), (
        "the one that failed is billed as well; the clock stood still before"
    )
    signals = read_signals(cloud)
    price = signals.prices["us-east-1"].prices
    assert spent.cost_usd == pytest.approx(
        2.0 * 1769 / 1024 * price.lambda_usd_per_gb_second("arm64") + 2 * price.lambda_usd_per_million_requests / 1e6
    )
    intensity = signals.carbon["us-east-1"].intensity_gco2eq_per_kwh[int(cloud.now() // 3600 % 24)]
    kw = VCPU_MINIMUM_KW + 1769 / 1024 * MEMORY_KW_PER_GB
    assert spent.carbon_gco2eq == pytest.approx(2.0 / 3600 * kw * PUE_DEFAULT * intensity)
    assert "not_in_the_ledger" not in function.lines[-1]["details"]


@pytest.mark.parametrize("home", ["us-east-1", "ca-central-1"])
def test_the_entries_of_an_invocation_are_its_energy_in_the_system_region(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    """Ten seconds of which the processor worked seven: once, as the model has it, and where the job runs."""
    configuration = CONFIGURATION.replace("home_region: us-east-1", f"home_region: {home}")
    cloud = deployed_example(tmp_path, configuration=configuration)
    clock = iter([3.0, 10.0])
    monkeypatch.setattr("multi_x_serverless.adaptation.upkeep.time.process_time", lambda: next(clock))

    def take_ten_seconds(*arguments: Any, **options: Any) -> SyncReport:
        cloud.time += 10.0
        return sync_logs(*arguments, **options)

    monkeypatch.setattr("multi_x_serverless.adaptation.upkeep.sync_logs", take_ten_seconds)
    Function(cloud, machine=Machine(1769, "x86_64")).run(FrameworkEvent("data_sync", WORKFLOW_ID))
    spent = Ledger(cloud).spending(WORKFLOW_ID)
    assert {kind: entry.cpu_s for kind, entry in spent.by_kind.items()} == {"sync": 7.0, "framework": 0.0}
    intensity = read_signals(cloud).carbon["us-east-1"].intensity_gco2eq_per_kwh[int(cloud.now() // 3600 % 24)]
    assert spent.carbon_gco2eq == pytest.approx(execution_kwh(10.0, 1769, 7.0) * PUE_DEFAULT * intensity)


def test_the_job_that_summarises_a_history_notes_it(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=3)
    Function(cloud).run(FrameworkEvent("data_collect", WORKFLOW_ID))
    spent = Ledger(cloud).spending(WORKFLOW_ID).by_kind
    assert spent.keys() == {"collect"}
    assert spent["collect"].cpu_s > 0.0


def test_work_whose_invocation_nobody_notes_has_all_of_its_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As what starts the others: its collection is of all workflows, its invocation in no ledger."""
    cloud = deployed_example(tmp_path)
    clock = iter([3.0, 10.0])
    monkeypatch.setattr("multi_x_serverless.adaptation.upkeep.time.process_time", lambda: next(clock))
    monkeypatch.setattr("multi_x_serverless.adaptation.upkeep.collect_signals", lambda *_, **__: ())
    Function(cloud, machine=Machine(1769, "x86_64")).run(FrameworkEvent("data_collect"))
    spent = Ledger(cloud).spending(WORKFLOW_ID)
    intensity = read_signals(cloud).carbon["us-east-1"].intensity_gco2eq_per_kwh[int(cloud.now() // 3600 % 24)]
    assert spent.carbon_gco2eq == pytest.approx(7.0 / 3600 * VCPU_MAXIMUM_KW * PUE_DEFAULT * intensity)


def test_of_a_workflow_that_is_gone_no_bill_is_left_and_one_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    function = Function(cloud, machine=Machine(512, "x86_64"))
    assert function.run(FrameworkEvent("data_collect", "gone-0.0.1")).outcome == "gone"
    assert Ledger(cloud).spending("gone-0.0.1").by_kind == {}

    def refuse(call: Call) -> Exception | None:
        is_ledger = call.operation == "put" and call.arguments[1] == physical_name("ledger")
        return CloudError("the table is away.", operation="put") if is_ledger else None

    cloud.key_value.faults.before = refuse
    assert function.run(FrameworkEvent("data_collect", WORKFLOW_ID)).outcome == "done"
    assert function.lines[-1]["details"]["not_in_the_ledger"] == (
        f"What summarising '{WORKFLOW_ID}' took is not in the ledger: the table is away. "
        "What the invocation took is not in the ledger: the table is away."
    )
    assert function.run(FrameworkEvent("data_sync", WORKFLOW_ID)).outcome == "done"
    assert function.lines[-1]["details"]["not_in_the_ledger"] == (
        "What the sync took is not in the ledger: the table is away. "
        "What the invocation took is not in the ledger: the table is away."
    )
    function.events.clear()
    assert function.run(FrameworkEvent("data_collect")).outcome == "started"
    assert f"collection for '{WORKFLOW_ID}'" in function.lines[-1]["details"]["not_in_the_ledger"]


@pytest.mark.parametrize(("memory", "expected"), [("512", 512), ("", None), ("much", None)])
def test_the_function_is_billed_by_the_memory_that_lambda_names(
    monkeypatch: pytest.MonkeyPatch, memory: str, expected: int | None
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory)
    found = framework_handler._machine()
    assert (None if found is None else found.memory_mb) == expected
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert framework_handler._machine() == (None if expected is None else Machine(expected, "arm64"))
