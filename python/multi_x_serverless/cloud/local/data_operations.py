"""The operations of the data endpoint: from JSON to a port and back.

================= ================================================================= ==================================
operation         fields                                                            result
================= ================================================================= ==================================
publish           region, topic, body (text)                                        {}
get               region, table, partition, sort                                    {item}: null or an item
put               region, table, partition, sort, attributes, condition, expires_at {version}: null if refused
set_if_absent     region, table, partition, sort, attribute, value, expires_at      {item}
query             region, table, partition, prefix                                  {items}
put_object        region, key, body (bytes)                                         {}
get_object        region, key                                                       {body}
================= ================================================================= ==================================

An item is ``{"partition", "sort", "attributes", "version"}``; bytes are ``{"base64": "..."}``; `condition` is null or
the version that the item must have (0: absent); `expires_at` is null or seconds since the epoch. Optional: `sort` and
`prefix` (empty), `condition` and `expires_at` (null).

Who asks is not looked at beyond the token: roles are recorded by the embedded cloud and not enforced. Nothing can be
deleted: runs delete nothing, and what is theirs expires.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from multi_x_serverless.cloud.local.attributes import (
    JsonAttribute,
    decode_attribute,
    decode_attributes,
    decode_bytes,
    encode_attributes,
    encode_bytes,
)
from multi_x_serverless.cloud.ports import Condition, Item, Key, KeyValueStore, MessageService, ObjectStore
from multi_x_serverless.errors import CloudError

Json: TypeAlias = "dict[str, object]"


@dataclass(frozen=True)
class Fields:
    """The members of a request, taken one by one with the type they must have."""

    members: dict[str, object]

    @classmethod
    def parse(cls, body: bytes) -> Fields:
        """Read a request.

        Raises:
            CloudError: It is not a JSON object.
        """
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise CloudError("the request is not a JSON object.", operation="decode")
        return cls(document)

    def text(self, name: str, default: str | None = None) -> str:
        """A string."""
        value = self.members.get(name, default)
        if not isinstance(value, str):
            raise CloudError(f"the field '{name}' must be a string.", operation="decode")
        return value

    def number_or_none(self, name: str) -> float | None:
        """A number or null."""
        value = self.members.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise CloudError(f"the field '{name}' must be a number or null.", operation="decode")
        return value

    def condition(self) -> Condition | None:
        """The condition of a write."""
        value = self.members.get("condition")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise CloudError("the field 'condition' must be a version or null.", operation="decode")
        return Condition(value)

    def key(self) -> Key:
        """The key of an item."""
        return Key(self.text("partition"), self.text("sort", ""))


class DataOperations:
    """Finds and does operations."""

    def __init__(self, key_value: KeyValueStore, objects: ObjectStore, messages: MessageService) -> None:
        self._key_value = key_value
        self._objects = objects
        self._messages = messages
        self._operations: dict[str, Callable[[Fields], Json]] = {
            "publish": self._publish,
            "get": self._get,
            "put": self._put,
            "set_if_absent": self._set_if_absent,
            "query": self._query,
            "put_object": self._put_object,
            "get_object": self._get_object,
        }

    def find(self, operation: str) -> Callable[[Fields], Json]:
        """What does an operation.

        Raises:
            CloudError: There is no such operation.
        """
        try:
            return self._operations[operation]
        except KeyError:
            raise CloudError(
                f"there is no operation '{operation}'; there are {', '.join(self._operations)}.",
                operation=operation,
            ) from None

    def _publish(self, fields: Fields) -> Json:
        self._messages.publish(fields.text("region"), fields.text("topic"), fields.text("body").encode())
        return {}

    def _get(self, fields: Fields) -> Json:
        item = self._key_value.get(fields.text("region"), fields.text("table"), fields.key())
        return {"item": None if item is None else _item(item)}

    def _put(self, fields: Fields) -> Json:
        version = self._key_value.put(
            fields.text("region"),
            fields.text("table"),
            fields.key(),
            decode_attributes(fields.members.get("attributes")),
            condition=fields.condition(),
            expires_at=fields.number_or_none("expires_at"),
        )
        return {"version": version}

    def _set_if_absent(self, fields: Fields) -> Json:
        item = self._key_value.set_if_absent(
            fields.text("region"),
            fields.text("table"),
            fields.key(),
            fields.text("attribute"),
            decode_attribute(fields.members.get("value")),
            expires_at=fields.number_or_none("expires_at"),
        )
        return {"item": _item(item)}

    def _query(self, fields: Fields) -> Json:
        items = self._key_value.query(
            fields.text("region"),
            fields.text("table"),
            fields.text("partition"),
            prefix=fields.text("prefix", ""),
        )
        return {"items": [_item(item) for item in items]}

    def _put_object(self, fields: Fields) -> Json:
        body = decode_bytes(fields.members.get("body"))
        self._objects.put_object(fields.text("region"), fields.text("key"), body)
        return {}

    def _get_object(self, fields: Fields) -> Json:
        return {"body": encode_bytes(self._objects.get_object(fields.text("region"), fields.text("key")))}


def _item(item: Item) -> dict[str, str | int | dict[str, JsonAttribute]]:
    return {
        "partition": item.key.partition,
        "sort": item.key.sort,
        "attributes": encode_attributes(item.attributes),
        "version": item.version,
    }
