"""What the report of savings compares, and with what confidence."""

from __future__ import annotations

from pathlib import Path

from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import check_solver
from multi_x_serverless.adaptation.savings import savings_report
from multi_x_serverless.deployment.progress import SILENT
from tests.unit.adaptation.deployed import add_runs, deployed_example
from tests.unit.adaptation.test_check_solver import SETTINGS
from tests.unit.deployment.projects import WORKFLOW_ID


def test_home_plan_expects_and_measures_nothing(tmp_path: Path) -> None:
    report = savings_report(deployed_example(tmp_path, runs=10), WORKFLOW_ID, "best")
    assert report.expected is None
    assert report.measured.carbon is None


def test_runs_by_the_plan_are_compared_with_those_at_home(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    add_runs(cloud, 50, region="ca-central-1", plan_version=2)
    add_runs(cloud, 5, plan_version=2, reason="home_share")
    report = savings_report(cloud, WORKFLOW_ID, "best")
    assert report.expected is not None
    assert report.expected.plan.carbon_gco2eq <= report.expected.best_single.carbon_gco2eq
    assert report.expected.best_single.carbon_gco2eq < report.expected.home.carbon_gco2eq
    measured = report.measured
    assert measured.home is not None
    assert measured.plan is not None
    assert (measured.home.runs, measured.plan.runs) == (125, 50)
    assert measured.carbon is not None
    assert 0.5 < measured.carbon.low < measured.carbon.fraction < measured.carbon.high < 1.0


def test_one_run_of_a_kind_is_no_measurement(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    add_runs(cloud, 1, region="ca-central-1", plan_version=2)
    assert savings_report(cloud, WORKFLOW_ID, "best").measured.plan is None
