"""One suite for every backend: in memory, the embedded cloud's endpoint, AWS on moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import boto3
import pytest
from moto import mock_aws

from multi_x_serverless.cloud.local import LocalCloud
from multi_x_serverless.cloud.local.data_operations import DataOperations
from multi_x_serverless.cloud.local.endpoint import DataEndpoint
from multi_x_serverless.cloud.local.faults import FaultInjector, FaultPlan
from multi_x_serverless.cloud.local.regions import Regions
from multi_x_serverless.sdk.aws_backend import AwsBackend
from multi_x_serverless.sdk.backend import ABSENT, Attribute, Attributes, Backend, StoredItem
from multi_x_serverless.sdk.errors import ObjectNotFoundError
from multi_x_serverless.sdk.local_backend import LocalBackend
from multi_x_serverless.testing import MemoryBackend
from tests.aws.account import serialise_tables
from tests.dynamodb import create_table

REGION: Final = "us-west-2"
OTHER_REGION: Final = "us-east-1"
NOW = 1_700_000_000.0
EXPIRY = NOW + 1000.0
TABLE = "claims"


class Clock:
    now = NOW


@contextmanager
def in_memory(clock: Clock, directory: Path) -> Iterator[Backend]:
    yield MemoryBackend(lambda: clock.now)


@contextmanager
def embedded(clock: Clock, directory: Path) -> Iterator[Backend]:
    regions = (REGION, OTHER_REGION)
    faults = FaultInjector(FaultPlan())
    with LocalCloud(directory, regions=regions, system_region=OTHER_REGION, clock=lambda: clock.now) as cloud:
        for region in regions:
            cloud.key_value.create_table(region, f"mxs-{TABLE}")
        endpoint = DataEndpoint(
            DataOperations(cloud.key_value, cloud.objects, cloud.messages),
            Regions(regions, round_trip_seconds=lambda one, other: 0.0, time_scale=0.0, faults=faults),
            faults,
        )
        backend = LocalBackend(
            endpoint.url, endpoint.issue_token(), region=REGION, table_prefix="mxs-", pause=lambda seconds: None
        )
        try:
            yield backend
        finally:
            backend.close()
            endpoint.close()


@contextmanager
def on_moto(clock: Clock, directory: Path) -> Iterator[Backend]:
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        serialise_tables(patch)
        for region in (REGION, OTHER_REGION):
            create_table(region, f"mxs-{TABLE}")
        boto3.client("s3", region_name=REGION).create_bucket(
            Bucket=f"mxs-{REGION}", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        yield AwsBackend(account="123456789012", table_prefix="mxs-", bucket_prefix="mxs-", clock=lambda: clock.now)


@pytest.fixture(scope="module", params=[in_memory, embedded, on_moto])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, Clock]]:
    """A backend of each kind, for all tests: every test has a partition of its own."""
    clock = Clock()
    make: Callable[[Clock, Path], AbstractContextManager[Backend]] = request.param
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patch.setenv(name, "testing")
        with make(clock, tmp_path_factory.mktemp("cloud")) as backend:
            yield backend, clock


@pytest.fixture
def clock(world: tuple[Backend, Clock]) -> Iterator[Clock]:
    _, clock = world
    yield clock
    clock.now = NOW


@pytest.fixture
def partition(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


class Table:
    """One partition of one table of one backend."""

    def __init__(self, backend: Backend, partition: str) -> None:
        self.backend = backend
        self.partition = partition

    def get(self, sort: str = "s", region: str = REGION) -> StoredItem | None:
        return self.backend.get(region, TABLE, self.partition, sort)

    def put(
        self, condition: int, attributes: Attributes | None = None, *, sort: str = "s", expires_at: float = EXPIRY
    ) -> int | None:
        return self.backend.put(
            REGION, TABLE, self.partition, sort, attributes or {"a": "x"}, condition=condition, expires_at=expires_at
        )

    def set_if_absent(self, attribute: str, value: Attribute) -> StoredItem:
        return self.backend.set_if_absent(REGION, TABLE, self.partition, "s", attribute, value, expires_at=EXPIRY)

    def query(self, prefix: str) -> list[tuple[str, StoredItem]]:
        return self.backend.query(REGION, TABLE, self.partition, prefix)


@pytest.fixture
def backend(world: tuple[Backend, Clock]) -> Backend:
    return world[0]


@pytest.fixture
def table(backend: Backend, partition: str) -> Table:
    return Table(backend, partition)


def test_a_write_needs_the_version_it_expects(table: Table) -> None:
    assert table.get() is None
    assert table.put(1) is None
    assert table.put(ABSENT) == 1
    assert table.put(ABSENT) is None
    assert table.put(1, {"b": "y"}) == 2
    assert table.get() == StoredItem({"b": "y"}, 2)
    assert table.get(region=OTHER_REGION) is None


def test_every_kind_of_attribute_survives(table: Table) -> None:
    attributes: dict[str, Attribute] = {
        "text": "é\n",
        "empty": "",
        "bytes": b"\x00\xff",
        "none": b"",
        "whole": 2**40,
        "fraction": 0.1,
        "version": "not the item's",
    }
    table.put(ABSENT, attributes, sort="")

    assert table.get("") == StoredItem(attributes, 1)


def test_the_first_value_of_an_attribute_stays(table: Table) -> None:
    first = table.set_if_absent("e1", "c")
    second = table.set_if_absent("e1", "d")
    third = table.set_if_absent("fired", 1)

    assert first == StoredItem({"e1": "c"}, 1)
    assert second.attributes == {"e1": "c"}
    assert third.attributes == {"e1": "c", "fired": 1}
    assert first.version <= second.version < third.version


def test_of_several_writers_exactly_one_sees_the_item_become_complete(table: Table) -> None:
    with ThreadPoolExecutor(8) as executor:
        seen = list(executor.map(lambda edge: len(table.set_if_absent(f"e{edge}", "c").attributes), range(8)))

    assert sorted(seen) == list(range(1, 9))


def test_of_several_claims_exactly_one_is_taken(table: Table) -> None:
    with ThreadPoolExecutor(8) as executor:
        versions = list(executor.map(lambda _: table.put(ABSENT), range(8)))

    assert sorted(version is not None for version in versions) == [False] * 7 + [True]


def test_an_expired_item_is_absent(table: Table, clock: Clock) -> None:
    table.put(ABSENT, expires_at=NOW + 10)
    assert table.get() is not None
    clock.now += 11

    assert table.get() is None
    assert table.query("") == []
    assert table.put(ABSENT) == 1


def test_a_query_is_ordered_and_keeps_to_its_prefix_and_partition(table: Table) -> None:
    for sort in ("n2:e00010", "n2:e00002", "n20:e00000", "", "placement", "n2:e00000"):
        table.put(ABSENT, {"a": sort}, sort=sort)
    Table(table.backend, table.partition + "!").put(ABSENT, sort="n2:e00001")

    found = table.query("n2:")

    assert [sort for sort, _ in found] == ["n2:e00000", "n2:e00002", "n2:e00010"]
    assert [item.attributes["a"] for _, item in found] == [sort for sort, _ in found]
    assert [sort for sort, _ in table.query("")][:3] == ["", "n20:e00000", "n2:e00000"]
    assert Table(table.backend, "nobody").query("") == []


def test_a_query_goes_through_all_pages(table: Table) -> None:
    body = b"x" * 240_000  # the largest inline payload; six of them are more than a page of 1 MB
    for edge in range(6):
        table.put(ABSENT, {"body": body}, sort=f"n2:e{edge:05d}")

    found = table.query("n2:")

    assert [sort for sort, _ in found] == [f"n2:e{edge:05d}" for edge in range(6)]
    assert all(item.attributes == {"body": body} for _, item in found)


def test_an_object_comes_back_and_a_missing_one_is_an_error(backend: Backend) -> None:
    backend.put_object(REGION, "payloads/w/r/e1", b"\x00\xff" * 1000)
    assert backend.get_object(REGION, "payloads/w/r/e1") == b"\x00\xff" * 1000
    backend.put_object(REGION, "payloads/w/r/e1", b"again")
    assert backend.get_object(REGION, "payloads/w/r/e1") == b"again"

    with pytest.raises(ObjectNotFoundError) as caught:
        backend.get_object(REGION, "payloads/w/r/e")
    assert (caught.value.key, caught.value.region) == ("payloads/w/r/e", REGION)
