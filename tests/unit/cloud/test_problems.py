"""What plans were made of is kept as long as one of them is, and found by the hash that the plan names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multi_x_serverless.adaptation.staging import stage_plan
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.problems import ProblemStore
from multi_x_serverless.cloud.tables import PlanStore, create_tables, workflow_table
from multi_x_serverless.errors import CloudError, CorruptedStateError
from multi_x_serverless.model.plan import Plan, home_plan
from tests.fakes import FakeCloud
from tests.unit.model.test_workflow_record import RECORD as EXAMPLE
from tests.unit.observation.records import diamond

WORKFLOW_ID = "text-0.0.1"
HOME = "us-east-1"
RECORD = replace(EXAMPLE, workflow_id=WORKFLOW_ID)


@pytest.fixture
def cloud() -> FakeCloud:
    cloud = FakeCloud()
    create_tables(cloud, cloud.regions)
    workflow_table(cloud).put(Key(WORKFLOW_ID), RECORD)
    return cloud


def stage(cloud: FakeCloud, document: bytes) -> Plan:
    plan = home_plan(WORKFLOW_ID, diamond(), HOME, version=0, created_at=1.0, expires_at=2.0)
    problem_hash = ProblemStore(cloud).put(WORKFLOW_ID, document)
    staged = stage_plan(cloud, RECORD, replace(plan, solver="fine-grained", problem_hash=problem_hash), document)
    assert staged.warnings == ()
    return staged.plan


def test_a_document_comes_back_by_the_hash_that_the_plan_names(cloud: FakeCloud) -> None:
    store = ProblemStore(cloud)
    plan = stage(cloud, b'{"much": 0}' * 1000)
    assert store.get(WORKFLOW_ID, plan.problem_hash) == b'{"much": 0}' * 1000
    assert store.get(WORKFLOW_ID, "0" * 64) is None
    assert store.get("other-0.0.1", plan.problem_hash) is None
    ((place, body),) = cloud.objects.objects.items()
    assert place == (HOME, f"problems/{WORKFLOW_ID}/{plan.problem_hash}.json.zlib")
    assert len(body) < 1000, "compressed"


@pytest.mark.parametrize("body", [b"no zlib", b"x\x9c\x03\x00\x00\x00\x00\x01"], ids=["unreadable", "another"])
def test_another_document_is_not_taken_for_it(cloud: FakeCloud, body: bytes) -> None:
    plan = stage(cloud, b"{}")
    (place,) = cloud.objects.objects
    cloud.objects.objects[place] = body
    with pytest.raises(CorruptedStateError, match=plan.problem_hash):
        ProblemStore(cloud).get(WORKFLOW_ID, plan.problem_hash)


def test_documents_go_with_the_last_plan_that_was_made_of_them(cloud: FakeCloud) -> None:
    plans, store = PlanStore(cloud), ProblemStore(cloud)
    first, _, again, last = (stage(cloud, text) for text in (b"1", b"2", b"1", b"3"))
    assert plans.prune(WORKFLOW_ID, keep=1) == 2
    assert [plan.version for plan in plans.versions(WORKFLOW_ID)] == [again.version, last.version]
    assert store.get(WORKFLOW_ID, first.problem_hash) == b"1", "plan 3 was made of it, too"
    assert len(cloud.objects.objects) == 2
    stage(cloud, b"4")
    assert plans.prune(WORKFLOW_ID, keep=1) == 1
    assert store.get(WORKFLOW_ID, first.problem_hash) is None
    assert len(cloud.objects.objects) == 2


def test_nothing_of_a_removed_workflow_stays_and_nothing_of_another_goes(cloud: FakeCloud) -> None:
    stage(cloud, b"1")
    ProblemStore(cloud).put(WORKFLOW_ID, b"of a plan that was never staged")
    ProblemStore(cloud).put(f"{WORKFLOW_ID}0", b"of another workflow")
    PlanStore(cloud).remove(WORKFLOW_ID)
    assert [key for _, key in cloud.objects.objects if key.startswith(f"problems/{WORKFLOW_ID}/")] == []
    assert len(cloud.objects.objects) == 1


def test_a_plan_is_staged_although_its_document_cannot_be_kept(cloud: FakeCloud) -> None:
    plan = home_plan(WORKFLOW_ID, diamond(), HOME, version=0, created_at=1.0, expires_at=2.0)
    cloud.faults.before = lambda call: CloudError("no room.") if call.operation == "put_object" else None
    staged = stage_plan(cloud, RECORD, plan, b"{}")
    assert PlanStore(cloud).staged(WORKFLOW_ID) == staged.plan
    (warning,) = staged.warnings
    assert "could not be kept" in warning
