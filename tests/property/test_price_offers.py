"""Whatever stands in an entry of the price list, it is a price or it is refused: nothing else comes out of it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from multi_x_serverless.cloud.aws.price_offers import agreed_price, read_offer
from multi_x_serverless.cloud.aws.price_products import EVERYWHERE
from multi_x_serverless.errors import SignalSourceError
from tests.aws.price_list import read_entries

ENTRIES = [entry for service in ("AWSLambda", "AmazonSNS", "AmazonS3") for entry in read_entries(service)]
UNITS = {unit for query in EVERYWHERE for unit in query.units}

NUMBERS = st.sampled_from(
    ["0", "0.0", "-1", "1e400", "NaN", "Infinity", "Inf", "sNaN", "", " 1", "1_0", "6000000000", "٣"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | NUMBERS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where there is something in a document."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for name, member in members for deeper in paths(member, (*path, name)))]


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a path."""
    if not path:
        return value
    changed = dict(document) if isinstance(document, dict) else list(document)
    changed[path[0]] = replaced(document[path[0]], path[1:], value)
    return changed


def check(text: object) -> None:
    """A price above 0, by tiers from 0 on, or the one error that whoever asks expects."""
    try:
        offer = read_offer(text)
        price = agreed_price([offer, offer], UNITS)
    except SignalSourceError:
        return
    begins = [tier.from_units for tier in price.tiers]
    assert begins[0] == 0
    assert begins == sorted(set(begins))
    assert all(tier.usd.is_finite() and tier.usd > 0 for tier in price.tiers)


@given(st.data())
def test_an_entry_with_anything_anywhere(data: st.DataObject) -> None:
    document = json.loads(data.draw(st.sampled_from(ENTRIES)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(paths(document)))
        document = replaced(document, path, data.draw(VALUES))
    check(json.dumps(document))


@settings(max_examples=300)
@given(st.data())
def test_tiers_with_anything_in_them(data: st.DataObject) -> None:
    document = json.loads(data.draw(st.sampled_from(ENTRIES)))
    for _ in range(data.draw(st.integers(1, 2))):
        within = [path for path in paths(document) if path[:2] == ("terms", "OnDemand") and len(path) > 5]
        document = replaced(document, data.draw(st.sampled_from(within)), data.draw(NUMBERS | LEAVES))
    check(json.dumps(document))


@given(st.data())
def test_an_entry_that_ends_early(data: st.DataObject) -> None:
    entry = data.draw(st.sampled_from(ENTRIES))
    check(entry[: data.draw(st.integers(0, len(entry)))])


@given(VALUES)
def test_anything_instead_of_an_entry(value: Any) -> None:
    check(value)
