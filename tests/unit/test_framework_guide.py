"""The guide to the framework in the cloud is true: its costs are computed, its defaults and names are the code's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from multi_x_serverless import data
from multi_x_serverless.adaptation.framework import EVENT_LIFE_S, STOP_BEFORE_S, Outcome
from multi_x_serverless.cloud.aws.logs import RETENTION_DAYS
from multi_x_serverless.cloud.aws.names import DEAD_LETTER_QUEUE, SCHEDULE_GROUP
from multi_x_serverless.deployment import framework_cost
from multi_x_serverless.deployment.framework import CONCURRENCY, INTERVALS_MINUTES, LONGEST_WINDOW_MINUTES
from multi_x_serverless.deployment.framework_cost import monthly_cost
from multi_x_serverless.deployment.framework_policy import IMAGE_ACTIONS, job_policy
from multi_x_serverless.deployment.names import FRAMEWORK_PREFIX
from multi_x_serverless.model.config_types import Architecture
from multi_x_serverless.model.framework import JOBS

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "framework.md").read_text(encoding="utf-8")


def cost_table() -> str:
    """The table as the guide must show it."""
    numbers = ("schedules fire", "invocations", "GB-s", "functions", "tables", "logs", "schedules", "total")
    lines = [f"| workflows | architecture | {' | '.join(numbers)} |", f"|--:|---|{'--:|' * len(numbers)}"]
    architectures: tuple[Architecture, ...] = ("x86_64", "arm64")
    for workflows in (1, 10, 100):
        for architecture in architectures:
            cost = monthly_cost(workflows, "us-east-1", architecture)
            money = (cost.functions_usd, cost.tables_usd, cost.logs_usd, cost.schedules_usd, cost.total_usd)
            counts = (cost.schedule_invocations, cost.invocations, cost.gb_seconds)
            cells = [
                str(workflows),
                architecture,
                *(f"{count:,.0f}" for count in counts),
                *(f"{usd:.2f}" for usd in money),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_table_of_costs_is_what_the_embedded_prices_give() -> None:
    assert cost_table() in GUIDE
    assert f"of {data.source_of('prices_by_region.csv').vintage}, those of" in GUIDE
    assert f"of {data.source_of('prices_everywhere.csv').vintage} (the embedded data" in GUIDE.replace("\n", " ")


def test_what_is_assumed_is_said() -> None:
    said = GUIDE.replace("\n", " ")
    for job, seconds in framework_cost.HANDLING_S.items():
        assert f"{seconds:.0f} s (`{job}`)" in said
    assert f"{framework_cost.START_S:.0f} s to start the others" in said
    assert f"{framework_cost.READ_UNITS} read units, {framework_cost.WRITE_UNITS} write units" in said
    assert f"{framework_cost.LOG_BYTES:,} bytes of log" in said


def test_a_cost_by_hand() -> None:
    """One workflow, data_sync once a day and the others once a month: prices of us-east-1."""
    month = 30 * 24 * 60
    intervals = dict.fromkeys(JOBS, month) | {"data_sync": 24 * 60}
    cost = monthly_cost(1, "us-east-1", "x86_64", intervals)
    assert (cost.schedule_invocations, cost.invocations) == (33, 66)
    assert cost.gb_seconds == pytest.approx(30 * 6 * 0.5 + 3 * 0.5 + 12 * 1769 / 1024 + 4 * 0.5)
    assert cost.functions_usd == pytest.approx(cost.gb_seconds * 0.0000166667 + 66 * 0.20e-6)
    assert cost.tables_usd == pytest.approx(66 * (40 * 0.125e-6 + 10 * 0.625e-6))


def test_the_defaults_are_those_of_the_code() -> None:
    options = dict(re.findall(r"^\| `--(?:every-)?([a-z-]+)` \|.*\| ([^|]*) \|$", GUIDE, re.MULTILINE))
    shown = [options[name] for name in ("sync", "collect", "solver-check", "deployment-check")]
    assert shown == [str(INTERVALS_MINUTES[job]) for job in JOBS]
    assert options["concurrency"] == str(CONCURRENCY)
    assert f"({LONGEST_WINDOW_MINUTES} minutes at most)" in GUIDE
    assert f"retention of {RETENTION_DAYS} days" in GUIDE
    assert (EVENT_LIFE_S, STOP_BEFORE_S) == (3_600.0, 60.0), "an hour, a minute"


def test_the_outcomes_are_those_of_the_code() -> None:
    table = GUIDE[GUIDE.index("| outcome |") : GUIDE.index("## What it costs")]
    assert tuple(re.findall(r"^\| `([a-z ]+)` \|", table, re.MULTILINE)) == get_args(Outcome)


def test_the_names_are_those_of_the_code() -> None:
    for name in (f"`{FRAMEWORK_PREFIX}<job>`", f"`{DEAD_LETTER_QUEUE}`", f"`{SCHEDULE_GROUP}`"):
        assert name in GUIDE


def test_the_role_of_migrations_may_copy_images_as_the_guide_to_packages_says() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "packages.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(ecr:\w+)`", guide)) == {*IMAGE_ACTIONS, "ecr:GetAuthorizationToken"}
    assert set(IMAGE_ACTIONS) <= set(re.findall(r"ecr:\w+", job_policy("update_check_deployment", "1", "us-east-1")))
