"""The guide to the command line is true: commands, options, variables and exit codes are those of the program."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from multi_x_serverless import errors
from multi_x_serverless.cli.commands import completion, logs
from multi_x_serverless.cli.completion import SHELLS
from multi_x_serverless.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide" / "command-line.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\$ multi_x_serverless ([^|\n]*)", GUIDE, re.MULTILINE)


def rows(heading: str) -> list[list[str]]:
    """Cells of the first table after a heading of its first column."""
    table = GUIDE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()[2:]]


@pytest.mark.parametrize("line", LINES)
def test_the_commands_can_be_called_so(line: str) -> None:
    with cli.make_context("multi_x_serverless", shlex.split(line)) as context:
        name, command, words = cli.resolve_command(context, [*context._protected_args, *context.args])
        assert name in COMMANDS
        assert command is not None
        command.make_context(name, words, parent=context)


def test_options_of_logs_are_all_there() -> None:
    known = {option for parameter in logs.command.params for option in parameter.opts if option.startswith("--")}
    assert {name for row in rows("option") for name in re.findall(r"`(--\w+)`", row[0])} == known


def test_limits_and_defaults_of_logs() -> None:
    defaults = {row[0].strip("`"): row[2] for row in rows("option")}
    (limit,) = (parameter for parameter in logs.command.params if parameter.name == "limit")
    assert defaults["--limit"] == str(limit.default)


def test_shells_and_their_lines() -> None:
    found = rows("shell")
    assert tuple(row[0].partition(",")[0] for row in found) == SHELLS
    assert completion.command.help is not None
    for row in found:
        line = row[1].strip("`").replace("\\|", "|")
        assert line in completion.command.help


def test_exit_codes() -> None:
    known = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert {int(row[0]) for row in rows("exit code")} == known


def test_variables() -> None:
    told = {row[0].strip("`"): row[1].strip("`") for row in rows("variable")}
    for option in cli.params:
        if isinstance(option, click.Option) and option.envvar:
            assert told[str(option.envvar)] == option.opts[0]


def test_what_asks_is_told() -> None:
    told = set(re.findall(r"`([a-z_]+)[^`]*`", GUIDE.partition("## Questions")[2].partition(" ask before")[0]))
    commands = ROOT / "python" / "multi_x_serverless" / "cli" / "commands"
    assert told == {path.stem for path in commands.glob("*.py") if ".confirm(" in path.read_text(encoding="utf-8")}
