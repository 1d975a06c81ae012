from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multi_x_serverless.sdk.envelope import (
    SPARE_HOPS,
    Envelope,
    Placement,
    decode_envelope,
    new_run_id,
    new_trigger,
    split_large_payload,
)
from multi_x_serverless.sdk.errors import OtherManifestError, RejectedMessageError
from multi_x_serverless.sdk.manifest import Manifest, ManifestEdge, ManifestFunction, ManifestNode
from multi_x_serverless.sdk.payload import ABSENT_PAYLOAD, INLINE_LIMIT_BYTES, Payload, PayloadReference

MANIFEST = Manifest(
    workflow_id="example-0.0.1",
    module="app",
    variable="workflow",
    home="us-east-1",
    regions=("us-east-1", "us-west-2"),
    home_share=0.1,
    functions=tuple(ManifestFunction(name, name, f"topic-{name}") for name in ("first", "second", "join")),
    nodes=(
        ManifestNode("first:entry_point:0", "first", sync=False),
        ManifestNode("second:first_0_0:1", "second", sync=False),
        ManifestNode("join:sync:2", "join", sync=True),
    ),
    edges=(ManifestEdge(0, 1, ()), ManifestEdge(0, 2, ()), ManifestEdge(1, 2, ())),
)
PLACEMENT = Placement(7, 6, (0, 1, 0))
CALL = Envelope(
    run_id="run-1",
    workflow_id=MANIFEST.workflow_id,
    manifest_id=MANIFEST.id,
    node=1,
    edge=0,
    hop=1,
    placement=PLACEMENT,
    sent_at=1_700_000_000.25,
    payload=Payload.of({"x": [1, "é"]}),
)
FIRING = replace(CALL, node=2, edge=2, called=(1, 2), payload=ABSENT_PAYLOAD)
FUNCTION_OF_NODE = ("first", "second", "join")


def decode(text: object, node: int) -> Envelope:
    return decode_envelope(text, MANIFEST, FUNCTION_OF_NODE[node])


def changed(envelope: Envelope, **members: Any) -> str:
    """The message with members changed, or removed where the value is `...`."""
    document = {**json.loads(envelope.encode()), **members}
    return json.dumps({name: value for name, value in document.items() if value is not ...})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=10,
)


@given(json_values | st.binary(), st.sampled_from(["home", 0, 23]), st.integers(0, 2**40))
def test_a_message_survives_the_wire(value: object, key: Any, plan_version: int) -> None:
    placement = Placement(plan_version, key, (1, 0, 1))
    envelope = replace(CALL, payload=Payload.of(value), placement=placement)

    received = decode(envelope.encode(), 1)

    assert isinstance(received.payload, Payload)
    assert received.payload.value() == value
    assert replace(received, payload=ABSENT_PAYLOAD) == replace(envelope, payload=ABSENT_PAYLOAD)


@pytest.mark.parametrize(
    "envelope",
    [
        CALL,
        FIRING,
        replace(CALL, payload=ABSENT_PAYLOAD),
        replace(CALL, payload=PayloadReference(1, "json", 300_000)),
        new_trigger(MANIFEST, Payload.of("x"), now=1.5),
        replace(new_trigger(MANIFEST, ABSENT_PAYLOAD, now=1.5), hop=1, placement=replace(PLACEMENT, why="plan")),
    ],
)
def test_every_kind_of_message_survives_the_wire(envelope: Envelope) -> None:
    assert decode(envelope.encode(), envelope.node) == envelope


def test_a_message_is_compact_and_names_no_resource() -> None:
    text = CALL.encode()

    assert len(text) < 250
    for word in ("arn:", "topic", "us-east-1", "us-west-2", "second"):
        assert word not in text


def test_duplicates_are_recognised_by_their_identity() -> None:
    trigger = new_trigger(MANIFEST, ABSENT_PAYLOAD, now=0.0, run_id="run-1")
    other_reporter = replace(FIRING, edge=1, hop=3, sent_at=5.0)

    assert FIRING.identity == other_reporter.identity
    assert len({trigger.identity, CALL.identity, FIRING.identity, replace(CALL, run_id="run-2").identity}) == 4


