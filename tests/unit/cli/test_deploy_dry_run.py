"""``deploy --dry-run``: the difference that a person has read, and the whole as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.cli.commands.deploy import _show
from multi_x_serverless.cli.deploy_tables import find_difference
from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.errors import EXIT_NOTHING_TO_DO
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.cli.golden import check_golden, table_settings
from tests.unit.deployment.projects import CONFIGURATION, make_project, stage

MORE_MEMORY = CONFIGURATION + "  providers: {aws: {config: {memory: 1024, timeout: 60}}}\n"

POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::mine/*"}],
}


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    cloud = deployed_example(tmp_path, runs=40)

    @contextmanager
    def open_cloud(_settings: Settings, *, exclusive: bool = True) -> Iterator[Cloud]:
        assert exclusive
        yield cloud

    monkeypatch.setattr(Settings, "open_cloud", open_cloud)
    return cloud


def change_project(directory: Path) -> Path:
    make_project(directory, configuration=MORE_MEMORY)
    (directory / "iam_policy.json").write_text(json.dumps(POLICY), encoding="utf-8")
    return directory


def test_the_difference(
    cloud: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = deploy(cloud, change_project(tmp_path), dry_run=True)
    assert result.preview is not None
    settings = table_settings(monkeypatch)
    monkeypatch.setenv("COLUMNS", "80")
    _show(settings, result, find_difference(cloud, result.preview), dry_run=True)
    check_golden("deploy_dry_run", capsys.readouterr().out)


def test_the_difference_as_json(cloud: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--output", "json", "-p", str(change_project(tmp_path)), "deploy", "--dry-run"]
    before = cloud.contents()
    assert run(arguments) == EXIT_NOTHING_TO_DO
    assert cloud.contents() == before
    document = json.loads(capsys.readouterr().out)
    assert [permission["action"] for permission in document["permissions_added"]] == ["s3:GetObject", "s3:PutObject"]
    assert document["permissions_removed"] == []
    assert {change["setting"] for change in document["settings"]} == {"memory (MB)"}
    month = document["expected_month"]
    assert month["after"]["cost_usd"] > month["before"]["cost_usd"] > 0.0
    assert document["why_not_expected"] is None


def test_a_first_deployment_expects_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = make_project(tmp_path / "project")
    arguments = ["--cloud", "local", "--state-dir", str(tmp_path / "state"), "-p", str(project), "deploy", "--dry-run"]
    assert run(arguments) == EXIT_NOTHING_TO_DO
    output = " ".join(capsys.readouterr().out.split())
    assert "not known; nothing of it has run yet." in output
    assert "+ sns:Publish on arn:aws:sns:*:" in output
    assert run(["--output", "json", *arguments]) == EXIT_NOTHING_TO_DO
    document = json.loads(capsys.readouterr().out)
    assert document["expected_month"] is None
    assert document["why_not_expected"] == "nothing of it has run yet."


def test_without_a_change_nothing_is_shown(
    cloud: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage(cloud)
    assert run(["-p", str(tmp_path), "deploy", "--dry-run"]) == 0
    assert capsys.readouterr().out == "Nothing would change.\n"
    assert run(["-p", str(tmp_path), "deploy"]) == 0
    assert "(nothing had changed)" in capsys.readouterr().out
