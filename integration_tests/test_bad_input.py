"""Bad input ends as one sentence with a stable exit code; nothing is half done and no traceback is shown."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from integration_tests.conftest import Answer, CommandLine
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_USAGE

HEAD = """
from multi_x_serverless import MultiXServerlessWorkflow
workflow = MultiXServerlessWorkflow(name="bad", version="0.0.1")
"""
ENTRY = """
@workflow.serverless_function(name="first", entry_point=True)
def first(event):
"""

BROKEN_BRANCH = """    workflow.invoke_serverless_function(left, event)
    workflow.invoke_serverless_function(right, event)

@workflow.serverless_function(name="left")
def left(event):
    if event:
        raise ValueError("this branch is broken")
    workflow.invoke_serverless_function(join, event)

@workflow.serverless_function(name="right")
def right(event):
    workflow.invoke_serverless_function(join, event)

@workflow.serverless_function(name="join")
def join():
    return workflow.get_predecessor_data()
"""

SOURCES = {
    "two entries": HEAD
    + ENTRY
    + """    workflow.invoke_serverless_function(second)

@workflow.serverless_function(name="second", entry_point=True)
def second():
    pass
""",
    "a call in a loop": HEAD
    + ENTRY
    + """    for part in event:
        workflow.invoke_serverless_function(second, part)

@workflow.serverless_function(name="second")
def second(part):
    pass
""",
    "an unreachable function": HEAD
    + ENTRY
    + """    return 1

@workflow.serverless_function(name="second")
def second():
    pass
""",
    "a cycle": HEAD
    + ENTRY
    + """    workflow.invoke_serverless_function(second)

@workflow.serverless_function(name="second")
def second():
    workflow.invoke_serverless_function(third)

@workflow.serverless_function(name="third")
def third():
    workflow.invoke_serverless_function(second)
""",
    "an invalid name": HEAD
    + """
@workflow.serverless_function(name="first function!", entry_point=True)
def first(event):
    pass
""",
    "no entry": HEAD
    + """
@workflow.serverless_function(name="first")
def first(event):
    pass
