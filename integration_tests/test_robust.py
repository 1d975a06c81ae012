"""Robust planning on the embedded cloud: it stays home where the plan for what is expected moves, and so do checks."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

from integration_tests.conftest import CommandLine
from multi_x_serverless.collection.carbon_file import FILE_VARIABLE

WORKFLOW_ID = "hello-0.0.1"
HOME = "us-east-1"
CONFIGURATION = Path("hello") / ".multi-x-serverless" / "config.yml"

GRIDS = {HOME: 300.0, "us-west-2": 200.0}
"""gCO2eq per kWh on average, whatever the day of the year."""
NOISE = 0.5
"""Hours differ by up to this part, at random, so that forecasts are off by a quarter."""


def write_grids(file: Path) -> None:
    """Ten days of hours up to now: one grid is cleaner by a third, and no more than forecasts may be wrong about it."""
    source = random.Random(1)
    now = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    rows = ["datetime_utc," + ",".join(GRIDS)]
    for hours in range(240, -1, -1):
        values = (f"{mean * (1.0 + source.uniform(-NOISE, NOISE)):.1f}" for mean in GRIDS.values())
        rows.append(f"{now - timedelta(hours=hours):%Y-%m-%dT%H:%MZ},{','.join(values)}")
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_a_robust_plan_stays_home_where_the_other_moves(command_line: CommandLine, tmp_path: Path) -> None:
    command_line.succeed("new_workflow", "hello", cwd=tmp_path)
    file = tmp_path / CONFIGURATION
    text = file.read_text(encoding="utf-8")
    # Two regions, and no limit that keeps anything home.
    for before, after in (
        ("[us-east-1, us-west-1, us-west-2, ca-central-1]", "[us-east-1, us-west-2]"),
        ("    runtime:\n      type: relative\n      value: 1.5\n", "    runtime: null\n"),
    ):
        assert before in text
        text = text.replace(before, after)
    file.write_text(text, encoding="utf-8")
    project = tmp_path / "hello"
    # With `receive` pinned a plan would pay for the round trips that it waits: all may move here.
    app = project / "app.py"
    source, pinned = app.read_text(encoding="utf-8"), '    regions_and_providers={"allowed_regions": ["us-east-1"]},\n'
    assert source.count(pinned) == 1
    app.write_text(source.replace(pinned, ""), encoding="utf-8")
    command_line.succeed("deploy", cwd=project)
    command_line.succeed("run", WORKFLOW_ID, "--arguments-file", str(project / "inputs.jsonl"))
    command_line.succeed("data_sync")
    write_grids(tmp_path / "grids.csv")
    command_line.environment[FILE_VARIABLE] = str(tmp_path / "grids.csv")
    command_line.succeed("data_collect", "all")

    plain = command_line.succeed("solve", WORKFLOW_ID, "--dry-run")
    robust = command_line.succeed("solve", WORKFLOW_ID, "--robust")
    assert "us-west-2" in _regions(plain)
    assert _regions(robust) == {HOME}
    assert plain["robust"] is None
    expected, without = robust["robust"]["expected"], robust["robust"]["without_robust"]
    assert without["plan"]["carbon_gco2eq"] < expected["plan"]["carbon_gco2eq"]
    least = without["least_favourable"]
    assert least["carbon_gco2eq"] > least["home_carbon_gco2eq"], "what it is given up for"

    # What is told of the plan is what is expected, and that it is a robust one.
    staged = command_line.succeed("status", WORKFLOW_ID)["staged_plan"]
    assert staged["robust"] == {
        name: value
        for name, value in robust["robust"].items()
        if name not in ("expected", "without_robust", "without_robust_timed_out_hours")
    }
    explained = command_line.succeed("explain", WORKFLOW_ID)
    assert explained["basis"]["robust"] == staged["robust"]
    first = explained["hours"][0]
    assert first["expected"]["home_carbon_gco2eq"] > first["home_metrics"]["carbon"]["mean"]
    command_line.succeed("update_check_deployment")
    report = command_line.succeed("report", WORKFLOW_ID)
    assert report["robust"] == staged["robust"]
    assert report["expected"]["home"] == expected["home"]
    assert report["expected"]["least_favourable"]["home_carbon_gco2eq"] < expected["home"]["carbon_gco2eq"]

    # A check for what is expected would move, and says what it replaces; one that is robust does not.
    answer = command_line.run("update_check_solver", "--dry-run")
    assert answer.exit_code == 3, "something would change"
    (decision,) = answer.document["workflows"]
    assert decision["verdict"] == "would stage"
    assert any("was planned robustly, and this one is not" in warning for warning in decision["warnings"])
    file.write_text(text + "robust: true\n", encoding="utf-8")
    command_line.succeed("deploy", cwd=project)
    answer = command_line.run("update_check_solver")
    assert answer.exit_code == 3, "nothing to do"
    (decision,) = answer.document["workflows"]
    assert decision["verdict"] == "keep"
    assert _regions(command_line.succeed("solve", WORKFLOW_ID, "--dry-run")) == {HOME}
    assert "us-west-2" in _regions(command_line.succeed("solve", WORKFLOW_ID, "--no-robust", "--dry-run"))


def _regions(document: dict[str, object]) -> set[str]:
    solution = document["solution"]
    assert isinstance(solution, dict)
    return {region for hour in solution["hours"] for region in hour["placement"].values()}
