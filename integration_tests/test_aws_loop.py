"""The loop on AWS's real API: every command as a user types it, functions that run the zip that was deployed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from integration_tests.conftest import AwsCommandLine
from integration_tests.test_closed_loop import ALLOWED, HOME, check_solution

WORKFLOW_ID = "loop-0.0.1"


def test_the_loop(aws_command_line: AwsCommandLine, tmp_path: Path) -> None:
    aws = aws_command_line
    ready = aws.succeed("setup_tables", "--region", HOME)
    assert ready["regions"] == [HOME]
    assert aws.succeed("list")["workflows"] == []
    aws.succeed("new_workflow", "loop", cwd=tmp_path)
    project = tmp_path / "loop"

    assert aws.run("deploy", "--dry-run", cwd=project).exit_code == 3
    deployed = aws.succeed("deploy", cwd=project)
    assert deployed["workflow_id"] == WORKFLOW_ID
    assert aws.succeed("deploy", cwd=project)["actions"] == [], "deploying the same again changes nothing"

    [run] = aws.succeed("run", WORKFLOW_ID, "-a", '{"text": "a b a b", "deep": true}', "--wait")["runs"]
    assert run["status"] == "complete"
    assert {node["region"] for node in run["nodes"]} == {HOME}
    assert run["result"] is None, "results may be nobody's business: they are not logged unless asked for"

    inputs = str(project / "inputs.jsonl")
    runs = aws.succeed("run", WORKFLOW_ID, "--arguments-file", inputs, "--wait")["runs"]
    assert Counter(run["status"] for run in runs) == {"complete": 120}
    [synced] = aws.succeed("data_sync")["workflows"]
    assert (synced["completed"], synced["failed"], synced["open"], synced["malformed"]) == (121, 0, 0, 0)
    aws.succeed("data_collect", "all")

    solved = aws.succeed("solve", WORKFLOW_ID)
    check_solution(solved["solution"])
    [migrated] = aws.succeed("update_check_deployment")["workflows"]
    assert migrated["outcome"] == "migrated"
    assert migrated["created"]

    after = aws.succeed("run", WORKFLOW_ID, "--arguments-file", inputs, "--wait")["runs"]
    assert Counter(run["status"] for run in after) == {"complete": 120}
    regions = {node["region"] for run in after for node in run["nodes"]}
    assert HOME in regions
    assert len(regions) > 1, "the plan leaves home"
    assert regions <= ALLOWED
    assert aws.succeed("status", WORKFLOW_ID)["active_plan"]["plan_version"] == migrated["plan_version"]

    tagged = {entry["id"] for entry in aws.succeed("list", "--tagged")["tagged"]}
    assert any(":function:mxs-loop-" in resource for resource in tagged)
    removed = aws.succeed("remove", WORKFLOW_ID)
    assert removed["left"] == []
    left = {entry["id"] for entry in aws.succeed("list", "--tagged")["tagged"]}
    assert not [resource for resource in left if "mxs-" in resource], "nothing of the workflow is left"
    aws.succeed("teardown")
    assert aws.succeed("list", "--tagged")["tagged"] == []