""",
    "broken Python": HEAD + "def first(:\n",
}

CONFIGURATION: dict[str, Any] = {
    "workflow_name": "bad",
    "workflow_version": "0.0.1",
    "home_region": {"provider": "aws", "region": "us-east-1"},
    "regions_and_providers": {
        "allowed_regions": ["us-east-1", "us-west-2"],
        "providers": {"aws": {"config": {"timeout": 60, "memory": 256}}},
    },
}

CONFIGURATIONS = {
    "an unknown key": json.dumps(CONFIGURATION | {"workflow_nam": "x"}),
    "not YAML": "workflow_name: [bad\nworkflow_version: }",
    "an invalid workflow name": json.dumps(CONFIGURATION | {"workflow_name": "not a name"}),
    "home not allowed": json.dumps(
        CONFIGURATION
        | {
            "regions_and_providers": {
                "allowed_regions": ["us-west-2"],
                "providers": {"aws": {"config": {"timeout": 60, "memory": 256}}},
            }
        }
    ),
    "an unknown region": json.dumps(
        CONFIGURATION | {"home_region": {"provider": "aws", "region": "us-east-11"}, "regions_and_providers": None}
    ),
    "memory over the limit": json.dumps(
        CONFIGURATION
        | {
            "regions_and_providers": {
                "allowed_regions": ["us-east-1"],
                "providers": {"aws": {"config": {"timeout": 60, "memory": 99_999}}},
            }
        }
    ),
}


def assert_one_sentence(answer: Answer, exit_code: int) -> str:
    """Check the form of a refusal and return its message."""
    assert answer.exit_code == exit_code, answer.errors
    assert answer.output == ""
    assert "Traceback" not in answer.errors
    error = json.loads(answer.errors)["error"]
    assert error["code"] != "internal", error
    message: str = error["message"]
    assert message
    assert "\n" not in message
    return message


def make_project(directory: Path, source: str, configuration: str) -> Path:
    project = directory / "project"
    (project / ".multi-x-serverless").mkdir(parents=True)
    (project / "app.py").write_text(source, encoding="utf-8")
    (project / ".multi-x-serverless" / "config.yml").write_text(configuration, encoding="utf-8")
    return project


def assert_nothing_deployed(command_line: CommandLine) -> None:
    command_line.succeed("setup_tables")
    assert command_line.succeed("list")["workflows"] == []


@pytest.mark.parametrize("case", SOURCES)
def test_source_that_is_no_workflow_is_refused(case: str, command_line: CommandLine, tmp_path: Path) -> None:
    project = make_project(tmp_path, SOURCES[case], json.dumps(CONFIGURATION))
    message = assert_one_sentence(command_line.run("deploy", cwd=project), EXIT_USAGE)
    assert "app.py" in message
    assert_nothing_deployed(command_line)


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_bad_configuration_is_refused(case: str, command_line: CommandLine, tmp_path: Path) -> None:
    source = HEAD + ENTRY + "    return event\n"
    project = make_project(tmp_path, source, CONFIGURATIONS[case])
    message = assert_one_sentence(command_line.run("deploy", cwd=project), EXIT_USAGE)
    assert "config.yml" in message
    assert_nothing_deployed(command_line)


def test_deploy_outside_a_project(command_line: CommandLine, tmp_path: Path) -> None:
    assert_one_sentence(command_line.run("deploy", cwd=tmp_path), EXIT_USAGE)


def test_unknown_workflow(command_line: CommandLine) -> None:
    command_line.succeed("setup_tables")
    for arguments in (["run", "no-0.0.1"], ["solve", "no-0.0.1"], ["remove", "no-0.0.1"], ["status", "no-0.0.1"]):
        message = assert_one_sentence(command_line.run(*arguments), EXIT_FAILURE)
        assert "no-0.0.1" in message


def test_invalid_names_of_new_workflow(command_line: CommandLine, tmp_path: Path) -> None:
    for name in ("with space", "../up", "", "1", "a/b"):
        assert_one_sentence(command_line.run("new_workflow", name, cwd=tmp_path), EXIT_USAGE)
    assert [path.name for path in tmp_path.iterdir() if path.name != "state"] == []
    command_line.succeed("new_workflow", "fine", cwd=tmp_path)
    before = (tmp_path / "fine" / "app.py").read_bytes()
    assert command_line.run("new_workflow", "fine", cwd=tmp_path).exit_code != 0
    assert (tmp_path / "fine" / "app.py").read_bytes() == before


def test_deployed_workflow_with_bad_requests(command_line: CommandLine, tmp_path: Path) -> None:
    source = HEAD + ENTRY + "    return event\n"
    command_line.succeed("deploy", cwd=make_project(tmp_path, source, json.dumps(CONFIGURATION)))
    for text in ("{", "NaN", "word", ""):
        assert_one_sentence(command_line.run("run", "bad-0.0.1", "-a", text), EXIT_USAGE)
    assert "run it" in assert_one_sentence(command_line.run("solve", "bad-0.0.1"), EXIT_FAILURE)
    assert_one_sentence(command_line.run("solve", "bad-0.0.1", "-s", "magic"), EXIT_USAGE)
    assert_one_sentence(command_line.run("data_collect", "weather"), EXIT_USAGE)
    assert_one_sentence(command_line.run("no_such_command"), EXIT_USAGE)


def test_a_function_that_raises_ends_as_a_failed_run(command_line: CommandLine, tmp_path: Path) -> None:
    source = HEAD + ENTRY + "    raise ValueError('this input is bad')\n"
    command_line.succeed("deploy", cwd=make_project(tmp_path, source, json.dumps(CONFIGURATION)))
    answer = command_line.run("run", "bad-0.0.1", "-a", "1")
    assert answer.exit_code == EXIT_FAILURE
    run = answer.document["runs"][0]
    assert run["status"] == "failed"
    assert {failure["message"] for failure in run["failures"]} == {"this input is bad"}
    assert len(run["failures"]) == 3


def test_branch_that_fails_before_a_join_ends_the_run(command_line: CommandLine, tmp_path: Path) -> None:
    """The join waits for a report that will never come: the run has failed, and nobody waits for the time limit."""
    source = HEAD + ENTRY + BROKEN_BRANCH
    command_line.succeed("deploy", cwd=make_project(tmp_path, source, json.dumps(CONFIGURATION)))
    answer = command_line.run("run", "bad-0.0.1", "-a", "1")
    assert answer.exit_code == EXIT_FAILURE
    (run,) = answer.document["runs"]
    assert run["status"] == "failed"
    assert len(run["failures"]) == 3
    assert "still under way" not in answer.errors
    synced = command_line.succeed("data_sync")["workflows"][0]
    assert (synced["failed"], synced["completed"], synced["open"]) == (1, 0, 0)


def test_corrupted_database_is_refused_and_left_alone(command_line: CommandLine) -> None:
    command_line.succeed("setup_tables")
    (database,) = command_line.state.glob("*.db")
    for leftover in command_line.state.glob("*.db-*"):
        leftover.unlink()
    database.write_bytes(b"this is no database" * 1000)
    before = database.read_bytes()
    message = assert_one_sentence(command_line.run("list"), EXIT_FAILURE)
    assert str(database) in message or str(command_line.state) in message
    assert_one_sentence(command_line.run("setup_tables"), EXIT_FAILURE)
    assert database.read_bytes() == before


def test_second_command_on_one_state_directory_is_refused(command_line: CommandLine, tmp_path: Path) -> None:
    source = HEAD + ENTRY + "    import time\n    time.sleep(8)\n"
    command_line.succeed("deploy", cwd=make_project(tmp_path, source, json.dumps(CONFIGURATION)))
    first = command_line.start("run", "bad-0.0.1")
    try:
        deadline = time.monotonic() + 60.0
        while str(first.pid) not in (command_line.state / "lock").read_text(encoding="utf-8"):
            assert first.poll() is None, "the first command ended before it held the state directory"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        message = assert_one_sentence(command_line.run("data_sync"), EXIT_FAILURE)
        assert str(first.pid) in message
        assert command_line.run("list").exit_code == 0, "reading beside another command is allowed"
    finally:
        output, errors = first.communicate(timeout=60)
    assert first.returncode == 0, errors + output


def test_database_of_a_newer_version_is_refused(command_line: CommandLine) -> None:
    command_line.succeed("setup_tables")
    (database,) = command_line.state.glob("*.db")
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    assert_one_sentence(command_line.run("list"), EXIT_FAILURE)
