"""Commands on pages exist, with the options that pages give them, also where no test runs them (without an account)."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from integration_tests.pages import PROGRAM, ROOT, blocks_of
from multi_x_serverless.cli.main import cli

PAGES = sorted([ROOT / "README.md", ROOT / "benchmarks" / "README.md", *(ROOT / "docs").rglob("*.md")])

SEPARATORS = ("&&", "||", "|", ";", ">", ">>")
"""Words of a shell at which a command ends."""


def commands_of(page: Path) -> list[list[str]]:
    """Arguments of our program, of every command that a page shows."""
    found: list[list[str]] = []
    for block in blocks_of(page.read_text(encoding="utf-8")):
        for step in block.steps if block.language == "console" else ():
            command: list[str] = []
            for word in [*step.words, "&&"]:
                if word not in SEPARATORS:
                    command.append(word)
                    continue
                if command[:1] == [PROGRAM]:
                    found.append(command[1:])
                command = []
    return found


@pytest.fixture
def only_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands end when their arguments are understood; nothing is asked of the files that they name."""
    invoke = click.Command.invoke

    def invoke_groups(command: click.Command, context: click.Context) -> object:
        return invoke(command, context) if isinstance(command, click.Group) else None

    monkeypatch.setattr(click.Command, "invoke", invoke_groups)
    monkeypatch.setattr(click.Path, "convert", lambda _type, value, _parameter, _context: Path(value))


@pytest.mark.usefixtures("only_parsed")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_understood(page: Path) -> None:
    for arguments in commands_of(page):
        try:
            cli.main(arguments, prog_name=PROGRAM, standalone_mode=False)
        except click.ClickException as error:
            pytest.fail(f"{PROGRAM} {' '.join(arguments)}: {error.format_message()}")


@pytest.mark.usefixtures("only_parsed")
@pytest.mark.parametrize("arguments", [["solve", "--no-such-option"], ["no_such_command"], ["deploy", "--region"]])
def test_what_does_not_exist_is_found(arguments: list[str]) -> None:
    with pytest.raises(click.UsageError):
        cli.main(arguments, prog_name=PROGRAM, standalone_mode=False)


def test_commands_are_found() -> None:
    commands = commands_of(ROOT / "docs" / "guide" / "aws.md")
    assert ["new_workflow", "hello"] in commands
    assert ["run", "hello-0.0.1", "-a", '{"text": "A short text."}', "--wait"] in commands
