"""Fixtures of the deployment's tests: a project, a cloud in memory, and builds that are made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from multi_x_serverless.deployment import build as build_module
from multi_x_serverless.deployment.deploy import DeployResult, deploy
from tests.fakes import FakeCloud
from tests.unit.deployment.projects import make_project

if TYPE_CHECKING:
    from pathlib import Path

    from multi_x_serverless.deployment.build import Build, CheckedProject
    from multi_x_serverless.model.workflow import PackageFormat

Deploy = Callable[..., DeployResult]

_builds: dict[tuple[str, ...], Build] = {}


def no_sleep(_seconds: float) -> None:
    """Retries do not wait in tests."""


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


@pytest.fixture
def quick_deploy(monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """`deploy` that builds equal projects once: for tests that deploy the same a hundred times."""

    def build_once(
        cloud: FakeCloud,
        project: Path,
        package_format: PackageFormat | None = None,
        *,
        checked: CheckedProject | None = None,
    ) -> Build:
        key = (
            *tuple(
                (project / file).read_text(encoding="utf-8") for file in ("app.py", ".multi-x-serverless/config.yml")
            ),
            str(package_format),
        )
        if key not in _builds:
            _builds[key] = build_module.build(cloud, project, package_format, checked=checked)
        return _builds[key]

    monkeypatch.setattr("multi_x_serverless.deployment.deploy.build", build_once)

    def run(cloud: FakeCloud, project: Path, **options: Any) -> DeployResult:
        return deploy(cloud, project, sleep=no_sleep, **options)

    return run
