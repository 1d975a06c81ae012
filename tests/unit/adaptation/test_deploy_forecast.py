"""What a deployment is expected to change of a month's carbon and cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.deploy_forecast import MonthlyChange, UnknownChange, forecast_deployment
from multi_x_serverless.adaptation.solve import solve_workflow
from multi_x_serverless.deployment.deploy import DeployPreview, deploy
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.deployment.withdrawal import GRACE_S
from multi_x_serverless.solving.problem import SolveSettings
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import add_runs, deployed_example
from tests.unit.deployment.projects import CONFIGURATION, SOURCE, WORKFLOW_ID, make_project

MEMORY = "  providers: {{aws: {{config: {{memory: {memory}, timeout: 60}}}}}}\n"


def preview_of(cloud: FakeCloud, project: Path) -> DeployPreview:
    preview = deploy(cloud, project, dry_run=True).preview
    assert preview is not None
    return preview


def changed(cloud: FakeCloud, project: Path, configuration: str = CONFIGURATION, source: str = SOURCE) -> MonthlyChange:
    make_project(project, source=source, configuration=configuration)
    forecast = forecast_deployment(cloud, preview_of(cloud, project))
    assert isinstance(forecast, MonthlyChange)
    return forecast


def why_not(cloud: FakeCloud, project: Path) -> str:
    forecast = forecast_deployment(cloud, preview_of(cloud, project))
    assert isinstance(forecast, UnknownChange)
    return forecast.reason


def test_the_same_takes_the_same(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=60)
    forecast = changed(cloud, tmp_path)
    assert forecast.before == forecast.after
    assert forecast.before.carbon_gco2eq > 0.0
    assert (forecast.runs, forecast.is_observed, forecast.observed_runs) == (1000.0, False, 60)


def test_more_memory_takes_more_of_both(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=60)
    forecast = changed(cloud, tmp_path, CONFIGURATION + MEMORY.format(memory=1024))
    assert forecast.after.cost_usd > 1.5 * forecast.before.cost_usd, "twice the memory for the same times"
    # Less than in proportion: the same work uses a smaller part of two processors.
    assert forecast.after.carbon_gco2eq > 1.3 * forecast.before.carbon_gco2eq


def test_code_that_moves_lines_is_still_judged_by_its_runs(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=60)
    forecast = changed(cloud, tmp_path, source="# a line more\n" + SOURCE)
    assert forecast.before == forecast.after


def test_a_plan_that_no_longer_fits_sends_everything_home(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=60)
    solve_workflow(cloud, WORKFLOW_ID, settings=SolveSettings(scenarios=100, validation_scenarios=100))
    check_deployment(cloud, progress=SILENT)
    narrow = CONFIGURATION.replace(", ca-central-1", "")
    forecast = changed(cloud, tmp_path, narrow)
    assert forecast.after.carbon_gco2eq > 2.0 * forecast.before.carbon_gco2eq, "Quebec is far cleaner than Virginia"
    cloud.time += 8 * 86_400.0
    assert changed(cloud, tmp_path, narrow).before.carbon_gco2eq == pytest.approx(
        changed(cloud, tmp_path, narrow).after.carbon_gco2eq
    ), "a plan that has expired is followed by nobody"


def test_a_plan_that_has_expired_is_not_followed_afterwards_either(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=60)
    plan = solve_workflow(cloud, WORKFLOW_ID, settings=SolveSettings(scenarios=100, validation_scenarios=100)).plan
    check_deployment(cloud, progress=SILENT)
    cloud.time = plan.expires_at + GRACE_S
    preview = preview_of(cloud, tmp_path)
    assert (preview.plan_before, preview.plan_after) == (plan, None)


def test_another_home_sends_everything_there(tmp_path: Path) -> None:
    """The plan was made against the first home; where it has nodes is allowed still, and yet it is withdrawn."""
    cloud = deployed_example(tmp_path, runs=60)
    at_first_home = changed(cloud, tmp_path, CONFIGURATION + "home_share: 0.5\n").before
    solve_workflow(cloud, WORKFLOW_ID, settings=SolveSettings(scenarios=100, validation_scenarios=100))
    check_deployment(cloud, progress=SILENT)
    moved = CONFIGURATION.replace("home_region: us-east-1", "home_region: us-west-1")
    make_project(tmp_path, configuration=moved)
    assert preview_of(cloud, tmp_path).plan_after is None
    forecast = changed(cloud, tmp_path, moved)
    assert forecast.before.carbon_gco2eq < 0.5 * at_first_home.carbon_gco2eq
    assert forecast.after == changed(cloud, tmp_path, moved + "home_share: 0.9\n").after, "all of it is at home"


def test_the_home_share_stays_home(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=60)
    solve_workflow(cloud, WORKFLOW_ID, settings=SolveSettings(scenarios=100, validation_scenarios=100))
    check_deployment(cloud, progress=SILENT)
    forecast = changed(cloud, tmp_path, CONFIGURATION + "home_share: 1.0\n")
    assert forecast.after.carbon_gco2eq > 2.0 * forecast.before.carbon_gco2eq


def test_runs_a_month_are_those_of_the_history_once_it_is_a_day_long(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    add_runs(cloud, 60, started_at=cloud.now() - 2 * 86_400.0)
    forecast = changed(cloud, tmp_path)
    assert forecast.is_observed
    assert forecast.runs == pytest.approx(60 / 2 * 30, rel=0.01)


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    assert "no finished run" in why_not(cloud, tmp_path)
    add_runs(cloud, 30)
    call = "    workflow.invoke_serverless_function(join, event)\n"
    shorter = SOURCE.replace(call, "", 1)
    assert shorter.count(call) == SOURCE.count(call) - 1
    (tmp_path / "app.py").write_text(shorter, encoding="utf-8")
    assert "nodes or calls change" in why_not(cloud, tmp_path)
    preview = preview_of(cloud, tmp_path)
    forecast = forecast_deployment(cloud, replace(preview, before=None))
    assert isinstance(forecast, UnknownChange)
    assert "nothing of it has run" in forecast.reason


def test_a_limit_that_the_plan_in_force_breaks_is_told(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=60)
    solve_workflow(cloud, WORKFLOW_ID, settings=SolveSettings(scenarios=100, validation_scenarios=100))
    check_deployment(cloud, progress=SILENT)
    assert changed(cloud, tmp_path).hours_over_hard_limits == 0
    limit = "constraints:\n  hard_resource_constraints: {runtime: {type: relative, value: 1.0}}\n"
    assert changed(cloud, tmp_path, CONFIGURATION + limit).hours_over_hard_limits == 24
    cloud.time += 8 * 86_400.0
    assert changed(cloud, tmp_path, CONFIGURATION + limit).hours_over_hard_limits == 0, "nobody follows it any more"
