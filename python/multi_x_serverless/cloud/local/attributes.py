"""Attributes of items as JSON (in the database and on the wire) and their size as DynamoDB counts it."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import TypeAlias

from multi_x_serverless.cloud.ports import Attribute, Attributes, Key
from multi_x_serverless.errors import CloudError

JsonAttribute: TypeAlias = "str | int | float | dict[str, str]"

MAXIMUM_ITEM_BYTES = 400 * 1024
"""Largest item, names of attributes included (DynamoDB service quotas)."""

_BASE64 = "base64"
_MAXIMUM_DIGITS = 38  # precision of DynamoDB's numbers
_NUMBER_OVERHEAD_BYTES = 1


def encode_bytes(value: bytes) -> dict[str, str]:
    """Bytes as they stand in JSON."""
    return {_BASE64: base64.b64encode(value).decode("ascii")}


def decode_bytes(value: object) -> bytes:
    """Bytes back from JSON.

    Raises:
        CloudError: `value` is not ``{"base64": "..."}``.
    """
    if isinstance(value, dict) and set(value) == {_BASE64} and isinstance(value[_BASE64], str):
        try:
            return base64.b64decode(value[_BASE64], validate=True)
        except binascii.Error:
            pass
    raise CloudError('bytes must be given as {"base64": "..."}.', operation="decode")


def encode_attribute(value: Attribute) -> JsonAttribute:
    """One attribute as it stands in JSON.

    Raises:
        CloudError: Its type or number is none that a table can hold.
    """
    if isinstance(value, bytes):
        return encode_bytes(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CloudError(
            f"an attribute must be a string, bytes, an integer or a float, not {type(value).__name__}.",
            operation="put",
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise CloudError(f"an attribute cannot hold the number {value}.", operation="put")
    if isinstance(value, int) and len(str(abs(value))) > _MAXIMUM_DIGITS:
        raise CloudError(f"an attribute cannot hold an integer of more than {_MAXIMUM_DIGITS} digits.", operation="put")
    return value


def decode_attribute(value: object) -> Attribute:
    """One attribute back from JSON.

    Raises:
        CloudError: `value` is no encoded attribute.
    """
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return decode_bytes(value)
    raise CloudError(f"an attribute cannot be {json.dumps(value)[:60]}.", operation="decode")


def encode_attributes(attributes: Attributes) -> dict[str, JsonAttribute]:
    """All attributes of an item as they stand in JSON.

    Raises:
        CloudError: A name or value is none that a table can hold.
    """
    if "" in attributes:
        raise CloudError("the name of an attribute must not be empty.", operation="put")
    return {name: encode_attribute(value) for name, value in attributes.items()}


def decode_attributes(document: object) -> dict[str, Attribute]:
    """All attributes of an item back from JSON.

    Raises:
        CloudError: `document` is no object of encoded attributes.
    """
    if not isinstance(document, dict):
        raise CloudError("attributes must be an object.", operation="decode")
    return {str(name): decode_attribute(value) for name, value in document.items()}


def dump_attributes(attributes: Attributes) -> str:
    """Attributes as the text that the database holds."""
    return json.dumps(encode_attributes(attributes), separators=(",", ":"), ensure_ascii=False)


def load_attributes(text: str) -> dict[str, Attribute]:
    """Attributes back from the text that the database holds."""
    return decode_attributes(json.loads(text))


def check_item_size(region: str, table: str, key: Key, attributes: Mapping[str, Attribute]) -> None:
    """Refuse an item that no table could hold.

    Source of the count: "Item sizes and formats" in the developer guide of DynamoDB (names and strings in UTF-8,
    numbers about one byte per two digits and one more).

    Raises:
        CloudError: The item is larger than 400 KB.
    """
    size = len(key.partition.encode()) + len(key.sort.encode())
    size += sum(len(name.encode()) + _attribute_bytes(value) for name, value in attributes.items())
    if size > MAXIMUM_ITEM_BYTES:
        raise CloudError(
            f"the item '{key.partition}' / '{key.sort}' of table {table} has {size:,} bytes; an item holds at most "
            f"{MAXIMUM_ITEM_BYTES:,}: put the large part into the object store.",
            operation="put",
            region=region,
        )


def _attribute_bytes(value: Attribute) -> int:
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, str):
        return len(value.encode())
    digits = sum(character.isdigit() for character in repr(value))
    return (digits + 1) // 2 + _NUMBER_OVERHEAD_BYTES
