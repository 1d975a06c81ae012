"""The formats that functions share with the rest of the product, and the codes of errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multi_x_serverless.sdk import application, records
from multi_x_serverless.sdk.errors import WorkflowError
from multi_x_serverless.sdk.manifest import (
    CallStep,
    Manifest,
    ManifestEdge,
    ManifestError,
    ManifestFunction,
    ManifestNode,
)
from multi_x_serverless.sdk.plan_replica import (
    MAXIMUM_REGIONS,
    PlanReplica,
    PlanReplicaError,
    decode_placement,
    encode_placement,
)
from multi_x_serverless.sdk.records import RECORD_TYPES, MalformedRecordError, format_record, parse_line

MANIFEST = Manifest(
    workflow_id="example-0.0.1",
    module="app",
    variable="workflow",
    home="us-east-1",
    regions=("us-east-1", "us-west-2"),
    home_share=0.1,
    functions=(ManifestFunction("first", "first", "t"), ManifestFunction("join", "join", "u")),
    nodes=(ManifestNode("first", "first", sync=False), ManifestNode("join", "join", sync=True)),
    edges=(ManifestEdge(0, 1, (CallStep("app.py", 3, 5),)), ManifestEdge(0, 1, (CallStep("app.py", 7, 7),))),
)
REPLICA = PlanReplica(7, MANIFEST.id, 1.5e9, 0.1, MANIFEST.regions, ((0, (0, 1)), (6, (1, 1))))


def test_a_manifest_survives() -> None:
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST
    assert MANIFEST.outgoing == ((0, 1), ())
    assert MANIFEST.incoming == ((), (0, 1))
    assert MANIFEST.function_of(1).topic == "u"
    assert len(MANIFEST.id) == 12


def test_an_id_is_of_what_indices_mean_and_not_of_lines() -> None:
    moved = replace(MANIFEST, edges=tuple(replace(edge, site=(CallStep("b.py", 90, 91),)) for edge in MANIFEST.edges))
    assert moved.id == MANIFEST.id
    assert moved.to_json() != MANIFEST.to_json()
    others = [
        replace(MANIFEST, edges=MANIFEST.edges[:1]),
        replace(MANIFEST, nodes=MANIFEST.nodes[::-1]),
        replace(MANIFEST, regions=MANIFEST.regions[::-1]),
        replace(MANIFEST, home_share=0.2),
        replace(MANIFEST, functions=(MANIFEST.functions[0], ManifestFunction("join", "join", "u", "exactly_once"))),
    ]
    assert len({MANIFEST.id, *(other.id for other in others)}) == 6


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"version": 2}', '{"version": 1}', b"\xff"])
def test_a_damaged_manifest_is_refused(text: str | bytes) -> None:
    with pytest.raises(ManifestError) as caught:
        Manifest.from_json(text)

    assert caught.value.code == "invalid-manifest"
    assert "deploy again" in str(caught.value)


@given(st.lists(st.integers(0, MAXIMUM_REGIONS - 1), max_size=40))
def test_a_placement_survives_in_one_digit_a_node(regions: list[int]) -> None:
    text = encode_placement(regions)

    assert len(text) == len(regions)
    assert decode_placement(text, len(regions), MAXIMUM_REGIONS) == tuple(regions)


@pytest.mark.parametrize("regions", [[-1], [MAXIMUM_REGIONS]])
def test_a_region_without_a_digit_is_refused(regions: list[int]) -> None:
    with pytest.raises(PlanReplicaError):
        encode_placement(regions)


@pytest.mark.parametrize("text", ["", "0", "000", "02", "0!", "0é"])
def test_a_placement_of_other_nodes_or_regions_is_refused(text: str) -> None:
    with pytest.raises(PlanReplicaError):
        decode_placement(text, nodes=2, regions=2)


def test_a_plan_replica_survives_with_integer_hours_in_order() -> None:
    unordered = PlanReplica(7, MANIFEST.id, 1.5e9, 0.1, MANIFEST.regions, tuple(reversed(REPLICA.hours)))

    assert PlanReplica.from_json(REPLICA.to_json(), nodes=2) == REPLICA
    assert PlanReplica.from_json(unordered.to_json(), nodes=2) == REPLICA


@pytest.mark.parametrize(
    ("members"),
    [
        {"v": 2},
        {"hours": []},
        {"hours": [[0, "00"], [0, "01"]]},
        {"hours": [[24, "00"]]},
        {"hours": [[-1, "00"]]},
        {"hours": [["x", "00"]]},
        {"hours": [[0, "0"]]},
        {"hours": [[0, "0Z"]]},
        {"expires_at": None},
    ],
)
def test_an_unusable_plan_replica_is_refused(members: dict[str, Any]) -> None:
    document = {**json.loads(REPLICA.to_json()), **members}

    with pytest.raises(PlanReplicaError) as caught:
        PlanReplica.from_json(json.dumps(document), nodes=2)
    assert caught.value.code == "unusable-plan-replica"


def record_members(record_type: str) -> dict[str, Any]:
    """Members of a record of that type, each of its kind."""
    by_name: dict[str, Any] = {
        "wf": "example-0.0.1", "run": "r", "region": "us-east-1", "ts": 1.5e9, "req": "q", "node": 1, "edge": 0,
        "manifest": MANIFEST.id, "plan": 7, "key": "home", "place": "01", "sent": 1.5e9, "bytes": 10, "reason": "plan",
        "forwarded": False, "to": "us-west-2", "wall": 0.5, "hop": 1, "cold": True, "offset": 0.1, "publish": 0.01,
        "origin": 0, "state": "called", "complete": True, "fired": False, "duration": 0.1, "user": 0.4, "cpu": 0.3,
        "memory": 40.5, "network": {"us-east-1": [1, 2]}, "other_in": 0, "other_out": 3, "error": "ValueError",
        "message": "bad", "traceback": ["line"], "detail": "why",
    }  # fmt: skip
    needed = {**records._COMMON, **records._REQUIRED[record_type]}
    return {name: by_name[name] for name in needed}


@pytest.mark.parametrize("record_type", sorted(RECORD_TYPES))
def test_a_record_survives_behind_other_output(record_type: str) -> None:
    members = record_members(record_type)
    line = "the developer printed this" + format_record(record_type, members)

    assert parse_line(line) == {"mxs": 1, "t": record_type, **members}


@pytest.mark.parametrize("record_type", sorted(RECORD_TYPES))
def test_a_record_that_lacks_a_member_or_has_another_kind_is_no_record(record_type: str) -> None:
    members = record_members(record_type)
    for member in members:
        lacking = {name: value for name, value in members.items() if name != member}
        for damaged in (lacking, members | {member: None}, members | {member: [None]}):
            with pytest.raises(MalformedRecordError, match=member):
                parse_line(format_record(record_type, damaged))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "1"])
def test_a_time_that_is_no_finite_number_is_no_record(value: object) -> None:
    members = record_members("node_finished")
    for member in ("ts", "wall", "cpu"):
        with pytest.raises(MalformedRecordError, match=member):
            parse_line(format_record("node_finished", members | {member: value}))
    with pytest.raises(MalformedRecordError, match="wall"):
        parse_line(format_record("node_finished", members | {"wall": -1}))
    with pytest.raises(MalformedRecordError, match="network"):
        parse_line(format_record("node_finished", members | {"network": {"us-east-1": [1]}}))


@pytest.mark.parametrize("line", ["", "text", '{"t": "node_started"}', "{"])
def test_a_line_of_somebody_else_is_no_record(line: str) -> None:
    assert parse_line(line) is None


@pytest.mark.parametrize(
    "line", ['{"mxs":1,"t":"node_st', '{"mxs":99,"t":"node_started"}', '{"mxs":1,"t":"dance"}', '{"mxs":1}']
)
def test_a_damaged_record_is_said_so(line: str) -> None:
    with pytest.raises(MalformedRecordError):
        parse_line(line)


def errors_below(error: type[WorkflowError]) -> Iterator[type[WorkflowError]]:
    for below in error.__subclasses__():
        yield below
        yield from errors_below(below)


def test_every_error_has_a_code_of_its_own() -> None:
    found = [error for error in errors_below(WorkflowError) if error.__module__.startswith(application.__package__)]
    codes = [error.code for error in found]

    assert len(found) > 12
    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and " " not in code and "_" not in code for code in codes)
