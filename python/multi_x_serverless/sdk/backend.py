"""What the SDK needs of a cloud, no more; `local_backend` and `aws_backend` provide it.

Rules: an operation retries by itself what is worth retrying and raises `BackendError` when it gives up; a condition
that does not hold is an answer, not an error; reads are strongly consistent; expired items count as absent; table
names are the logical ones of `tables`, the backend adds the prefix. Safe to use from several threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from multi_x_serverless.sdk import environment
from multi_x_serverless.sdk.errors import PackageError

Attribute: TypeAlias = str | bytes | int | float
Attributes: TypeAlias = Mapping[str, Attribute]

ABSENT = 0
"""Condition of a write: there is no such item yet."""


@dataclass(frozen=True)
class StoredItem:
    """An item as it is stored; `version` grows by one with every write and is the condition of the next one."""

    attributes: Attributes
    version: int


class Backend(Protocol):
    """One cloud as seen from one function."""

    @property
    def earliest_retry_s(self) -> float:
        """How soon after it started a failed invocation can be retried under the same request id, in seconds.

        A second delivery that comes sooner is a duplicate of an invocation that may still be at work.
        """

    @property
    def owns_network(self) -> bool:
        """Whether the machine's network counters count this function alone."""

    @property
    def shows_traffic(self) -> bool:
        """Whether `network.NetworkMeter` sees the bytes of operations by itself (they go through botocore)."""

    def publish(self, region: str, topic: str, body: str) -> None:
        """Publish a message; returns when it is durable."""

    def get(self, region: str, table: str, partition: str, sort: str) -> StoredItem | None:
        """Read one item."""

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
        """Write a whole item if it has the version `condition` (`ABSENT`: is not there).

        Returns:
            The item's new version, `None` if the condition failed.
        """

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
        """Set one attribute unless it has a value, creating the item if needed; returns the item as it is then."""

    def query(self, region: str, table: str, partition: str, prefix: str) -> list[tuple[str, StoredItem]]:
        """All items of a partition whose sort key starts with `prefix`, with their sort keys, in order."""

    def put_object(self, region: str, key: str, body: bytes) -> None:
        """Store an object, replacing any of the same key."""

    def get_object(self, region: str, key: str) -> bytes:
        """Read an object.

        Raises:
            ObjectNotFoundError: There is none of that key.
        """


def backend_from_environment(variables: Mapping[str, str]) -> Backend:
    """The backend of the cloud this process runs in.

    Raises:
        PackageError: A variable that the cloud needs is missing.
    """
    region = required(variables, environment.REGION)
    table_prefix = variables.get(environment.TABLE_PREFIX, environment.DEFAULT_TABLE_PREFIX)
    endpoint = variables.get(environment.LOCAL_ENDPOINT)
    if endpoint:
        from multi_x_serverless.sdk.local_backend import LocalBackend  # noqa: PLC0415 - only the cloud at hand

        return LocalBackend(
            endpoint, required(variables, environment.LOCAL_TOKEN), region=region, table_prefix=table_prefix
        )
    from multi_x_serverless.sdk.aws_backend import AwsBackend  # noqa: PLC0415 - only the cloud at hand

    return AwsBackend(
        account=required(variables, environment.ACCOUNT),
        table_prefix=table_prefix,
        bucket_prefix=variables.get(environment.BUCKET_PREFIX, ""),
    )


def required(variables: Mapping[str, str], name: str) -> str:
    """The value of an environment variable that must be set.

    Raises:
        PackageError: It is not, or it is empty.
    """
    value = variables.get(name, "")
    if not value:
        raise PackageError(f"the environment variable {name} is not set; deploy the workflow again")
    return value
