"""What the command line says after Ctrl-C: what is left, and commands that can be typed as they stand."""

from __future__ import annotations

import io
import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from multi_x_serverless.adaptation import upkeep
from multi_x_serverless.cli.main import COMMANDS, LEFT_AFTER, run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_INTERRUPTED
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.deployment.projects import WORKFLOW_ID, make_project


@pytest.fixture(autouse=True)
def ambient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MULTI_X_SERVERLESS_CLOUD", raising=False)


def press(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_an_interrupted_deployment_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "project")
    state = ["--cloud", "local", "--state-dir", str(tmp_path / "state"), "--project-dir", str(project)]
    monkeypatch.setattr("multi_x_serverless.deployment.executor.Executor.probe", press)
    assert run([*state, "deploy"]) == EXIT_INTERRUPTED
    told = said(capsys)
    assert told.startswith(f"interrupted: {WORKFLOW_ID} is not deployed yet. What was made of it so far is noted: ")
    assert f"'multi_x_serverless --cloud local --state-dir {tmp_path / 'state'} --project-dir {project} deploy'" in told
    monkeypatch.undo()
    monkeypatch.setenv("MULTI_X_SERVERLESS_CLOUD", "local")
    known = f"multi_x_serverless {' '.join(state[2:])}"
    to_do = f"'{known} deploy' in its project goes on with it, '{known} remove {WORKFLOW_ID}' deletes"
    assert run([*state, "list"]) == 0
    listed = " ".join(capsys.readouterr().out.split())
    assert f"{WORKFLOW_ID} is not deployed yet: its first deployment" in listed
    assert to_do in listed
    assert "No workflow is deployed." not in listed
    assert run([*state, "--output", "json", "list"]) == 0
    assert json.loads(capsys.readouterr().out)["unfinished"] == [WORKFLOW_ID]
    for command in (["run", WORKFLOW_ID], ["status", WORKFLOW_ID], ["report", WORKFLOW_ID]):
        assert run([*state, *command]) == EXIT_FAILURE
        assert to_do in said(capsys)
    assert run([*state, "run", "another-0.0.1"]) == EXIT_FAILURE
    assert f"deploy' makes one; deployments without an end: {WORKFLOW_ID}." in said(capsys)
    assert run([*state, "--yes", "remove", WORKFLOW_ID]) == 0
    assert run([*state, "list"]) == 0
    assert "No workflow is deployed." in capsys.readouterr().out


def test_commands_whose_state_is_the_same_wherever_they_stop_say_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cloud = deployed_example(tmp_path)
    monkeypatch.setattr(Settings, "open_cloud", lambda *_, **__: nullcontext(cloud))
    monkeypatch.setattr(upkeep, "sync_logs", press)
    assert run(["--cloud", "local", "data-sync"]) == EXIT_INTERRUPTED
    assert said(capsys) == (
        "interrupted: what was read so far is kept, the next 'multi_x_serverless --cloud local data_sync' goes on "
        "there."
    )
    monkeypatch.setattr("multi_x_serverless.adaptation.status.workflow_status", press)
    assert run(["status", WORKFLOW_ID]) == EXIT_INTERRUPTED
    assert said(capsys) == "interrupted"
    assert set(LEFT_AFTER) < set(COMMANDS)


def test_a_question_that_gets_no_answer_changes_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    state = ["--cloud", "local", "--state-dir", str(tmp_path / "state")]
    assert run([*state, "setup_tables", "--region", "us-east-1"]) == 0
    monkeypatch.setattr("sys.stdin", Terminal(""))  # its end, as Ctrl-D makes it
    assert run([*state, "teardown"]) == EXIT_INTERRUPTED
    assert said(capsys).endswith("interrupted: nothing was changed.")
