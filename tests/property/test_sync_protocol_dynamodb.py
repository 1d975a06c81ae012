"""The properties of `test_sync_protocol` on DynamoDB's conditional writes (moto); the rest stays in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, event, given, settings
from moto import mock_aws

from multi_x_serverless.sdk.aws_backend import AwsBackend
from multi_x_serverless.sdk.backend import ABSENT, Attribute, Attributes, StoredItem
from multi_x_serverless.sdk.tables import REGION_TABLES
from multi_x_serverless.testing import MemoryBackend
from tests.dynamodb import create_table
from tests.property.test_sync_protocol import REGIONS, SEEDS, Example, check, examples, play


class DynamoBackend(MemoryBackend):
    """Items are on AWS as the SDK's own backend puts them there; the hook, objects and queue are the test's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._aws = AwsBackend(account="123456789012", table_prefix="mxs-", bucket_prefix="mxs-", clock=clock)

    def get(self, region: str, table: str, partition: str, sort: str) -> StoredItem | None:
        with self._operation("get", region):
            return self._aws.get(region, table, partition, sort)

    def put(
        self,
        region: str,
        table: str,
        partition: str,
        sort: str,
        attributes: Attributes,
        *,
        condition: int,
        expires_at: float,
    ) -> int | None:
        with self._operation("put", region):
            return self._aws.put(region, table, partition, sort, attributes, condition=condition, expires_at=expires_at)

    def set_if_absent(
        self,
        region: str,
        table: str,
        partition: str,
        sort: str,
        attribute: str,
        value: Attribute,
        *,
        expires_at: float,
    ) -> StoredItem:
        with self._operation("set_if_absent", region):
            return self._aws.set_if_absent(region, table, partition, sort, attribute, value, expires_at=expires_at)

    def query(self, region: str, table: str, partition: str, prefix: str) -> list[tuple[str, StoredItem]]:
        with self._operation("query", region):
            return self._aws.query(region, table, partition, prefix)

    def overwrite(self, region: str, table: str, partition: str, sort: str, attributes: Attributes) -> None:
        self._aws.put(region, table, partition, sort, attributes, condition=ABSENT, expires_at=self._clock() + 1e6)


@contextmanager
def on_dynamodb(clock: Callable[[], float]) -> Iterator[MemoryBackend]:
    """A new account with the run-time tables in every region."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patch.setenv(name, "testing")
        for region in REGIONS:
            for table in REGION_TABLES:
                create_table(region, f"mxs-{table}")
        yield DynamoBackend(clock)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(examples(), SEEDS)
def test_the_protocol_holds_on_conditional_writes(example: Example, seed: int) -> None:
    outcome = play(example, seed, faults=5, make_backend=on_dynamodb)
    event(f"crashes: {outcome.crashes.total()}")

    check(example, outcome)
