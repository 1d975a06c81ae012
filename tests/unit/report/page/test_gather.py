"""What the page's figures are read from, and what it says where something was not kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import check_solver
from multi_x_serverless.adaptation.savings import savings_report
from multi_x_serverless.cloud.problems import PROBLEM_OBJECT_PREFIX, ProblemStore
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.report.page import gather
from multi_x_serverless.report.page.gather import find_trade_offs, gather_report, limits_broken
from multi_x_serverless.report.page.render import render_page
from multi_x_serverless.report.page.report_data import ReportData
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.simulation import simulate
from multi_x_serverless.solving.solution import plan_from_solution
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import HOME, add_runs, deployed_example
from tests.unit.adaptation.test_check_solver import SETTINGS
from tests.unit.core.documents import LABEL, RUNS, dump, fan_out_problem
from tests.unit.deployment.projects import WORKFLOW_ID

NODE_COLUMNS = ("duration_s", "cpu_utilization", "data_bytes")
CALL_COLUMNS = ("payload_bytes", "offset_fraction", "latency_s")


@pytest.fixture
def planned(tmp_path: Path) -> FakeCloud:
    """The example with plan 2, which leaves home, in force, and runs under it."""
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    add_runs(cloud, 20, region="ca-central-1", plan_version=2)
    return cloud


def gathered(cloud: FakeCloud) -> ReportData:
    return gather_report(cloud, savings_report(cloud, WORKFLOW_ID, "best"))


def problem_key(cloud: FakeCloud) -> str:
    (key,) = cloud.objects.list_objects(cloud.system_region, PROBLEM_OBJECT_PREFIX)
    return key


def test_a_plan_is_shown_with_what_it_was_made_of(planned: FakeCloud) -> None:
    report = gathered(planned)
    assert report.plan.version == 2
    assert report.intensity_origin == "problem"
    problem = ProblemStore(planned).get(WORKFLOW_ID, report.plan.problem_hash)
    assert problem is not None
    loaded = LoadedProblem(problem)
    found = report.trade_offs
    assert found is not None
    assert report.no_trade_offs == ""
    assert (report.hour_made, found.hour) == (22, 12), "planned are 0 and 12"
    assert [point.is_the_plans for point in found.points].count(True) == 1
    assert found.plan == loaded.evaluate(report.plan.at(found.hour).placement, found.hour)
    assert found.home == loaded.evaluate(dict.fromkeys(loaded.nodes, HOME), found.hour)
    assert all(sum(point.nodes.values()) == len(report.graph.nodes) for point in found.points)
    kinds = [entry.kind for entry in report.ledger]
    assert {"solve", "migration"} <= set(kinds)
    assert [entry.at for entry in report.ledger] == sorted((entry.at for entry in report.ledger), reverse=True)
    assert report.regions[0].code == HOME
    assert {region.code: region.breaks_a_hard_limit for region in report.regions} == limits_broken(problem)
    assert all(region.latitude is not None and region.intensity_gco2eq_per_kwh for region in report.regions)


def test_regions_that_would_break_a_hard_limit_are_those_of_the_simulation() -> None:
    problem = fan_out_problem()
    problem["constraints"]["hard"] = {"runtime": {"type": "relative", "value": 1.02}}
    document = dump(problem)
    found = limits_broken(document)
    assert found == {
        region: simulate(document, region).breaks_a_hard_limit for region in LoadedProblem(document).regions
    }
    assert (found["us-east-1"], found["ca-central-1"]) == (False, True)


def test_a_plan_whose_problem_is_lost_is_shown_without_trade_offs(planned: FakeCloud) -> None:
    planned.objects.delete_object(planned.system_region, problem_key(planned))
    report = gathered(planned)
    assert report.trade_offs is None
    assert report.no_trade_offs == "What plan 2 was made of was not kept."
    assert report.intensity_origin == "signals"
    assert report.region(HOME).intensity_gco2eq_per_kwh is not None
    assert "No frontier is shown. What plan 2 was made of was not kept." in render_page(report)


def test_a_plan_whose_problem_is_broken_says_so(planned: FakeCloud) -> None:
    planned.objects.put_object(planned.system_region, problem_key(planned), b"broken")
    report = gathered(planned)
    assert report.trade_offs is None
    assert report.no_trade_offs.startswith("What plan 2 was made of cannot be read: ")


def test_a_deployment_is_shown_with_collected_intensities(tmp_path: Path) -> None:
    report = gathered(deployed_example(tmp_path))
    assert report.plan.version == 1
    assert report.intensity_origin == "signals"
    assert report.region(HOME).intensity_gco2eq_per_kwh is not None
    assert report.no_trade_offs == "Plan 1 was made by a deployment: no solver was asked."


def test_the_plan_is_marked_where_a_point_is_as_good_and_placed_otherwise() -> None:
    problem = fan_out_problem()
    # A node that no run reached may be anywhere at no cost.
    idle = problem["observations"]["nodes"][LABEL]
    idle |= {"ran": [0] * RUNS, "region": [-1] * RUNS} | dict.fromkeys(NODE_COLUMNS, [None] * RUNS)
    called, report = (problem["observations"]["edges"][index] for index in (1, 3))
    called |= {"called": [0] * RUNS} | dict.fromkeys(CALL_COLUMNS, [None] * RUNS)
    report |= {"called": [None] * RUNS} | dict.fromkeys(CALL_COLUMNS, [None] * RUNS)
    document = dump(problem)
    solved = LoadedProblem(document).solve("fine-grained")
    plan = plan_from_solution(solved, "fan_out-0.1.0", created_at=0.0, expires_at=1.0)
    (first, *_) = find_trade_offs(document, plan, 0).points
    assert first.is_the_plans
    other = {"us-east-1": "ca-central-1", "ca-central-1": "us-east-1"}
    hour = plan.hours[0]
    moved = replace(hour, placement={**hour.placement, LABEL: other[hour.placement[LABEL]]})
    found = find_trade_offs(document, replace(plan, hours=(moved, *plan.hours[1:])), 0)
    assert found.plan == first.metrics
    assert [point.is_the_plans for point in found.points].count(True) == 1


def test_a_frontier_of_many_points_is_found_more_coarsely(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = dump(fan_out_problem())
    plan = plan_from_solution(
        LoadedProblem(problem).solve("fine-grained"), "fan_out-0.1.0", created_at=0.0, expires_at=1.0
    )
    fine = find_trade_offs(problem, plan, 0)
    assert fine.epsilon is not None
    assert fine.epsilon <= gather.TOLERANCES[0]
    monkeypatch.setattr(gather, "MANY_POINTS", len(fine.points) - 1)
    coarse = find_trade_offs(problem, plan, 0)
    assert len(coarse.points) < len(fine.points)
