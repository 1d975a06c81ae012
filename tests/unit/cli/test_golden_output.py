"""What solve, status, report and run print, whole, for inputs that do not change."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from multi_x_serverless.adaptation import statistics_work
from multi_x_serverless.adaptation.comparison import Interval
from multi_x_serverless.adaptation.dead_letters import GivenUpMessage
from multi_x_serverless.adaptation.ledger import Ledger, Spending
from multi_x_serverless.adaptation.net_savings import Amount, MeasuredAmount, NetSaving, OverheadItem, Predicted
from multi_x_serverless.adaptation.run_status import NodeStatus, RunStatus
from multi_x_serverless.adaptation.savings import Average, Expected, Observed, SavingsReport
from multi_x_serverless.adaptation.statistics_work import collect_statistics
from multi_x_serverless.adaptation.status import workflow_status
from multi_x_serverless.cli.commands import run as run_command
from multi_x_serverless.cli.commands.report import show_report
from multi_x_serverless.cli.commands.status import show_status
from multi_x_serverless.cli.letter_table import show_letters
from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.run_table import show_run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cli.solution_tables import show_frontier, show_solution
from multi_x_serverless.cloud.ports import DeadLetter
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import EXIT_OK
from multi_x_serverless.model.config import Constraints, Limit, Limits
from multi_x_serverless.model.ledger import LedgerEntry
from multi_x_serverless.model.plan import home_plan
from multi_x_serverless.model.run import FailedAttempt
from multi_x_serverless.observation.history import History
from multi_x_serverless.observation.trace import NodeFailure, NodeTrace, RunTrace
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.problem import SolveSettings, build_problem
from multi_x_serverless.solving.solution import Solution, plan_from_solution
from tests.unit.adaptation.deployed import add_runs, deployed_example
from tests.unit.cli.golden import check_golden, table_settings
from tests.unit.core.documents import ENTRY, JOIN, LABEL, RESIZE, dump, fan_out_problem
from tests.unit.deployment.projects import WORKFLOW_ID, stage
from tests.unit.observation.records import diamond
from tests.unit.report.page.reports import OBSERVED
from tests.unit.solving.workflows import embedded_signals, observed_runs, workflow

SETTINGS = SolveSettings(hours=(3, 12), scenarios=200, validation_scenarios=400)


def solved(problem: bytes) -> Solution:
    """A solution but for the time it took, which differs from solve to solve."""
    return replace(LoadedProblem(problem).solve("fine-grained"), elapsed_s=0.0123)


def test_solve_of_a_day_that_no_single_region_suits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = fan_out_problem()
    problem["constraints"]["hard"] = {"runtime": {"type": "relative", "value": 1.2}}
    problem["constraints"]["soft"] = {"cost": {"type": "relative", "value": 1.1}}
    problem["provenance"] = {
        "carbon": "made up, 2023; collected 2023-11-15 12:00 UTC",
        "relative_speed": "assumed to be the same in all regions: nobody measured it",
        "latency_estimated_from_distance": ", ".join(f"all of region-{number}" for number in range(30)),
    }
    show_solution(table_settings(monkeypatch), [ENTRY, RESIZE, LABEL, JOIN], solved(dump(problem)))
    check_golden("solve", capsys.readouterr().out)


def test_solve_with_a_frontier(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    solution = LoadedProblem(dump(fan_out_problem())).solve("fine-grained", frontier=0.0)
    show_solution(
        table_settings(monkeypatch), [ENTRY, RESIZE, LABEL, JOIN], replace(solution, elapsed_s=0.0123, provenance={})
    )
    output = capsys.readouterr().out
    check_golden("solve_frontier", output[output.index("Pareto") : output.index("Certificate")])


def test_a_numbered_frontier_with_a_point_that_was_picked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = LoadedProblem(dump(fan_out_problem()))
    found = loaded.frontier_beside(loaded.solve("fine-grained"), 0, tolerance=0.1)
    show_frontier(table_settings(monkeypatch), found, tail=0.95, is_numbered=True, picked=2)
    check_golden("solve_pareto", capsys.readouterr().out)


def test_solve_that_meets_no_limit_and_knows_little(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Constraints(hard=Limits(runtime=Limit("absolute", 0.1)))
    problem = build_problem(workflow(constraints=limits), observed_runs(3), embedded_signals(), SETTINGS)
    nodes = [node.name for node in workflow().graph.nodes]
    show_solution(table_settings(monkeypatch), nodes, solved(problem))
    check_golden("solve_infeasible", capsys.readouterr().out)


def test_status_with_runs_under_two_plans(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("time.process_time", lambda: 0.0)  # what work took is in the ledger, and shown
    cloud = deployed_example(tmp_path, runs=12)
    plans = PlanStore(cloud)
    active = plans.add(replace(stage(cloud, left="ca-central-1"), solver="fine-grained"))
    plans.activate(WORKFLOW_ID, active.version, replaces=1)
    now = cloud.now()
    add_runs(cloud, 3, region="ca-central-1", plan_version=active.version, started_at=now - 600.0)
    add_runs(cloud, 1, plan_version=active.version, reason="home_share", started_at=now - 300.0)
    add_runs(cloud, 1, region="ca-central-1", plan_version=active.version, status="failed", started_at=now - 60.0)
    last = replace(
        History(cloud).runs(WORKFLOW_ID)[-2],
        run_id="0123456789abcdef0123456789abcdef",
        started_at=now - 30.0,
        finished_at=now - 20.0,
        failed_attempts=(FailedAttempt(0, "us-east-1", 0.1),) * 2,
    )
    History(cloud).add(WORKFLOW_ID, [last])
    # What summarising took is in the ledger, and so in what is shown.
    monkeypatch.setattr(statistics_work, "time", SimpleNamespace(process_time=lambda: 0.0))
    collect_statistics(cloud)
    show_status(table_settings(monkeypatch), workflow_status(cloud, WORKFLOW_ID, last=3), now)
    check_golden("status", capsys.readouterr().out)


def test_runs_under_a_plan_that_has_everything_home_are_not_called_planned(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cloud = deployed_example(tmp_path, runs=3)
    add_runs(cloud, 1, status="failed", started_at=cloud.now() - 40.0)
    add_runs(cloud, 1, reason="home_share", status="failed", started_at=cloud.now() - 30.0)
    add_runs(cloud, 1, reason="expired", started_at=cloud.now() - 20.0)
    settings = table_settings(monkeypatch)
    show_status(settings, workflow_status(cloud, WORKFLOW_ID, last=3), cloud.now())
    shown = capsys.readouterr().out
    assert "\nRuns under plan 1 (everything home): 6 (1 plan expired, 2 failed)\n" in shown
    assert "by plan" not in shown
    assert " plan expired " in shown.partition("Last runs")[2]
    assert shown.count(" home share ") == 1
    assert shown.count(" plan 1 (home) ") == 1
    plans = PlanStore(cloud)
    assert [use.is_all_home for use in workflow_status(cloud, WORKFLOW_ID).uses] == [True]
    plans.activate(WORKFLOW_ID, plans.add(stage(cloud, left="ca-central-1")).version, replaces=1)
    plans.add(plans.versions(WORKFLOW_ID)[-1])
    assert plans.prune(WORKFLOW_ID, keep=1) == 1
    assert [use.is_all_home for use in workflow_status(cloud, WORKFLOW_ID).uses] == [None]


def test_runs_without_a_plan_are_told_in_the_words_of_a_single_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cloud = deployed_example(tmp_path)
    add_runs(cloud, 2, plan_version=0, reason="no_plan", started_at=cloud.now() - 40.0)
    settings = table_settings(monkeypatch)
    show_status(settings, workflow_status(cloud, WORKFLOW_ID), cloud.now())
    assert "\nRuns under no plan (everything home): 2\n" in capsys.readouterr().out
    add_runs(cloud, 1, plan_version=0, reason="unreadable_plan", status="failed", started_at=cloud.now() - 30.0)
    show_status(settings, workflow_status(cloud, WORKFLOW_ID), cloud.now())
    assert "\nRuns under no plan (everything home): 3 (1 unreadable plan, 1 failed)\n" in capsys.readouterr().out


def test_status_as_a_document_has_gross_overhead_and_net(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cloud = deployed_example(tmp_path)
    entry = LedgerEntry(WORKFLOW_ID, "migration", cloud.now(), 0.5, 1e6, 4, 0.25, 0.5, failed=1, assumed=("prices",))
    Ledger(cloud).add(entry)
    monkeypatch.setattr(Settings, "open_cloud", lambda *_, **__: nullcontext(cloud))
    assert run(["--output", "json", "status", WORKFLOW_ID]) == EXIT_OK
    document = json.loads(capsys.readouterr().out)
    net = document["net"]
    assert net["overhead_total"] == {"carbon_gco2eq": 0.25, "cost_usd": 0.5}
    assert net["expected_net"] == {"carbon_gco2eq": -0.25, "cost_usd": -0.5}
    assert (net["observed_gross"], net["observed_net"]) == (None, None)
    assert net["obstacle"].startswith("no run in the history was routed by a plan that leaves home;")
    (item,) = net["overhead"]
    assert (item["kind"], item["count"], item["failed"], item["assumed"]) == ("migration", 1.0, 1, ["prices"])
    assert document["spending"]["by_kind"]["migration"]["copied_bytes"] == 1e6


LETTER = GivenUpMessage(
    DeadLetter("4f2a-7", "us-east-1", "mxs-count", b"{}", "ValueError: bad\n  more", 1_700_000_009.0),
    workflow_id="text-0.0.1",
    run_id="0123456789ab",
    node="count:receive_0_0:1",
)


def test_status_of_a_run_that_failed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    failure = NodeFailure("count:receive_0_0:1", "us-east-1", "ValueError", "bad", ("  File app.py, line 3", "bad"))
    run = RunStatus(
        workflow_id="text-0.0.1",
        trace=RunTrace("0123456789ab", "failed", "plan", "5", 0.5, (), (failure, failure, failure), None),
        plan_version=3,
        is_all_home=False,
        started_at=1_700_000_000.0,
        nodes=(
            NodeStatus("receive:entry_point:0", "finished", "us-east-1", 1, 0.5, is_cold=True, waits_for=()),
            NodeStatus("count:receive_0_0:1", "failed", "us-east-1", 3, None, is_cold=False, waits_for=()),
            NodeStatus("join:sync:2", "waiting", "", 0, None, is_cold=False, waits_for=("count:receive_0_0:1",)),
        ),
        kills=("4f2a Task timed out after 3.00 seconds",),
        duplicates=2,
        fallbacks=1,
        letters=(LETTER,),
    )
    show_run(table_settings(monkeypatch), run)
    check_golden("status_run", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("version", "reason", "key", "is_all_home", "told"),
    [
        (1, "plan", "0", True, "plan 1, everything home"),
        (1, "home_share", "home", True, "plan 1, everything home (home share)"),
        (1, "home_share", "home", False, "plan 1, placed at home (home share)"),
        (1, "expired", "home", None, "plan 1, placed at home (plan expired)"),
        (1, "plan", "7", False, "plan 1, placed by plan (as from 07:00)"),
        (0, "no_plan", "home", None, "no plan, everything home"),
        (0, "unreadable_plan", "home", None, "no plan, everything home (unreadable plan)"),
    ],
)
def test_why_a_run_was_placed_as_it_was(
    version: int,
    reason: str,
    key: str,
    is_all_home: bool | None,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trace = RunTrace("0123456789ab", "complete", reason, key, 0.5, (), (), None)
    show_run(
        table_settings(monkeypatch),
        RunStatus("text-0.0.1", trace, version, is_all_home, 1_700_000_000.0, (), (), 0, 0, ()),
    )
    assert capsys.readouterr().out.splitlines()[1] == f"started 2023-11-14 22:13:20 UTC, {told}"


@pytest.mark.parametrize("is_unknown", [False, True])
def test_a_run_of_a_deployment_that_nobody_knows_is_said_to_be_one(
    is_unknown: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = RunTrace("0123456789ab", "running", "plan", "0", 0.5, (), (), None)
    show_run(
        table_settings(monkeypatch),
        RunStatus("text-0.0.1", trace, 1, True, 1_700_000_000.0, (), (), 0, 0, (), is_deployment_unknown=is_unknown),
    )
    said = " ".join(capsys.readouterr().out.split())
    assert ("started under a deployment that is not recorded (any more)" in said) == is_unknown


FRAME_OF_SDK = '  File "/var/task/multi_x_serverless/sdk/objects.py", line 3, in read'


def test_attempts_before_the_one_that_finished_are_called_so_and_traced_to_the_developers_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = ('  File "/var/task/app.py", line 3, in join', FRAME_OF_SDK, "ValueError: bad")
    failure = NodeFailure("join:sync:2", "us-east-1", "ValueError", "bad", frames)
    node = NodeStatus("join:sync:2", "finished", "us-east-1", 3, 0.5, is_cold=False, waits_for=())
    trace = RunTrace("0123456789ab", "complete", "plan", "5", 0.5, (), (failure, failure), None)
    run = RunStatus("text-0.0.1", trace, 3, None, 1_700_000_000.0, (node,), (), 0, 0, ())
    settings = table_settings(monkeypatch)
    show_run(settings, run)
    output = capsys.readouterr().out
    assert "\nearlier attempts: join:sync:2 in us-east-1 raised ValueError: bad (2 attempts)\n" in output
    assert output.endswith('      File "app.py", line 3, in join\n    ValueError: bad\n')
    show_run(replace(settings, verbosity=1), run)
    assert FRAME_OF_SDK in capsys.readouterr().out


def test_dead_letters(capsys: pytest.CaptureFixture[str]) -> None:
    show_letters([LETTER])
    check_golden("dead_letters", capsys.readouterr().out)


SPENT = Spending(solves=3, migrations=2, cpu_s=0.4, carbon_gco2eq=0.00291, cost_usd=0.000152)

OVERHEAD = (
    OverheadItem("solve", 3.0, 0, 0.4, 0.0, 0.0, 0, 0.00071, 0.0, ()),
    OverheadItem("migration", 2.0, 1, 0.2, 1.25, 2_400_000.0, 7, 0.0012, 0.00013, ("prices",)),
    OverheadItem("cold_starts", 4.0, 0, 0.0, 1.1, 0.0, 0, 0.001, 0.000022, ("billed_s",), is_upper_bound=True),
)

NET = NetSaving(
    days=30,
    expected=Predicted(130, Amount(0.0403, -1.3e-5)),
    compared=Predicted(108, Amount(0.03348, -1.08e-5)),
    observed_gross=MeasuredAmount(Interval(0.0324, 0.0281, 0.0367), Interval(-1.1e-5, -1.7e-5, -4.3e-6)),
    compared_versions=(2,),
    overhead=OVERHEAD,
    overhead_total=Amount(0.00291, 0.000152),
    expected_net=Amount(0.03739, -0.000165),
    observed_net=MeasuredAmount(Interval(0.02949, 0.02519, 0.03379), Interval(-0.000163, -0.000169, -0.000156)),
    transmission="best",
    obstacle="",
)


def report(expected: Expected | None, observed: Observed, net: NetSaving = NET) -> SavingsReport:
    plan = plan_from_solution(solved(dump(fan_out_problem())), "text-0.0.1", created_at=0.0, expires_at=1.0)
    return SavingsReport("text-0.0.1", plan.with_version(2), expected, observed, SPENT, net, ())


def test_report_of_a_plan_with_enough_controls(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Expected(
        home=Average(0.0005, 2.0e-6, 1.2),
        best_static=Average(0.0003, 2.2e-6, 1.3),
        best_static_region="us-west-2",
        best_single=Average(0.00025, 2.2e-6, 1.3),
        plan=Average(0.00019, 2.1e-6, 1.25),
    )
    away = replace(report(expected, OBSERVED), entry_is_away=True)
    show_report(table_settings(monkeypatch), away)
    check_golden("report", capsys.readouterr().out)


def test_report_without_a_comparison(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    observed = replace(
        OBSERVED,
        plan=None,
        control=None,
        carbon=None,
        cost=None,
        runtime=None,
        strata=0,
        times=None,
        obstacle="3 runs are too few.",
    )
    net = replace(NET, observed_gross=None, observed_net=None, obstacle="3 runs are too few.")
    few = replace(report(None, observed, net), warnings=("All figures rest on 3 observed runs.",))
    show_report(table_settings(monkeypatch), few)
    check_golden("report_too_few", capsys.readouterr().out)


def test_report_before_there_is_a_plan_says_what_makes_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_plan("text-0.0.1", diamond(), "us-east-1", version=1, created_at=0.0, expires_at=1.0)
    nothing = replace(
        NET, expected=Predicted(0, Amount(0.0, 0.0)), observed_gross=None, observed_net=None, obstacle="none."
    )
    show_report(table_settings(monkeypatch), replace(report(None, OBSERVED, nothing), plan=home))
    check_golden("report_home_only", capsys.readouterr().out)


def test_run_node_by_node_with_what_failed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = (
        NodeTrace("receive:entry_point:0", "us-east-1", 0.0, 0.12, is_cold=True),
        NodeTrace("join:sync:2", "ca-central-1", 0.3, 1.5, is_cold=False),
    )
    failure = NodeFailure("join:sync:2", "ca-central-1", "ValueError", "bad", ("line",))
    trace = RunTrace("0123", "complete", "plan", "5", 1.8, nodes, (failure,), {"words": 3})
    run_command._show(table_settings(monkeypatch), trace)
    captured = capsys.readouterr()
    check_golden("run", captured.out)
    assert captured.err == "error: join:sync:2 in ca-central-1 raised ValueError: bad\n"


def test_a_run_that_failed_says_so_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = [
        NodeFailure("first:entry_point:0", "us-east-1", "ValueError", "bad", (f"attempt {number}",))
        for number in range(3)
    ]
    other = replace(attempts[0], message="worse")
    trace = RunTrace("0123", "failed", "plan", "5", 3.2, (), (attempts[0], other, *attempts[1:]), None)
    settings = table_settings(monkeypatch)
    run_command._show(settings, trace)
    captured = capsys.readouterr()
    assert captured.out == "Run 0123: failed in 3.20 s; no node finished.\n"
    lines = [
        "first:entry_point:0 in us-east-1 raised ValueError: bad (3 attempts)",
        "first:entry_point:0 in us-east-1 raised ValueError: worse",
    ]
    assert captured.err.splitlines() == [f"error: {line}" for line in lines]
    run_command._summarise(settings, (trace,))
    captured = capsys.readouterr()
    assert captured.out == "1 run: 1 failed; no node finished.\n"
    assert captured.err.splitlines() == [f"error: run 0123: {line}" for line in lines]
    run_command._show(settings, replace(trace, status="not started", duration_s=0.0, failures=()))
    assert capsys.readouterr().out == "Run 0123: not started.\n"


def test_many_runs_as_a_summary(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def trace(number: int, region: str) -> RunTrace:
        nodes = (
            NodeTrace("receive:entry_point:0", "us-east-1", 0.0, 0.1, is_cold=False),
            NodeTrace("join:sync:2", region, 0.3, 1.5, is_cold=False),
        )
        return RunTrace(f"{number}", "complete" if number else "running", "plan", "5", 1.8, nodes, (), None)

    traces = tuple(trace(number, "ca-central-1" if number % 3 else "us-east-1") for number in range(7))
    run_command._summarise(table_settings(monkeypatch), traces)
    check_golden("run_summary", capsys.readouterr().out)
