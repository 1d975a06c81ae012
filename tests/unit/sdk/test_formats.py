"""The formats that functions share with the rest of the product, and the codes of errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multi_x_serverless.sdk import application
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


@pytest.mark.parametrize("record_type", sorted(RECORD_TYPES))
def test_a_record_survives_behind_other_output(record_type: str) -> None:
    line = "the developer printed this" + format_record(record_type, {"run": "r", "node": 1})

    assert parse_line(line) == {"mxs": 1, "t": record_type, "run": "r", "node": 1}


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
