"""``solve`` of a deployed workflow: what is staged, and what is said of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import EXIT_INFEASIBLE, EXIT_OK
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.deployment.projects import CONFIGURATION, WORKFLOW_ID, stage


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    cloud = deployed_example(tmp_path, runs=30)

    @contextmanager
    def open_cloud(_settings: Settings, *, exclusive: bool = True) -> Iterator[Cloud]:
        assert exclusive
        yield cloud

    monkeypatch.setattr(Settings, "open_cloud", open_cloud)
    return cloud


def solved(capsys: pytest.CaptureFixture[str], *options: str, expected: int = 0) -> dict[str, Any]:
    assert run(["--output", "json", "solve", WORKFLOW_ID, *options]) == expected
    captured = capsys.readouterr()
    document: dict[str, Any] = json.loads(captured.out or captured.err)
    return document


def test_a_point_is_looked_at_and_then_picked(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    shown = solved(capsys, "--pareto", "--hour", "4", "--dry-run")
    assert shown["staged_plan_version"] is None
    point = shown["pareto"]["points"][-1]
    picked = solved(capsys, "--pick", str(point["number"]), "--hour", "4")
    assert (picked["staged_plan_version"], picked["picked"]) == (2, point["number"])
    staged = PlanStore(cloud).staged(WORKFLOW_ID)
    assert staged is not None
    assert {json.dumps(dict(entry.placement), sort_keys=True) for entry in staged.hours} == {
        json.dumps(point["placement"], sort_keys=True)
    }
    assert run(["solve", WORKFLOW_ID, "--pick", str(point["number"]), "--hour", "4", "--dry-run"]) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert f"Point {point['number']}, at all hours: first:entry_point:0 in " in output
    assert "Nothing was staged." in output
    assert PlanStore(cloud).staged(WORKFLOW_ID) == staged


def test_a_point_that_is_not_there_ends_with_2(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert solved(capsys, "--pick", "999", expected=2)["error"]["code"] == "usage"
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None


def test_a_staged_plan_can_be_explained(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["solve", WORKFLOW_ID]) == 0
    assert "Staged as plan 2" in capsys.readouterr().out
    assert [key for _, key in cloud.objects.objects if key.startswith(f"problems/{WORKFLOW_ID}/")]


KEPT_HOME = CONFIGURATION + "constraints:\n  hard_resource_constraints: {runtime: {type: relative, value: 1.0}}\n"
TOO_DEAR = CONFIGURATION + "constraints:\n  soft_resource_constraints: {cost: {type: relative, value: 1.0}}\n"
BOTH = KEPT_HOME + "  soft_resource_constraints: {cost: {type: relative, value: 1.0}}\n"
HOME_ONLY = CONFIGURATION.replace("[us-east-1, us-west-1, ca-central-1]", "[us-east-1]")


@pytest.mark.parametrize(
    ("configuration", "why"),
    [
        (
            KEPT_HOME,
            r"With all nodes in ca-central-1 there would be up to \d+\.\d % less CO2eq, but that breaks",
        ),
        (TOO_DEAR, r"less CO2eq, but that breaks the soft limit of cost\. Staged"),
        (BOTH, r"less CO2eq, but that breaks the hard limit of runtime and the soft limit of cost\. Staged"),
        (HOME_ONLY, "Everything stays home, at every hour: nothing better was found."),
    ],
)
def test_a_plan_that_has_everything_home_says_so_and_needs_no_migration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], configuration: str, why: str
) -> None:
    cloud = deployed_example(tmp_path, runs=30, configuration=configuration)
    monkeypatch.setattr(Settings, "open_cloud", lambda *_, **__: nullcontext(cloud))
    assert run(["solve", WORKFLOW_ID]) == EXIT_OK
    output = capsys.readouterr().out
    sentences = " ".join(output.split())
    assert "Everything stays home, at every hour" in sentences
    assert re.search(why, sentences)
    assert ("the hard limit of runtime. Staged" in sentences) == (configuration == KEPT_HOME)
    assert "Staged as plan 2, which moves nothing: no migration is needed." in sentences
    assert "update_check_deployment" not in output
    assert output.endswith(f"\n  multi_x_serverless explain {WORKFLOW_ID}\n")
    assert run(["solve", WORKFLOW_ID, "--dry-run"]) == EXIT_OK
    assert " ".join(capsys.readouterr().out.split()).endswith("Nothing was staged.")
    assert solved(capsys)["staged_plan_version"] == 3, "documents are as they were"


def test_a_plan_that_is_in_force_already_moves_nothing(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["solve", WORKFLOW_ID]) == EXIT_OK
    assert "to put it in force" in capsys.readouterr().out
    assert run(["update_check_deployment"]) == EXIT_OK
    capsys.readouterr()
    assert run(["solve", WORKFLOW_ID]) == EXIT_OK
    sentences = " ".join(capsys.readouterr().out.split())
    assert "Staged as plan 3, which moves nothing: every node is where plan 2, in force, has it; " in sentences
    assert "Everything" not in sentences


def test_a_plan_that_takes_everything_home_has_to_be_put_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud = deployed_example(tmp_path, runs=30, configuration=KEPT_HOME)
    monkeypatch.setattr(Settings, "open_cloud", lambda *_, **__: nullcontext(cloud))
    PlanStore(cloud).activate(WORKFLOW_ID, stage(cloud, left="ca-central-1").version, replaces=1)
    assert run(["solve", WORKFLOW_ID]) == EXIT_OK
    sentences = " ".join(capsys.readouterr().out.split())
    assert "Everything goes home, at every hour. With all nodes in ca-central-1" in sentences
    assert f"to put it in force: multi_x_serverless explain {WORKFLOW_ID} " in sentences


IMPOSSIBLE = CONFIGURATION + "constraints:\n  hard_resource_constraints: {runtime: {type: absolute, value: 0.001}}\n"


@pytest.mark.parametrize("is_away", [False, True])
def test_where_no_placement_meets_the_limits_it_is_said_what_stays_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, is_away: bool
) -> None:
    cloud = deployed_example(tmp_path, runs=30, configuration=IMPOSSIBLE)
    monkeypatch.setattr(Settings, "open_cloud", lambda *_, **__: nullcontext(cloud))
    if is_away:
        plans = PlanStore(cloud)
        plans.activate(WORKFLOW_ID, stage(cloud, left="ca-central-1").version, replaces=1)
    assert run(["--cloud", "local", "solve", WORKFLOW_ID]) == EXIT_INFEASIBLE
    output = capsys.readouterr().out
    sentences = " ".join(output.split())
    assert "No placement meets the hard limits at hours 0-23 (UTC). runtime can be" in sentences
    assert "gap to the lower bound" not in output
    if is_away:
        assert "Nothing was staged: plan 2 stays in force and breaks the limits, too." in sentences
        options = f"{WORKFLOW_ID} --minimum-runs 30"
        assert f"\n  multi_x_serverless --cloud local update_check_solver {options}\n" in output
        assert f"\n  multi_x_serverless --cloud local update_check_deployment {WORKFLOW_ID}\n" in output
    else:
        assert output.endswith("Nothing was staged; everything is home.\n")


def test_the_way_home_that_is_told_leads_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud = deployed_example(tmp_path, runs=30, configuration=IMPOSSIBLE)
    monkeypatch.setattr(Settings, "open_cloud", lambda *_, **__: nullcontext(cloud))
    PlanStore(cloud).activate(WORKFLOW_ID, stage(cloud, left="ca-central-1").version, replaces=1)
    assert run(["solve", WORKFLOW_ID]) == EXIT_INFEASIBLE
    command = next(line for line in capsys.readouterr().out.splitlines() if "update_check_solver" in line)
    assert run(command.split()[1:]) == EXIT_OK
    staged = PlanStore(cloud).staged(WORKFLOW_ID)
    assert staged is not None
    assert staged.regions == {"us-east-1"}


def test_a_plan_that_no_run_would_follow_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud = deployed_example(tmp_path, runs=30, configuration=CONFIGURATION + "home_share: 1\n")
    monkeypatch.setattr(Settings, "open_cloud", lambda *_, **__: nullcontext(cloud))
    assert any(warning.startswith("home_share is 1: every run stays home") for warning in solved(capsys)["warnings"])


def test_a_configuration_edited_since_is_warned_of_and_does_not_count(
    cloud: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / ".multi-x-serverless" / "config.yml"
    options = ["--cloud", "local", "--project-dir", str(tmp_path)]
    assert run([*options, "solve", WORKFLOW_ID]) == EXIT_OK
    assert capsys.readouterr().err == ""
    file.write_text(IMPOSSIBLE, encoding="utf-8")
    assert run([*options, "solve", WORKFLOW_ID]) == EXIT_OK
    warning = " ".join(capsys.readouterr().err.split())
    assert warning == (
        f"warning: the configuration in {file} differs from the deployed one, which counts, in "
        f"constraints.hard_resource_constraints.runtime; 'multi_x_serverless --cloud local --project-dir {tmp_path} "
        "deploy' puts it in force."
    )
    file.write_text("broken: [", encoding="utf-8")
    assert run([*options, "solve", WORKFLOW_ID]) == EXIT_OK
    assert capsys.readouterr().err == ""
    assert cloud.objects.objects
