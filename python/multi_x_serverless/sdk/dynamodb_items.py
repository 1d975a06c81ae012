"""How items lie in DynamoDB: shared by the SDK and by whoever else reads or writes the product's tables there.

A table has the key attributes ``partition`` (hash) and ``sort`` (range), both strings. DynamoDB refuses an empty key,
so an empty sort key is stored as one blank, which sorts before everything else. Beside them stand ``version`` (number)
and ``expires_at`` (number, seconds since the epoch, the table's time-to-live attribute; missing for ever). The item's
own attributes carry the prefix ``a_`` and so never collide with those or with reserved words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypedDict

from multi_x_serverless.sdk.backend import Attribute, Attributes, StoredItem

PARTITION = "partition"
SORT = "sort"
VERSION = "version"
EXPIRES_AT = "expires_at"
ATTRIBUTE_PREFIX = "a_"

EMPTY_SORT = " "
"""Stands for an empty sort key; no sort key that begins with a control character may be used."""


class AttributeValue(TypedDict, total=False):
    """A value as the low-level API of DynamoDB writes it; exactly one member is set."""

    S: str
    N: str
    B: bytes


Document = Mapping[str, AttributeValue]


def encode_key(partition: str, sort: str) -> dict[str, AttributeValue]:
    """Key attributes of an item."""
    return {PARTITION: {"S": partition}, SORT: {"S": sort or EMPTY_SORT}}


def encode_value(value: Attribute) -> AttributeValue:
    """One attribute."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bytes):
        return {"B": value}
    return {"N": repr(value)}


def encode_item(
    partition: str, sort: str, attributes: Attributes, *, version: int, expires_at: float | None
) -> dict[str, AttributeValue]:
    """A whole item."""
    item = encode_key(partition, sort)
    item[VERSION] = encode_value(version)
    if expires_at is not None:
        item[EXPIRES_AT] = encode_expiry(expires_at)
    item.update({ATTRIBUTE_PREFIX + name: encode_value(value) for name, value in attributes.items()})
    return item


def encode_expiry(expires_at: float) -> AttributeValue:
    """Time to live counts whole seconds; rounded up, so that an item never ends early."""
    return {"N": str(math.ceil(expires_at))}


def decode_item(document: Document, now: float) -> StoredItem | None:
    """An item; `None` if it has expired (DynamoDB removes it up to two days later)."""
    expires_at = document.get(EXPIRES_AT)
    if expires_at is not None and float(expires_at["N"]) <= now:
        return None
    attributes = {
        name[len(ATTRIBUTE_PREFIX) :]: decode_value(value)
        for name, value in document.items()
        if name.startswith(ATTRIBUTE_PREFIX)
    }
    return StoredItem(attributes, int(document[VERSION]["N"]))


def decode_sort(document: Document) -> str:
    """Sort key of an item."""
    sort = document[SORT]["S"]
    return "" if sort == EMPTY_SORT else sort


def decode_value(value: AttributeValue) -> Attribute:
    """One attribute; a number without fraction or exponent is an integer."""
    if "S" in value:
        return value["S"]
    if "B" in value:
        return bytes(value["B"])
    number = value["N"]
    return float(number) if any(mark in number for mark in ".eE") else int(number)
