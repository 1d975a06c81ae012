"""Two commands that work on one workflow: a slow one whose lock has ended harms nothing that another one made."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from multi_x_serverless.cloud import parallel
from multi_x_serverless.cloud.locks import LEASE_S, lock
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.journal import Journal
from multi_x_serverless.deployment.migrate import migrate, sweep
from multi_x_serverless.deployment.remove import remove
from multi_x_serverless.errors import ConflictError, MultiXServerlessError
from tests.unit.deployment.conftest import no_sleep
from tests.unit.deployment.projects import SOURCE, WORKFLOW_ID, check_consistent, make_project, record_of, stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes import Call, FakeCloud
    from tests.unit.deployment.conftest import Deploy


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other command runs inside a call of the first, on its thread."""
    monkeypatch.setattr(parallel, "PARALLEL_STEPS", 1)


def interrupt(cloud: FakeCloud, number: int, other: Callable[[], object]) -> list[str]:
    """At a call the machine sleeps until the lock has ended, and another command does its work meanwhile."""
    operations: list[str] = []

    def fall_asleep(call: Call) -> None:
        if call.number == number:
            operations.append(call.operation)
            cloud.faults.before = lambda _call: None
            cloud.time += LEASE_S + 1
            other()

    cloud.faults.reset()
    cloud.faults.before = fall_asleep
    return operations


def calls_of(cloud: FakeCloud, operation: Callable[[FakeCloud], object]) -> int:
    trial = cloud.copy()
    operation(trial)
    return len(trial.faults.calls)


def check_nothing_is_forgotten(cloud: FakeCloud) -> None:
    """Whatever is there is recorded, or noted for the next command."""
    record = record_of(cloud)
    assert record is not None
    noted = {resource.key for resource in (*record.resources, *Journal(cloud, WORKFLOW_ID).read())}
    assert {("function", *place) for place in cloud.functions.functions} <= noted
    assert {("topic", *place) for place in cloud.messages.topics} <= noted
    assert {("package", *place) for place in cloud.objects.objects} <= noted


def test_a_migration_that_slept_leaves_the_other_ones_plan_in_force(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    stage(cloud, left="ca-central-1")
    count = calls_of(cloud, lambda trial: migrate(trial, WORKFLOW_ID))
    assert count > 20
    for number in range(count):
        trial = cloud.copy()

        def other(trial: FakeCloud = trial) -> None:
            stage(trial, left="us-west-1", join="us-west-1")
            migrate(trial, WORKFLOW_ID, sleep=no_sleep)

        interrupted = interrupt(trial, number, other)
        with suppress(MultiXServerlessError):
            migrate(trial, WORKFLOW_ID, sleep=no_sleep)
        trial.faults.reset()
        assert interrupted
        active = PlanStore(trial).active(WORKFLOW_ID)
        assert active is not None
        assert active.regions == {"us-east-1", "us-west-1"}, f"asleep at call {number}: {interrupted}"
        check_nothing_is_forgotten(trial)
        deploy(trial, project, sleep=no_sleep)
        sweep(trial, WORKFLOW_ID, now=trial.now(), grace_s=0.0)
        check_consistent(trial)


def test_a_deployment_that_slept_leaves_the_other_ones_code(
    cloud: FakeCloud, project: Path, quick_deploy: Deploy, tmp_path: Path
) -> None:
    quick_deploy(cloud, project)
    second = make_project(tmp_path / "second", SOURCE.replace("return workflow", "return 2, workflow"))
    third = make_project(tmp_path / "third", SOURCE.replace("return workflow", "return 3, workflow"))
    wanted = cloud.copy()
    quick_deploy(wanted, third)
    quick_deploy(cloud.copy(), second)  # so that both are built: building makes calls too
    count = calls_of(cloud, lambda trial: quick_deploy(trial, second))
    for number in range(count):
        trial = cloud.copy()
        interrupted = interrupt(trial, number, partial(quick_deploy, trial, third))
        with suppress(MultiXServerlessError):
            quick_deploy(trial, second)
        trial.faults.reset()
        check_nothing_is_forgotten(trial)
        assert interrupted
        quick_deploy(trial, third)
        check_consistent(trial)
        assert trial.functions.functions == wanted.functions.functions, f"asleep at call {number}: {interrupted}"


def test_a_lock_is_renewed_by_who_is_slow_and_lost_by_who_slept(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    with lock(cloud, "x", lease_s=100.0) as lease:
        for _ in range(5):
            cloud.time += 60.0
            lease.keep()
            with pytest.raises(ConflictError, match="another command"), lock(cloud, "x"):
                pass
        cloud.time += 101.0
        with lock(cloud, "x"):
            pass
        with pytest.raises(ConflictError, match="has taken it over"):
            lease.keep()


def test_a_removal_that_slept_leaves_what_was_deployed_meanwhile(
    cloud: FakeCloud, project: Path, quick_deploy: Deploy
) -> None:
    quick_deploy(cloud, project)
    count = calls_of(cloud, lambda trial: remove(trial, WORKFLOW_ID, sleep=no_sleep))
    for number in range(count):
        trial = cloud.copy()

        def other(trial: FakeCloud = trial) -> None:
            with suppress(MultiXServerlessError):
                remove(trial, WORKFLOW_ID, sleep=no_sleep)
            quick_deploy(trial, project)

        interrupted = interrupt(trial, number, other)
        removed = False
        with suppress(MultiXServerlessError):
            removed = not remove(trial, WORKFLOW_ID, sleep=no_sleep).left
        trial.faults.reset()
        assert interrupted
        record = record_of(trial)
        if removed or record is None:
            continue
        if record.status == "removing":  # it slept at the very write that says so: the developer is told to go on
            assert remove(trial, WORKFLOW_ID, sleep=no_sleep).left == ()
        # The one deletion at which it slept may have hit what is new; deploying again makes good for that.
        quick_deploy(trial, project)
        record = record_of(trial)
        assert record is not None
        assert record.status == "deployed"
        recorded = {resource.key for resource in record.resources}
        assert {("function", *place) for place in trial.functions.functions} <= recorded
        assert {key for key in recorded if key[0] == "function"} <= {
            ("function", *place) for place in trial.functions.functions
        }
