"""A workflow that is removed while something still works on it: nothing of it comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.adaptation import check_deployment as migrations
from multi_x_serverless.adaptation import check_solver as checks
from multi_x_serverless.adaptation import solve as solves
from multi_x_serverless.adaptation import upkeep
from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import check_solver
from multi_x_serverless.adaptation.framework import JobContext, run_job
from multi_x_serverless.adaptation.framework_bill import Machine
from multi_x_serverless.adaptation.removal import remove_workflow
from multi_x_serverless.adaptation.solve import solve_workflow
from multi_x_serverless.adaptation.upkeep import sync_workflow
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.locks import check_lock, lock, sync_lock
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import PlanStore, physical_name
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.deployment.remove import RemoveResult
from multi_x_serverless.errors import CloudError, ConflictError, UnknownWorkflowError
from multi_x_serverless.model.framework import FrameworkEvent
from multi_x_serverless.observation.history import History
from tests.fakes import Call, FakeCloud
from tests.unit.adaptation.deployed import HOME, add_runs, deployed_example
from tests.unit.adaptation.test_check_solver import SETTINGS
from tests.unit.deployment.projects import WORKFLOW_ID, check_consistent, left_behind, make_project, record_of, stage

OF_A_WORKFLOW = ("workflows", "plans", "plan_pointers", "history", "statistics", "ledger", "journal")
"""Tables with items of single workflows."""


@pytest.fixture
def cloud(tmp_path: Path) -> FakeCloud:
    return deployed_example(tmp_path / "old", runs=120)


def remove(cloud: FakeCloud) -> RemoveResult:
    result = remove_workflow(cloud, WORKFLOW_ID, keep_logs=False, progress=SILENT)
    assert result.left == ()
    return result


def assert_nothing_is_left(cloud: FakeCloud) -> None:
    """Nothing of the workflow but the number of its last plan."""
    items = left_behind(cloud).get("items", {})
    tables = tuple(physical_name(table) for table in OF_A_WORKFLOW)
    assert [key for key in items if key.split(" ")[1] in tables] == []
    assert cloud.objects.list_objects(cloud.system_region, "problems/") == ()


def meanwhile(
    patch: pytest.MonkeyPatch, module: Any, name: str, happens: Callable[[], object], *, before: bool = False
) -> None:
    """Let something happen once, when a function has been called for the first time, or before that."""
    real, left = getattr(module, name), [happens]

    def slow(*arguments: Any, **named: Any) -> Any:
        if before and left:
            left.pop()()
        made = real(*arguments, **named)
        if left:
            left.pop()()
        return made

    patch.setattr(module, name, slow)


def test_a_check_under_way_keeps_a_removal_out(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[str] = []

    def try_to_remove() -> None:
        with pytest.raises(ConflictError, match="update_check_solver") as caught:
            remove(cloud)
        refused.append(str(caught.value))

    meanwhile(monkeypatch, checks, "build_workflow_problem", try_to_remove)
    (decision,) = check_solver(cloud, SETTINGS)
    assert (decision.verdict, len(refused)) == ("staged", 1)
    check_consistent(cloud)
    remove(cloud)
    assert_nothing_is_left(cloud)


def test_a_workflow_that_was_removed_before_its_turn_is_not_checked(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, checks, "deployed_workflow", lambda: remove(cloud))
    (decision,) = check_solver(cloud, SETTINGS, workflow_ids=(WORKFLOW_ID,))
    assert (decision.verdict, decision.error_code) == ("failed", "unknown-workflow")
    assert decision.next_check_at is None
    assert_nothing_is_left(cloud)


def test_the_job_of_a_workflow_that_goes_says_so_and_leaves_nothing(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, checks, "deployed_workflow", lambda: remove(cloud))
    context = JobContext("1", lambda: 900.0, lambda _: None, lambda _: None, Machine(512, "x86_64"))
    result = run_job(cloud, FrameworkEvent("update_check_solver", WORKFLOW_ID), context)
    assert result.outcome == "gone"
    assert_nothing_is_left(cloud)


def test_what_is_billed_for_a_job_of_a_workflow_that_is_gone_is_not_noted(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, upkeep, "note", lambda: remove(cloud))
    context = JobContext("1", lambda: 900.0, lambda _: None, lambda _: None, Machine(512, "x86_64"))
    result = run_job(cloud, FrameworkEvent("data_sync", WORKFLOW_ID), context)
    assert result.outcome == "done"
    assert_nothing_is_left(cloud)


def test_a_sync_that_comes_too_late_leaves_nothing(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    record = deployed_workflow(cloud, WORKFLOW_ID)
    meanwhile(monkeypatch, upkeep, "log_sources", lambda: remove(cloud))
    with pytest.raises(UnknownWorkflowError):
        sync_workflow(cloud, record)
    assert_nothing_is_left(cloud)


@pytest.mark.parametrize("name", [check_lock(WORKFLOW_ID), sync_lock(WORKFLOW_ID)])
def test_a_removal_waits_for_whoever_works_on_it_and_changes_nothing(cloud: FakeCloud, name: str) -> None:
    with lock(cloud, name), pytest.raises(ConflictError):
        remove(cloud)
    check_consistent(cloud)


def test_a_solve_that_comes_too_late_stages_nothing(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile(monkeypatch, solves, "build_workflow_problem", lambda: remove(cloud))
    with pytest.raises(UnknownWorkflowError):
        solve_workflow(cloud, WORKFLOW_ID, settings=SETTINGS.solve)
    assert_nothing_is_left(cloud)


def test_a_home_plan_for_an_expired_one_is_not_staged_for_what_is_gone(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = PlanStore(cloud).active(WORKFLOW_ID)
    assert active is not None
    cloud.time = active.expires_at + 1.0
    meanwhile(monkeypatch, migrations, "lock", lambda: remove(cloud), before=True)
    (outcome,) = check_deployment(cloud, progress=SILENT)
    assert (outcome.outcome, outcome.error_code) == ("failed", "unknown-workflow")
    assert_nothing_is_left(cloud)


@pytest.mark.parametrize("whoever", ["check", "solve"])
def test_a_plan_is_not_staged_for_what_was_deployed_meanwhile(
    cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whoever: str
) -> None:
    project = make_project(tmp_path / "new")
    (project / "app.py").write_text((project / "app.py").read_text() + "\n# changed\n")
    module = checks if whoever == "check" else solves
    meanwhile(monkeypatch, module, "build_workflow_problem", lambda: deploy(cloud, project))
    if whoever == "check":
        (decision,) = check_solver(cloud, SETTINGS)
        assert (decision.verdict, decision.error_code) == ("failed", "conflict")
        assert "deployed anew" in decision.reason
        assert decision.next_check_at is None, "the next tick checks what is deployed now"
    else:
        with pytest.raises(ConflictError, match="deployed anew"):
            solve_workflow(cloud, WORKFLOW_ID, settings=SETTINGS.solve)
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None
    assert cloud.objects.list_objects(cloud.system_region, "problems/") == ()


def test_plans_of_a_dead_workflow_never_come_into_force(cloud: FakeCloud, tmp_path: Path) -> None:
    """However they came to be left, for example by an older program."""
    dead = stage(cloud, left="ca-central-1")
    remove(cloud)
    plans = PlanStore(cloud)
    left = plans.stage(dead)
    plans.activate(WORKFLOW_ID, left.version, replaces=None)
    deploy(cloud, make_project(tmp_path / "new"))
    record = check_consistent(cloud)
    active = plans.active(WORKFLOW_ID)
    assert active is not None
    assert active.regions == {record.home_region}
    assert active.version > left.version > dead.version
    assert plans.versions(WORKFLOW_ID) == (active,)
    (outcome,) = check_deployment(cloud, progress=SILENT)
    assert (outcome.outcome, outcome.plan_version) == ("unchanged", active.version)


def test_a_pointer_to_a_plan_that_is_gone_keeps_no_deployment_out(cloud: FakeCloud, tmp_path: Path) -> None:
    remove(cloud)
    for pointer in ("active", "staged"):
        cloud.key_value.put(HOME, physical_name("plan_pointers"), Key(WORKFLOW_ID, pointer), {"plan_version": 1})
    deploy(cloud, make_project(tmp_path / "new"))
    check_consistent(cloud)


def test_a_history_that_cannot_be_forgotten_is_tried_again(cloud: FakeCloud) -> None:
    add_runs(cloud, 3, started_at=cloud.now())

    def refuse(call: Call) -> Exception | None:
        is_history = call.operation == "delete" and call.arguments[1] == physical_name("history")
        return CloudError("throttled.", operation="delete") if is_history else None

    cloud.key_value.faults.before = refuse
    result = remove_workflow(cloud, WORKFLOW_ID, keep_logs=False, progress=SILENT)
    assert result.left == (f"record of {WORKFLOW_ID}: throttled.",)
    record = record_of(cloud)
    assert record is not None
    assert record.status == "removing"
    cloud.key_value.faults.reset()
    remove(cloud)
    assert History(cloud).runs(WORKFLOW_ID) == ()
    assert_nothing_is_left(cloud)
