"""The guide to replays is true: what it prints is printed, its options are the command's, its example is made so."""

from __future__ import annotations

import re
import shlex
from datetime import date
from pathlib import Path

import pytest

from benchmarks.replay.example import FILE, example
from multi_x_serverless.adaptation.replay.document import Changes, changed
from multi_x_serverless.adaptation.replay.framework import (
    CHECKS,
    FRAMEWORK,
    JOBS_OF_CAUSE,
    KWH_PER_GB_SECOND,
    framework_jobs,
)
from multi_x_serverless.adaptation.replay.intensities import gather_intensities
from multi_x_serverless.adaptation.replay.load import constant_load
from multi_x_serverless.adaptation.replay.policies import LIFETIME_HOURS
from multi_x_serverless.adaptation.replay.replay import ReplaySettings, replay
from multi_x_serverless.adaptation.replay.results import REPLAY_SCHEMA, REPLAY_VERSION, saving
from multi_x_serverless.adaptation.replay.stretch import stretch_of
from multi_x_serverless.adaptation.replay.walk import RATE_HOURS
from multi_x_serverless.cli.commands.replay import command
from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.output import percent
from multi_x_serverless.cli.session import DEFAULT_SYSTEM_REGION
from multi_x_serverless.collection.carbon_file import FILE_VARIABLE
from multi_x_serverless.collection.carbon_past import OLDEST_DAYS
from multi_x_serverless.collection.forecast import HISTORY_DAYS
from multi_x_serverless.deployment.framework_cost import HANDLING_S, monthly_cost
from multi_x_serverless.solving.accounting import execution_kwh
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.model_constants import COLD_START_S, CPU_UTILIZATION_DEFAULT, VCPU_MAXIMUM_KW

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
    saved = {name: re.search(rf"^ {name} .*?\+(\d+\.\d) %", shown, re.MULTILINE) for name in ("static", "system")}
    assert saved["static"] is not None
    assert saved["system"] is not None
    assert f"would have saved {saved['static'][1]} %, and this system {saved['system'][1]} %" in WORDS


def rates_table() -> str:
    """The table of loads as the guide must show it."""
    stretch = stretch_of(date(2023, 11, 1), date(2023, 11, 30))
    document = changed(example(), Changes(regions=("us-west-1", "us-west-2")))
    intensities = gather_intensities(LoadedProblem(document).regions, stretch)
    jobs = framework_jobs(DEFAULT_SYSTEM_REGION, intensities)
    lines = [
        "| runs per hour | vs home | vs static | vs static, `--without-framework` | cost vs home |",
        "|--:|--:|--:|--:|--:|",
    ]
    for rate in (100, 1_000, 3_000, 10_000):
        load = constant_load(float(rate), stretch.hours)
        found, without = (
            replay(document, intensities, load, ReplaySettings(solve_cpu_s=0.03), jobs=given) for given in (jobs, None)
        )
        home, static, system, bare = (
            *(found.policy(name) for name in ("home", "static", "system")),
            without.policy("system"),
        )
        fractions = (
            saving(system.carbon, home.carbon).net,
            saving(system.carbon, static.carbon).net,
            saving(bare.carbon, static.carbon).net,
            saving(system.cost, home.cost).net,
        )
        lines.append(f"| {rate:,} | {' | '.join(percent(fraction, signed=True) for fraction in fractions)} |")
    return "\n".join(lines)


def test_the_table_of_loads_is_what_replays_give() -> None:
    assert rates_table() in GUIDE


def test_what_is_said_of_the_jobs_is_true() -> None:
    by_job = HANDLING_S
    assert f"less than the {by_job['update_check_solver']:.0f} s of every one here" in WORDS
    assert f"take more than {by_job['data_sync']:.0f} s" in WORDS
    one, ten = (monthly_cost(workflows, "us-east-1", "x86_64").gb_seconds for workflows in (1, 10))
    assert f"each of ten workflows bears {1 - ten / 10 / one:.0%} less".replace("%", " %") in WORDS
    assert CPU_UTILIZATION_DEFAULT == 0.5
    idle = execution_kwh(1.0, 1024, 0.0)
    assert idle / KWH_PER_GB_SECOND == pytest.approx(0.5, abs=0.01)
    assert JOBS_OF_CAUSE[CHECKS] == ("update_check_solver",)
    assert len(JOBS_OF_CAUSE[FRAMEWORK]) == 3


def test_all_options_are_there() -> None:
    told = set(re.findall(r"`(-[-\w]+)", GUIDE)) - {"--dry-run", "--system-region"}
    known = {option for parameter in command.params for option in parameter.opts if option != "--result"}
    assert told - {"--dump-problem"} == known


def test_numbers_are_those_of_the_program() -> None:
    assert LIFETIME_HOURS == 7 * 24
    assert HISTORY_DAYS == 28
    assert OLDEST_DAYS == 14
    assert RATE_HOURS == 30 * 24
    assert COLD_START_S == 0.5
    assert f"at {VCPU_MAXIMUM_KW * 1e3:g} W per vCPU" in WORDS
    assert f"schema `{REPLAY_SCHEMA}`, version {REPLAY_VERSION}" in WORDS
