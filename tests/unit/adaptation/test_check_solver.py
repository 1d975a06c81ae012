"""When a new plan is staged, when not, and what is said about it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import CheckSettings, check_solver
from multi_x_serverless.adaptation.signals import COLLECTORS, collect_signals
from multi_x_serverless.adaptation.solve import PLAN_LIFETIME_S
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import PlanStore, physical_name
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.errors import NotEnoughDataError, UnknownWorkflowError
from multi_x_serverless.solving.problem import SolveSettings
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import add_runs, deployed_example
from tests.unit.deployment.projects import CONFIGURATION, WORKFLOW_ID

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


def test_runs_of_a_replaced_graph_do_not_count(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=60)
    add_runs(cloud, 60, reason="home_share")
    assert check_solver(cloud, SETTINGS, dry_run=True)[0].runs == 120


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


def test_nothing_deployed_is_no_error() -> None:
    cloud = FakeCloud()
    assert check_solver(cloud, SETTINGS) == ()
    assert check_deployment(cloud, progress=SILENT) == ()
    with pytest.raises(NotEnoughDataError, match="setup_tables"):
        collect_signals(cloud, COLLECTORS, cloud.regions)
