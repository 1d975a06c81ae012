"""`dead_letters` as a user types it: letters of workflows and of none, and deleting them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from multi_x_serverless.adaptation import dead_letters
from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cloud.ports import DeadLetter
from multi_x_serverless.deployment.names import function_name
from multi_x_serverless.errors import CloudError, ResourceNotFoundError
from multi_x_serverless.observation.trace import NodeFailure, RunTrace, TraceStatus
from tests.fakes import Call, FakeCloud
from tests.unit.adaptation.deployed import HOME, deployed_example
from tests.unit.deployment.projects import WORKFLOW_ID

AWAY = "us-west-2"
FAILED: TraceStatus = "failed"
COMPLETE: TraceStatus = "complete"


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """A deployed workflow with two letters, and one of a function that is gone where no workflow is."""
    cloud = deployed_example(tmp_path)
    mine = function_name(WORKFLOW_ID, "left")
    cloud.messages.letters += [
        DeadLetter("first", HOME, mine, b'{"run": "r1", "node": 1}', "boom", 1.0),
        DeadLetter("second", HOME, mine, b"{}", "boom", 2.0),
        DeadLetter("stray", AWAY, "mxs-gone-0", b'{"run": "r2", "node": 0}', "no function", 3.0),
    ]

    @contextmanager
    def open_cloud(_settings: Settings, *, exclusive: bool = True) -> Iterator[FakeCloud]:
        yield cloud

    monkeypatch.setattr(Settings, "open_cloud", open_cloud)
    return cloud


def left(cloud: FakeCloud) -> list[str]:
    return [letter.id for letter in cloud.messages.letters]


def test_letters_of_what_is_deployed_no_longer_are_listed(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--output", "json", "dead_letters"]) == 0
    found = json.loads(capsys.readouterr().out)["dead_letters"]
    assert [(letter["id"], letter["workflow_id"], letter["run_id"]) for letter in found] == [
        ("first", WORKFLOW_ID, "r1"),
        ("second", WORKFLOW_ID, ""),
        ("stray", "", "r2"),
    ]
    assert run(["dead_letters"]) == 0
    assert "of no deployed workflow, run r2" in capsys.readouterr().out
    assert run(["dead_letters", WORKFLOW_ID]) == 0
    assert "stray" not in capsys.readouterr().out
    assert left(cloud) == ["first", "second", "stray"]


def test_a_letter_is_discarded_by_its_id(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--yes", "--output", "json", "dead_letters", "--discard", "stray", "--discard", "first"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [letter["id"] for letter in answer["discarded"]] == ["first", "stray"]
    assert [letter["id"] for letter in answer["dead_letters"]] == ["second"]
    assert left(cloud) == ["second"]


def test_all_letters_of_a_workflow_are_discarded_and_no_others(
    cloud: FakeCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--yes", "dead_letters", WORKFLOW_ID, "--discard-all"]) == 0
    assert "Messages deleted: 2." in capsys.readouterr().out
    assert left(cloud) == ["stray"]
    assert run(["--yes", "dead_letters", WORKFLOW_ID, "--discard-all"]) == 3
    assert run(["--yes", "dead_letters", "--discard-all"]) == 0
    assert left(cloud) == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--discard-all"], "--yes"),
        (["--discard", "first", "--discard", "nobody"], "no dead letter 'nobody'"),
        (["--discard", "first", "--discard-all"], "either"),
        ([WORKFLOW_ID, "--discard", "stray"], "no dead letter 'stray'"),
    ],
)
def test_what_is_not_meant_deletes_nothing(
    cloud: FakeCloud,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    complaint: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run(["dead_letters", *arguments]) == 2
    assert complaint in capsys.readouterr().err
    assert left(cloud) == ["first", "second", "stray"]


def test_a_region_that_nothing_needs_may_be_closed(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    closed = AWAY

    def refuse(call: Call) -> CloudError | None:
        if call.operation == "dead_letters" and call.arguments[0] == closed:
            return CloudError(f"{closed} is closed.", operation=call.operation, region=closed)
        return None

    cloud.messages.faults.before = refuse
    assert run(["dead_letters"]) == 0
    captured = capsys.readouterr()
    assert f"warning: {AWAY} was not looked at: {AWAY} is closed." in captured.err
    assert "first" in captured.out
    closed = HOME
    assert run(["dead_letters"]) == 1


def test_a_letter_for_what_is_gone_holds_up_no_other(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    gone = ResourceNotFoundError("there is no topic 't' in us-east-1.", operation="redrive", region=HOME)
    cloud.faults.before = lambda call: gone if call.operation == "redrive" and call.arguments[1] == "first" else None
    assert run(["redrive", WORKFLOW_ID, "--no-wait"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "Messages put back: 1.\n"
    assert "was left: there is no topic 't' in us-east-1. To delete it:" in " ".join(captured.err.split())
    assert "  multi_x_serverless dead_letters --discard first\n" in captured.err
    assert left(cloud) == ["first", "stray"]
    assert run(["--output", "json", "redrive", WORKFLOW_ID, "--no-wait"]) == 1
    (stuck,) = json.loads(capsys.readouterr().out)["stuck"]
    assert (stuck["id"], stuck["why"]) == ("first", "there is no topic 't' in us-east-1.")


@pytest.mark.usefixtures("cloud")
def test_a_run_that_failed_again_says_why(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failures = tuple(NodeFailure("left", HOME, error, "bad", ()) for error in ("KeyError", "ValueError", "ValueError"))
    traces = tuple(
        RunTrace(run_id, status, "plan", "5", 0.5, (), failures, None)
        for run_id, status in (("r1", FAILED), ("r2", COMPLETE))
    )
    monkeypatch.setattr(dead_letters, "redrive", lambda *_, **__: dead_letters.RedriveResult((), traces))
    assert run(["redrive", WORKFLOW_ID]) == 1
    captured = capsys.readouterr()
    assert captured.out == "Messages put back: 0.\nrun r1: failed\nrun r2: complete\n"
    assert captured.err == (
        f"error: left in {HOME} raised KeyError: bad\n"
        f"error: left in {HOME} raised ValueError: bad (2 attempts)\n"
        "To see more of it:\n  multi_x_serverless status r1\n"
    )
    assert run(["--output", "json", "redrive", WORKFLOW_ID]) == 1
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [(entry["run_id"], entry["status"]) for entry in runs] == [("r1", FAILED), ("r2", COMPLETE)]
    assert [failure["error"] for failure in runs[0]["failures"]] == ["KeyError", "ValueError", "ValueError"]
    assert runs[0]["failures"][0] == {
        "node": "left",
        "region": HOME,
        "error": "KeyError",
        "message": "bad",
        "traceback": [],
    }
