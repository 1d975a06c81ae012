"""`data_sync` as a user types it, where logs cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.errors import CloudError
from tests.fakes import Call, FakeCloud
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.deployment.projects import WORKFLOW_ID


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """A deployed workflow, for whichever command opens the cloud."""
    cloud = deployed_example(tmp_path)

    @contextmanager
    def open_cloud(_settings: Settings, *, exclusive: bool = True) -> Iterator[FakeCloud]:
        yield cloud

    monkeypatch.setattr(Settings, "open_cloud", open_cloud)
    return cloud


AWAY = "ca-central-1"


def test_a_region_that_cannot_be_asked_is_named_and_the_others_are_read(
    cloud: FakeCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(call: Call) -> None:
        if call.operation in {"list_logs", "read_logs"} and call.arguments[0] == AWAY:
            raise CloudError("CloudWatch is down.", operation=call.operation, region=AWAY, retryable=True)

    cloud.logs.faults.before = refuse
    assert run(["--cloud", "local", "--output", "json", "data_sync"]) == 1
    captured = capsys.readouterr()
    (report,) = json.loads(captured.out)["workflows"]
    assert {unread["region"] for unread in report["unread"]} == {AWAY}
    assert {unread["error"] for unread in report["unread"]} == {"CloudWatch is down."}
    functions = sorted(unread["function"] for unread in report["unread"])
    assert len(functions) == 3
    for function in functions:
        assert f"error: {WORKFLOW_ID}: the log of {function} in {AWAY} could not be read" in captured.err
    calls = [call for call in cloud.logs.faults.calls if call.operation == "read_logs"]
    assert len(calls) == 1, "a region that does not answer is asked once"
    cloud.logs.faults.reset()
    assert run(["--cloud", "local", "data_sync", WORKFLOW_ID]) == 0
    assert "completed" in capsys.readouterr().out


def test_an_account_that_cannot_be_written_is_a_warning(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(call: Call) -> None:
        if call.operation == "put" and call.arguments[1] == physical_name("ledger"):
            raise CloudError("the table is away.", operation="put")

    cloud.key_value.faults.before = refuse
    assert run(["--cloud", "local", "--output", "json", "data_sync"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["failures"] == {}
    why = "What the sync took is not in the ledger: the table is away."
    assert captured.err == f"warning: {WORKFLOW_ID}: {why}\n"