@pytest.mark.parametrize("text", [None, 5, b"{}", "", "{", "[]", '"text"', "null", "[" * 100_000])
def test_what_is_no_json_object_is_rejected(text: object) -> None:
    with pytest.raises(RejectedMessageError) as caught:
        decode(text, 1)

    assert caught.value.reason == "malformed"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"v": 2}, "unknown_version"),
        ({"v": True}, "unknown_version"),
        ({"v": ...}, "unknown_version"),
        ({"topic": "arn:aws:sns:us-east-1:1:mine"}, "malformed"),
        ({"run": ...}, "malformed"),
        ({"run": ""}, "malformed"),
        ({"run": "../../other"}, "malformed"),
        ({"run": "x" * 65}, "malformed"),
        ({"run": 5}, "malformed"),
        ({"wf": "other-0.0.1"}, "other_workflow"),
        ({"mf": 5}, "malformed"),
        ({"node": 3}, "malformed"),
        ({"node": -1}, "malformed"),
        ({"node": True}, "malformed"),
        ({"node": 1.0}, "malformed"),
        ({"node": 2}, "other_function"),
        ({"edge": 9}, "malformed"),
        ({"edge": None}, "malformed"),
        ({"edge": 1}, "misplaced"),
        ({"edge": ...}, "misplaced"),
        ({"hop": -1}, "malformed"),
        ({"hop": "1"}, "malformed"),
        ({"hop": SPARE_HOPS + len(MANIFEST.nodes) + 1}, "too_many_hops"),
        ({"plan": ..., "key": ..., "place": ...}, "misplaced"),
        ({"place": ...}, "malformed"),
        ({"plan": -1}, "malformed"),
        ({"key": 24}, "malformed"),
        ({"key": "6"}, "malformed"),
        ({"key": None}, "malformed"),
        ({"place": "01"}, "malformed"),
        ({"place": "012"}, "malformed"),
        ({"place": "0!0"}, "malformed"),
        ({"place": 10}, "malformed"),
        ({"why": 5}, "malformed"),
        ({"why": "Because of you"}, "malformed"),
        ({"sent": "now"}, "malformed"),
        ({"sent": True}, "malformed"),
        ({"sent": float("inf")}, "malformed"),
        ({"called": [0]}, "misplaced"),
        ({"called": "c"}, "malformed"),
        ({"payload": None}, "malformed"),
        ({"payload": {"r": [9, "j", 1]}}, "malformed"),
    ],
)
def test_a_forged_message_is_rejected(members: dict[str, Any], reason: str) -> None:
    with pytest.raises(RejectedMessageError) as caught:
        decode(changed(CALL, **members), 1)

    assert caught.value.reason == reason
    assert caught.value.code == "rejected-message"
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("called", [..., [], [0], [2, 1], [1, 1], [1, 2, 9], [True], [0, 1, 2]])
def test_a_firing_names_the_edges_it_joins(called: Any) -> None:
    with pytest.raises(RejectedMessageError):
        decode(changed(FIRING, called=called), 2)


def test_a_trigger_reaches_the_entry_only() -> None:
    trigger = new_trigger(MANIFEST, ABSENT_PAYLOAD, now=0.0)

    with pytest.raises(RejectedMessageError, match="not started by a trigger"):
        decode(changed(trigger, node=1), 1)
    with pytest.raises(RejectedMessageError):
        decode(changed(trigger, why="plan"), 0)


def test_a_message_of_another_deployment_is_left_to_the_queue() -> None:
    with pytest.raises(OtherManifestError, match="delivered again"):
        decode(changed(CALL, mf="0123456789ab"), 1)


def test_a_large_payload_is_taken_out_of_the_message() -> None:
    body = b"x" * INLINE_LIMIT_BYTES
    small, large = split_large_payload(replace(CALL, payload=Payload("bytes", body)), 1)

    assert large is not None
    assert large.body == body
    assert large.key == "payloads/example-0.0.1/run-1/e0"
    assert small.payload == PayloadReference(1, "bytes", len(body))
    assert len(small.encode()) < 300
    assert decode(small.encode(), 1) == small
    assert split_large_payload(small, 0) == (small, None)
    assert split_large_payload(CALL, 1) == (CALL, None)


def test_a_large_trigger_has_a_place_of_its_own() -> None:
    trigger = new_trigger(MANIFEST, Payload("json", b"1" * (INLINE_LIMIT_BYTES + 1)), now=0.0, run_id="r")

    _, large = split_large_payload(trigger, 0)

    assert large is not None
    assert large.key == "payloads/example-0.0.1/r/trigger"


def test_run_ids_are_unique_and_ascend_with_time() -> None:
    ids = [new_run_id(second) for second in (0.0, 1.0, 1_700_000_000.0, 1_700_000_000.0)]

    assert len(set(ids)) == 4
    assert ids[:2] == sorted(ids[:2])
    assert max(ids[:2]) < min(ids[2:])
    assert {len(run_id) for run_id in ids} == {32}
