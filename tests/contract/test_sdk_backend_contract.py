"""What the run-time SDK asks of a cloud, answered by the cloud itself: both sides of one wire."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.aws.names import bucket_name
from multi_x_serverless.cloud.local import LocalCloud
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.sdk.aws_backend import AwsBackend
from multi_x_serverless.sdk.backend import ABSENT, Attributes, Backend, StoredItem
from multi_x_serverless.sdk.errors import BackendError, ObjectNotFoundError
from multi_x_serverless.sdk.local_backend import LocalBackend


@pytest.fixture
def table(cloud: Cloud, region: str, other_region: str, name: str) -> Iterator[str]:
    """Logical name of a table that is there in both regions."""
    for code in (region, other_region):
        cloud.key_value.create_table(code, f"prefix-{name}")
    yield name
    for code in (region, other_region):
        cloud.key_value.delete_table(code, f"prefix-{name}")


@pytest.fixture
def backend(cloud: Cloud, region: str) -> Iterator[Backend]:
    """The SDK's backend as a function in `region` has it."""
    if isinstance(cloud, AwsCloud):
        account = cloud.identity.account_id()
        yield AwsBackend(account=account, table_prefix="prefix-", bucket_prefix=bucket_name(account, ""))
        return
    assert isinstance(cloud, LocalCloud)
    endpoint = cloud.data_endpoint()
    token = endpoint.issue_token()
    client = LocalBackend(endpoint.url, token, region=region, table_prefix="prefix-", pause=lambda seconds: None)
    yield client
    endpoint.revoke_token(token)
    client.close()


@pytest.fixture
def later() -> float:
    return time.time() + 3600


def test_items(backend: Backend, other_region: str, table: str, later: float) -> None:
    attributes: Attributes = {"text": "ä", "bytes": b"\x00\xff", "whole": 2**53, "part": 0.5}
    assert backend.get(other_region, table, "p", "s") is None
    assert backend.put(other_region, table, "p", "s", attributes, condition=ABSENT, expires_at=later) == 1
    assert backend.put(other_region, table, "p", "s", attributes, condition=ABSENT, expires_at=later) is None
    assert backend.get(other_region, table, "p", "s") == StoredItem(attributes, 1)
    assert backend.put(other_region, table, "p", "s", {"n": 1}, condition=1, expires_at=later) == 2
    assert backend.query(other_region, table, "p", "") == [("s", StoredItem({"n": 1}, 2))]


def test_set_if_absent(backend: Backend, region: str, table: str, later: float) -> None:
    first = backend.set_if_absent(region, table, "p", "s", "e1", "c", expires_at=later)
    again = backend.set_if_absent(region, table, "p", "s", "e1", "d", expires_at=later)
    complete = backend.set_if_absent(region, table, "p", "s", "e2", "d", expires_at=later)
    assert [dict(item.attributes) for item in (first, again, complete)] == [{"e1": "c"}] * 2 + [{"e1": "c", "e2": "d"}]
    # Whether a write that changes nothing counts is left to the cloud.
    assert 1 == first.version <= again.version < complete.version


def test_items_expire(backend: Backend, region: str, table: str) -> None:
    backend.put(region, table, "p", "s", {"n": 1}, condition=ABSENT, expires_at=time.time() - 1)
    assert backend.get(region, table, "p", "s") is None


def test_objects(backend: Backend, cloud: Cloud, region: str, name: str) -> None:
    cloud.objects.put_object(region, f"{name}/package", b"")  # a bucket is made with its first object
    backend.put_object(region, f"{name}/payload", b"\x00" * 300_000)
    assert backend.get_object(region, f"{name}/payload") == b"\x00" * 300_000
    with pytest.raises(ObjectNotFoundError) as caught:
        backend.get_object(region, f"{name}/pay")
    assert (caught.value.key, caught.value.region) == (f"{name}/pay", region)


def test_messages(backend: Backend, cloud: Cloud, region: str, name: str) -> None:
    cloud.messages.create_topic(region, name)
    backend.publish(region, name, "grüße")
    with pytest.raises(BackendError):
        backend.publish(region, name, "x" * (256 * 1024 + 1))
    cloud.messages.delete_topic(region, name)
    with pytest.raises(BackendError) as caught:
        backend.publish(region, name, "grüße")
    assert not caught.value.outcome_unknown
