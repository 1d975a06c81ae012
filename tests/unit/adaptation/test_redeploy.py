"""What a deployment leaves of a workflow's history: all of it, as long as nodes and calls are the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.balance import balance
from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import check_solver
from multi_x_serverless.adaptation.deploy_forecast import MonthlyChange, forecast_deployment
from multi_x_serverless.adaptation.homes import Homes
from multi_x_serverless.adaptation.net_savings import OverheadItem
from multi_x_serverless.adaptation.overhead import Overhead
from multi_x_serverless.adaptation.savings import savings_report
from multi_x_serverless.adaptation.solve import PLAN_LIFETIME_S, solve_workflow
from multi_x_serverless.adaptation.statistics_work import collect_statistics
from multi_x_serverless.adaptation.status import workflow_status
from multi_x_serverless.cli.commands.status import show_status
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.observation.history import History
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import HOME, add_runs, deployed_example
from tests.unit.adaptation.test_check_solver import SETTINGS
from tests.unit.cli.golden import table_settings
from tests.unit.deployment.projects import CONFIGURATION, SOURCE, WORKFLOW_ID, make_project, record_of

AWAY = "ca-central-1"


def comment(project: Path) -> None:
    make_project(project, source="# a comment\n" + SOURCE)


def share(project: Path) -> None:
    make_project(project, configuration=CONFIGURATION + "home_share: 0.2\n")


def regions(project: Path) -> None:
    make_project(project, configuration=CONFIGURATION.replace(", us-west-1", ""))


def memory(project: Path) -> None:
    providers = "  providers: {aws: {config: {memory: 512, timeout: 60}}}\n"
    make_project(project, configuration=CONFIGURATION + providers)


def home(project: Path) -> None:
    make_project(project, configuration=CONFIGURATION.replace("home_region: us-east-1", f"home_region: {AWAY}"))


def another_call(project: Path) -> None:
    call = "    workflow.invoke_serverless_function(join, event)\n"
    make_project(project, source=SOURCE.replace(call, 2 * call, 1))


ALIKE = pytest.mark.parametrize("change", [comment, share, regions, memory], ids=lambda change: change.__name__)
Change = Callable[[Path], None]


@pytest.fixture
def planned(tmp_path: Path) -> FakeCloud:
    """The example, plan 2 in force, which leaves home: 120 runs at home before, 50 away and 12 controls since."""
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    add_runs(cloud, 50, region=AWAY, plan_version=2, started_at=cloud.now() - 3_400.0)
    add_controls(cloud, 12, started_at=cloud.now() - 3_300.0)
    return cloud


def add_controls(cloud: FakeCloud, count: int, started_at: float) -> None:
    """Runs that the home share sent home under plan 2."""
    history = History(cloud)
    before = history.runs(WORKFLOW_ID)
    add_runs(cloud, count, plan_version=2, reason="home_share", started_at=started_at)
    sent_home = [replace(run, placement_key="home") for run in history.runs(WORKFLOW_ID) if run not in before]
    history.remove(WORKFLOW_ID)
    history.add(WORKFLOW_ID, (*before, *sent_home))


def redeploy(cloud: FakeCloud, project: Path, change: Change) -> None:
    before = record_of(cloud)
    change(project)
    deploy(cloud, project)
    after = record_of(cloud)
    assert before is not None
    assert after is not None
    keeps_id = before.graph.id == after.graph.id and change in (memory, comment)
    assert (before.manifest_id == after.manifest_id) == keeps_id, "else nothing is shown here"
    assert (before.package.sha256 != after.package.sha256) == (change is not memory)


@ALIKE
def test_checks_count_the_runs_of_before(planned: FakeCloud, tmp_path: Path, change: Change) -> None:
    redeploy(planned, tmp_path, change)
    (decision,) = check_solver(planned, SETTINGS)
    assert (decision.verdict, decision.runs) == ("keep", 182)


@ALIKE
def test_a_plan_is_renewed_from_the_runs_of_before(planned: FakeCloud, tmp_path: Path, change: Change) -> None:
    planned.time += PLAN_LIFETIME_S - 7_200.0
    add_runs(planned, 5, region=AWAY, plan_version=2)
    redeploy(planned, tmp_path, change)
    assert check_solver(planned, SETTINGS)[0].verdict == "staged"


@ALIKE
def test_statistics_status_and_solve_rest_on_the_runs_of_before(
    planned: FakeCloud, tmp_path: Path, change: Change
) -> None:
    redeploy(planned, tmp_path, change)
    (statistics,) = collect_statistics(planned).refreshed
    assert (statistics.runs, statistics.other_runs) == (182, 0)
    status = workflow_status(planned, WORKFLOW_ID)
    assert {use.plan_version: use.runs for use in status.uses} == {1: 120, 2: 62}
    assert len(status.last_runs) == 5
    outcome = solve_workflow(planned, WORKFLOW_ID, settings=SETTINGS.solve, stage=False)
    assert outcome.plan.observed_runs == 182
    preview = deploy(planned, tmp_path, dry_run=True).preview
    assert preview is not None
    forecast = forecast_deployment(planned, preview)
    assert isinstance(forecast, MonthlyChange)
    assert forecast.observed_runs == 182


@pytest.mark.parametrize("change", [comment, regions, memory], ids=lambda change: change.__name__)
def test_observed_savings_stay(planned: FakeCloud, tmp_path: Path, change: Change) -> None:
    before = savings_report(planned, WORKFLOW_ID, "best")
    assert before.observed.carbon is not None
    redeploy(planned, tmp_path, change)
    after = savings_report(planned, WORKFLOW_ID, "best")
    assert (after.observed.plan_runs, after.observed.control_runs) == (50, 12)
    if change is not memory:  # which all runs are accounted with
        assert after.observed.carbon == before.observed.carbon
        assert after.net.observed_gross == before.net.observed_gross
    assert (after.net.compared_versions, after.net.obstacle) == ((2,), "")


def test_runs_of_another_home_share_are_no_controls(planned: FakeCloud, tmp_path: Path) -> None:
    """They are spread differently over the days: what the grids did meanwhile would be taken for the plan's doing."""
    redeploy(planned, tmp_path, share)
    report = savings_report(planned, WORKFLOW_ID, "best")
    assert (report.observed.plan_runs, report.observed.control_runs) == (0, 0)
    assert report.net.observed_gross is None
    said = "Runs of before home_share was changed are not among them."
    assert report.observed.obstacle.endswith(said)
    assert report.net.obstacle == f"there are no runs yet that plans routed and that can be compared. {said}"
    assert report.net.expected.runs == 50, "what was expected of them counts all the same"
    add_runs(planned, 30, region=AWAY, plan_version=2, started_at=planned.now() - 900.0)
    add_controls(planned, 11, started_at=planned.now() - 800.0)
    report = savings_report(planned, WORKFLOW_ID, "best")
    assert (report.observed.plan_runs, report.observed.control_runs) == (30, 11)
    assert (report.observed.obstacle, report.net.obstacle) == ("", "")


