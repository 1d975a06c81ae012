"""What waits for `update_check_deployment` when a later check decides, and what is kept of plans."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import check_solver
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.solve import PLAN_LIFETIME_S, solve_workflow
from multi_x_serverless.adaptation.staging import KEEP_PLANS, KEEP_PLANS_S, stage_plan
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import PlanStore, Waiting, physical_name
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.errors import CloudError
from multi_x_serverless.solving.problem import Signals
from tests.fakes import Call, FakeCloud
from tests.unit.adaptation.deployed import HOME, add_runs, deployed_example
from tests.unit.adaptation.test_check_solver import SETTINGS
from tests.unit.deployment.projects import WORKFLOW_ID, stage

DOCUMENTS = [str(day).encode() for day in range(100)]
HASHES = [hashlib.sha256(document).hexdigest() for document in DOCUMENTS]


@pytest.fixture
def cloud(tmp_path: Path) -> FakeCloud:
    return deployed_example(tmp_path, runs=120)


@pytest.fixture
def cleaner_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no grid is as clean as that of home."""

    def dirtier_abroad(cloud: Cloud) -> Signals:
        known = read_signals(cloud)
        carbon = {
            region: signal if region == HOME else replace(signal, intensity_gco2eq_per_kwh=(2_000.0,) * 24)
            for region, signal in known.carbon.items()
        }
        return replace(known, carbon=carbon)

    for module in ("check_solver", "solve"):
        monkeypatch.setattr(f"multi_x_serverless.adaptation.{module}.read_signals", dirtier_abroad)


def staged_by_check(cloud: FakeCloud) -> int:
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.plan_version is not None
    return decision.plan_version


def test_what_an_earlier_check_staged_is_withdrawn_by_one_that_keeps(
    cloud: FakeCloud, request: pytest.FixtureRequest
) -> None:
    version = staged_by_check(cloud)
    request.getfixturevalue("cleaner_home")
    (preview,) = check_solver(cloud, SETTINGS, dry_run=True)
    assert (preview.verdict, preview.reason.endswith("would be withdrawn.")) == ("keep", True)
    assert PlanStore(cloud).waiting(WORKFLOW_ID) == Waiting(version, is_by_check=True)
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "keep"
    assert decision.reason.endswith(f"Plan {version}, which an earlier check staged, is withdrawn.")
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None
    (outcome,) = check_deployment(cloud, progress=SILENT)
    assert (outcome.outcome, outcome.plan_version) == ("unchanged", 1)
    (again,) = check_solver(cloud, SETTINGS)
    assert "withdrawn" not in again.reason


def test_what_is_in_force_is_not_withdrawn_although_it_is_still_called_staged(
    cloud: FakeCloud, request: pytest.FixtureRequest
) -> None:
    version = staged_by_check(cloud)
    # A migration that died before its last step.
    PlanStore(cloud).activate(WORKFLOW_ID, version, replaces=1)
    (decision,) = check_solver(cloud, SETTINGS)
    assert (decision.verdict, "Plan" in decision.reason) == ("keep", False)
    staged = PlanStore(cloud).staged(WORKFLOW_ID)
    assert staged is not None
    assert staged.version == version


@pytest.mark.usefixtures("cleaner_home")
def test_what_somebody_staged_is_left_and_said_to_be_waiting(cloud: FakeCloud) -> None:
    picked = stage(cloud, left="ca-central-1")
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "keep"
    waits = f"Plan {picked.version}, which no check staged, is left and waits for 'update_check_deployment'."
    assert decision.reason.endswith(waits)
    assert PlanStore(cloud).waiting(WORKFLOW_ID) == Waiting(picked.version, is_by_check=False)


def test_a_pointer_of_an_older_program_is_left(cloud: FakeCloud, request: pytest.FixtureRequest) -> None:
    version = staged_by_check(cloud)
    key = Key(WORKFLOW_ID, "staged")
    cloud.key_value.put(cloud.system_region, physical_name("plan_pointers"), key, {"plan_version": version})
    request.getfixturevalue("cleaner_home")
    (decision,) = check_solver(cloud, SETTINGS)
    assert "is left and waits" in decision.reason


