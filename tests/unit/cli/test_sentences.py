"""Sentences for people: broken between words, with commands that can be typed as they stand."""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.output import wrap_error
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cli.table_layout import wrap
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.cli.golden import table_settings
from tests.unit.deployment.projects import WORKFLOW_ID

MISSING = ["objects", "get", WORKFLOW_ID, "missing"]


@pytest.fixture(autouse=True)
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = deployed_example(tmp_path)
    monkeypatch.setattr(Settings, "open_cloud", lambda *_, **__: nullcontext(cloud))
    monkeypatch.delenv("MULTI_X_SERVERLESS_CLOUD", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)


def test_an_error_tells_a_command_as_it_is_to_be_typed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["--cloud", "local", *MISSING]) == 1
    assert f"'multi_x_serverless --cloud local objects list {WORKFLOW_ID}' shows" in capsys.readouterr().err
    assert run(["--cloud", "local", "--output", "json", "objects", "get", WORKFLOW_ID, "missing", "-o", "x"]) == 1
    message = json.loads(capsys.readouterr().err)["error"]["message"]
    assert f"'multi_x_serverless --cloud local objects list {WORKFLOW_ID}' shows" in message
    monkeypatch.setenv("MULTI_X_SERVERLESS_CLOUD", "local")
    assert run(MISSING) == 1
    assert f"'multi_x_serverless objects list {WORKFLOW_ID}' shows" in capsys.readouterr().err


def test_what_is_said_while_a_command_runs_tells_commands_so_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--cloud", "local", "status", WORKFLOW_ID]) == 0
    assert "'multi_x_serverless --cloud local data_sync' reads the logs." in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("columns", [40, 80])
def test_errors_are_broken_between_words_on_a_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["status", "a-workflow-that-is-not-there"]) == 1
    whole = capsys.readouterr().err
    assert whole.count("\n") == 1
    monkeypatch.setenv("COLUMNS", str(columns))
    assert run(["status", "a-workflow-that-is-not-there"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= columns
    assert " ".join(lines) == whole.rstrip("\n")


@pytest.mark.parametrize("command", [["--output", "json", "status", "nope"], ["--output", "json", "status"]])
def test_an_error_as_a_document_stays_one_line(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert run(command) != 0
    assert capsys.readouterr().err.count("\n") == 1


def test_wrong_usage_is_broken_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert run(["solve", WORKFLOW_ID, "--hour", "3"]) == 2
    error = capsys.readouterr().err
    assert "Error: --hour is the hour of the\nfrontier of --pareto or --pick.\n" in error


@pytest.mark.parametrize(("is_terminal", "lines"), [(True, 2), (False, 1)])
def test_the_terminal_is_that_of_standard_error(is_terminal: bool, lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys.stderr, "fileno", lambda: 2)
    monkeypatch.setattr("os.get_terminal_size", lambda descriptor: {2: os.terminal_size((10, 24))}[descriptor])
    assert len(wrap_error("ten words a").split("\n")) == lines


def test_a_command_is_never_broken() -> None:
    command = "'multi_x_serverless --cloud local redrive orders-0.0.1 --run 0123456789abcdef'"
    assert wrap(f"When it is mended, {command} puts it back.", 30) == (f"When it is mended,\n{command}\nputs it back.")


def test_lines_stay_lines_and_a_percentage_whole() -> None:
    assert wrap("one two\n\n12 %", 4, indent="- ", hanging="  ") == "- one\n  two\n\n  12 %"


def test_a_text_that_was_completed_is_not_completed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = table_settings(monkeypatch)
    once = settings.with_options("'multi_x_serverless deploy' and\n  multi_x_serverless -v list")
    assert once == "'multi_x_serverless --cloud local deploy' and\n  multi_x_serverless --cloud local -v list"
    assert settings.with_options(once) == once
