from __future__ import annotations

import json
import math

import pytest

from multi_x_serverless.sdk.errors import PayloadError
from multi_x_serverless.sdk.payload import (
    ABSENT_PAYLOAD,
    INLINE_LIMIT_BYTES,
    Payload,
    PayloadReference,
    decode_wire,
)


def over_the_wire(payload: Payload) -> Payload | PayloadReference:
    return decode_wire(json.loads(payload.wire_text()), 3)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        0,
        False,
        [],
        {},
        0.5,
        "é\U0001f600",
        "\ud800",
        '{"b":"eA=="}',
        [1, [2, None]],
        {"j": 1},
        {"r": [0, "j", 1]},
    ],
)
def test_a_json_value_arrives_as_it_was(value: object) -> None:
    received = over_the_wire(Payload.of(value))

    assert isinstance(received, Payload)
    assert received.kind == "json"
    assert received.value() == value
    assert type(received.value()) is type(value)


@pytest.mark.parametrize("value", [b"", b"\x00\xff", bytearray(b"ab"), memoryview(b"cd")])
def test_bytes_arrive_as_bytes(value: bytes | bytearray | memoryview) -> None:
    received = over_the_wire(Payload.of(value))

    assert isinstance(received, Payload)
    assert received.value() == bytes(value)


def test_nan_and_infinity_survive() -> None:
    received = over_the_wire(Payload.of([math.nan, math.inf]))

    assert isinstance(received, Payload)
    value = received.value()
    assert isinstance(value, list)
    assert math.isnan(value[0])
    assert value[1] == math.inf


def test_absence_differs_from_every_value() -> None:
    assert ABSENT_PAYLOAD.wire_text() == ""
    assert ABSENT_PAYLOAD.value() is None
    values: list[object] = [None, "", 0, [], b""]
    assert ABSENT_PAYLOAD not in [Payload.of(value) for value in values]


def test_a_payload_is_what_it_was_when_it_was_passed() -> None:
    items: list[int] = [1]
    payload = Payload.of({"items": items})
    items.append(2)

    assert payload.value() == {"items": [1]}


@pytest.mark.parametrize("value", [object(), {1, 2}, {"nested": b"bytes"}])
def test_what_is_neither_json_nor_bytes_is_refused_with_the_way_out(value: object) -> None:
    with pytest.raises(PayloadError, match="JSON values"):
        Payload.of(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    circle: list[object] = []
    circle.append(circle)

    with pytest.raises(PayloadError):
        Payload.of(circle)


def test_the_limit_counts_what_travels() -> None:
    assert not Payload("json", b"x" * INLINE_LIMIT_BYTES).is_large
    assert Payload("json", b"x" * (INLINE_LIMIT_BYTES + 1)).is_large
    assert not Payload("bytes", b"x" * (INLINE_LIMIT_BYTES // 4 * 3)).is_large
    assert Payload("bytes", b"x" * (INLINE_LIMIT_BYTES // 4 * 3 + 1)).is_large


def test_a_reference_survives_the_wire() -> None:
    reference = PayloadReference(2, "bytes", 300_000)

    assert decode_wire(json.loads(reference.wire_text()), 3) == reference


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "text",
        {},
        {"j": 1, "b": ""},
        {"x": 1},
        {"b": "no base64!"},
        {"b": 1},
        {"r": [3, "j", 1]},
        {"r": [-1, "j", 1]},
        {"r": [True, "j", 1]},
        {"r": [0, "z", 1]},
        {"r": [0, ["j"], 1]},
        {"r": [0, "j", -1]},
        {"r": [0, "j"]},
        {"r": {"bucket": "somebody-elses", "key": "secret"}},
    ],
)
def test_no_payload_is_refused(document: object) -> None:
    with pytest.raises(PayloadError):
        decode_wire(document, 3)


def test_a_damaged_body_is_said_so() -> None:
    with pytest.raises(PayloadError, match="damaged"):
        Payload("json", b"{").value()
