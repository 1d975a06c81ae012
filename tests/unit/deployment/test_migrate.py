"""Migrating to a staged plan, and sweeping what no plan uses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.ports import InvocationResult
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.effort import Copy, EffortLog
from multi_x_serverless.deployment.migrate import migrate, sweep
from multi_x_serverless.errors import (
    ConflictError,
    DeploymentError,
    NothingToDoError,
    OutOfTimeError,
    UnknownWorkflowError,
)
from multi_x_serverless.sdk.tables import REGION_TABLES
from tests.fakes import FakeCloud
from tests.unit.deployment.projects import WORKFLOW_ID, check_consistent, functions, replica_of, stage

if TYPE_CHECKING:
    from pathlib import Path

HOME_FUNCTIONS = {"first in us-east-1", "left in us-east-1", "join in us-east-1"}


@pytest.fixture
def deployed(cloud: FakeCloud, project: Path) -> FakeCloud:
    deploy(cloud, project)
    cloud.time += 60
    return cloud


def test_migration_makes_what_the_plan_needs_and_no_more(deployed: FakeCloud) -> None:
    stage(deployed, left="ca-central-1", join="us-west-1")
    result = migrate(deployed, WORKFLOW_ID)
    assert result.plan_version == 2
    assert sorted(result.created) == ["join in us-west-1", "left in ca-central-1"]
    record = check_consistent(deployed)
    assert functions(deployed) == HOME_FUNCTIONS | set(result.created)
    assert record.plan_activated_at == deployed.now()
    plans = PlanStore(deployed)
    assert plans.staged(WORKFLOW_ID) is None
    assert replica_of(deployed, record, "us-east-1").hours == ((0, (0, 1, 2)),)
    for region in ("ca-central-1", "us-west-1"):
        assert len(deployed.key_value.list_tables(region)) == len(REGION_TABLES)


def test_packages_are_copied_from_home(deployed: FakeCloud) -> None:
    stage(deployed, left="ca-central-1")
    deployed.faults.reset()
    migrate(deployed, WORKFLOW_ID)
    copies = [call.arguments for call in deployed.faults.calls if call.operation == "copy_object"]
    assert [(source, target) for source, _, target in copies] == [("us-east-1", "ca-central-1")]
    assert not [call for call in deployed.faults.calls if call.operation == "put_object"]


def test_what_a_migration_copies_and_probes_is_told(deployed: FakeCloud) -> None:
    stage(deployed, left="ca-central-1", join="us-west-1")
    deployed.functions.times_s = (0.02, 0.3)
    effort = EffortLog()
    migrate(deployed, WORKFLOW_ID, effort=effort)
    (package,) = {len(body) for body in deployed.objects.objects.values()}
    assert sorted(effort.copies, key=lambda copy: copy.region) == [
        Copy("ca-central-1", package),
        Copy("us-west-1", package),
    ]
    # Those at home, which are as they were, are asked as well.
    assert sorted((probe.function, probe.region) for probe in effort.probes) == [
        ("first", "us-east-1"),
        ("join", "us-east-1"),
        ("join", "us-west-1"),
        ("left", "ca-central-1"),
        ("left", "us-east-1"),
    ]
    assert {probe.billed_s for probe in effort.probes} == {0.32}


def test_what_a_migration_took_that_failed_is_told(deployed: FakeCloud) -> None:
    stage(deployed, left="ca-central-1")
    deployed.functions.answers = lambda region, name: (
        InvocationResult(b"", "timed out", 60.0) if region == "ca-central-1" else None
    )
    effort = EffortLog()
    with pytest.raises(DeploymentError):
        migrate(deployed, WORKFLOW_ID, effort=effort)
    assert [copy.region for copy in effort.copies] == ["ca-central-1"]
    failed = [probe for probe in effort.probes if probe.region == "ca-central-1"]
    assert [(probe.function, probe.billed_s) for probe in failed] == [("left", 60.0)]


def test_every_function_answers_a_probe_before_any_run_can_follow_the_plan(deployed: FakeCloud) -> None:
    stage(deployed, left="ca-central-1", join="ca-central-1")
    deployed.faults.reset()
    migrate(deployed, WORKFLOW_ID)
    operations = [
        (call.operation, *call.arguments) for call in deployed.faults.calls if call.operation in ("invoke", "put")
    ]
    replicas = [
        index
        for index, (operation, *arguments) in enumerate(operations)
        if operation == "put" and arguments[1] == "multi-x-serverless-plan_replicas"
    ]
    probes = [index for index, (operation, *_) in enumerate(operations) if operation == "invoke"]
    pointers = [
        index
        for index, (operation, *arguments) in enumerate(operations)
        if operation == "put" and arguments[1] == "multi-x-serverless-plan_pointers"
    ]
    assert len(probes) == 5
    assert max(probes) < min(replicas)
    assert operations[max(replicas)][1] == "us-east-1"
    assert max(replicas) < min(pointers)


def test_function_that_does_not_start_keeps_the_plan(deployed: FakeCloud) -> None:
    stage(deployed, left="ca-central-1")
    before = deployed.contents()
    deployed.functions.answers = lambda region, name: (
        InvocationResult(b"", "timed out", 60.0) if region == "ca-central-1" else None
    )
    with pytest.raises(DeploymentError, match=r"does not start: timed out\. Everything is as it was before\."):
        migrate(deployed, WORKFLOW_ID)
    assert functions(deployed) == HOME_FUNCTIONS
    assert deployed.contents() == before
    plans = PlanStore(deployed)
    active, staged = plans.active(WORKFLOW_ID), plans.staged(WORKFLOW_ID)
    assert active is not None
    assert staged is not None
    assert (active.version, staged.version) == (1, 2)
    deployed.functions.answers = lambda region, name: None
    migrate(deployed, WORKFLOW_ID)
    check_consistent(deployed)


def test_nothing_staged(deployed: FakeCloud) -> None:
    with pytest.raises(NothingToDoError, match=r"'multi_x_serverless solve example-0\.0\.1' stages one"):
        migrate(deployed, WORKFLOW_ID)


def test_unknown_workflow(deployed: FakeCloud) -> None:
    with pytest.raises(UnknownWorkflowError, match=r"deployed are: example-0\.0\.1"):
        migrate(deployed, "other-0.0.1")
    with pytest.raises(UnknownWorkflowError):
        migrate(FakeCloud(), WORKFLOW_ID)


def test_plan_for_other_nodes_is_dropped(deployed: FakeCloud) -> None:
    plans = PlanStore(deployed)
    staged = stage(deployed)
    hour = staged.hours[0]
    plans.stage(replace(staged, hours=(replace(hour, placement={"other:entry_point:0": "us-east-1"}),)))
    with pytest.raises(DeploymentError, match="is for other nodes or regions"):
        migrate(deployed, WORKFLOW_ID)
    assert plans.staged(WORKFLOW_ID) is None
    check_consistent(deployed)


def test_region_that_is_not_allowed_is_refused(deployed: FakeCloud) -> None:
    stage(deployed, left="eu-west-1")
    with pytest.raises(DeploymentError, match="is for other nodes or regions"):
        migrate(deployed, WORKFLOW_ID)
    assert functions(deployed) == HOME_FUNCTIONS


def test_lock_of_another_command_is_respected(deployed: FakeCloud) -> None:
    stage(deployed, left="ca-central-1")
    with lock(deployed, WORKFLOW_ID), pytest.raises(ConflictError, match="another command"):
        migrate(deployed, WORKFLOW_ID)


def test_sweep_waits_for_the_grace_and_keeps_home_and_the_live_plan(deployed: FakeCloud) -> None:
    stage(deployed, left="ca-central-1", join="us-west-1")
    migrate(deployed, WORKFLOW_ID)
    deployed.time += 10
    stage(deployed, left="ca-central-1")
    migrate(deployed, WORKFLOW_ID)
    everything = HOME_FUNCTIONS | {"left in ca-central-1", "join in us-west-1"}
    assert functions(deployed) == everything
    assert sweep(deployed, WORKFLOW_ID, now=deployed.now() + 99, grace_s=100) == ()
    assert functions(deployed) == everything
    deployed.time += 100
    assert sweep(deployed, WORKFLOW_ID, now=deployed.now(), grace_s=100) == ("join in us-west-1",)
    assert functions(deployed) == everything - {"join in us-west-1"}
    check_consistent(deployed)
    assert not [place for place in deployed.objects.objects if place[0] == "us-west-1"]
    left_replicas = deployed.key_value.tables["us-west-1", "multi-x-serverless-plan_replicas"]
    assert left_replicas == {}
    assert sweep(deployed, WORKFLOW_ID, now=deployed.now(), grace_s=100) == ()


def test_sweep_keeps_what_the_staged_plan_will_need(deployed: FakeCloud) -> None:
    stage(deployed, left="ca-central-1")
    migrate(deployed, WORKFLOW_ID)
    stage(deployed)
    migrate(deployed, WORKFLOW_ID)
    stage(deployed, left="ca-central-1")
    assert sweep(deployed, WORKFLOW_ID, now=deployed.now() + 100, grace_s=100) == ()
    assert "left in ca-central-1" in functions(deployed)


def test_deploying_the_same_code_leaves_the_sweep_its_time(deployed: FakeCloud, project: Path) -> None:
    stage(deployed, left="ca-central-1")
    migrate(deployed, WORKFLOW_ID)
    stage(deployed)
    migrate(deployed, WORKFLOW_ID)
    assert deploy(deployed, project).actions == ()
    assert "left in ca-central-1" in functions(deployed)


class StopAfter:
    """Lets so many steps be done, then stops the work."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def start(self, title: str, steps: int) -> None:
        pass

    def advance(self, step: str) -> None:
        if self.left == 0:
            raise OutOfTimeError("no time left.")
        self.left -= 1

    def finish(self) -> None:
        pass


