"""What is written on a terminal and what is not: colours, progress, and questions before something is deleted."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from multi_x_serverless.cli import main, progress
from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cloud.ports import DeadLetter
from multi_x_serverless.deployment.names import function_name
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import HOME, deployed_example
from tests.unit.cli.golden import table_settings
from tests.unit.deployment.projects import WORKFLOW_ID

ESCAPE = "\x1b"
COMMANDS_DIRECTORY = Path(main.__file__).parent / "commands"


def on_a_terminal(arguments: list[str], directory: Path, **variables: str) -> str:
    """What a command writes where standard output and standard error are a terminal."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "multi_x_serverless", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        cwd=directory,
        env=environment | {"TERM": "xterm-256color", "COLUMNS": "80"} | variables,
    )
    os.close(theirs)
    written = b""
    # The other end of a terminal that nobody has open any more cannot be read (Linux says so by an error).
    while chunk := _read(ours):
        written += chunk
    os.close(ours)
    process.wait()
    return written.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""


COLORS = re.compile(r"\x1b\[[0-9;]*m")

ROWS = [
    ["--cloud", "local", "doctor"],
    ["--cloud", "local", "list"],
    ["--cloud", "local", "solve"],
    ["--cloud", "local", "status", "nope-1"],
    ["--help"],
    ["solve", "--help"],
]


@pytest.mark.parametrize("arguments", ROWS, ids=" ".join)
def test_without_colours_nothing_is_coloured(arguments: list[str], tmp_path: Path) -> None:
    state = ["--state-dir", str(tmp_path / "state")]
    assert not COLORS.search(on_a_terminal(["--no-color", *state, *arguments], tmp_path))
    assert not COLORS.search(on_a_terminal([*state, *arguments], tmp_path, NO_COLOR="1"))


def test_with_colours_findings_are(tmp_path: Path) -> None:
    """The tests above can fail: an empty NO_COLOR does not count."""
    written = on_a_terminal(["--cloud", "local", "--state-dir", str(tmp_path), "doctor"], tmp_path, NO_COLOR="")
    assert COLORS.search(written)


def test_tables_have_no_attributes_without_colours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace  # noqa: PLC0415

    from multi_x_serverless.cli.output import Column, write_table  # noqa: PLC0415

    monkeypatch.setenv("FORCE_COLOR", "1")
    settings = table_settings(monkeypatch)
    write_table(settings, "Title", [Column("a")], [["1"]])
    assert ESCAPE not in capsys.readouterr().out
    write_table(replace(settings, color=True), "Title", [Column("a")], [["1"]])
    assert ESCAPE in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "shown",
    [
        lambda settings: progress.terminal_status(settings, "doing [this]"),
        lambda settings: progress.terminal_count(settings, "doing [this]", 1),
        lambda settings: progress.terminal_count(settings, "doing [this]", 5),
        progress.terminal_progress,
    ],
    ids=["status", "one", "several", "steps"],
)
def test_progress_is_for_a_terminal_only(
    shown: Callable[[Settings], nullcontext[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace  # noqa: PLC0415

    settings = table_settings(monkeypatch)
    monkeypatch.setenv("TERM", "xterm")
    written = {}
    for name, stream, given in (
        ("pipe", io.StringIO(), settings),
        ("quiet", Terminal(), replace(settings, verbosity=-1)),
        ("terminal", Terminal(), settings),
    ):
        monkeypatch.setattr("sys.stderr", stream)
        with shown(given):
            pass
        written[name] = stream.getvalue()
    assert (written["pipe"], written["quiet"]) == ("", "")
    assert written["terminal"]
    assert not COLORS.search(written["terminal"])


def test_the_text_of_a_step_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = table_settings(monkeypatch)
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with progress.terminal_status(settings, "doing [this]"):
        pass
    assert "doing [this]" in stream.getvalue()


LONG = {
    "data_collect",
    "data_sync",
    "dead_letters",
    "deploy",
    "deploy_framework",
    "doctor",
    "explain",
    "list",
    "logs",
    "objects",
    "redrive",
    "remove",
    "remove_framework",
    "replay",
    "run",
    "setup_tables",
    "solve",
    "status",
    "teardown",
    "update_check_deployment",
    "update_check_solver",
}
"""Commands that may take long: they ask a cloud, or compute."""


def test_long_work_shows_progress() -> None:
    found = {
        path.stem
        for path in COMMANDS_DIRECTORY.glob("*.py")
        if "with terminal_" in path.read_text(encoding="utf-8") or ", terminal_" in path.read_text(encoding="utf-8")
    }
    assert found >= LONG


DESTRUCTIVE = {
    "remove": ["remove", WORKFLOW_ID],
    "remove and objects": ["remove", WORKFLOW_ID, "--objects"],
    "teardown": ["teardown"],
    "remove_framework": ["remove_framework"],
    "dead_letters --discard": ["dead_letters", "--discard", "first"],
    "dead_letters --discard-all": ["dead_letters", "--discard-all"],
    "objects delete": ["objects", "delete", WORKFLOW_ID, "a"],
    "objects delete --all": ["objects", "delete", WORKFLOW_ID, "--all"],
}


def test_without_a_command_the_help_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) in (0, 2)  # as click's version has it
    captured = capsys.readouterr()
    assert (captured.out + captured.err).count("Usage:") == 1
    assert "Error" not in captured.err


def test_the_destructive_commands_are_those_that_ask() -> None:
    asking = {path.stem for path in COMMANDS_DIRECTORY.glob("*.py") if ".confirm(" in path.read_text(encoding="utf-8")}
    # When deploy asks is in test_deploy_in_place.
    assert asking == {arguments[0] for arguments in DESTRUCTIVE.values()} | {"deploy"}


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    cloud = deployed_example(tmp_path)
    cloud.messages.letters.append(
        DeadLetter("first", HOME, function_name(WORKFLOW_ID, "left"), b'{"run": "r1", "node": 1}', "boom", 1.0)
    )
    cloud.objects.objects[HOME, f"objects/{WORKFLOW_ID}/a"] = b"1"

    @contextmanager
    def open_cloud(_settings: Settings, *, exclusive: bool = True) -> Iterator[FakeCloud]:
        yield cloud

    monkeypatch.setattr(Settings, "open_cloud", open_cloud)
    return cloud


def state_of(cloud: FakeCloud) -> object:
    tables = {
        place: {key: item.attributes for key, item in table.items()} for place, table in cloud.key_value.tables.items()
    }
    return (tables, dict(cloud.objects.objects), list(cloud.messages.letters), dict(cloud.identity.roles))


@pytest.mark.parametrize("name", [name for name in DESTRUCTIVE if name != "teardown"])
@pytest.mark.parametrize("answer", ["no terminal", "no"])
def test_nothing_is_deleted_without_a_yes(
    name: str, answer: str, cloud: FakeCloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state_of(cloud)
    monkeypatch.setattr("sys.stdin", io.StringIO() if answer == "no terminal" else Terminal("n\n"))
    assert run(DESTRUCTIVE[name]) == (2 if answer == "no terminal" else 1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("add --yes before the command" if answer == "no terminal" else "nothing was changed") in captured.err
    assert state_of(cloud) == before


@pytest.mark.parametrize("name", [name for name in DESTRUCTIVE if name != "teardown"])
def test_with_yes_nothing_is_asked(
    name: str, cloud: FakeCloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run(["--yes", *DESTRUCTIVE[name]]) == 0
    assert "?" not in capsys.readouterr().err
