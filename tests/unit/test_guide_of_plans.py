"""The guide to plans is true: its commands print what it shows, its marks, options and words are the program's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from benchmarks.replay.example import PLAN_FILE, plan_example
from multi_x_serverless.adaptation.solve import PLAN_LIFETIME_S, TradeOffs
from multi_x_serverless.cli.commands.explain import command as explain_command
from multi_x_serverless.cli.commands.solve import command as solve_command
from multi_x_serverless.cli.explanation_tables import _NOTES
from multi_x_serverless.cli.main import run
from multi_x_serverless.cloud.problems import PROBLEM_OBJECT_PREFIX
from multi_x_serverless.errors import EXIT_INFEASIBLE

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide" / "reading-plans.md").read_text(encoding="utf-8")
WORDS = " ".join(GUIDE.split())
CONSOLE = re.findall(r"```console\n\$ multi_x_serverless (.*?)\n(.*?)```", GUIDE, re.DOTALL)


def test_the_example_is_made_by_its_script() -> None:
    assert PLAN_FILE.read_bytes() == plan_example()


@pytest.mark.parametrize(("line", "shown"), CONSOLE, ids=["plan", "node", "frontier"])
def test_the_commands_print_what_the_guide_shows(
    line: str, shown: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["--no-color", *shlex.split(line)]) == 0
    printed = "".join(text.rstrip() + "\n" for text in capsys.readouterr().out.splitlines())
    assert shown in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_the_reading_is_of_the_figures_shown() -> None:
    shown = CONSOLE[0][1]
    assert "+5.2 %    -2.8 %" in shown
    assert "it would emit 5 % more. That us-west-1 is 2.8 % *lower* at best" in WORDS
    assert "-7.9 %    -7.9 %" in shown
    assert "`join` would emit 8 % less in us-west-2" in WORDS
    assert "yes      -7.9 %" in shown
    assert "the least possible would be 8 % lower" in WORDS
    assert "Had it stayed:\n    +1.7 % CO2eq" in shown
    assert "it would have been 1.7 % more" in WORDS


def test_marks_are_those_of_the_tables() -> None:
    told = set(re.findall(r"^\| `(.)` \|", GUIDE, re.MULTILINE))
    assert told == set(_NOTES)


def test_options_are_those_of_the_commands() -> None:
    told = set(re.findall(r"`(?:\w+ ID )?(--[-\w]+)", GUIDE)) | set(re.findall(r"(--[-\w]+) [0-9]", GUIDE))
    known = {
        option
        for command in (explain_command, solve_command)
        for parameter in command.params
        for option in parameter.opts
    }
    assert told - {"--output"} <= known
    assert {"--node", "--hour", "--fresh", "--problem", "--pareto", "--pick", "--frontier", "--dry-run"} <= told


def test_numbers_are_those_of_the_program() -> None:
    assert f"`{PROBLEM_OBJECT_PREFIX}<workflow>/<hash>.json.zlib`" in WORDS
    assert TradeOffs().tolerance == 0.01
    assert "within 1 % unless `--frontier PERCENT`" in WORDS
    assert PLAN_LIFETIME_S == 7 * 86_400.0
    assert "it expires after seven days" in WORDS
    assert f"(exit code {EXIT_INFEASIBLE})" in WORDS
