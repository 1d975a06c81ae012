"""A function that fails: its run's status, its dead letter, and the redrive after the cause is removed."""

from __future__ import annotations

import json
from pathlib import Path

from integration_tests.conftest import CommandLine

SOURCE = """
from pathlib import Path

from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="fragile", version="0.0.1")


@workflow.serverless_function(name="first", entry_point=True)
def first(event):
    workflow.invoke_serverless_function(second, event)
    workflow.invoke_serverless_function(join, "first")


@workflow.serverless_function(name="second")
def second(event):
    if not Path(event["needs"]).exists():
        raise FileNotFoundError("the file is not there")
    workflow.invoke_serverless_function(join, "second")


@workflow.serverless_function(name="join")
def join():
    return workflow.get_predecessor_data()
"""
CONFIGURATION = """
workflow_name: fragile
workflow_version: 0.0.1
home_region: us-east-1
"""
WORKFLOW = "fragile-0.0.1"


def test_letters_end_with_their_workflow(command_line: CommandLine, tmp_path: Path) -> None:
    project = tmp_path / "fragile"
    (project / ".multi-x-serverless").mkdir(parents=True)
    (project / "app.py").write_text(SOURCE, encoding="utf-8")
    (project / ".multi-x-serverless" / "config.yml").write_text(CONFIGURATION, encoding="utf-8")
    command_line.succeed("deploy", cwd=project)
    assert command_line.run("run", WORKFLOW, "-a", "{}").exit_code == 1
    (letter,) = command_line.succeed("dead_letters", WORKFLOW)["dead_letters"]

    deleted = command_line.succeed("remove", WORKFLOW)["deleted"]
    assert f"dead letter {letter['id']} in us-east-1" in deleted
    assert [check["status"] for check in letter_checks(command_line)] == ["ok"]
    command_line.succeed("deploy", cwd=project)
    assert command_line.succeed("dead_letters")["dead_letters"] == []
    assert command_line.succeed("status", WORKFLOW)["dead_letters"] == 0
    command_line.succeed("remove", WORKFLOW)
    command_line.succeed("teardown")


def test_queued_runs_end_with_their_workflow(command_line: CommandLine, tmp_path: Path) -> None:
    project = tmp_path / "fragile"
    (project / ".multi-x-serverless").mkdir(parents=True)
    (project / "app.py").write_text(SOURCE, encoding="utf-8")
    (project / ".multi-x-serverless" / "config.yml").write_text(CONFIGURATION, encoding="utf-8")
    good = json.dumps({"needs": str(project / "app.py")})
    command_line.succeed("deploy", cwd=project)
    (queued,) = command_line.succeed("run", WORKFLOW, "--no-wait", "-a", good)["run_ids"]
    deleted = command_line.succeed("remove", WORKFLOW)["deleted"]
    assert [line for line in deleted if line.startswith("dead letter")], "what was queued is told"

    command_line.succeed("deploy", cwd=project)
    command_line.succeed("run", WORKFLOW, "-a", good)
    assert command_line.run("status", queued).exit_code == 1, "nobody knows of that run"
    (synced,) = command_line.succeed("data_sync")["workflows"]
    assert synced["completed"] == 1
    assert command_line.succeed("status", WORKFLOW)["dead_letters"] == 0


def letter_checks(command_line: CommandLine) -> list[dict[str, str]]:
    findings = command_line.run("doctor").document["findings"]
    return [finding for finding in findings if finding["check"] == "letters"]


def test_a_run_that_failed_goes_on_with_mended_code_whose_calls_have_moved(
    command_line: CommandLine, tmp_path: Path
) -> None:
    project = tmp_path / "fragile"
    (project / ".multi-x-serverless").mkdir(parents=True)
    (project / "app.py").write_text(SOURCE, encoding="utf-8")
    (project / ".multi-x-serverless" / "config.yml").write_text(CONFIGURATION, encoding="utf-8")
    command_line.succeed("deploy", cwd=project)
    failed = command_line.run("run", WORKFLOW, "-a", f'{{"needs": "{tmp_path / "missing"}"}}')
    assert failed.exit_code == 1
    run_id = failed.document["runs"][0]["run_id"]
    mended = SOURCE.replace("    if not Path", "    # It is not needed any more.\n    if not event and not Path")
    (project / "app.py").write_text("# Mended.\n" + mended, encoding="utf-8")
    command_line.succeed("deploy", cwd=project)
    answer = command_line.succeed("redrive", WORKFLOW, "--run", run_id)
    assert [run["status"] for run in answer["runs"]] == ["complete"]
    assert command_line.succeed("status", run_id)["result"] == ["first", "second"]
    command_line.succeed("remove", WORKFLOW)
    command_line.succeed("teardown")


def test_a_run_that_failed_goes_on_after_its_cause_is_removed(command_line: CommandLine, tmp_path: Path) -> None:
    project, needed = tmp_path / "fragile", tmp_path / "needed"
    (project / ".multi-x-serverless").mkdir(parents=True)
    (project / "app.py").write_text(SOURCE, encoding="utf-8")
    (project / ".multi-x-serverless" / "config.yml").write_text(CONFIGURATION, encoding="utf-8")
    command_line.succeed("deploy", cwd=project)
    failed = command_line.run("run", WORKFLOW, "-a", f'{{"needs": "{needed}"}}')
    assert failed.exit_code == 1
    run_id = failed.document["runs"][0]["run_id"]

    status = command_line.succeed("status", run_id)
    assert (status["status"], status["workflow_id"]) == ("failed", WORKFLOW)
    assert [(node["node"].split(":")[0], node["state"], node["attempts"]) for node in status["nodes"]] == [
        ("first", "finished", 1),
        ("second", "failed", 3),
        ("join", "waiting", 0),
    ]
    (waits_for,) = status["nodes"][2]["waits_for"]
    assert waits_for.startswith("second:")
    assert len(status["failures"]) == 3
    assert any("raise FileNotFoundError" in line for line in status["failures"][0]["traceback"])
    assert command_line.succeed("status", WORKFLOW)["dead_letters"] == 1

    (letter,) = command_line.succeed("dead_letters", WORKFLOW)["dead_letters"]
    assert (letter["run_id"], letter["node"]) == (run_id, status["nodes"][1]["node"])
    text = command_line.run("status", run_id, output="table").output
    assert f"redrive {WORKFLOW} --run {run_id}" in text
    assert "raise FileNotFoundError" in text
    assert letter["id"] in command_line.run("dead_letters", output="table").output

    assert command_line.run("redrive", WORKFLOW, "no-such-letter").exit_code == 2
    needed.touch()
    answer = command_line.succeed("redrive", WORKFLOW, "--run", run_id)
    (redriven,) = answer["runs"]
    assert (redriven["run_id"], redriven["status"], len(redriven["failures"])) == (run_id, "complete", 3)

    status = command_line.succeed("status", run_id)
    assert status["status"] == "complete"
    assert status["result"] == ["first", "second"]
    assert {node["state"] for node in status["nodes"]} == {"finished"}
    assert command_line.succeed("dead_letters")["dead_letters"] == []
    assert command_line.run("redrive", WORKFLOW).exit_code == 3
    assert command_line.succeed("status", run_id[:12])["run_id"] == run_id
    for unknown in ("0" * 32, "0" * 8):
        answer = command_line.run("status", unknown)
        assert (answer.exit_code, json.loads(answer.errors)["error"]["code"]) == (1, "unknown-run")
