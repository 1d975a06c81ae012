"""What doctor finds on this machine, with one thing missing at a time."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from multi_x_serverless.adaptation import machine_checks
from multi_x_serverless.cloud.ports import Finding


def find(check: str, *, is_aws: bool = True) -> Finding:
    checks = {entry.name: entry for entry in machine_checks.machine_checks(is_aws=is_aws)}
    (finding,) = checks[check].look()
    assert finding.check == check
    return finding


@pytest.mark.parametrize("check", ["python", "engine", "installer"])
def test_this_machine_is_fit(check: str) -> None:
    finding = find(check, is_aws=False)

    assert (finding.status, finding.remedy) == ("ok", "")


def test_python_and_machine_are_named() -> None:
    assert find("python").message.startswith(f"CPython {platform.python_version()} on ")
    assert find("python").message.endswith(platform.machine())


def test_another_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.python_implementation", lambda: "PyPy")

    finding = find("python")

    assert finding.status == "problem"
    assert "CPython 3.10+" in finding.remedy


def test_a_python_that_lambda_may_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "NEWEST_LAMBDA_MINOR", sys.version_info.minor - 1)

    finding = find("python")

    assert finding.status == "note"
    assert f"CPython 3.{sys.version_info.minor - 1}" in finding.remedy
    assert find("python", is_aws=False).status == "ok", "on the embedded cloud functions run here"


def test_the_newest_python_that_lambda_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "NEWEST_LAMBDA_MINOR", sys.version_info.minor)

    assert find("python").status == "ok"


def test_an_engine_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "multi_x_serverless.solving.engine", None)

    finding = find("engine")

    assert finding.status == "problem"
    assert "does not load" in finding.message
    assert "--force-reinstall --no-deps multi-x-serverless" in finding.remedy


def test_no_installer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)

    finding = find("installer")

    assert (finding.status, finding.remedy) == ("problem", "python -m ensurepip --upgrade")


def test_uv_installs_where_pip_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")

    assert find("installer") == Finding("installer", "ok", "requirements are installed with /bin/uv")


def program(directory: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only program on the path."""
    file = directory / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))


@pytest.mark.parametrize("check", ["docker", "crane"])
def test_tools_that_are_missing_are_a_note(check: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    finding = find(check)

    assert finding.status == "note"
    assert "is not installed" in finding.message
    assert "zip" in finding.message


def test_docker_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "docker", 'test "$1" = version && echo 27.1', monkeypatch)

    assert find("docker") == Finding("docker", "ok", "its daemon 27.1 answers")


def test_docker_without_its_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "docker", "echo 'Cannot connect' >&2; exit 1", monkeypatch)
    monkeypatch.setattr(sys, "platform", "linux")

    finding = find("docker")

    assert finding.status == "note"
    assert "does not answer (Cannot connect)" in finding.message
    assert finding.remedy == "sudo systemctl start docker"


def test_docker_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "docker", "", monkeypatch)

    def hang(command: list[str], **options: object) -> None:
        raise subprocess.TimeoutExpired(command, 10.0)

    monkeypatch.setattr("subprocess.run", hang)

    assert "no answer within 10 s" in find("docker").message


def test_crane_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "crane", "", monkeypatch)

    assert find("crane") == Finding("crane", "ok", str(tmp_path / "crane"))


def test_the_embedded_cloud_needs_no_tools() -> None:
    assert not {"docker", "crane"} & {check.name for check in machine_checks.machine_checks(is_aws=False)}