def test_what_plans_saved_against_the_first_home_stays_where_home_becomes_what_they_chose(
    planned: FakeCloud, tmp_path: Path
) -> None:
    """Plan 2 has everything in the region that is home afterwards: of that home, none of its runs left home."""
    before = workflow_status(planned, WORKFLOW_ID).net
    assert before.expected.runs == 50
    redeploy(planned, tmp_path, home)
    after = workflow_status(planned, WORKFLOW_ID).net
    assert (after.expected, after.expected_net) == (before.expected, before.expected_net)
    assert savings_report(planned, WORKFLOW_ID, "worst").net.expected.runs == 50
    (decision,) = check_solver(planned, SETTINGS)
    assert decision.balance is not None
    assert decision.balance.routed_runs == 50
    assert decision.balance.earned_carbon_gco2eq == before.expected.gross.carbon_gco2eq
    # Runs of another home would leave it by the same plan.
    runs, plan = History(planned).runs(WORKFLOW_ID), PlanStore(planned).get(WORKFLOW_ID, 2)
    assert balance(runs, [plan], Homes(AWAY, {}), Overhead(0.0, 0.0)).routed_runs == 0
    assert balance(runs, [plan], Homes(HOME, {}), Overhead(0.0, 0.0)).routed_runs == 50


@pytest.mark.parametrize("change", [home, another_call], ids=lambda change: change.__name__)
def test_runs_of_another_graph_or_home_are_said_to_be_there(
    planned: FakeCloud,
    tmp_path: Path,
    change: Change,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redeploy(planned, tmp_path, change)
    status = workflow_status(planned, WORKFLOW_ID)
    assert status.net.obstacle == (
        "there are no runs yet that plans routed and that can be compared. Runs of another graph or home, which "
        "cannot be accounted any more, are not among them."
    )
    assert (status.uses, status.other_runs) == ((), 182)
    show_status(table_settings(monkeypatch), status, planned.now())
    said = " ".join(capsys.readouterr().out.split())
    assert "No runs of today's graph and home in the history, but 182 runs of others;" in said
    assert "Expected: simulated, of the 50 runs that plans routed." in said
    assert "no run in the history" not in said
    report = savings_report(planned, WORKFLOW_ID, "best")
    is_in_force = change is another_call
    assert ("another graph or home" in report.observed.obstacle) == is_in_force, "of plan 2 alone"


def test_without_any_routed_run_nothing_is_said_of_others(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=20)
    redeploy(cloud, tmp_path, another_call)
    status = workflow_status(cloud, WORKFLOW_ID)
    assert status.net.obstacle.startswith("no run in the history was routed by a plan that leaves home;")
    assert "another graph" not in status.net.obstacle


def test_another_graph_begins_anew(planned: FakeCloud, tmp_path: Path) -> None:
    redeploy(planned, tmp_path, another_call)
    assert check_solver(planned, SETTINGS)[0].runs == 0
    (statistics,) = collect_statistics(planned).refreshed
    assert (statistics.runs, statistics.other_runs) == (0, 182)
    redeploy(planned, tmp_path, comment)
    assert check_solver(planned, SETTINGS)[0].runs == 182, "its old graph is back"


def cold_starts(cloud: FakeCloud) -> OverheadItem:
    (found,) = [item for item in workflow_status(cloud, WORKFLOW_ID).net.overhead if item.kind == "cold_starts"]
    return found


@pytest.mark.parametrize("change", [comment, share, another_call], ids=lambda change: change.__name__)
def test_what_plans_saved_and_what_they_took_are_of_the_same_runs(
    planned: FakeCloud, tmp_path: Path, change: Change
) -> None:
    """Whatever is deployed since: a saving that stays with an overhead that goes would be a gift."""
    before, net = cold_starts(planned), workflow_status(planned, WORKFLOW_ID).net
    assert before.count > 0
    redeploy(planned, tmp_path, change)
    assert cold_starts(planned) == before
    assert workflow_status(planned, WORKFLOW_ID).net.expected_net == net.expected_net


def test_cold_starts_of_deployments_that_nobody_knows_are_bounded_from_above(planned: FakeCloud) -> None:
    known, history = cold_starts(planned), History(planned)
    assert not known.is_upper_bound
    unknown = [replace(run, manifest_id="unknown") for run in history.runs(WORKFLOW_ID)]
    history.remove(WORKFLOW_ID)
    history.add(WORKFLOW_ID, unknown)
    bound = cold_starts(planned)
    assert bound.is_upper_bound
    assert "memory" in bound.assumed
    assert bound.count >= known.count
    assert bound.carbon_gco2eq >= known.carbon_gco2eq


def test_deployments_replace_containers_in_the_account_as_well(planned: FakeCloud, tmp_path: Path) -> None:
    redeploy(planned, tmp_path, comment)
    before, now = cold_starts(planned).count, planned.now()
    for moment in (5.45, 5.55):  # two at once: each starts cold, in each of three functions
        add_runs(planned, 1, region=AWAY, plan_version=2, started_at=now + moment)
    planned.time += 60.0
    assert len(History(planned).runs(WORKFLOW_ID)) == 184
    # Of each function one container answered the probe; a second one would have started at home as well.
    assert cold_starts(planned).count == before + 3


def test_runs_in_a_region_that_is_no_longer_allowed_still_say_what_happened_at_home(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    add_runs(cloud, 40, region="us-west-1", plan_version=2, started_at=cloud.now() - 900.0)
    redeploy(cloud, tmp_path, regions)
    (decision,) = check_solver(cloud, SETTINGS)
    assert (decision.verdict, decision.runs) == ("staged", 160)
    staged = PlanStore(cloud).staged(WORKFLOW_ID)
    assert staged is not None
    assert staged.regions == {AWAY}
    report = savings_report(cloud, WORKFLOW_ID, "best")
    assert report.observed.plan_runs == 120, "plan 1, at home"


def test_runs_of_deployments_that_nobody_knows_tell_nothing(planned: FakeCloud) -> None:
    runs = History(planned).runs(WORKFLOW_ID)
    unknown = [replace(run, run_id=f"u{run.run_id}", manifest_id="unknown") for run in runs]
    History(planned).add(WORKFLOW_ID, unknown)
    assert check_solver(planned, SETTINGS)[0].runs == 182
    assert {node.region for run in unknown for node in run.nodes.values()} == {HOME, AWAY}
