"""Failures and crashes at every single call of the cloud: nothing is left behind, nothing is lost, all resumes.

Three kinds are injected at each call in turn: the call is refused; it takes effect but its answer is lost; the
process dies (no more code runs, and the next command starts afresh).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from multi_x_serverless.cloud.locks import break_locks
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.migrate import migrate, sweep
from multi_x_serverless.deployment.remove import remove
from multi_x_serverless.errors import CloudError, DeploymentError, MultiXServerlessError
from tests.fakes import Call, FakeCloud, refuse_call
from tests.unit.deployment.conftest import Deploy, no_sleep
from tests.unit.deployment.projects import (
    CONFIGURATION,
    SOURCE,
    WORKFLOW_ID,
    check_consistent,
    functions,
    left_behind,
    make_project,
    record_of,
    stage,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Kind = Literal["refused", "answer lost", "defect", "crash"]
KINDS: tuple[Kind, ...] = ("refused", "answer lost", "defect", "crash")
CHANGED = SOURCE + "\n# changed\n"
MOVED = CONFIGURATION.replace("home_region: us-east-1", "home_region: us-west-1")
# Without the node `left`: the plan in force cannot be kept.
SMALLER = (
    SOURCE.replace("    workflow.invoke_serverless_function(left, event)\n", "").partition(
        '@workflow.serverless_function(name="left")'
    )[0]
    + '@workflow.serverless_function(name="join")'
    + SOURCE.partition('@workflow.serverless_function(name="join")')[2]
)


class ProcessDiedError(BaseException):
    """Not an `Exception`: no handler of the product may see it, as none would after a kill."""


def inject(cloud: FakeCloud, kind: Kind, number: int) -> None:
    cloud.faults.reset()
    if kind == "refused":
        cloud.faults.before = refuse_call(number)
    elif kind == "answer lost":
        cloud.faults.after = refuse_call(number)
    elif kind == "defect":
        cloud.faults.before = lambda call: TypeError("of the product's own") if call.number == number else None
    else:

        def die(call: Call) -> Exception | None:
            if call.number >= number:
                raise ProcessDiedError
            return None

        cloud.faults.before = die


def attempt(operation: Callable[[], object]) -> BaseException | None:
    try:
        operation()
    except (MultiXServerlessError, ProcessDiedError, TypeError) as error:
        return error
    return None


def later(cloud: FakeCloud) -> None:
    """The next command: no more faults, and locks of the dead are broken."""
    cloud.faults.reset()
    cloud.time += 60
    if cloud.key_value.tables.get(("us-east-1", "multi-x-serverless-locks")):
        break_locks(cloud)


def calls_of(cloud: FakeCloud, operation: Callable[[], object]) -> int:
    cloud.faults.reset()
    operation()
    return len(cloud.faults.calls)


@pytest.mark.parametrize("kind", KINDS)
def test_first_deployment(project: Path, quick_deploy: Deploy, kind: Kind) -> None:
    reference = FakeCloud()
    count = calls_of(reference, lambda: quick_deploy(reference, project))
    assert count > 40
    undone = resumed = 0
    for number in range(count):
        cloud = FakeCloud()
        inject(cloud, kind, number)
        error = attempt(lambda cloud=cloud: quick_deploy(cloud, project))  # type: ignore[misc]
        later(cloud)
        if record_of_or_none(cloud) is not None:
            # Only what follows the commit may fail and leave a workflow: it is whole then. A defect leaves the journal.
            if error is not None and kind not in {"crash", "defect"}:
                check_consistent(cloud)
        elif kind == "crash":
            resumed += 1
        else:
            assert error is not None
            assert left_behind(cloud) == {}, number
            undone += 1
        quick_deploy(cloud, project)
        record = check_consistent(cloud)
        expected = check_consistent(reference)
        assert record.resources == expected.resources
        assert functions(cloud) == functions(reference)
        assert remove(cloud, WORKFLOW_ID).left == ()
        assert left_behind(cloud) == {}
    assert undone + resumed > count / 2


def record_of_or_none(cloud: FakeCloud) -> object:
    return record_of(cloud) if ("us-east-1", "multi-x-serverless-workflows") in cloud.key_value.tables else None


@pytest.mark.parametrize("kind", KINDS)
def test_crashed_first_deployment_can_be_removed(project: Path, quick_deploy: Deploy, kind: Kind) -> None:
    reference = FakeCloud()
    for number in range(0, calls_of(reference, lambda: quick_deploy(reference, project)), 3):
        cloud = FakeCloud()
        inject(cloud, kind, number)
        attempt(lambda cloud=cloud: quick_deploy(cloud, project))  # type: ignore[misc]
        later(cloud)
        attempt(lambda cloud=cloud: remove(cloud, WORKFLOW_ID))  # type: ignore[misc]
        assert not {key for key in left_behind(cloud) if key != "items"}, number


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("source", "configuration"),
    [(CHANGED, CONFIGURATION), (SMALLER, CONFIGURATION), (SOURCE, MOVED)],
    ids=["same nodes", "other nodes", "other home"],
)
def test_update_of_a_migrated_workflow(
    tmp_path: Path, quick_deploy: Deploy, kind: Kind, source: str, configuration: str
) -> None:
    old = make_project(tmp_path / "old")
    new = make_project(tmp_path / "new", source, configuration)

    migrated = FakeCloud()
    quick_deploy(migrated, old)
    stage(migrated, left="ca-central-1")
    migrate(migrated, WORKFLOW_ID)
    staged = stage(migrated, left="us-west-1")
    migrated.time += 60
    before = check_consistent(migrated)
    reference = migrated.copy()
    count = calls_of(reference, lambda: quick_deploy(reference, new))
    expected = check_consistent(reference)
    kept_old = 0
    for number in range(count):
        cloud = migrated.copy()
        inject(cloud, kind, number)
        error = attempt(lambda cloud=cloud: quick_deploy(cloud, new))  # type: ignore[misc]
        later(cloud)
        if error is not None and kind != "crash":
            record = record_of(cloud)
            assert record is not None
            if record.package == before.package:
                assert check_consistent(cloud).resources == before.resources, number
                assert PlanStore(cloud).active(WORKFLOW_ID) == PlanStore(migrated).active(WORKFLOW_ID)
                assert PlanStore(cloud).staged(WORKFLOW_ID) == staged, number
                kept_old += 1
        quick_deploy(cloud, new)
        assert check_consistent(cloud).resources == expected.resources, number
        assert functions(cloud) == functions(reference)
        assert plans_in_force(cloud) == plans_in_force(reference), number
    if kind != "crash":
        assert kept_old > 10


def plans_in_force(cloud: FakeCloud) -> list[object]:
    """Where the active and the staged plan have nodes; a deployment that is resumed may count on."""
    plans = PlanStore(cloud)
    return [
        None if plan is None else [(entry.hour, entry.placement) for entry in plan.hours]
        for plan in (plans.active(WORKFLOW_ID), plans.staged(WORKFLOW_ID))
    ]


@pytest.mark.parametrize(("source", "configuration"), [(CHANGED, CONFIGURATION), (SOURCE, MOVED)], ids=["code", "home"])
def test_going_back_after_a_crash(tmp_path: Path, quick_deploy: Deploy, source: str, configuration: str) -> None:
    old = make_project(tmp_path / "old")
    new = make_project(tmp_path / "new", source, configuration)
    deployed = FakeCloud()
    quick_deploy(deployed, old)
    before, in_force = check_consistent(deployed), plans_in_force(deployed)
    reference = deployed.copy()
    for number in range(calls_of(reference, lambda: quick_deploy(reference, new))):
        cloud = deployed.copy()
        inject(cloud, "crash", number)
        attempt(lambda cloud=cloud: quick_deploy(cloud, new))  # type: ignore[misc]
        later(cloud)
        quick_deploy(cloud, old)
        assert check_consistent(cloud).resources == before.resources, number
        assert plans_in_force(cloud) == in_force, number


@pytest.mark.parametrize("kind", KINDS)
def test_migration(project: Path, quick_deploy: Deploy, kind: Kind) -> None:
    staged = FakeCloud()
    quick_deploy(staged, project)
    stage(staged, left="ca-central-1", join="us-west-1")
    staged.time += 60
    before = check_consistent(staged)
    reference = staged.copy()
    count = calls_of(reference, lambda: migrate(reference, WORKFLOW_ID))
    expected = check_consistent(reference)
    kept_old = 0
    for number in range(count):
        cloud = staged.copy()
        inject(cloud, kind, number)
        error = attempt(lambda cloud=cloud: migrate(cloud, WORKFLOW_ID, sleep=no_sleep))  # type: ignore[misc]
        later(cloud)
        plans = PlanStore(cloud)
        active = plans.active(WORKFLOW_ID)
        assert active is not None
        if error is not None and kind != "crash" and active.version == 1:
            assert check_consistent(cloud).resources == before.resources, number
            kept_old += 1
        if plans.staged(WORKFLOW_ID) is not None:
            migrate(cloud, WORKFLOW_ID)
        assert plans.staged(WORKFLOW_ID) is None
        assert check_consistent(cloud).resources == expected.resources, number
    if kind != "crash":
        assert kept_old > 10


@pytest.mark.parametrize("kind", KINDS)
def test_crashed_migration_is_cleaned_up_by_a_deployment(project: Path, quick_deploy: Deploy, kind: Kind) -> None:
    staged = FakeCloud()
    quick_deploy(staged, project)
    stage(staged, left="ca-central-1")
    reference = staged.copy()
    for number in range(0, calls_of(reference, lambda: migrate(reference, WORKFLOW_ID)), 2):
        cloud = staged.copy()
        inject(cloud, kind, number)
        attempt(lambda cloud=cloud: migrate(cloud, WORKFLOW_ID, sleep=no_sleep))  # type: ignore[misc]
        later(cloud)
        quick_deploy(cloud, project)
        check_consistent(cloud)
        cloud.time += 10_000
        sweep(cloud, WORKFLOW_ID, now=cloud.time, grace_s=0)
        check_consistent(cloud)


@pytest.mark.parametrize("kind", KINDS)
def test_sweep(project: Path, quick_deploy: Deploy, kind: Kind) -> None:
    left_over = FakeCloud()
    quick_deploy(left_over, project)
    stage(left_over, left="ca-central-1")
    migrate(left_over, WORKFLOW_ID)
    stage(left_over)
    migrate(left_over, WORKFLOW_ID)

    def clean(cloud: FakeCloud) -> None:
        sweep(cloud, WORKFLOW_ID, now=cloud.time, grace_s=0, sleep=no_sleep)

    reference = left_over.copy()
    count = calls_of(reference, lambda: clean(reference))
    for number in range(count):
        cloud = left_over.copy()
        inject(cloud, kind, number)
        attempt(lambda cloud=cloud: clean(cloud))  # type: ignore[misc]
        later(cloud)
        clean(cloud)
        check_consistent(cloud)
        assert functions(cloud) == functions(reference)


@pytest.mark.parametrize("kind", KINDS)
def test_removal(project: Path, quick_deploy: Deploy, kind: Kind) -> None:
    deployed = FakeCloud()
    quick_deploy(deployed, project)
    stage(deployed, left="ca-central-1")
    migrate(deployed, WORKFLOW_ID)
    reference = deployed.copy()
    for number in range(calls_of(reference, lambda: remove(reference, WORKFLOW_ID))):
        cloud = deployed.copy()
        inject(cloud, kind, number)
        attempt(lambda cloud=cloud: remove(cloud, WORKFLOW_ID, sleep=no_sleep))  # type: ignore[misc]
        later(cloud)
        attempt(lambda cloud=cloud: remove(cloud, WORKFLOW_ID))  # type: ignore[misc]
        assert left_behind(cloud) == {}, number


def test_failures_that_pass_are_retried(project: Path, quick_deploy: Deploy) -> None:
    cloud = FakeCloud()
    seen: dict[str, int] = {}

    def twice_each(call: Call) -> Exception | None:
        if call.operation not in ("put_function", "create_topic", "put_object", "create_role", "invoke"):
            return None
        key = f"{call.operation} {call.arguments}"
        seen[key] = seen.get(key, 0) + 1
        return CloudError("throttled", retryable=True) if seen[key] <= 2 else None

    cloud.faults.before = twice_each
    quick_deploy(cloud, project)
    assert set(seen.values()) == {3}
    check_consistent(cloud)


def test_failure_of_the_undo_is_told_and_repaired(project: Path, quick_deploy: Deploy) -> None:
    cloud = FakeCloud()
    cloud.faults.before = lambda call: (
        CloudError("the region is out") if call.operation in ("create_topic", "delete_function") else None
    )
    with pytest.raises(DeploymentError, match=r"Undoing it did not succeed either .*delete function"):
        quick_deploy(cloud, project)
    later(cloud)
    quick_deploy(cloud, project)
    check_consistent(cloud)
