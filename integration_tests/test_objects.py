"""Objects on both clouds: the same project, the same commands, and what a run moves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from integration_tests.conftest import AwsCommandLine, CommandLine

WORKFLOW_ID = "copies-0.0.1"
HOME = "us-east-1"

SOURCE = """
from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="copies", version="0.0.1")


@workflow.serverless_function(name="start", entry_point=True)
def start(event):
    workflow.invoke_serverless_function(copy, event)


@workflow.serverless_function(name="copy")
def copy(event):
    body = workflow.read_object(event["from"])
    workflow.write_object(event["to"], body[::-1])
"""

CONFIGURATION = """
workflow_name: copies
workflow_version: 0.0.1
home_region: {provider: aws, region: us-east-1}
regions_and_providers:
  allowed_regions: [us-east-1, eu-west-1]
  providers: {aws: {config: {timeout: 60, memory: 256}}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "copies"
    (project / ".multi-x-serverless").mkdir(parents=True)
    (project / "app.py").write_text(SOURCE, encoding="utf-8")
    (project / ".multi-x-serverless" / "config.yml").write_text(CONFIGURATION, encoding="utf-8")
    return project


def use_objects(command_line: CommandLine, project: Path, directory: Path) -> None:
    """Deploy, store, run, fetch, miss one, remove; the functions run at home."""
    body = bytes(range(256)) * 2_000
    (directory / "body").write_bytes(body)
    command_line.succeed("deploy", cwd=project)
    command_line.succeed("objects", "put", WORKFLOW_ID, str(directory / "body"), "--key", "in/body")

    [run] = command_line.succeed("run", WORKFLOW_ID, "-a", '{"from": "in/body", "to": "out/ä"}', "--wait")["runs"]
    assert run["status"] == "complete"
    command_line.succeed("objects", "get", WORKFLOW_ID, "out/ä", "-o", str(directory / "copy"))
    assert (directory / "copy").read_bytes() == body[::-1]
    listed = command_line.succeed("objects", "list", WORKFLOW_ID)
    assert listed["region"] == HOME
    assert [(entry["key"], entry["size_bytes"]) for entry in listed["objects"]] == [
        ("in/body", len(body)),
        ("out/ä", len(body)),
    ]

    check_traffic(command_line, directory / "problem.json", len(body))

    missed = command_line.run("run", WORKFLOW_ID, "-a", '{"from": "in/missing", "to": "x"}', "--wait")
    assert missed.exit_code == 1
    [failed] = missed.document["runs"]
    assert failed["status"] == "failed"
    status = command_line.succeed("status", failed["run_id"])
    assert "there is no object 'in/missing' in us-east-1" in str(status)

    removed = command_line.succeed("remove", WORKFLOW_ID)
    assert (removed["left"], removed["objects_left"]) == ([], 2)
    assert len(command_line.succeed("objects", "list", WORKFLOW_ID)["objects"]) == 2
    command_line.succeed("objects", "delete", WORKFLOW_ID, "--all")
    assert command_line.run("objects", "list", WORKFLOW_ID).exit_code == 1


def check_traffic(command_line: CommandLine, problem: Path, size: int) -> None:
    """What the node moved stands in the problem as bytes from and to the home region: that is where the data are."""
    command_line.succeed("data_sync")
    command_line.succeed("data_collect", "all")
    command_line.run("solve", WORKFLOW_ID, "--dump-problem", str(problem))
    nodes = json.loads(problem.read_bytes())["observations"]["nodes"]
    start, copy = nodes["start:entry_point:0"], nodes["copy:start_0_0:1"]
    for direction in ("received_bytes", "sent_bytes"):
        assert start[direction] == {}
        [[moved]] = copy[direction].values()
        assert list(copy[direction]) == [HOME]
        assert size <= moved < 1.01 * size, "the object, and at most the heads of two requests"


def test_on_the_embedded_cloud(command_line: CommandLine, project: Path, tmp_path: Path) -> None:
    use_objects(command_line, project, tmp_path)


def test_on_aws(aws_command_line: AwsCommandLine, project: Path, tmp_path: Path) -> None:
    use_objects(aws_command_line, project, tmp_path)
    refused = {(access.action, access.resource) for _, access in aws_command_line.account.guard.refused}
    assert refused == set()
    asked = {access.action for _, access in aws_command_line.account.guard.accesses}
    assert "s3:ListBucket" in asked, "a function that may not list the bucket finds out so that an object is missing"
