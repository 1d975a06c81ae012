from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multi_x_serverless.sdk.backend import Attribute, StoredItem
from multi_x_serverless.sdk.dynamodb_items import decode_item, decode_sort, decode_value, encode_item, encode_value

attributes = st.text() | st.binary() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)


@given(attributes)
def test_an_attribute_survives(value: Attribute) -> None:
    assert decode_value(encode_value(value)) == value


def test_an_item_survives_with_any_names() -> None:
    item = encode_item("p", "s", {"version": "x", "partition": b"y", "e1": "c"}, version=7, expires_at=100.5)

    assert decode_item(item, now=100.5) == StoredItem({"version": "x", "partition": b"y", "e1": "c"}, 7)
    assert item["expires_at"] == {"N": "101"}


@pytest.mark.parametrize(("now", "is_there"), [(100.9, True), (101.0, False), (1e12, False)])
def test_an_expired_item_is_absent_before_it_is_swept(now: float, is_there: bool) -> None:
    item = encode_item("p", "s", {}, version=1, expires_at=100.5)

    assert (decode_item(item, now) is not None) is is_there


def test_an_item_without_expiry_stays() -> None:
    assert decode_item(encode_item("p", "s", {}, version=1, expires_at=None), now=1e12) == StoredItem({}, 1)


@pytest.mark.parametrize("sort", ["", "n1", "placement"])
def test_an_empty_sort_key_can_be_stored(sort: str) -> None:
    item = encode_item("p", sort, {}, version=1, expires_at=None)

    assert item["sort"]["S"]
    assert decode_sort(item) == sort
