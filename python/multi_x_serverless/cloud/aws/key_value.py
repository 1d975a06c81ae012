"""Tables of items (the key-value port) on DynamoDB; the form of items is the SDK's `dynamodb_items`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from multi_x_serverless.cloud.aws.session import AwsSession, code_of
from multi_x_serverless.cloud.ports import Attribute, Attributes, Condition, Item, Key
from multi_x_serverless.errors import CloudError, ResourceNotFoundError
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

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

_CONDITION_FAILED = "ConditionalCheckFailedException"
_ATTEMPTS = 20  # of a write without condition against other writers of the same item


class AwsKeyValueStore:
    """See `multi_x_serverless.cloud.ports.KeyValueStore`.

    An item whose time is over counts as absent from that second on, although DynamoDB sweeps it up to two days later.
    """

    def __init__(self, session: AwsSession, clock: Callable[[], float] = time.time) -> None:
        self._session = session
        self._clock = clock

    def create_table(self, region: str, table: str) -> None:
        """Make a table that is billed per request, with time to live."""
        from botocore.exceptions import ClientError  # noqa: PLC0415  # slow; loaded when AWS is used

        client = self._session.dynamodb(region)
        with self._session.errors("create_table", region, f"table '{table}'"):
            try:
                client.create_table(
                    TableName=table,
                    KeySchema=[
                        {"AttributeName": PARTITION, "KeyType": "HASH"},
                        {"AttributeName": SORT, "KeyType": "RANGE"},
                    ],
                    AttributeDefinitions=[
                        {"AttributeName": PARTITION, "AttributeType": "S"},
                        {"AttributeName": SORT, "AttributeType": "S"},
                    ],
                    BillingMode="PAY_PER_REQUEST",
                    Tags=self._session.tag_list,  # type: ignore[arg-type]  # plain dicts are its TypedDicts
                )
            except ClientError as error:
                if code_of(error) != "ResourceInUseException":
                    raise
            client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 2, "MaxAttempts": 60})
            status = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"]
            if status not in ("ENABLED", "ENABLING"):
                client.update_time_to_live(
                    TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRES_AT}
                )

    def delete_table(self, region: str, table: str) -> None:
        """Delete a table with all it holds, and wait until its name is free."""
        client = self._session.dynamodb(region)
        with suppress(ResourceNotFoundError), self._session.errors("delete_table", region, f"table '{table}'"):
            client.delete_table(TableName=table)
            client.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 2, "MaxAttempts": 60})

    def list_tables(self, region: str) -> tuple[str, ...]:
        """Names of the tables in a region, sorted."""
        client = self._session.dynamodb(region)
        with self._session.errors("list_tables", region, "tables"):
            pages = client.get_paginator("list_tables").paginate()
            return tuple(sorted(name for page in pages for name in page["TableNames"]))

    def get(self, region: str, table: str, key: Key) -> Item | None:
        """Read one item."""
        client = self._session.dynamodb(region)
        with self._session.errors("get", region, f"table '{table}'"):
            answer = client.get_item(TableName=table, Key=encode_key(key.partition, key.sort), ConsistentRead=True)
        found = answer.get("Item")
        return None if found is None else self._item(key, found)

    def put(
        self,
        region: str,
        table: str,
        key: Key,
        attributes: Attributes,
        *,
        condition: Condition | None = None,
        expires_at: float | None = None,
    ) -> int | None:
        """Write a whole item if the condition holds.

        DynamoDB cannot replace an item and count at once: without a condition the version is read first and the
        write repeated when another writer was faster.
        """
        if condition is not None:
            written = self._put(region, table, key, attributes, condition.version, expires_at)
            return condition.version + 1 if written else None
        for _ in range(_ATTEMPTS):
            before = self.get(region, table, key)
            version = 0 if before is None else before.version
            if self._put(region, table, key, attributes, version, expires_at):
                return version + 1
        raise self._contended("put", region, table, key)

    def set_if_absent(
        self,
        region: str,
        table: str,
        key: Key,
        attribute: str,
        value: Attribute,
        *,
        expires_at: float | None = None,
    ) -> Item:
        """Set one attribute unless it has a value; an item that is not changed keeps its version and expiry."""
        for _ in range(_ATTEMPTS):
            changed = self._set(region, table, key, attribute, value, expires_at)
            if changed is not None:
                return changed
            before = self.get(region, table, key)
            if before is not None and attribute in before.attributes:
                return before
            # What is there has expired and waits to be swept: it is replaced, unless another writer did so.
            if before is None and self._put(region, table, key, {attribute: value}, 0, expires_at):
                return Item(key, {attribute: value}, 1)
        raise self._contended("set_if_absent", region, table, key)

    def delete(self, region: str, table: str, key: Key, *, condition: Condition | None = None) -> bool:
        """Delete an item."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        client = self._session.dynamodb(region)
        with self._session.errors("delete", region, f"table '{table}'"):
            try:
                client.delete_item(
                    TableName=table,
                    Key=encode_key(key.partition, key.sort),
                    **({} if condition is None else self._condition(condition.version)),
                )
            except ClientError as error:
                if code_of(error) == _CONDITION_FAILED:
                    return False
                raise
        return True

    def query(self, region: str, table: str, partition: str, *, prefix: str = "") -> Iterator[Item]:
        """All items of a partition whose sort key starts with `prefix`, ordered by sort key."""
        return self._query(self._session.dynamodb(region), region, table, partition, prefix)

    def scan(self, region: str, table: str) -> Iterator[Item]:
        """All items of a table ordered by key; they are all read before the first is given."""
        client = self._session.dynamodb(region)
        with self._session.errors("scan", region, f"table '{table}'"):
            pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
            documents = [document for page in pages for document in page["Items"]]
        items = (self._item(_key(document), document) for document in documents)
        return iter(
            sorted((item for item in items if item is not None), key=lambda item: (item.key.partition, item.key.sort))
        )

    def keys(self, region: str, table: str) -> tuple[Key, ...]:
        """The keys of all items of a table, in order; DynamoDB reads the items, but does not send them."""
        client = self._session.dynamodb(region)
        with self._session.errors("keys", region, f"table '{table}'"):
            pages = client.get_paginator("scan").paginate(
                TableName=table,
                ConsistentRead=True,
                ProjectionExpression="#partition, #sort",
                FilterExpression="attribute_not_exists(#expires_at) OR #expires_at > :now",
                ExpressionAttributeNames={"#partition": PARTITION, "#sort": SORT, "#expires_at": EXPIRES_AT},
                ExpressionAttributeValues={":now": self._now()},
            )
            found = [_key(document) for page in pages for document in page["Items"]]
        return tuple(sorted(found, key=lambda key: (key.partition, key.sort)))

    def _query(self, client: DynamoDBClient, region: str, table: str, partition: str, prefix: str) -> Iterator[Item]:
        with self._session.errors("query", region, f"table '{table}'"):
            pages = client.get_paginator("query").paginate(
                TableName=table,
                # DynamoDB refuses an empty prefix; a blank is not below any sort key that is stored.
                KeyConditionExpression="#partition = :partition AND "
                + ("begins_with(#sort, :prefix)" if prefix else "#sort >= :prefix"),
                ExpressionAttributeNames={"#partition": PARTITION, "#sort": SORT},
                ExpressionAttributeValues={":partition": {"S": partition}, ":prefix": {"S": prefix or EMPTY_SORT}},
                ConsistentRead=True,
            )
            for page in pages:
                for document in page["Items"]:
                    item = self._item(_key(document), document)
                    if item is not None:
                        yield item

    def _put(
        self, region: str, table: str, key: Key, attributes: Attributes, version: int, expires_at: float | None
    ) -> bool:
        """Replace an item of a version (0: none); `False` if it has another."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        client = self._session.dynamodb(region)
        with self._session.errors("put", region, f"table '{table}'"):
            try:
                client.put_item(
                    TableName=table,
                    Item=encode_item(key.partition, key.sort, attributes, version=version + 1, expires_at=expires_at),
                    **self._condition(version),
                )
            except ClientError as error:
                if code_of(error) == _CONDITION_FAILED:
                    return False
                raise
        return True

    def _set(
        self, region: str, table: str, key: Key, attribute: str, value: Attribute, expires_at: float | None
    ) -> Item | None:
        """Set an attribute in one atomic update; `None` if it has a value or the item has expired."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        update = "SET #attribute = :value, #version = if_not_exists(#version, :zero) + :one"
        values: dict[str, AttributeValue] = {
            ":value": encode_value(value),
            ":zero": {"N": "0"},
            ":one": {"N": "1"},
            ":now": self._now(),
        }
        if expires_at is not None:
            update += ", #expires_at = :expires_at"
            values[":expires_at"] = encode_expiry(expires_at)
        client = self._session.dynamodb(region)
        with self._session.errors("set_if_absent", region, f"table '{table}'"):
            try:
                answer = client.update_item(
                    TableName=table,
                    Key=encode_key(key.partition, key.sort),
                    UpdateExpression=update,
                    ConditionExpression=(
                        "attribute_not_exists(#attribute) AND (attribute_not_exists(#expires_at) OR #expires_at > :now)"
                    ),
                    ExpressionAttributeNames={
                        "#attribute": ATTRIBUTE_PREFIX + attribute,
                        "#version": VERSION,
                        "#expires_at": EXPIRES_AT,
                    },
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_NEW",
                )
            except ClientError as error:
                if code_of(error) == _CONDITION_FAILED:
                    return None
                raise
        # Even if it is written already expired, this is the item as it was written.
        stored = decode_item(answer["Attributes"], now=float("-inf"))
        return None if stored is None else Item(key, stored.attributes, stored.version)

    def _condition(self, version: int) -> Any:  # keyword arguments of several calls
        """The item has a version and has not expired, or is absent or has expired."""
        names = {"#version": VERSION, "#expires_at": EXPIRES_AT}
        values: dict[str, AttributeValue] = {":now": self._now()}
        expression = "attribute_not_exists(#version) OR #expires_at <= :now"
        if version:
            expression = "#version = :version AND (attribute_not_exists(#expires_at) OR #expires_at > :now)"
            values[":version"] = encode_value(version)
        return {
            "ConditionExpression": expression,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }

    def _now(self) -> AttributeValue:
        return {"N": str(int(self._clock()))}

    def _item(self, key: Key, document: Any) -> Item | None:  # as the client answers
        stored = decode_item(document, self._clock())
        return None if stored is None else Item(key, stored.attributes, stored.version)

    @staticmethod
    def _contended(operation: str, region: str, table: str, key: Key) -> CloudError:
        return CloudError(
            f"other writers kept changing '{key.partition}' / '{key.sort}' of table '{table}'; try again.",
            operation=operation,
            region=region,
            retryable=True,
        )


def _key(document: Any) -> Key:  # as the client answers
    return Key(document[PARTITION]["S"], decode_sort(document))
