"""Contract of `KeyValueStore`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from multi_x_serverless.cloud.ports import ABSENT, Attributes, Cloud, Condition, Item, Key, KeyValueStore
from multi_x_serverless.errors import CloudError, ResourceNotFoundError, UnknownRegionError

KEY = Key("workflow", "a")


@pytest.fixture
def store(cloud: Cloud) -> KeyValueStore:
    return cloud.key_value


@pytest.fixture
def table(store: KeyValueStore, region: str, name: str) -> Iterator[str]:
    store.create_table(region, name)
    yield name
    store.delete_table(region, name)


def test_an_item_comes_back_as_it_was_written(store: KeyValueStore, region: str, table: str) -> None:
    attributes: Attributes = {
        "text": "käse",
        "bytes": b"\x00\xff",
        "whole": 2**62,
        "negative": -1,
        "part": 0.125,
        "empty": "",
    }
    assert store.put(region, table, KEY, attributes) == 1
    assert store.get(region, table, KEY) == Item(KEY, attributes, 1)


def test_types_of_attributes_are_kept(store: KeyValueStore, region: str, table: str) -> None:
    store.put(region, table, KEY, {"whole": 1, "part": 0.5, "text": "1", "bytes": b"1"})
    item = store.get(region, table, KEY)
    assert item is not None
    assert {attribute: type(value) for attribute, value in item.attributes.items()} == {
        "whole": int,
        "part": float,
        "text": str,
        "bytes": bytes,
    }


def test_an_absent_item_is_none(store: KeyValueStore, region: str, table: str) -> None:
    assert store.get(region, table, KEY) is None


def test_put_replaces_the_whole_item_and_counts(store: KeyValueStore, region: str, table: str) -> None:
    assert store.put(region, table, KEY, {"a": 1}) == 1
    assert store.put(region, table, KEY, {"b": 2}) == 2
    assert store.get(region, table, KEY) == Item(KEY, {"b": 2}, 2)


def test_a_conditional_put_writes_only_over_the_version_it_names(store: KeyValueStore, region: str, table: str) -> None:
    assert store.put(region, table, KEY, {"n": 1}, condition=Condition(1)) is None
    assert store.put(region, table, KEY, {"n": 1}, condition=ABSENT) == 1
    assert store.put(region, table, KEY, {"n": 2}, condition=ABSENT) is None
    assert store.put(region, table, KEY, {"n": 3}, condition=Condition(2)) is None
    assert store.get(region, table, KEY) == Item(KEY, {"n": 1}, 1)
    assert store.put(region, table, KEY, {"n": 4}, condition=Condition(1)) == 2


def test_a_deleted_item_starts_again_at_version_one(store: KeyValueStore, region: str, table: str) -> None:
    store.put(region, table, KEY, {"n": 1})
    store.put(region, table, KEY, {"n": 2})
    assert store.delete(region, table, KEY)
    assert store.get(region, table, KEY) is None
    assert store.put(region, table, KEY, {"n": 3}, condition=ABSENT) == 1


def test_a_conditional_delete_deletes_only_the_version_it_names(store: KeyValueStore, region: str, table: str) -> None:
    store.put(region, table, KEY, {"n": 1})
    assert not store.delete(region, table, KEY, condition=Condition(2))
    assert store.get(region, table, KEY) is not None
    assert store.delete(region, table, KEY, condition=Condition(1))
    assert store.get(region, table, KEY) is None


def test_deleting_what_is_not_there_succeeds(store: KeyValueStore, region: str, table: str) -> None:
    assert store.delete(region, table, KEY)


def test_set_if_absent_keeps_the_first_value(store: KeyValueStore, region: str, table: str) -> None:
    first = store.set_if_absent(region, table, KEY, "e1", "c")
    assert first == Item(KEY, {"e1": "c"}, 1)
    assert store.set_if_absent(region, table, KEY, "e1", "d") == first
    assert store.set_if_absent(region, table, KEY, "e2", b"d") == Item(KEY, {"e1": "c", "e2": b"d"}, 2)
    assert store.get(region, table, KEY) == Item(KEY, {"e1": "c", "e2": b"d"}, 2)


def test_of_many_writers_exactly_one_sees_the_complete_item_first(
    store: KeyValueStore, region: str, table: str
) -> None:
    names = [f"e{index}" for index in range(8)]
    seen: dict[str, Item] = {}
    barrier = threading.Barrier(len(names))

    def report(attribute: str) -> None:
        barrier.wait()
        seen[attribute] = store.set_if_absent(region, table, KEY, attribute, "c")

    threads = [threading.Thread(target=report, args=(attribute,)) for attribute in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(item.version for item in seen.values()) == list(range(1, 9))
    assert [len(item.attributes) for item in sorted(seen.values(), key=lambda item: item.version)] == list(range(1, 9))


def test_of_many_conditional_writers_exactly_one_succeeds(store: KeyValueStore, region: str, table: str) -> None:
    versions: list[int | None] = []
    barrier = threading.Barrier(8)

    def claim(writer: int) -> None:
        barrier.wait()
        versions.append(store.put(region, table, KEY, {"writer": writer}, condition=ABSENT))

    threads = [threading.Thread(target=claim, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert versions.count(1) == 1
    assert versions.count(None) == 7


def test_an_expired_item_counts_as_absent(store: KeyValueStore, region: str, table: str) -> None:
    store.put(region, table, KEY, {"n": 1}, expires_at=time.time() - 1)
    store.put(region, table, Key("workflow", "b"), {"n": 1}, expires_at=time.time() + 3600)
    assert store.get(region, table, KEY) is None
    assert [item.key.sort for item in store.query(region, table, "workflow")] == ["b"]
    assert [item.key.sort for item in store.scan(region, table)] == ["b"]
    assert store.put(region, table, KEY, {"n": 2}, condition=ABSENT) == 1
    item = store.get(region, table, KEY)
    assert item is not None
    assert item.attributes == {"n": 2}


def test_set_if_absent_ignores_what_expired(store: KeyValueStore, region: str, table: str) -> None:
    store.set_if_absent(region, table, KEY, "old", "c", expires_at=time.time() - 1)
    item = store.set_if_absent(region, table, KEY, "new", "c", expires_at=time.time() + 3600)
    assert item == Item(KEY, {"new": "c"}, 1)


def test_a_query_gives_one_partition_by_prefix_in_order(store: KeyValueStore, region: str, table: str) -> None:
    for partition, sort in (("p", "b2"), ("p", "a1"), ("p", "b1"), ("p", "b_%"), ("p", "c"), ("other", "b9")):
        store.put(region, table, Key(partition, sort), {"of": partition})
    assert [item.key.sort for item in store.query(region, table, "p")] == ["a1", "b1", "b2", "b_%", "c"]
    assert [item.key.sort for item in store.query(region, table, "p", prefix="b")] == ["b1", "b2", "b_%"]
    assert [item.key.sort for item in store.query(region, table, "p", prefix="b_")] == ["b_%"]
    assert list(store.query(region, table, "nobody")) == []


def test_listings_go_through_all_pages(store: KeyValueStore, region: str, table: str) -> None:
    body = "x" * 4000
    for index in range(450):
        store.put(region, table, Key("p", f"{index:04d}"), {"body": body})
    assert [item.key.sort for item in store.query(region, table, "p")] == [f"{index:04d}" for index in range(450)]
    assert sum(1 for _ in store.scan(region, table)) == 450


def test_a_scan_gives_every_partition(store: KeyValueStore, region: str, table: str) -> None:
    for partition in ("b", "a"):
        for sort in ("2", "1"):
            store.put(region, table, Key(partition, sort), {"n": 1})
    keys = {(item.key.partition, item.key.sort) for item in store.scan(region, table)}
    assert keys == {("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")}


def test_an_item_over_400_kb_is_refused(store: KeyValueStore, region: str, table: str) -> None:
    fits = 400 * 1024 - 10_000
    assert store.put(region, table, KEY, {"body": "x" * fits}) == 1
    with pytest.raises(CloudError) as caught:
        store.put(region, table, KEY, {"body": b"x" * (400 * 1024)})
    assert not caught.value.retryable
    with pytest.raises(CloudError):
        store.set_if_absent(region, table, KEY, "more", "x" * 12_000)
    item = store.get(region, table, KEY)
    assert item is not None
    assert item.version == 1


def test_tables_of_equal_name_in_two_regions_are_two(
    store: KeyValueStore, region: str, other_region: str, table: str
) -> None:
    store.create_table(other_region, table)
    store.put(region, table, KEY, {"n": 1})
    assert store.get(other_region, table, KEY) is None
    store.delete_table(other_region, table)
    assert store.get(region, table, KEY) is not None


def test_tables_are_listed_made_twice_and_deleted_twice(store: KeyValueStore, region: str, name: str) -> None:
    store.create_table(region, f"{name}-b")
    store.create_table(region, f"{name}-a")
    store.put(region, f"{name}-a", KEY, {"n": 1})
    store.create_table(region, f"{name}-a")
    assert store.get(region, f"{name}-a", KEY) is not None
    listed = store.list_tables(region)
    assert list(listed) == sorted(listed)
    assert {f"{name}-a", f"{name}-b"} <= set(listed)
    for _ in range(2):
        store.delete_table(region, f"{name}-a")
        store.delete_table(region, f"{name}-b")
    assert not {f"{name}-a", f"{name}-b"} & set(store.list_tables(region))


def test_a_table_that_is_not_there_is_named(store: KeyValueStore, region: str, name: str) -> None:
    with pytest.raises(ResourceNotFoundError, match=name):
        store.get(region, name, KEY)
    with pytest.raises(ResourceNotFoundError, match=name):
        store.put(region, name, KEY, {"n": 1})
    with pytest.raises(ResourceNotFoundError, match=name):
        list(store.query(region, name, "p"))


def test_an_unknown_region_is_named(store: KeyValueStore) -> None:
    with pytest.raises(UnknownRegionError, match="us-esat-1"):
        store.list_tables("us-esat-1")


def test_keys_are_listed_in_order_without_those_whose_time_is_over(
    store: KeyValueStore, cloud: Cloud, region: str, table: str
) -> None:
    for partition, sort in (("b", ""), ("a", "2"), ("a", "1")):
        store.put(region, table, Key(partition, sort), {"large": "x" * 1000})
    store.put(region, table, Key("a", "3"), {"n": 1}, expires_at=cloud.now() - 10)
    store.put(region, table, Key("a", "4"), {"n": 1}, expires_at=cloud.now() + 1000)
    assert store.keys(region, table) == (Key("a", "1"), Key("a", "2"), Key("a", "4"), Key("b"))
