"""Plans and locks in the tables: versions, pointers, compare-and-set."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.cloud.documents import COMPRESS_ABOVE_BYTES, MAXIMUM_STORED_BYTES, pack, unpack
from multi_x_serverless.cloud.local import LocalCloud
from multi_x_serverless.cloud.locks import break_locks, lock
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import PlanStore, Waiting, create_tables, delete_tables, physical_name
from multi_x_serverless.errors import CloudError, ConflictError, CorruptedStateError
from multi_x_serverless.model.plan import Plan, home_plan
from tests.fakes import FakeCloud
from tests.unit.observation.records import diamond


@pytest.fixture
def cloud() -> FakeCloud:
    cloud = FakeCloud()
    create_tables(cloud, cloud.regions)
    return cloud


def plan() -> Plan:
    return home_plan("text-0.0.1", diamond(), "us-east-1", version=0, created_at=1.0, expires_at=2.0)


def test_versions_count_up_and_staging_replaces(cloud: FakeCloud) -> None:
    plans = PlanStore(cloud)
    assert plans.staged("text-0.0.1") is None
    first, second = plans.stage(plan()), plans.stage(plan())
    assert (first.version, second.version) == (1, 2)
    assert plans.staged("text-0.0.1") == second
    assert not plans.unstage("text-0.0.1", 1), "only the plan that is staged is dropped"
    assert plans.unstage("text-0.0.1", 2)
    assert plans.staged("text-0.0.1") is None
    assert plans.versions("text-0.0.1") == (first, second)


def test_where_plans_have_been_is_known_of_all_of_them(cloud: FakeCloud) -> None:
    plans, table = PlanStore(cloud), physical_name("plans")
    assert plans.regions("text-0.0.1") == frozenset()
    first = plans.stage(plan())
    placement = dict.fromkeys(first.hours[0].placement, "ca-central-1")
    away = plans.stage(replace(plan(), hours=(replace(first.hours[0], placement=placement),)))
    assert plans.regions("text-0.0.1") == {"us-east-1", "ca-central-1"}
    for item in list(cloud.key_value.query(cloud.system_region, table, "text-0.0.1")):
        of_an_older_program = {name: value for name, value in item.attributes.items() if name != "regions"}
        cloud.key_value.put(cloud.system_region, table, item.key, of_an_older_program)
    assert plans.regions("text-0.0.1") == {"us-east-1", "ca-central-1"}
    assert plans.versions("text-0.0.1") == (first, away)
    cloud.key_value.put(cloud.system_region, table, Key("text-0.0.1", "v9"), {"document": "of a newer program"})
    assert plans.regions("text-0.0.1") == {"us-east-1", "ca-central-1"}


def test_a_plan_that_was_unstaged_is_staged_again_as_it_was(cloud: FakeCloud) -> None:
    plans = PlanStore(cloud)
    assert not plans.stage_again("text-0.0.1", 1), "none ever was"
    for is_by_check in (False, True):
        version = plans.stage(plan(), by_check=is_by_check).version
        assert not plans.stage_again("text-0.0.1", version - 1), "another one waits"
        assert plans.unstage("text-0.0.1", version)
        assert plans.waiting("text-0.0.1") is None
        assert plans.stage_again("text-0.0.1", version)
        assert plans.waiting("text-0.0.1") == Waiting(version, is_by_check)


def test_of_several_writers_each_gets_a_version_of_its_own(tmp_path: Path) -> None:
    with LocalCloud(tmp_path / "state", regions=("us-east-1",)) as cloud:
        create_tables(cloud, cloud.regions)
        with ThreadPoolExecutor(8) as executor:
            versions = list(executor.map(lambda _: PlanStore(cloud).add(plan()).version, range(24)))
        assert [stored.version for stored in PlanStore(cloud).versions("text-0.0.1")] == list(range(1, 25))
    assert sorted(versions) == list(range(1, 25))


def test_activation_is_compare_and_set(cloud: FakeCloud) -> None:
    plans = PlanStore(cloud)
    first, second = plans.add(plan()), plans.add(plan())
    plans.activate("text-0.0.1", first.version, replaces=None)
    with pytest.raises(ConflictError):
        plans.activate("text-0.0.1", second.version, replaces=None)
    plans.activate("text-0.0.1", second.version, replaces=first.version)
    assert plans.active("text-0.0.1") == second


def test_pointer_to_a_plan_that_is_not_there_is_corruption(cloud: FakeCloud) -> None:
    plans = PlanStore(cloud)
    plans.activate("text-0.0.1", 7, replaces=None)
    with pytest.raises(CorruptedStateError, match="7"):
        plans.active("text-0.0.1")


def test_removed_workflow_leaves_no_plan(cloud: FakeCloud) -> None:
    plans = PlanStore(cloud)
    plans.activate("text-0.0.1", plans.stage(plan()).version, replaces=None)
    plans.remove("text-0.0.1")
    assert plans.active("text-0.0.1") is None
    assert plans.staged("text-0.0.1") is None
    assert plans.versions("text-0.0.1") == ()
    assert plans.add(plan()).version == 2, "no number is used again: logs that were kept tell of runs by it"


def test_lock_is_exclusive_until_released_or_expired(cloud: FakeCloud) -> None:
    with lock(cloud, "text-0.0.1", lease_s=60.0), pytest.raises(ConflictError), lock(cloud, "text-0.0.1"):
        pass
    with lock(cloud, "text-0.0.1", lease_s=60.0):
        cloud.time += 61.0
        with lock(cloud, "text-0.0.1"):
            pass


def test_broken_lock_can_be_taken(cloud: FakeCloud) -> None:
    with lock(cloud, "text-0.0.1"):
        break_locks(cloud)
        with lock(cloud, "text-0.0.1"):
            pass


def test_tables_are_made_once_and_deleted_everywhere(cloud: FakeCloud) -> None:
    create_tables(cloud, cloud.regions)
    assert len(delete_tables(cloud, cloud.regions)) == 9 + 4 * len(cloud.regions)
    assert delete_tables(cloud, cloud.regions) == ()


@pytest.mark.parametrize("size", [0, 10, COMPRESS_ABOVE_BYTES + 1, 5_000_000])
def test_documents_of_any_compressible_size_survive(size: int) -> None:
    document = b'"' + b"x" * size + b'"'
    assert unpack(pack(document, "plans"), "plans") == document


def test_document_too_large_for_an_item_is_refused() -> None:
    text = random.Random(0).randbytes(MAXIMUM_STORED_BYTES).hex().encode()
    with pytest.raises(CloudError, match="plans"):
        pack(text, "plans")
    with pytest.raises(CorruptedStateError):
        unpack({"other": 1}, "plans")
