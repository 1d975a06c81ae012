"""The policy in the guide lets the operator do all that the commands do, and grants nothing that none of them uses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.test_aws_under_faults import SOURCE, write_project
from multi_x_serverless.cli.main import run
from tests.aws.account import AwsAccount, aws_account
from tests.aws.calls import ApiCalls
from tests.aws.operator import needed
from tests.aws.policies import is_allowed

POLICY = Path(__file__).parent.parent / "docs" / "guide" / "operator-policy.json"
HOME, AWAY = "us-east-1", "us-west-2"
WORKFLOW_ID = "pair-0.0.1"

UNUSED_HERE = {
    "iam:DetachRolePolicy": "a policy that somebody attached by hand to a role must be detached before it is deleted",
    "iam:UpdateAssumeRolePolicy": "a deployment that is resumed finds its role and sets it right",
}


@pytest.fixture
def account(tmp_path: Path) -> Iterator[AwsAccount]:
    with aws_account(tmp_path / "aws") as account:
        yield account


def test_the_policy_of_the_guide_is_exact(account: AwsAccount, tmp_path: Path) -> None:
    with ApiCalls().recording() as calls:
        use_everything(account, tmp_path)
    statements = json.loads(POLICY.read_text(encoding="utf-8"))["Statement"]
    used = {access for call in calls.calls for access in needed(call)}
    refused = sorted({(access.action, access.resource) for access in used if not is_allowed(statements, access)})
    assert refused == []
    granted = {
        action
        for statement in statements
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert granted - {access.action for access in used} == set(UNUSED_HERE)


def use_everything(account: AwsAccount, directory: Path) -> None:
    """Every command, with what makes the rarer requests: an update, a failing run, a dead letter, a repeat."""
    project = write_project(directory / "project", "one")

    def command(*arguments: str, expected: int = 0) -> None:
        options = ["--cloud", "aws", "--project-dir", str(project), "--yes", "--quiet"]
        assert run([*options, *arguments]) == expected, arguments

    command("setup_tables", "--region", HOME, "--region", AWAY)
    command("setup_tables", "--region", HOME)
    command("deploy", "--dry-run", expected=3)
    command("deploy")
    inputs = directory / "inputs.jsonl"
    inputs.write_text("1\n" * 40, encoding="utf-8")
    command("run", WORKFLOW_ID, "--arguments-file", str(inputs), "--wait")
    command("data_sync")
    command("data_collect", "all")
    command("solve", WORKFLOW_ID)
    command("explain", WORKFLOW_ID)
    command("update_check_deployment")
    command("update_check_solver", expected=3)
    command("status", WORKFLOW_ID)
    command("report", WORKFLOW_ID)
    command("objects", "put", WORKFLOW_ID, str(inputs), "--key", "in")
    command("objects", "put", WORKFLOW_ID, str(inputs))
    command("objects", "get", WORKFLOW_ID, "in", "-o", str(directory / "copy"))
    command("objects", "list", WORKFLOW_ID)
    command("objects", "delete", WORKFLOW_ID, "in")
    command("list")
    command("doctor")
    (project / "app.py").write_text(
        SOURCE.replace("EDITION", '"two"').replace('return event["said"]', 'raise ValueError("no")'), encoding="utf-8"
    )
    command("deploy")
    command("run", WORKFLOW_ID, "-a", "1", "--wait", expected=1)
    command("dead_letters", WORKFLOW_ID)
    command("redrive", WORKFLOW_ID, "--no-wait")
    assert account.plane.wait_until_idle(60.0)
    command("dead_letters", "--discard-all")
    command("dead_letters", "--discard-all", expected=3)
    (project / ".multi-x-serverless" / "config.yml").write_text(
        (project / ".multi-x-serverless" / "config.yml").read_text(encoding="utf-8").replace("256", "512"),
        encoding="utf-8",
    )
    command("deploy")
    command("list", "--tagged", "--region", HOME)
    command("remove", WORKFLOW_ID)
    command("objects", "list", WORKFLOW_ID)
    command("objects", "delete", WORKFLOW_ID, "--all")
    command("teardown")
