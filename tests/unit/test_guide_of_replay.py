"""The guide to replays is true: what it prints is printed, its options are the command's, its example is made so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from benchmarks.replay.example import FILE, example
from multi_x_serverless.adaptation.overhead import PROBE_DURATION_S
from multi_x_serverless.adaptation.replay.policies import LIFETIME_HOURS
from multi_x_serverless.adaptation.replay.results import REPLAY_SCHEMA, REPLAY_VERSION
from multi_x_serverless.adaptation.replay.walk import RATE_HOURS
from multi_x_serverless.cli.commands.replay import command
from multi_x_serverless.cli.main import run
from multi_x_serverless.collection.carbon_file import FILE_VARIABLE
from multi_x_serverless.collection.carbon_past import OLDEST_DAYS
from multi_x_serverless.collection.forecast import HISTORY_DAYS
from multi_x_serverless.solving.model_constants import VCPU_MAXIMUM_KW

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide" / "replay.md").read_text(encoding="utf-8")
WORDS = " ".join(GUIDE.split())
CONSOLE = re.findall(r"```console\n\$ multi_x_serverless (.*?)\n(.*?)```", GUIDE, re.DOTALL)


def test_the_example_is_made_by_its_script() -> None:
    assert FILE.read_bytes() == example()


def test_the_command_prints_what_the_guide_shows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ((line, shown),) = CONSOLE
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    assert run(["--no-color", *shlex.split(line)]) == 0
    printed = "".join(text.rstrip() + "\n" for text in capsys.readouterr().out.splitlines())
    assert printed == shown
    assert max(map(len, printed.splitlines())) <= 80


def test_figures_in_the_text_are_those_of_the_example() -> None:
    ((_, shown),) = CONSOLE
    saved = {name: re.search(rf"^ {name} .*?([+-]\d+)\.\d %", shown, re.MULTILINE) for name in ("static", "system")}
    assert saved["static"] is not None
    assert saved["system"] is not None
    assert f"would have saved {int(saved['static'][1])} %, and this system {int(saved['system'][1])} %" in WORDS


def test_all_options_are_there() -> None:
    told = set(re.findall(r"`(-[-\w]+)", GUIDE)) - {"--dry-run"}
    known = {option for parameter in command.params for option in parameter.opts if option != "--result"}
    assert told - {"--dump-problem"} == known


def test_numbers_are_those_of_the_program() -> None:
    assert LIFETIME_HOURS == 7 * 24
    assert HISTORY_DAYS == 28
    assert OLDEST_DAYS == 14
    assert RATE_HOURS == 30 * 24
    assert PROBE_DURATION_S == 0.5
    assert f"at {VCPU_MAXIMUM_KW * 1e3:g} W per vCPU" in WORDS
    assert f"schema `{REPLAY_SCHEMA}`, version {REPLAY_VERSION}" in WORDS
