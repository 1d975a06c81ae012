"""`run` as a user types it: what is said of failures and after Ctrl-C."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation import runs
from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.output import Column, write_table
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE
from multi_x_serverless.observation.trace import NodeFailure, RunTrace, TraceStatus
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.cli import golden
from tests.unit.deployment.projects import WORKFLOW_ID

RUN = ["--cloud", "local", "run", WORKFLOW_ID]


@pytest.fixture(autouse=True)
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = deployed_example(tmp_path)
    monkeypatch.setattr(Settings, "open_cloud", lambda *_, **__: nullcontext(cloud))
    for name in ("MULTI_X_SERVERLESS_CLOUD", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def trace(number: int, status: TraceStatus) -> RunTrace:
    failure = NodeFailure("first", "us-east-1", "ValueError", "bad", ())
    return RunTrace(f"{number:032x}", status, "plan", "5", 0.5, (), (failure,) if status == "failed" else (), None)


@pytest.mark.parametrize(
    ("statuses", "never_started", "expected"),
    [
        (["complete"], 0, "1 run complete"),
        (["complete", "failed", "complete"], 7, "2 runs complete, 1 failed, the last 7 never started"),
        (["running"], 0, "0 runs complete, 1 under way (goes on with the next 'run')"),
        (
            ["running", "not started"],
            1,
            "0 runs complete, 2 under way (go on with the next 'run'), the last 1 never started",
        ),
    ],
)
def test_ctrl_c_tells_what_became_of_the_runs(
    statuses: Sequence[TraceStatus],
    never_started: int,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise runs.RunsInterruptedError(tuple(map(trace, range(len(statuses)), statuses)), never_started)

    monkeypatch.setattr(runs, "run_and_wait", interrupted)
    assert run(RUN) == EXIT_INTERRUPTED
    assert capsys.readouterr().err == f"interrupted: {expected}.\n"


def test_a_failed_run_names_what_to_type_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    traces = (trace(1, "complete"), trace(2, "failed"), trace(3, "failed"))
    monkeypatch.setattr(runs, "run_and_wait", lambda *_, **__: traces)
    assert run(RUN) == EXIT_FAILURE
    assert capsys.readouterr().err.endswith(
        "To see why it failed, and what was given up:\n"
        f"  multi_x_serverless --cloud local status {2:032x}\n"
        f"  multi_x_serverless --cloud local dead_letters {WORKFLOW_ID}\n"
    )
    assert run(["-q", *RUN]) == EXIT_FAILURE
    assert "To see" not in capsys.readouterr().err


def test_whatever_a_run_returned_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    returned = {"text": "half \ud83d", "count": 2**70}
    traces = (replace(trace(1, "complete"), result=returned),)
    monkeypatch.setattr(runs, "run_and_wait", lambda *_, **__: traces)
    assert run(RUN) == EXIT_OK
    assert f'Result: {{\n  "text": "half \\ud83d",\n  "count": {2**70}\n}}\n' in capsys.readouterr().out
    assert run(["--output", "json", *RUN]) == EXIT_OK
    assert json.loads(capsys.readouterr().out)["runs"][0]["result"] == returned


def test_half_a_character_in_a_table_or_an_error_is_escaped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(golden.table_settings(monkeypatch), "a \ud800", [Column("b")], [["c \udfff"]], note="d \udc41")
    output = capsys.readouterr().out
    assert [text in output for text in ("a \\ud800", "c \\udfff", "d \\udc41")] == [True] * 3
    for arguments in ([], ["--output", "json"]):
        assert run([*arguments, *RUN, "-a", "\udcff"]) == EXIT_USAGE
        assert "\\udcff" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["1e999", "-1e999", '[{"a": 1e400}]', "Infinity", "NaN"])
def test_a_number_that_is_none_is_not_sent(number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "inputs"
    file.write_text(f"1e308\n{number}\n", encoding="utf-8")
    for arguments, where in ((["-a", number], "-a"), (["--arguments-file", str(file)], f"{file}:2")):
        assert run([*RUN, "--no-wait", *arguments]) == EXIT_USAGE
        said = " ".join(capsys.readouterr().err.split())
        assert said.startswith(f"error: {where}: '{number}' is not JSON (")
        assert "too large for a number" in said or "not part of JSON" in said
