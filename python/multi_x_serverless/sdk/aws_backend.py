"""AWS as a deployed function sees it: SNS, DynamoDB and S3 through boto3, one client per service and region.

boto3 is imported with this module, which only a function on AWS imports, and only when it has a backend to make.
Throttling and connection failures are retried by botocore (`ATTEMPTS`, "standard" mode).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from multi_x_serverless.sdk import environment
from multi_x_serverless.sdk.backend import ABSENT, Attribute, Attributes, StoredItem
from multi_x_serverless.sdk.dynamodb_items import (
    ATTRIBUTE_PREFIX,
    EMPTY_SORT,
    EXPIRES_AT,
    PARTITION,
    SORT,
    VERSION,
    AttributeValue,
    decode_item,
    decode_sort,
    encode_expiry,
    encode_item,
    encode_key,
    encode_value,
)
from multi_x_serverless.sdk.errors import BackendError, ObjectNotFoundError, PackageError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sns.client import SNSClient

ATTEMPTS = 4
"""How often a request is tried."""

LONGEST_PAUSE_S = 20.0
"""Between two attempts to publish; they grow and are random, as botocore's are in its standard mode."""

_THROTTLED = frozenset({"RequestLimitExceeded", "SlowDown", "Throttled", "Throttling", "ThrottlingException"})

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 10.0

FIRST_RETRY_OF_LAMBDA_S = 60.0
"""Lambda waits a minute before it retries a failed asynchronous invocation (AWS Lambda developer guide)."""

_CONDITION_FAILED = "ConditionalCheckFailedException"


