"""``deploy --package``: what is offered, what the embedded cloud says, and what a dry run shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_NOTHING_TO_DO, EXIT_OK, EXIT_USAGE
from tests.fakes import FakeCloud
from tests.unit.deployment.projects import make_project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def test_the_help_says_what_the_formats_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deploy", "--help"]) == EXIT_OK
    text = " ".join(capsys.readouterr().out.split())
    assert "--package [zip|image]" in text
    assert "250 MB" in text
    assert "10 GB" in text


def test_another_format_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deploy", "--package", "tar"]) == EXIT_USAGE
    assert "'tar' is not one of 'zip', 'image'" in capsys.readouterr().err


def test_the_embedded_cloud_refuses_an_image_and_takes_a_zip(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, project: Path
) -> None:
    common = ["--cloud", "local", "--state-dir", str(tmp_path / "state"), "--output", "json", "-p", str(project)]
    assert run([*common, "deploy", "--package", "image"]) == EXIT_FAILURE
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["code"] == "unsupported"
    assert "--package zip" in error["message"]
    assert run([*common, "deploy", "--dry-run", "--package", "zip"]) == EXIT_NOTHING_TO_DO
    actions = json.loads(capsys.readouterr().out)["actions"]
    assert "package" in {action["kind"] for action in actions}


def test_a_dry_run_shows_repository_and_image(
    capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def open_cloud(settings: Settings, *, exclusive: bool = True) -> Iterator[FakeCloud]:
        yield FakeCloud(name="aws")

    monkeypatch.setattr(Settings, "open_cloud", open_cloud)
    arguments = ["-p", str(project), "deploy", "--dry-run", "--package", "image"]
    assert run(["--output", "json", *arguments]) == EXIT_NOTHING_TO_DO
    actions = json.loads(capsys.readouterr().out)["actions"]
    assert [(action["verb"], action["kind"], action["region"]) for action in actions[1:3]] == [
        ("create", "repository", "us-east-1"),
        ("create", "image", "us-east-1"),
    ]
    assert run(arguments) == EXIT_NOTHING_TO_DO
    shown = capsys.readouterr().out
    assert "repository" in shown
    assert "package" not in shown
