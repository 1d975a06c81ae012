"""Removing: nothing stays, what cannot be deleted is told and tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from multi_x_serverless.cloud.ports import DeadLetter, LogEvent
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.migrate import migrate
from multi_x_serverless.deployment.names import function_name
from multi_x_serverless.deployment.remove import remove
from multi_x_serverless.errors import CloudError, UnknownWorkflowError
from tests.fakes import FakeCloud
from tests.unit.deployment.conftest import no_sleep
from tests.unit.deployment.projects import WORKFLOW_ID, left_behind, record_of, stage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def migrated(cloud: FakeCloud, project: Path) -> FakeCloud:
    deploy(cloud, project)
    stage(cloud, left="ca-central-1")
    migrate(cloud, WORKFLOW_ID)
    name = function_name(WORKFLOW_ID, "left")
    for region in ("us-east-1", "ca-central-1"):
        cloud.logs.logs[region, name] = [LogEvent("1", 0.0, "line")]
    cloud.logs.logs["us-east-1", "somebody-elses"] = []
    cloud.objects.objects["us-east-1", f"payloads/{WORKFLOW_ID}/run/e1"] = b"large"
    return cloud


def test_everything_is_deleted_in_every_region(migrated: FakeCloud) -> None:
    result = remove(migrated, WORKFLOW_ID)
    assert result.left == ()
    assert "function left in ca-central-1" in result.deleted
    assert f"log {function_name(WORKFLOW_ID, 'left')} in us-east-1" in result.deleted
    assert left_behind(migrated) == {"logs": {"us-east-1 somebody-elses": []}}


def test_messages_that_were_given_up_go_with_their_workflow(migrated: FakeCloud) -> None:
    """The next workflow of that id would be given them."""
    name = function_name(WORKFLOW_ID, "left")
    mine = [DeadLetter(place, place, name, b"{}", "boom", 0.0) for place in ("us-east-1", "ca-central-1")]
    other = DeadLetter("other", "us-east-1", function_name("other-0.0.1", "left"), b"{}", "boom", 0.0)
    migrated.messages.letters += [*mine, other]

    result = remove(migrated, WORKFLOW_ID, keep_logs=True)

    assert migrated.messages.letters == [other]
    assert {line for line in result.deleted if line.startswith("dead letter")} == {
        "dead letter us-east-1 in us-east-1",
        "dead letter ca-central-1 in ca-central-1",
    }


OBJECTS = ("input/a", "input/b")


@pytest.fixture
def with_objects(migrated: FakeCloud) -> FakeCloud:
    """Two objects of the workflow, and one of another whose id begins so."""
    for key in OBJECTS:
        migrated.objects.objects["us-east-1", f"objects/{WORKFLOW_ID}/{key}"] = b"data"
    migrated.objects.objects["us-east-1", f"objects/{WORKFLOW_ID}0/input/a"] = b"other"
    return migrated


def test_objects_are_data_and_stay(with_objects: FakeCloud) -> None:
    result = remove(with_objects, WORKFLOW_ID)
    assert (result.objects_deleted, result.objects_left, result.left) == (0, 2, ())
    assert len(with_objects.objects.objects) == 3
    assert record_of(with_objects) is None


def test_objects_are_deleted_on_request_and_nobody_elses(with_objects: FakeCloud) -> None:
    result = remove(with_objects, WORKFLOW_ID, delete_objects=True)
    assert (result.objects_deleted, result.objects_left, result.left) == (2, 0, ())
    assert list(with_objects.objects.objects) == [("us-east-1", f"objects/{WORKFLOW_ID}0/input/a")]


def test_objects_that_cannot_be_deleted_are_told_and_tried_again(with_objects: FakeCloud) -> None:
    with_objects.faults.before = lambda call: (
        CloudError("no", operation=call.operation)
        if call.operation == "delete_object" and call.arguments[1] == f"objects/{WORKFLOW_ID}/input/b"
        else None
    )
    result = remove(with_objects, WORKFLOW_ID, delete_objects=True, sleep=no_sleep)
    assert (result.objects_deleted, result.objects_left, result.left) == (1, 1, ("objects in us-east-1: no",))
    with_objects.faults.before = lambda call: None
    again = remove(with_objects, WORKFLOW_ID, delete_objects=True)
    assert (again.objects_deleted, again.objects_left, again.left) == (1, 0, ())
    assert record_of(with_objects) is None


def test_logs_are_kept_on_request(migrated: FakeCloud) -> None:
    remove(migrated, WORKFLOW_ID, keep_logs=True)
    assert len(left_behind(migrated)["logs"]) == 3


def test_what_cannot_be_deleted_is_told_and_tried_again(migrated: FakeCloud) -> None:
    migrated.faults.before = lambda call: (
        CloudError("region is out", operation=call.operation)
        if call.operation.startswith("delete_") and call.arguments[0] == "ca-central-1"
        else None
    )
    result = remove(migrated, WORKFLOW_ID, sleep=no_sleep)
    assert sorted(line.partition(": ")[0] for line in result.left) == sorted(
        [
            "function left in ca-central-1",
            "topic left in ca-central-1",
            f"package {_package(migrated)} in ca-central-1",
            "logs, dead letters, payloads and plan in ca-central-1",
        ]
    )
    record = record_of(migrated)
    assert record is not None
    assert record.status == "removing"
    assert {resource.region for resource in record.resources} == {"ca-central-1"}
    migrated.faults.reset()
    assert remove(migrated, WORKFLOW_ID).left == ()
    assert left_behind(migrated) == {"logs": {"us-east-1 somebody-elses": []}}


def _package(cloud: FakeCloud) -> str:
    record = record_of(cloud)
    assert record is not None
    return record.package.key


def test_resources_are_deleted_before_what_they_need(migrated: FakeCloud) -> None:
    migrated.faults.reset()
    remove(migrated, WORKFLOW_ID)
    order = [
        call.operation
        for call in migrated.faults.calls
        if call.operation in ("delete_topic", "delete_function", "delete_role")
    ]
    assert order == ["delete_topic"] * 4 + ["delete_function"] * 4 + ["delete_role"]


def test_unknown_workflow(migrated: FakeCloud) -> None:
    with pytest.raises(UnknownWorkflowError, match=r"deployed are: example-0\.0\.1"):
        remove(migrated, "other-0.0.1")
    with pytest.raises(UnknownWorkflowError, match="none is deployed yet"):
        remove(FakeCloud(), WORKFLOW_ID)
