"""Gross, overhead and net: by hand, and from a deployed workflow, where status, report and the balance agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.arms import AccountedRun, Arms
from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import check_solver
from multi_x_serverless.adaptation.cold_starts import ColdStartSpending
from multi_x_serverless.adaptation.ledger import KindSpending, Ledger, Spending
from multi_x_serverless.adaptation.net_savings import (
    Amount,
    ComparedPlan,
    NetSaving,
    OverheadItem,
    Predicted,
    net_saving,
)
from multi_x_serverless.adaptation.savings import savings_report
from multi_x_serverless.adaptation.spent import Spent
from multi_x_serverless.adaptation.status import workflow_status
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.collection.store import PRICE, SignalStore
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.model.plan import home_plan
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.observation.history import History
from multi_x_serverless.solving.accounting import RunFootprint
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import add_runs, deployed_example
from tests.unit.adaptation.test_check_solver import SETTINGS
from tests.unit.deployment.projects import WORKFLOW_ID, record_of

SOLVES = KindSpending(2, 0, 1.5, 0.0, 0, 0, 0.0, 3.0, 0.0)
MIGRATIONS = KindSpending(3, 1, 0.2, 1e6, 4, 2, 0.8, 5.0, 0.5, assumed=("prices",))
LEDGER = Spending(2, 3, 1.7, 8.0, 0.5, by_kind={"solve": SOLVES, "migration": MIGRATIONS}, transmission="worst")
COLD = ColdStartSpending(4.0, 0.9, 3.0, 2.0, 0.25, is_upper_bound=True)


def accounted(hour: int, carbon: float, cost: float, weight: float = 1.0) -> AccountedRun:
    return AccountedRun(hour, RunFootprint(carbon, 0.0, cost, 1.0), weight)


def test_figures_by_hand() -> None:
    """Controls of 10 and 14 gCO2eq (mean 12), plan of 4, 6 and 8 (mean 6), three of each kept: six runs, 36 gCO2eq."""
    planned = tuple(accounted(1, carbon, 3.0, weight=2.0) for carbon in (4.0, 6.0, 8.0))
    control = (accounted(1, 10.0, 2.0), accounted(2, 14.0, 2.0))
    arms = Arms((), (), planned, control, (frozenset(range(24)),))
    plan = ComparedPlan(7, arms, Predicted(6, Amount(30.0, -5.0)))
    found = net_saving(Predicted(10, Amount(50.0, -8.0)), [plan], Spent(LEDGER, COLD))
    assert found.observed_gross is not None
    assert found.observed_net is not None
    assert found.observed_gross.carbon_gco2eq.value == pytest.approx(6 * (12.0 - 6.0))
    assert found.observed_gross.cost_usd.value == pytest.approx(6 * (2.0 - 3.0)), "a plan may cost more than home"
    assert found.observed_gross.cost_usd.low == found.observed_gross.cost_usd.high, "all cost the same"
    assert found.overhead_total == Amount(8.0 + 2.0, 0.5 + 0.25)
    assert found.expected_net == Amount(50.0 - 10.0, -8.0 - 0.75)
    gross, net = found.observed_gross.carbon_gco2eq, found.observed_net.carbon_gco2eq
    assert (net.value, net.low, net.high) == pytest.approx((26.0, gross.low - 10.0, gross.high - 10.0))
    assert net.low < 26.0 < net.high
    assert (found.compared, found.compared_versions) == (Predicted(6, Amount(30.0, -5.0)), (7,))
    assert found.transmission == "worst"
    assert found.overhead == (
        OverheadItem("solve", 2.0, 0, 1.5, 0.0, 0.0, 0, 3.0, 0.0, ()),
        OverheadItem("migration", 3.0, 1, 0.2, 0.8, 1e6, 4, 5.0, 0.5, ("prices",)),
        OverheadItem("cold_starts", 4.0, 0, 0.0, 0.9, 0.0, 0, 2.0, 0.25, ("billed_s",), is_upper_bound=True),
    )


def test_without_controls_there_is_what_is_expected_and_what_was_spent() -> None:
    found = net_saving(Predicted(10, Amount(50.0, 1.0)), [], Spent(LEDGER), "too few.")
    assert (found.observed_gross, found.observed_net, found.obstacle) == (None, None, "too few.")
    assert found.expected_net == Amount(42.0, 0.5)
    assert [item.kind for item in found.overhead] == ["solve", "migration"]


@pytest.fixture
def planned(tmp_path: Path) -> FakeCloud:
    """The example with 120 runs at home under plan 1, and plan 2, which leaves home, in force."""
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    return cloud


def with_starts(runs: tuple[ObservedRun, ...], init_s: float) -> list[ObservedRun]:
    """The runs; cold executions took so long to start, in seconds."""
    return [
        replace(
            run,
            nodes={index: replace(node, init_s=init_s if node.cold else None) for index, node in run.nodes.items()},
        )
        for run in runs
    ]


def test_status_report_and_the_balance_of_checks_have_the_same_figures(planned: FakeCloud) -> None:
    soon = planned.now() - 3_400.0  # when containers of the runs before are still there
    add_runs(planned, 50, region="ca-central-1", plan_version=2, started_at=soon)
    add_runs(planned, 12, plan_version=2, reason="home_share", started_at=soon + 100.0)
    runs = with_starts(History(planned).runs(WORKFLOW_ID), 0.2)
    controls = [replace(run, placement_key="home") if run.reason == "home_share" else run for run in runs]
    History(planned).remove(WORKFLOW_ID)
    History(planned).add(WORKFLOW_ID, controls)
    (decision,) = check_solver(planned, SETTINGS)
    report, status = savings_report(planned, WORKFLOW_ID, "best"), workflow_status(planned, WORKFLOW_ID)
    assert status.net == report.net
    net = report.net
    assert decision.balance is not None
    assert decision.balance.spent_carbon_gco2eq == net.overhead_total.carbon_gco2eq
    assert decision.balance.spent_cost_usd == net.overhead_total.cost_usd
    assert decision.balance.earned_carbon_gco2eq == net.expected.gross.carbon_gco2eq
    assert decision.balance.routed_runs == net.expected.runs == net.compared.runs == 50
    assert net.obstacle == ""
    assert net.compared_versions == (2,)
    assert net.observed_gross is not None
    assert net.observed_net is not None
    assert report.observed.control is not None
    assert report.observed.plan is not None
    per_run = report.observed.control.mean.carbon_gco2eq - report.observed.plan.mean.carbon_gco2eq
    assert net.observed_gross.carbon_gco2eq.value == pytest.approx(50 * per_run)
    assert 0.0 < net.observed_gross.carbon_gco2eq.low < net.observed_gross.carbon_gco2eq.value
    assert net.observed_net.carbon_gco2eq.value == pytest.approx(
        net.observed_gross.carbon_gco2eq.value - net.overhead_total.carbon_gco2eq
    )
    kinds = {item.kind: item for item in net.overhead}
    assert set(kinds) == {"solve", "check", "migration", "sync", "collect", "cold_starts"}
    # The first run away starts its three functions cold, and so does the first one of the home share, although the
    # runs before it left containers at home.
    assert kinds["cold_starts"].count == 6
    assert kinds["cold_starts"].billed_s == pytest.approx(6 * 0.2)
    assert kinds["cold_starts"].assumed == ()
    assert sum(item.carbon_gco2eq for item in net.overhead) == pytest.approx(net.overhead_total.carbon_gco2eq)
    assert sum(item.cost_usd for item in net.overhead) == pytest.approx(net.overhead_total.cost_usd)


def test_runs_that_a_region_refused_are_compared_and_nothing_is_expected_of_them(planned: FakeCloud) -> None:
    soon = planned.now() - 3_400.0
    add_runs(planned, 30, region="ca-central-1", plan_version=2, started_at=soon)
    add_runs(planned, 12, plan_version=2, reason="home_share", started_at=soon + 100.0)
    without = net_of(planned)
    add_runs(planned, 40, plan_version=2, reason="region_unavailable", started_at=soon + 200.0)
    found = net_of(planned)
    assert without.compared.runs == 30
    assert found.compared.runs == 70
    assert found.compared.gross == without.compared.gross
    assert found.expected == without.expected
    assert without.observed_gross is not None
    assert found.observed_gross is not None
    before, after = without.observed_gross.carbon_gco2eq.value, found.observed_gross.carbon_gco2eq.value
    assert after == pytest.approx(before, rel=0.1), "the mean of 70 runs of which 40 saved about nothing, times 70"


def net_of(cloud: FakeCloud) -> NetSaving:
    """Of the history, where what ran at home for whatever reason has the placement of home."""
    runs = [
        run if run.reason == "plan" else replace(run, placement_key="home") for run in History(cloud).runs(WORKFLOW_ID)
    ]
    History(cloud).remove(WORKFLOW_ID)
    History(cloud).add(WORKFLOW_ID, runs)
    return workflow_status(cloud, WORKFLOW_ID).net


def test_the_energy_per_byte_is_that_of_the_report(planned: FakeCloud) -> None:
    best, worst = (savings_report(planned, WORKFLOW_ID, preset).net for preset in ("best", "worst"))
    assert (best.transmission, worst.transmission) == ("best", "worst")
    assert worst.overhead_total.carbon_gco2eq > best.overhead_total.carbon_gco2eq
    assert worst.overhead_total.cost_usd == best.overhead_total.cost_usd


def test_too_few_controls_leave_what_is_expected(planned: FakeCloud) -> None:
    add_runs(planned, 50, region="ca-central-1", plan_version=2)
    net = workflow_status(planned, WORKFLOW_ID).net
    assert net.observed_gross is None
    assert net.expected.runs == 50
    assert net.expected.gross.carbon_gco2eq > 0.0
    assert "plan 2, which comes closest, has 50 complete runs and 0 of the home share" in net.obstacle
    assert net.compared == Predicted(0, Amount(0.0, 0.0))


def test_earlier_plans_and_earlier_graphs_count_as_far_as_they_can(planned: FakeCloud) -> None:
    """A plan that was replaced has saved, too; runs of a replaced graph cannot be accounted, but were expected."""
    add_runs(planned, 50, region="ca-central-1", plan_version=2)
    add_runs(planned, 12, plan_version=2, reason="home_share")
    record = record_of(planned)
    assert record is not None
    PlanStore(planned).add(
        home_plan(WORKFLOW_ID, record.graph, "us-east-1", version=3, created_at=planned.now(), expires_at=2e9)
    )
    other = [
        replace(run, run_id=f"old-{run.run_id}", manifest_id="another")
        for run in History(planned).runs(WORKFLOW_ID)
        if run.plan_version == 2 and run.reason == "plan"
    ]
    before = workflow_status(planned, WORKFLOW_ID).net
    History(planned).add(WORKFLOW_ID, other)
    after = workflow_status(planned, WORKFLOW_ID).net
    assert (before.compared_versions, after.compared_versions) == ((2,), (2,))
    assert after.expected.runs == before.expected.runs + 50
    assert after.expected.gross.carbon_gco2eq == pytest.approx(
        before.expected.gross.carbon_gco2eq * after.expected.runs / before.expected.runs
    )
    assert after.observed_gross == before.observed_gross


def test_a_status_without_prices_says_what_is_missing(planned: FakeCloud) -> None:
    add_runs(planned, 50, region="ca-central-1", plan_version=2, started_at=planned.now() - 3_400.0)
    SignalStore(planned.key_value, planned.system_region).forget(PRICE, "ca-central-1")
    net = workflow_status(planned, WORKFLOW_ID).net
    assert "there are no prices of ca-central-1 yet" in net.obstacle
    cold = next(item for item in net.overhead if item.kind == "cold_starts")
    assert cold.assumed == ("billed_s", "prices"), "embedded prices, and starts that nobody measured"


def test_a_new_workflow_has_saved_and_spent_nothing(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    assert Ledger(cloud).spending(WORKFLOW_ID).by_kind == {}
    net = workflow_status(cloud, WORKFLOW_ID).net
    assert (net.overhead, net.expected.runs) == ((), 0)
    assert net.obstacle.startswith("no run in the history was routed by a plan that leaves home;")