def test_nothing_is_withdrawn_while_a_migration_puts_it_in_force(
    cloud: FakeCloud, request: pytest.FixtureRequest
) -> None:
    version = staged_by_check(cloud)
    request.getfixturevalue("cleaner_home")
    with lock(cloud, WORKFLOW_ID):
        (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "keep"
    assert f"Plan {version}, which an earlier check staged, is left: another command is working" in decision.reason
    assert PlanStore(cloud).waiting(WORKFLOW_ID) == Waiting(version, is_by_check=True)


def test_a_plan_that_pays_replaces_what_somebody_staged_and_says_so(cloud: FakeCloud) -> None:
    picked = stage(cloud, left="us-west-1")
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "staged"
    assert any(f"plan {picked.version}, which no check staged, was waiting" in text for text in decision.warnings)
    cloud.time += 60.0
    stage(cloud)  # home
    assert solve_workflow(cloud, WORKFLOW_ID, settings=SETTINGS.solve).is_staged
    waiting = PlanStore(cloud).waiting(WORKFLOW_ID)
    assert waiting is not None
    assert not waiting.is_by_check, "whoever solves has staged it"


def test_what_waits_is_not_staged_again_until_it_is_about_to_end(cloud: FakeCloud) -> None:
    version = staged_by_check(cloud)
    cloud.time += 3_600.0
    for dry_run in (True, False):
        (decision,) = check_solver(cloud, SETTINGS, dry_run=dry_run)
        assert (decision.verdict, decision.plan_version) == ("keep", None)
        assert f"Plan {version}, which places all alike, is staged and waits" in decision.reason
        assert decision.gain is not None
    assert len(PlanStore(cloud).versions(WORKFLOW_ID)) == 2
    cloud.time += 6 * 86_400.0
    add_runs(cloud, 120)
    assert staged_by_check(cloud) == version + 1


def test_plans_do_not_pile_up_while_migrations_fail(cloud: FakeCloud) -> None:
    plan = PlanStore(cloud).active(WORKFLOW_ID)
    assert plan is not None
    for day in range(100):
        cloud.time += 86_400.0
        new = replace(plan, created_at=cloud.now(), expires_at=cloud.now() + PLAN_LIFETIME_S, problem_hash=HASHES[day])
        assert stage_plan(cloud, deployed_workflow(cloud, WORKFLOW_ID), new, DOCUMENTS[day]).warnings == ()
    young = round(KEEP_PLANS_S / 86_400.0)
    assert young > KEEP_PLANS
    assert len(PlanStore(cloud).versions(WORKFLOW_ID)) == young + 2, "that in force, and that of this very moment"
    assert len(cloud.objects.list_objects(cloud.system_region, "problems/")) == young + 1


def test_of_a_plan_that_cannot_be_stored_no_document_is_left(cloud: FakeCloud) -> None:
    def refuse(call: Call) -> Exception | None:
        is_plan = call.operation == "put" and call.arguments[1] == physical_name("plans")
        return CloudError("throttled.", operation="put") if is_plan else None

    cloud.key_value.faults.before = refuse
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "failed"
    assert cloud.objects.list_objects(cloud.system_region, "problems/") == ()


def test_a_plan_is_staged_although_old_ones_cannot_be_forgotten(cloud: FakeCloud) -> None:
    def refuse(call: Call) -> Exception | None:
        is_plans = call.operation == "query" and call.arguments[1] == physical_name("plans")
        return CloudError("throttled.", operation="query") if is_plans else None

    plan = PlanStore(cloud).active(WORKFLOW_ID)
    assert plan is not None
    cloud.key_value.faults.before = refuse
    staged = stage_plan(cloud, deployed_workflow(cloud, WORKFLOW_ID), plan, b"{}")
    assert staged.warnings == ("old plans could not be forgotten: throttled.",)
    cloud.key_value.faults.reset()
    assert PlanStore(cloud).staged(WORKFLOW_ID) == staged.plan
