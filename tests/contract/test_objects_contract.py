"""Contract of `ObjectStore`."""

from __future__ import annotations

import pytest

from multi_x_serverless.cloud.ports import Cloud, ObjectStore
from multi_x_serverless.errors import ResourceNotFoundError, UnknownRegionError


@pytest.fixture
def store(cloud: Cloud) -> ObjectStore:
    return cloud.objects


@pytest.mark.parametrize("body", [b"", b"\x00\xff" * 1000], ids=["empty", "binary"])
def test_an_object_comes_back_as_it_was_stored(store: ObjectStore, region: str, name: str, body: bytes) -> None:
    store.put_object(region, f"{name}/a.zip", body)
    assert store.get_object(region, f"{name}/a.zip") == body


def test_an_object_replaces_the_one_before(store: ObjectStore, region: str, name: str) -> None:
    store.put_object(region, name, b"old")
    store.put_object(region, name, b"new")
    assert store.get_object(region, name) == b"new"


def test_a_prepared_region_takes_objects_without_more(cloud: Cloud, store: ObjectStore, region: str, name: str) -> None:
    cloud.prepare_region(region)
    store.put_object(region, name, b"x", is_prepared=True)
    assert store.get_object(region, name) == b"x"


def test_equal_bodies_live_and_die_apart(store: ObjectStore, region: str, name: str) -> None:
    store.put_object(region, f"{name}/a", b"the same bytes")
    store.put_object(region, f"{name}/b", b"the same bytes")
    store.delete_object(region, f"{name}/a")
    assert store.get_object(region, f"{name}/b") == b"the same bytes"


def test_a_key_may_be_the_beginning_of_another(store: ObjectStore, region: str, name: str) -> None:
    store.put_object(region, name, b"short")
    store.put_object(region, f"{name}/more", b"long")
    assert store.get_object(region, name) == b"short"
    assert store.get_object(region, f"{name}/more") == b"long"


def test_a_missing_object_is_named(store: ObjectStore, region: str, name: str) -> None:
    with pytest.raises(ResourceNotFoundError, match=name):
        store.get_object(region, name)


def test_deleting_twice_succeeds(store: ObjectStore, region: str, name: str) -> None:
    store.put_object(region, name, b"x")
    store.delete_object(region, name)
    store.delete_object(region, name)
    with pytest.raises(ResourceNotFoundError):
        store.get_object(region, name)


def test_keys_are_listed_by_prefix_and_sorted(store: ObjectStore, region: str, name: str) -> None:
    for key in ("b", "a", "sub/c", "ä_%"):
        store.put_object(region, f"{name}/{key}", b"x")
    store.put_object(region, f"{name}-other", b"x")
    assert store.list_objects(region, f"{name}/") == tuple(f"{name}/{key}" for key in ("a", "b", "sub/c", "ä_%"))
    assert store.list_objects(region, f"{name}/sub") == (f"{name}/sub/c",)


def test_a_description_tells_size_and_time(store: ObjectStore, cloud: Cloud, region: str, name: str) -> None:
    before = cloud.now()
    store.put_object(region, f"{name}/b", b"12345")
    store.put_object(region, f"{name}/a", b"")
    found = store.describe_objects(region, f"{name}/")
    assert [(entry.key, entry.size_bytes) for entry in found] == [(f"{name}/a", 0), (f"{name}/b", 5)]
    assert all(before - 1.0 <= entry.stored_at <= cloud.now() for entry in found)  # S3 tells whole seconds
    assert store.describe_objects(region, f"{name}/c") == ()


def test_a_copy_is_an_object_of_its_own(store: ObjectStore, region: str, other_region: str, name: str) -> None:
    store.put_object(region, name, b"12345")
    assert store.copy_object(region, name, other_region) == 5
    store.delete_object(region, name)
    assert store.get_object(other_region, name) == b"12345"


def test_what_is_missing_cannot_be_copied(store: ObjectStore, region: str, other_region: str, name: str) -> None:
    with pytest.raises(ResourceNotFoundError, match=name):
        store.copy_object(region, name, other_region)


def test_regions_have_stores_of_their_own(store: ObjectStore, region: str, other_region: str, name: str) -> None:
    store.put_object(region, name, b"x")
    assert store.list_objects(other_region, name) == ()


def test_an_unknown_region_is_named(store: ObjectStore, name: str) -> None:
    with pytest.raises(UnknownRegionError, match="atlantis-1"):
        store.put_object("atlantis-1", name, b"x")
