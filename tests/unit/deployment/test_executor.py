"""The executor: order of phases, retries, and what happens to the rest when one action fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from multi_x_serverless.deployment.actions import Action, plan_deletions
from multi_x_serverless.deployment.desired import DesiredPackage, DesiredRole, DesiredTopic
from multi_x_serverless.deployment.executor import ATTEMPTS, FIRST_PAUSE_S, Executor
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.errors import CloudError
from multi_x_serverless.model.workflow import Resource

if TYPE_CHECKING:
    from tests.fakes import FakeCloud

HOME = "us-east-1"


def package(region: str) -> Action:
    return Action("create", "package", region, "p.zip", None, DesiredPackage("p.zip", region, "ab"))


def topic(name: str, region: str = HOME) -> Action:
    return Action("create", "topic", region, name, name, DesiredTopic(name, region, name, "subscriber"))


def test_package_is_at_home_before_it_is_copied(cloud: FakeCloud) -> None:
    executor = Executor(cloud, HOME, SILENT, package=b"zip")
    actions = [package(HOME), package("us-west-1"), package("us-west-2")]
    phases = executor._phases(actions)
    assert [[action.region for action in phase] for phase in phases] == [[HOME], ["us-west-1", "us-west-2"]]
    made = executor.apply(actions)
    assert [resource.region for resource in made] == [HOME, "us-west-1", "us-west-2"]
    assert set(cloud.objects.objects.values()) == {b"zip"}


def test_only_what_may_succeed_later_is_tried_again_with_growing_pauses(cloud: FakeCloud) -> None:
    pauses: list[float] = []
    executor = Executor(cloud, HOME, SILENT, sleep=pauses.append)
    cloud.faults.before = lambda call: CloudError("throttled", retryable=True)
    with pytest.raises(CloudError, match="throttled"):
        executor.apply([topic("a")])
    assert pauses == [FIRST_PAUSE_S * 2**attempt for attempt in range(ATTEMPTS - 1)]
    assert len(cloud.faults.calls) == ATTEMPTS
    cloud.faults.reset()
    pauses.clear()
    cloud.faults.before = lambda call: CloudError("forbidden")
    with pytest.raises(CloudError, match="forbidden"):
        executor.apply([topic("a")])
    assert (pauses, len(cloud.faults.calls)) == ([], 1)


def test_first_failure_in_order_is_raised_and_later_phases_are_not_begun(cloud: FakeCloud) -> None:
    cloud.faults.before = lambda call: (
        CloudError(f"no {call.arguments[1]}") if call.operation == "create_topic" else None
    )
    role = Action("create", "role", None, "r", None, DesiredRole("r", "{}"))
    with pytest.raises(CloudError, match="no a"):
        Executor(cloud, HOME, SILENT).apply([topic("a"), topic("b"), role])
    assert cloud.identity.roles == {}


def test_deletion_goes_on_after_a_failure_and_tells_it(cloud: FakeCloud) -> None:
    resources = [
        Resource("role", None, "r", "r", None, ""),
        Resource("function", HOME, "f", "f", "f", ""),
        Resource("topic", HOME, "t", "t", "t", ""),
        Resource("package", HOME, "p", "p", None, ""),
    ]
    cloud.faults.before = lambda call: CloudError("in use") if call.operation == "delete_function" else None
    left = Executor(cloud, HOME, SILENT).delete(plan_deletions(resources))
    assert [(str(action), str(error)) for action, error in left] == [("delete function f in us-east-1", "in use")]
    assert [call.operation for call in cloud.faults.calls] == [
        "delete_topic",
        "delete_function",
        "delete_object",
        "delete_role",
    ]
