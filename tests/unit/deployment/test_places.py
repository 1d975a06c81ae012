"""Where something of a workflow may be: also where an earlier deployment or plan of it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import PlanStore, physical_name
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.migrate import migrate
from multi_x_serverless.deployment.names import function_name
from multi_x_serverless.deployment.places import function_names_of, homes_of, places_of
from multi_x_serverless.errors import CloudError
from tests.fakes import FakeCloud
from tests.unit.deployment.projects import CONFIGURATION, SOURCE, WORKFLOW_ID, make_project, record_of, stage

if TYPE_CHECKING:
    from pathlib import Path

    from multi_x_serverless.model.workflow import WorkflowRecord

HOME, AWAY, IDLE = "us-east-1", "ca-central-1", "us-west-1"
WITHOUT_AWAY = CONFIGURATION.replace(f", {AWAY}", "")


def the_record(cloud: FakeCloud) -> WorkflowRecord:
    record = record_of(cloud)
    assert record is not None
    return record


@pytest.fixture
def left(cloud: FakeCloud, project: Path) -> FakeCloud:
    """The example, after a plan that used a region and a deployment that takes it out."""
    deploy(cloud, project)
    stage(cloud, left=AWAY)
    migrate(cloud, WORKFLOW_ID)
    deploy(cloud, make_project(project, configuration=WITHOUT_AWAY))
    assert AWAY not in the_record(cloud).regions
    assert {resource.region for resource in the_record(cloud).resources} == {HOME, None}
    return cloud


def test_what_may_be_used_is_a_place_and_the_account_is_not_asked(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    record = the_record(cloud)
    cloud.faults.reset()
    assert places_of(cloud, record) == record.regions
    assert "usable_regions" not in {call.operation for call in cloud.faults.calls}


def test_a_region_that_a_plan_has_used_is_a_place_and_a_planned_one_too(left: FakeCloud) -> None:
    assert places_of(left, the_record(left)) == (HOME, IDLE, AWAY)
    stage(left, join="eu-west-1")
    assert places_of(left, the_record(left)) == (HOME, IDLE, AWAY, "eu-west-1")


def test_an_earlier_home_is_a_place_without_any_plan(left: FakeCloud, project: Path) -> None:
    moved = WITHOUT_AWAY.replace("home_region: us-east-1", f"home_region: {IDLE}").replace("[us-east-1, ", "[")
    deploy(left, make_project(project, configuration=moved))
    record = the_record(left)
    PlanStore(left).remove(WORKFLOW_ID)
    assert record.regions == (IDLE,)
    assert homes_of(record) == (IDLE, HOME)
    assert places_of(left, record) == (IDLE, HOME)


def test_a_plan_that_cannot_be_read_hides_no_other(left: FakeCloud) -> None:
    left.key_value.put(HOME, physical_name("plans"), Key(WORKFLOW_ID, "v00000000"), {"document": '{"schema": "x"}'})
    assert AWAY in places_of(left, the_record(left))


def test_a_region_that_the_cloud_does_not_know_any_more_is_no_place(left: FakeCloud) -> None:
    left.regions = tuple(region for region in left.regions if region not in (AWAY, IDLE))
    assert places_of(left, the_record(left)) == (HOME,)


def test_a_region_that_was_left_and_closed_is_no_place(left: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left, "usable_regions", lambda: (HOME,))
    assert places_of(left, the_record(left)) == (HOME, IDLE), (
        "one that may be used is asked, and says that it is closed"
    )


def test_an_account_that_may_not_be_asked_has_all_regions(left: FakeCloud) -> None:
    left.faults.before = lambda call: (
        CloudError("not allowed.", operation=call.operation) if call.operation == "usable_regions" else None
    )
    assert AWAY in places_of(left, the_record(left))


def test_functions_that_are_gone_keep_their_names(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    deploy(cloud, make_project(project, SOURCE.replace('"left"', '"right"')))
    names = {function_name(WORKFLOW_ID, name) for name in ("first", "left", "right", "join")}
    assert function_names_of(the_record(cloud)) == names
