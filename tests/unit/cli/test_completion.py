"""`completion`: scripts that shells take, and what is offered, by the protocol that these scripts speak."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from multi_x_serverless.cli import completion
from multi_x_serverless.cli.completion import SHELLS
from multi_x_serverless.cli.main import run
from multi_x_serverless.cloud.local import LocalCloud
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import create_tables, physical_name
from multi_x_serverless.errors import CorruptedStateError

CHECKS_SYNTAX = {"bash": ["-n"], "zsh": ["-n"], "fish": ["--no-execute"]}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """An embedded cloud with the ids of two workflows; that their records are empty nobody is to notice."""
    with LocalCloud(tmp_path / "state") as cloud:
        create_tables(cloud, ("us-east-1",))
        for workflow_id in ("hello-0.0.1", "other-1"):
            cloud.key_value.put("us-east-1", physical_name("workflows"), Key(workflow_id), {"document": b""})
    return tmp_path / "state"


def offered(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """What bash is offered for the last of the words."""
    with monkeypatch.context() as patched:
        patched.setenv("_MULTI_X_SERVERLESS_COMPLETE", "bash_complete")
        patched.setenv("COMP_WORDS", " ".join(("multi_x_serverless", *words)))
        patched.setenv("COMP_CWORD", str(len(words)))
        with pytest.raises(SystemExit) as ended:
            run([])
    assert ended.value.code == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return [line.partition(",")[2] for line in captured.out.splitlines() if line]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_of_its_shell(shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["completion", shell]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert f"_MULTI_X_SERVERLESS_COMPLETE={shell}_complete" in captured.out
    script = tmp_path / "script"
    script.write_text(captured.out, encoding="utf-8")
    program = shutil.which(shell)
    if program is None:
        begins = {"bash": "_multi_x_serverless_completion()", "zsh": "#compdef multi_x_serverless", "fish": "function "}
        assert captured.out.startswith(begins[shell])
    else:
        checked = subprocess.run([program, *CHECKS_SYNTAX[shell], script], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_a_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["completion", "bash"]) == 0
    program = tmp_path / "multi_x_serverless"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m multi_x_serverless "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    script = (
        f"{capsys.readouterr().out}\nCOMP_WORDS=(multi_x_serverless sol); COMP_CWORD=1\n"
        f'_multi_x_serverless_completion {program}\necho "${{COMPREPLY[@]}}"\n'
    )
    bash = shutil.which("bash")
    assert bash is not None
    ended = subprocess.run([bash, "--norc", "-c", script], capture_output=True, text=True, check=False)
    assert (ended.stdout.strip(), ended.stderr) == ("solve", "")


def test_commands_and_options_are_offered(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(capsys, monkeypatch, "sol") == ["solve"]
    assert offered(capsys, monkeypatch, "data_") == ["data_sync", "data_collect"]
    assert offered(capsys, monkeypatch, "data-") == ["data-sync", "data-collect"]
    assert offered(capsys, monkeypatch, "--out") == ["--output"]
    assert offered(capsys, monkeypatch, "--output", "j") == ["json"]
    assert offered(capsys, monkeypatch, "data_collect", "c") == ["carbon"]
    assert offered(capsys, monkeypatch, "doctor", "--region", "eu-west-") == ["eu-west-1", "eu-west-2", "eu-west-3"]


def test_ids_of_workflows_of_the_embedded_cloud_are_offered(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    before = sorted(path.name for path in state.iterdir())
    local = ("--cloud", "local", "--state-dir", str(state))
    for words in (("status",), ("run",), ("data_sync", "other-1"), ("logs", "x", "--workflow"), ("objects", "list")):
        assert offered(capsys, monkeypatch, *local, *words, "hel") == ["hello-0.0.1"]
    monkeypatch.setenv("MULTI_X_SERVERLESS_CLOUD", "local")
    monkeypatch.setenv("MULTI_X_SERVERLESS_STATE_DIR", str(state))
    assert offered(capsys, monkeypatch, "remove", "o") == ["other-1"]
    assert sorted(path.name for path in state.iterdir()) == before


def test_where_there_is_nothing_to_read_nothing_is_offered_or_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: Path
) -> None:
    assert offered(capsys, monkeypatch, "--state-dir", str(state), "status", "hel") == [], "AWS would have to be asked"
    missing = tmp_path / "missing"
    assert offered(capsys, monkeypatch, "--cloud", "local", "--state-dir", str(missing), "status", "hel") == []
    assert not missing.exists()

    def refuse(*_: object, **__: object) -> None:
        raise CorruptedStateError("broken")

    monkeypatch.setattr("multi_x_serverless.cloud.local.LocalCloud", refuse)
    assert offered(capsys, monkeypatch, "--cloud", "local", "--state-dir", str(state), "status", "hel") == []


def test_without_a_directory_it_is_the_users() -> None:
    assert completion._default_state_directory().name == "multi-x-serverless"
    assert completion._default_state_directory().is_absolute()