@pytest.mark.parametrize("steps", range(7))
def test_a_migration_that_is_stopped_is_gone_on_with(deployed: FakeCloud, steps: int) -> None:
    stage(deployed, left="ca-central-1", join="us-west-1")
    with pytest.raises(OutOfTimeError):
        migrate(deployed, WORKFLOW_ID, progress=StopAfter(steps))
    plans = PlanStore(deployed)
    active, staged = plans.active(WORKFLOW_ID), plans.staged(WORKFLOW_ID)
    assert active is not None
    assert staged is not None
    assert (active.version, staged.version) == (1, 2)
    made = functions(deployed)
    assert functions(deployed) >= HOME_FUNCTIONS
    with lock(deployed, WORKFLOW_ID):
        """It was given back."""
    migrate(deployed, WORKFLOW_ID)
    assert functions(deployed) == {*HOME_FUNCTIONS, *made, "join in us-west-1", "left in ca-central-1"}
    check_consistent(deployed)


def test_a_sweep_that_is_stopped_is_gone_on_with(deployed: FakeCloud) -> None:
    stage(deployed, left="ca-central-1", join="us-west-1")
    migrate(deployed, WORKFLOW_ID)
    stage(deployed, left="us-east-1", join="us-east-1")
    migrate(deployed, WORKFLOW_ID)
    with pytest.raises(OutOfTimeError):
        sweep(deployed, WORKFLOW_ID, now=deployed.now() + 10, grace_s=1, progress=StopAfter(1))
    sweep(deployed, WORKFLOW_ID, now=deployed.now() + 10, grace_s=1)
    assert functions(deployed) == HOME_FUNCTIONS
    check_consistent(deployed)