class AwsBackend:
    """The data plane of AWS.

    Args:
        account: Account id, from which topic ARNs are made.
        table_prefix: What physical table names start with.
        bucket_prefix: A region's bucket is this + the region's code; empty if there are no buckets.
        clock: Seconds since the epoch.
        pause: Waits a number of seconds.
    """

    earliest_retry_s = FIRST_RETRY_OF_LAMBDA_S
    owns_network = True
    shows_traffic = True

    def __init__(
        self,
        *,
        account: str,
        table_prefix: str,
        bucket_prefix: str,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._account = account
        self._table_prefix = table_prefix
        self._bucket_prefix = bucket_prefix
        self._clock = clock
        self._pause = pause
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            max_pool_connections=32,
        )
        self._once = self._config.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
        # Making a client is slow and not thread-safe; clients themselves are.
        self._lock = threading.Lock()
        self._session = boto3.session.Session()
        self._topics: dict[str, SNSClient] = {}
        self._tables: dict[str, DynamoDBClient] = {}
        self._objects: dict[str, S3Client] = {}

    def publish(self, region: str, topic: str, body: str) -> None:
        """Publish a message.

        It is tried again here and not by botocore, which tells of the last attempt only: a message that may have got
        through at any attempt must not be taken for one that certainly did not.
        """
        arn = f"arn:{_partition_of(region)}:sns:{region}:{self._account}:{topic}"
        is_unknown = False
        for attempt in range(ATTEMPTS):
            try:
                with _errors("publish", region):
                    self._sns(region).publish(TopicArn=arn, Message=body)
            except BackendError as error:
                is_unknown = error.outcome_unknown = error.outcome_unknown or is_unknown
                if attempt == ATTEMPTS - 1 or not _is_worth_another_try(error):
                    raise
            else:
                return
            self._pause(random.random() * min(LONGEST_PAUSE_S, 2.0**attempt))  # noqa: S311  # jitter, no secret

    def get(self, region: str, table: str, partition: str, sort: str) -> StoredItem | None:
        """Read one item."""
        with _errors("get", region):
            answer = self._dynamodb(region).get_item(
                TableName=self._table_prefix + table, Key=encode_key(partition, sort), ConsistentRead=True
            )
        found = answer.get("Item")
        return None if found is None else decode_item(found, self._clock())

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
        """Write an item on a condition."""
        version = condition + 1
        item = encode_item(partition, sort, attributes, version=version, expires_at=expires_at)
        expression, names, values = self._condition(condition)
        with _errors("put", region):
            try:
                self._dynamodb(region).put_item(
                    TableName=self._table_prefix + table,
                    Item=item,
                    ConditionExpression=expression,
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=values,
                )
            except ClientError as error:
                if _code_of(error) == _CONDITION_FAILED:
                    return None
                raise
        return version

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
        """Set an attribute unless it has a value, in one atomic update."""
        with _errors("set_if_absent", region):
            answer = self._dynamodb(region).update_item(
                TableName=self._table_prefix + table,
                Key=encode_key(partition, sort),
                UpdateExpression=(
                    "SET #attribute = if_not_exists(#attribute, :value), "
                    "#version = if_not_exists(#version, :zero) + :one, #expires_at = :expires_at"
                ),
                ExpressionAttributeNames={
                    "#attribute": ATTRIBUTE_PREFIX + attribute,
                    "#version": VERSION,
                    "#expires_at": EXPIRES_AT,
                },
                ExpressionAttributeValues={
                    ":value": encode_value(value),
                    ":zero": {"N": "0"},
                    ":one": {"N": "1"},
                    ":expires_at": encode_expiry(expires_at),
                },
                ReturnValues="ALL_NEW",
            )
        item = decode_item(answer["Attributes"], self._clock())
        if item is None:
            raise BackendError("the item was written already expired", operation="set_if_absent", region=region)
        return item

    def query(self, region: str, table: str, partition: str, prefix: str) -> list[tuple[str, StoredItem]]:
        """Read the items of a partition in order, through all pages."""
        found: list[tuple[str, StoredItem]] = []
        with _errors("query", region):
            pages = (
                self._dynamodb(region)
                .get_paginator("query")
                .paginate(
                    TableName=self._table_prefix + table,
                    # DynamoDB refuses an empty prefix; a blank is not below any sort key that is stored.
                    KeyConditionExpression="#partition = :partition AND "
                    + ("begins_with(#sort, :prefix)" if prefix else "#sort >= :prefix"),
                    ExpressionAttributeNames={"#partition": PARTITION, "#sort": SORT},
                    ExpressionAttributeValues={":partition": {"S": partition}, ":prefix": {"S": prefix or EMPTY_SORT}},
                    ConsistentRead=True,
                )
            )
            for page in pages:
                for document in page["Items"]:
                    item = decode_item(document, self._clock())
                    if item is not None:
                        found.append((decode_sort(document), item))
        return found

    def put_object(self, region: str, key: str, body: bytes) -> None:
        """Store an object in the region's bucket."""
        with _errors("put_object", region):
            self._s3(region).put_object(Bucket=self._bucket(region), Key=key, Body=body)

    def get_object(self, region: str, key: str) -> bytes:
        """Read an object from the region's bucket."""
        with _errors("get_object", region):
            try:
                return self._s3(region).get_object(Bucket=self._bucket(region), Key=key)["Body"].read()
            except ClientError as error:
                if _code_of(error) == "NoSuchKey" or (_status_of(error) == 403 and self._is_missing(region, key)):
                    raise ObjectNotFoundError(key, region=region) from error
                raise

    def _is_missing(self, region: str, key: str) -> bool:
        """Whether it is certain that there is no object of that key.

        To callers who may not list the whole bucket S3 does not admit that an object is missing: the answer is the same
        as if they may not read it. A workflow may list its own objects, and nothing else.
        """
        try:
            found = self._s3(region).list_objects_v2(Bucket=self._bucket(region), Prefix=key, MaxKeys=1)
        except ClientError:
            return False  # the caller raises what S3 said of the object itself
        # A key sorts before all that it is the beginning of.
        return all(entry["Key"] != key for entry in found.get("Contents", ()))

    def _condition(self, condition: int) -> tuple[str, dict[str, str], dict[str, AttributeValue]]:
        """Expression, names and values: the item has a version, or is not there (or only until it is swept)."""
        if condition != ABSENT:
            return "#version = :version", {"#version": VERSION}, {":version": encode_value(condition)}
        return (
            "attribute_not_exists(#version) OR #expires_at <= :now",
            {"#version": VERSION, "#expires_at": EXPIRES_AT},
            {":now": encode_value(int(self._clock()))},
        )

    def _bucket(self, region: str) -> str:
        if not self._bucket_prefix:
            raise PackageError(
                f"an object, or a payload that is too large for a message, needs a bucket and "
                f"{environment.BUCKET_PREFIX} names none"
            )
        return self._bucket_prefix + region

    def _sns(self, region: str) -> SNSClient:
        with self._lock:
            if region not in self._topics:
                self._topics[region] = self._session.client("sns", region_name=region, config=self._once)
            return self._topics[region]

    def _dynamodb(self, region: str) -> DynamoDBClient:
        with self._lock:
            if region not in self._tables:
                self._tables[region] = self._session.client("dynamodb", region_name=region, config=self._config)
            return self._tables[region]

    def _s3(self, region: str) -> S3Client:
        with self._lock:
            if region not in self._objects:
                self._objects[region] = self._session.client("s3", region_name=region, config=self._config)
            return self._objects[region]


def _partition_of(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _is_worth_another_try(error: BackendError) -> bool:
    cause = error.__cause__
    if isinstance(cause, ClientError):
        return _status_of(cause) >= 500 or _code_of(cause) in _THROTTLED
    return isinstance(cause, HTTPClientError | NoConnectionError)


def _code_of(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _status_of(error: ClientError) -> int:
    """HTTP status of an answer; one without is taken for a failure inside the service."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)


@contextmanager
def _errors(operation: str, region: str) -> Iterator[None]:
    """Turn botocore's errors into ours, and tell whether the request may have been carried out."""
    try:
        yield
    except ClientError as error:
        # Of an attempt of botocore's before the last one only its number is known: it may have got through.
        repeats = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        unknown = _status_of(error) >= 500 or repeats > 0
        raise BackendError(str(error), operation=operation, region=region, outcome_unknown=unknown) from error
    except BotoCoreError as error:
        # botocore's `ConnectionError`s are no `HTTPClientError`s: with them it never came to an exchange.
        unknown = isinstance(error, HTTPClientError)
        raise BackendError(str(error), operation=operation, region=region, outcome_unknown=unknown) from error
