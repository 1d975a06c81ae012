"""What the start of a node costs in operations: plain, exactly once, and of a sync node; the table of the docs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from multi_x_serverless.sdk.backend import Attribute
from multi_x_serverless.sdk.manifest import MANIFEST_FILE, Delivery
from multi_x_serverless.sdk.outbox import INLINE_OUTBOX_BYTES
from multi_x_serverless.sdk.tables import CLAIMS
from multi_x_serverless.testing import MemoryCloud, Moment
from tests.unit.sdk.conftest import PackageWriter

SMALL = "x"
MEDIUM = "x" * 3500
LARGE = "x" * (2 * INLINE_OUTBOX_BYTES)
"""A payload whose outbox does not fit into the claim."""

NUMBER_BYTES = 8
"""What a number is counted as; DynamoDB takes between 2 and 21 bytes."""

CHAIN = """
@workflow.serverless_function(entry_point=True)
def first(event):
    workflow.invoke_serverless_function(second, event)  # edge 0

@workflow.serverless_function()
def second(event):
    workflow.invoke_serverless_function(third, event)  # edge 1

@workflow.serverless_function()
def third(event):
    pass
"""
CHAIN_SHAPE = ([("first", False), ("second", False), ("third", False)], [(0, 1), (1, 2)])

JOIN = """
@workflow.serverless_function(entry_point=True)
def first(event):
    workflow.invoke_serverless_function(join, event)  # edge 0

@workflow.serverless_function()
def join():
    workflow.get_predecessor_results()
    workflow.invoke_serverless_function(last, "done")  # edge 1

@workflow.serverless_function()
def last(event):
    pass
"""
JOIN_SHAPE = ([("first", False), ("join", True), ("last", False)], [(0, 1), (1, 2)])


def prepare_second_node(cloud: MemoryCloud, delivery: Delivery, payload: str) -> MemoryCloud:
    """A cloud whose only queued message starts the second node."""
    functions = tuple(replace(function, delivery=delivery) for function in cloud.manifest.functions)
    (cloud.root / MANIFEST_FILE).write_text(replace(cloud.manifest, functions=functions).to_json(), encoding="utf-8")
    cloud = MemoryCloud(cloud.root)
    cloud.start(payload)
    cloud.deliver(cloud.backend.queue.pop(0))
    return cloud


def operations_of_second_node(cloud: MemoryCloud, delivery: Delivery, payload: str) -> Counter[str]:
    """Operations between the delivery of the second node's message and its end."""
    cloud = prepare_second_node(cloud, delivery, payload)
    counted: Counter[str] = Counter()

    def count(moment: Moment, operation: str, _region: str) -> None:
        if moment == "before":
            counted[operation] += 1

    cloud.backend.hook = count
    cloud.deliver(cloud.backend.queue.pop(0))
    return counted


def bytes_of_claims(cloud: MemoryCloud) -> int:
    """Names and values of the keys and attributes of all claims."""
    return sum(
        len(partition) + len(sort) + sum(len(name) + bytes_of(value) for name, value in item.attributes.items())
        for (_, table, partition, sort), item in cloud.backend.items.items()
        if table == CLAIMS
    )


def bytes_of(value: Attribute) -> int:
    return len(value) if isinstance(value, str | bytes) else NUMBER_BYTES


@pytest.mark.parametrize(
    ("payload", "expected"), [(SMALL, [134, 230, 134]), (MEDIUM, [134, 3730, 134]), (LARGE, [134, 157, 134])]
)
def test_bytes_that_exactly_once_writes(deploy: PackageWriter, payload: str, expected: list[int]) -> None:
    cloud = prepare_second_node(deploy(CHAIN, *CHAIN_SHAPE), "exactly_once", payload)
    before = bytes_of_claims(cloud)
    written: list[int] = []

    def note(moment: Moment, operation: str, _region: str) -> None:
        if (moment, operation) == ("after", "put"):
            written.append(bytes_of_claims(cloud) - before)

    cloud.backend.hook = note
    cloud.deliver(cloud.backend.queue.pop(0))

    # The outbox holds how long the function ran, in as many digits as that takes.
    assert written == pytest.approx(expected, abs=20)


@pytest.mark.parametrize(
    ("delivery", "payload", "expected"),
    [
        ("at_least_once", SMALL, {"publish": 1}),
        ("at_least_once", LARGE, {"publish": 1}),
        ("exactly_once", SMALL, {"put": 3, "publish": 1}),
        ("exactly_once", LARGE, {"put": 3, "put_object": 1, "publish": 1}),
    ],
)
def test_operations_of_a_plain_node(
    deploy: PackageWriter, delivery: Delivery, payload: str, expected: dict[str, int]
) -> None:
    assert operations_of_second_node(deploy(CHAIN, *CHAIN_SHAPE), delivery, payload) == expected


@pytest.mark.parametrize(
    ("delivery", "expected"),
    [
        ("at_least_once", {"put": 2, "query": 1, "publish": 1}),
        ("exactly_once", {"put": 3, "query": 1, "publish": 1}),
    ],
)
def test_operations_of_a_sync_node(deploy: PackageWriter, delivery: Delivery, expected: dict[str, int]) -> None:
    assert operations_of_second_node(deploy(JOIN, *JOIN_SHAPE), delivery, SMALL) == expected
