"""`update_check_solver` as a user types it, where a check fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.errors import CloudError
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.deployment.projects import WORKFLOW_ID


def test_a_check_that_fails_says_when_the_next_one_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud = deployed_example(tmp_path)

    @contextmanager
    def open_cloud(_settings: Settings, *, exclusive: bool = True) -> Iterator[FakeCloud]:
        yield cloud

    def away(*_: object, **__: object) -> None:
        raise CloudError("the history is away.", operation="query")

    monkeypatch.setattr(Settings, "open_cloud", open_cloud)
    monkeypatch.setattr("multi_x_serverless.adaptation.check_solver.sync_workflow", away)
    assert run(["--cloud", "local", "update_check_solver"]) == 1
    output = " ".join(capsys.readouterr().out.split())
    assert f"{WORKFLOW_ID}: failed: the history is away." in output
    assert "Next check: 2023-11-14 23:13 UTC: after a check that went wrong the next comes 1 h later." in output
    assert run(["--cloud", "local", "--output", "json", "update_check_solver"]) == 1
    (decision,) = json.loads(capsys.readouterr().out)["workflows"]
    assert (decision["error_code"], decision["next_check_at"]) == ("cloud", cloud.now() + 2 * 3_600.0)
