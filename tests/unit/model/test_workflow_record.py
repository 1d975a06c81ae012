"""The record of a deployed workflow survives storage and refuses what it cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from multi_x_serverless.errors import InvalidDocumentError, NewerSchemaError
from multi_x_serverless.model.config_types import FunctionConfiguration, ProviderSettings, WorkflowConfiguration
from multi_x_serverless.model.deployments import Deployment, Deployments, Origin
from multi_x_serverless.model.graph import CallStep, Edge, Graph, Node
from multi_x_serverless.model.workflow import PackageReference, Resource, WorkflowRecord

RECORD = WorkflowRecord(
    workflow_id="example-0.0.1",
    configuration=WorkflowConfiguration("example", "0.0.1", "us-east-1"),
    functions={
        "z": FunctionConfiguration("z", ("us-east-1",), {"AA": "b"}, ProviderSettings()),
        "a": FunctionConfiguration("a", ("us-east-1", "us-west-1"), {}, ProviderSettings(5, 256, "arm64")),
    },
    graph=Graph(
        (Node("z:entry_point:0", "z", False), Node("a:sync:1", "a", True)),
        (Edge(0, 1, (CallStep("app.py", 3, 4),), True),),
    ),
    manifest_id="0123456789ab",
    manifest="{}",
    regions=("us-east-1", "us-west-1"),
    package=PackageReference("packages/x.zip", "ab" * 32, 10),
    policy="{}",
    runtime="python3.12",
    resources=(
        Resource("role", None, "r", "arn:role", None, "f1"),
        Resource("function", "us-east-1", "n", "arn:n", "z", "f2"),
    ),
    status="deployed",
    plan_activated_at=1.5,
    updated_at=2.5,
)


def test_record_survives_storage_with_the_order_of_its_functions() -> None:
    again = WorkflowRecord.from_document(RECORD.to_document())
    assert again == RECORD
    assert list(again.functions) == ["z", "a"]
    assert again.home_region == "us-east-1"


EARLIER = Graph((Node("z:entry_point:0", "z", False),), ())
DEPLOYMENTS = (
    Deployments()
    .followed_by(Deployment(0.5, "of EARLIER", EARLIER.id, "us-east-1", 0.1), EARLIER)
    .followed_by(Deployment(1.0, "comment", RECORD.graph.id, "us-east-1", 0.2, ("a", "z")), RECORD.graph)
    .followed_by(Deployment(1.2, RECORD.manifest_id, RECORD.graph.id, "us-east-1", 0.2, ("z",), ("z",)), RECORD.graph)
)
REDEPLOYED = replace(RECORD, deployments=DEPLOYMENTS)


def test_earlier_deployments_survive_storage_and_say_whose_runs_count() -> None:
    again = WorkflowRecord.from_document(REDEPLOYED.to_document())
    assert again == REDEPLOYED
    assert again.manifest_ids == {"comment", RECORD.manifest_id}
    assert again.origins == {
        "of EARLIER": Origin(EARLIER, "us-east-1", 0.1),
        "comment": Origin(RECORD.graph.without_lines(), "us-east-1", 0.2),
        RECORD.manifest_id: Origin(RECORD.graph, "us-east-1", 0.1),
    }


def test_records_of_before_deployments_were_kept_know_their_own_manifest() -> None:
    document = json.loads(RECORD.to_document())
    assert "deployments" not in document, "written as ever where there are none"
    assert WorkflowRecord.from_document(RECORD.to_document()).manifest_ids == {RECORD.manifest_id}
    assert RECORD.origins == {RECORD.manifest_id: Origin(RECORD.graph, "us-east-1", 0.1)}


def test_a_program_that_knows_no_deployments_reads_the_record_without() -> None:
    # It refuses newer versions and passes over members that it does not know.
    document = json.loads(REDEPLOYED.to_document())
    assert document["version"] == 1
    del document["deployments"]
    assert WorkflowRecord.from_document(json.dumps(document)) == RECORD


def test_what_the_developer_put_into_the_package_survives_storage() -> None:
    record = replace(RECORD, package=replace(RECORD.package, own_sha256="cd" * 32))
    assert WorkflowRecord.from_document(record.to_document()) == record


def test_what_was_deployed_before_is_no_part_of_what_is() -> None:
    assert REDEPLOYED.deployment == RECORD.deployment


def test_a_deployment_of_an_unknown_graph_is_refused() -> None:
    document = json.loads(REDEPLOYED.to_document())
    del document["deployments"]["graphs"][EARLIER.id]
    with pytest.raises(InvalidDocumentError, match=r"deployments.entries\[0\].graph_id"):
        WorkflowRecord.from_document(json.dumps(document))


def changed(path: list[str | int], value: object) -> str:
    document: Any = json.loads(RECORD.to_document())
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return json.dumps(document)


def test_records_of_before_robust_planning_have_none() -> None:
    document = json.loads(RECORD.to_document())
    del document["configuration"]["robust"]
    assert WorkflowRecord.from_document(json.dumps(document)) == RECORD


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["status"], "half", "field status: is 'half', expected one of deployed, removing"),
        (["package_format"], "tar", "field package_format"),
        (["resources", 1, "kind"], "queue", r"field resources\[1\].kind: is 'queue'"),
        (["configuration", "solver"], "best", "field configuration.solver"),
        (["configuration", "robust"], "yes", "field configuration.robust: is 'yes', expected true or false"),
        (["configuration", "constraints", "priority_order"], ["cost"], "priority_order"),
        (["functions", 0, "provider", "architecture"], "mips", r"field functions\[0\].provider.architecture"),
        (["graph", "edges", 0, "target"], 0, "not in topological order"),
    ],
)
def test_unusable_records_name_the_field(path: list[str | int], value: object, words: str) -> None:
    with pytest.raises(InvalidDocumentError, match=words):
        WorkflowRecord.from_document(changed(path, value))


def test_newer_record_is_refused() -> None:
    with pytest.raises(NewerSchemaError):
        WorkflowRecord.from_document(changed(["version"], 3))
