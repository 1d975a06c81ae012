"""What a release rests on says the same everywhere: version, oldest Rust, targets that workflows call."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from multi_x_serverless import _core

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def _workspace(name: str) -> str:
    found = re.search(rf'^{name} = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert found is not None
    return found.group(1)


def _commands(path: Path) -> list[str]:
    jobs: dict[str, Any] = yaml.safe_load(path.read_text())["jobs"]
    return [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]


def test_the_version_is_that_of_the_workspace() -> None:
    assert version("multi-x-serverless") == _core.__version__ == _workspace("version")


def test_the_changelog_has_a_place_for_what_comes() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased" or headings[0] == _workspace("version")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_call_targets_that_there_are(path: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in _commands(path):
        for called in re.findall(r"\bmake ([^&|\n]+)", command):
            names = {word for word in called.replace('"', " ").split() if re.fullmatch(r"[a-z][a-z-]*", word)}
            assert names, command
            assert names <= targets, command


def test_the_oldest_rust_is_tested() -> None:
    oldest = _workspace("rust-version")
    assert any(f"rustup override set {oldest}" in command for command in _commands(ROOT / ".github/workflows/ci.yml"))
    assert f"1.{oldest.split('.')[1]} or newer" in (ROOT / "README.md").read_text()


def test_the_oldest_python_is_tested() -> None:
    oldest = re.search(r'^requires-python = ">=(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert oldest is not None
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    assert oldest.group(1) in jobs["python"]["strategy"]["matrix"]["python"]
    assert f"abi3-py{oldest.group(1).replace('.', '')}" in (ROOT / "rust/python/Cargo.toml").read_text()
