"""What the report of savings compares, and with what confidence."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import check_solver
from multi_x_serverless.adaptation.comparison import MINIMUM_CONTROLS
from multi_x_serverless.adaptation.savings import Times, observed_savings, savings_report
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.collection.store import CARBON_PAST, SignalStore
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.carbon_past import CarbonPast, PastHour
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.report.savings_tables import expected_parts, observed_parts
from multi_x_serverless.report.tables import Table
from multi_x_serverless.solving.accounting import Accounting
from multi_x_serverless.solving.intensity import IntensityHistory, RegionIntensity
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import add_runs, deployed_example
from tests.unit.adaptation.test_check_solver import SETTINGS
from tests.unit.deployment.projects import WORKFLOW_ID
from tests.unit.solving.workflows import HOME, NOON, REGIONS, embedded_signals, observed_runs, workflow

DAY = 86_400.0


@pytest.fixture
def planned(tmp_path: Path) -> FakeCloud:
    """The example with 120 runs at home under plan 1, and plan 2, which leaves home, in force."""
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    active = PlanStore(cloud).active(WORKFLOW_ID)
    assert active is not None
    assert active.version == 2
    return cloud


def test_home_plan_expects_nothing_and_has_no_comparison(tmp_path: Path) -> None:
    report = savings_report(deployed_example(tmp_path, runs=10), WORKFLOW_ID, "best")
    assert report.expected is None
    assert report.observed.carbon is None
    assert "plan 1 has everything at home at every hour" in report.observed.obstacle


def test_plan_that_has_everything_home_is_not_compared_with_home(planned: FakeCloud) -> None:
    """A solver may find nothing better than home: whatever its runs differ by from the home share's is chance."""
    plans = PlanStore(planned)
    active = plans.active(WORKFLOW_ID)
    assert active is not None
    hours = tuple(
        replace(entry, placement=dict.fromkeys(entry.placement, "us-east-1"), metrics=entry.home_metrics)
        for entry in active.hours
    )
    home = plans.add(replace(active, hours=hours))
    plans.activate(WORKFLOW_ID, home.version, replaces=active.version)
    add_runs(planned, 50, plan_version=home.version)
    add_runs(planned, 30, plan_version=home.version, reason="home_share")
    report = savings_report(planned, WORKFLOW_ID, "best")
    observed = report.observed
    assert report.expected is not None, "documents keep it"
    assert report.expected_change is None
    assert observed.everything_home
    assert (observed.plan, observed.control, observed.other_home) == (None, None, None)
    assert (observed.carbon, observed.cost, observed.runtime) == (None, None, None)
    assert (observed.plan_runs, observed.control_runs) == (50, 30)
    assert observed.obstacle.endswith("there is nothing to compare.")
    assert report.net.expected.runs == 0, "no plan routed them"
    assert report.net.observed_gross is None
    shown = "\n".join(str(part) for part in (*expected_parts(report), *observed_parts(report)))
    assert "Plan 3 sends everything home: nothing is expected to be saved." in shown
    assert "vs home" not in shown
    assert "too few" not in shown


def test_runs_by_the_plan_are_compared_with_its_own_home_share(planned: FakeCloud) -> None:
    add_runs(planned, 50, region="ca-central-1", plan_version=2)
    add_runs(planned, 12, plan_version=2, reason="home_share")
    report = savings_report(planned, WORKFLOW_ID, "best")
    expected = report.expected
    assert expected is not None
    assert expected.plan.carbon_gco2eq <= expected.best_single.carbon_gco2eq
    assert expected.best_single.carbon_gco2eq < expected.home.carbon_gco2eq
    assert expected.best_static is not None
    assert expected.best_static_region == "ca-central-1"
    assert expected.best_single.carbon_gco2eq <= expected.best_static.carbon_gco2eq < expected.home.carbon_gco2eq
    observed = report.observed
    assert observed.plan is not None
    assert observed.control is not None
    assert observed.other_home is not None
    assert (observed.plan.runs, observed.control.runs, observed.other_home.runs) == (50, 12, 120)
    assert observed.carbon is not None
    assert 0.5 < observed.carbon.low < observed.carbon.fraction < observed.carbon.high < 1.0
    assert observed.obstacle == ""
    assert "modelled" in observed.provenance["energy"]
    assert report.warnings == ()


def test_earlier_runs_at_home_are_no_controls(planned: FakeCloud) -> None:
    """The home runs of before are of other days, loads and grids: what they had is no measure of this plan."""
    add_runs(planned, 50, region="ca-central-1", plan_version=2)
    add_runs(planned, MINIMUM_CONTROLS - 1, plan_version=2, reason="home_share")
    observed = savings_report(planned, WORKFLOW_ID, "best").observed
    assert (observed.carbon, observed.cost, observed.runtime) == (None, None, None)
    assert (observed.plan, observed.control) == (None, None)
    assert f"{MINIMUM_CONTROLS - 1} that the home share" in observed.obstacle
    assert observed.other_home is not None
    assert observed.other_home.runs == 120


def test_failed_runs_are_left_out_and_counted(planned: FakeCloud) -> None:
    add_runs(planned, 20, region="ca-central-1", plan_version=2)
    add_runs(planned, 20, plan_version=2, reason="home_share")
    add_runs(planned, 3, region="ca-central-1", plan_version=2, status="failed")
    add_runs(planned, 1, plan_version=2, reason="home_share", status="failed")
    observed = savings_report(planned, WORKFLOW_ID, "best").observed
    assert (observed.plan_runs, observed.control_runs) == (20, 20)
    assert (observed.failed_plan_runs, observed.failed_control_runs) == (3, 1)


def test_runs_that_a_region_refused_count_with_the_plan(planned: FakeCloud) -> None:
    """They went home because the plan sent them elsewhere; leaving them out would flatter the plan."""
    add_runs(planned, 20, region="ca-central-1", plan_version=2)
    add_runs(planned, 20, plan_version=2, reason="home_share")
    before = savings_report(planned, WORKFLOW_ID, "best").observed
    add_runs(planned, 20, plan_version=2, reason="region_unavailable")
    after = savings_report(planned, WORKFLOW_ID, "best").observed
    assert (after.plan_runs, after.control_runs) == (40, 20)
    assert before.carbon is not None
    assert after.carbon is not None
    assert after.carbon.fraction < 0.6 * before.carbon.fraction


def test_plan_of_few_runs_is_reported_with_a_warning(planned: FakeCloud) -> None:
    plans = PlanStore(planned)
    active = plans.active(WORKFLOW_ID)
    assert active is not None
    assert active.observed_runs == 120
    plans.activate(WORKFLOW_ID, plans.add(replace(active, observed_runs=3)).version, replaces=active.version)
    (warning,) = savings_report(planned, WORKFLOW_ID, "best").warnings
    assert "3 observed runs" in warning


def home_only(seed: int) -> tuple[Accounting, list[ObservedRun]]:
    """Runs over two days under a plan that is home only, one in ten of them by the home share, and earlier ones.

    The grid was twice as dirty in the days before, and more runs come in its clean hours.
    """
    generator = random.Random(seed)
    signals = embedded_signals()
    start = NOON - 12 * 3600.0
    hourly = tuple((400.0 if day < 2 else 200.0) + 150.0 * (hour >= 12) for day in range(4) for hour in range(24))
    history = IntensityHistory({region: RegionIntensity(start, hourly, "made up") for region in REGIONS})
    runs = []
    for number, template in enumerate(observed_runs(60) * 8):
        factor = generator.lognormvariate(0.0, 0.3)
        is_before = number < 120
        hour = generator.choice((1, 2, 3, 4, 5, 13))
        day = generator.choice((0, 1) if is_before else (2, 3))
        reason = "plan" if is_before or generator.random() >= 0.1 else "home_share"
        begun = start + day * DAY + hour * 3600.0 + generator.random() * 3000.0
        runs.append(
            replace(
                template,
                run_id=f"{number}",
                plan_version=1 if is_before else 2,
                reason=reason,
                started_at=begun,
                finished_at=begun + template.duration_s * factor,
                nodes={
                    index: replace(node, duration_s=node.duration_s * factor, cpu_s=node.cpu_s * factor)
                    for index, node in template.nodes.items()
                },
            )
        )
    return Accounting(workflow(), signals.prices, history, "best"), runs


def test_other_runs_at_home_are_held_against_a_run_as_often_as_it_stands_for_one() -> None:
    """A thinned history says the same as the whole one: in it the frequent runs of the clean hours are few."""
    accounting, runs = home_only(1)
    thinned = [replace(run, weight=9.0 if run.started_at % DAY < 12 * 3600.0 else 1.0) for run in runs]
    whole = [
        replace(run, run_id=f"{run.run_id}-{number}", weight=1.0)
        for run in thinned
        for number in range(round(run.weight))
    ]
    found, expected = (observed_savings(some, 2, HOME, accounting).other_home for some in (thinned, whole))
    unweighted = observed_savings(runs, 2, HOME, accounting).other_home
    assert found is not None
    assert expected is not None
    assert unweighted is not None
    assert found.mean.carbon_gco2eq == pytest.approx(expected.mean.carbon_gco2eq)
    assert found.mean.carbon_gco2eq < 0.99 * unweighted.mean.carbon_gco2eq, "else nothing is shown here"


def test_intensities_are_looked_up_once_for_each_run_and_not_for_each_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    accounting, runs = home_only(1)
    looked_up, at = [], IntensityHistory.at

    def counted(history: IntensityHistory, moment: float) -> dict[str, float]:
        looked_up.append(moment)
        return at(history, moment)

    monkeypatch.setattr(IntensityHistory, "at", counted)
    observed = observed_savings(runs, 2, HOME, accounting)
    assert observed.other_home is not None
    assert observed.other_home.runs > 50
    assert len(looked_up) <= 2 * len(runs)


def test_plan_that_is_home_only_saves_nothing() -> None:
    """The dirty days before the plan are no merit of the plan: in nearly all histories the interval contains 0."""
    histories, contains = 40, {"carbon": 0, "cost": 0, "runtime": 0}
    for seed in range(histories):
        accounting, runs = home_only(seed)
        observed = observed_savings(runs, 2, HOME, accounting)
        for name in contains:
            found = getattr(observed, name)
            assert found is not None
            contains[name] += found.low <= 0.0 <= found.high
    # Of 40 intervals of 95 %, fewer than 32 contain the truth once in three thousand times.
    assert min(contains.values()) >= 32, contains


def test_other_runs_at_home_are_shown_at_the_hours_of_the_plans_runs() -> None:
    """The same work in cleaner hours: what was twice as dirty before is not twice as dirty here."""
    accounting, runs = home_only(0)
    observed = observed_savings(runs, 2, HOME, accounting)
    assert observed.other_home is not None
    assert observed.control is not None
    assert observed.other_home.runs == 120
    assert observed.other_home.mean.carbon_gco2eq == pytest.approx(observed.control.mean.carbon_gco2eq, rel=0.15)
    before = [accounting.footprint(run).carbon_gco2eq for run in runs[:120]]
    assert sum(before) / len(before) > 1.5 * observed.other_home.mean.carbon_gco2eq


def test_report_needs_prices_of_every_region_that_ran(planned: FakeCloud) -> None:
    add_runs(planned, 2, region="eu-west-1", plan_version=1)
    assert "eu-west-1" not in read_signals(planned).prices
    with pytest.raises(NotEnoughDataError, match="eu-west-1"):
        savings_report(planned, WORKFLOW_ID, "best")


def test_runs_are_accounted_with_the_hours_that_were_collected(planned: FakeCloud) -> None:
    """What a live source gave for the hours of the runs goes before the embedded trace, and both are named."""
    before = savings_report(planned, WORKFLOW_ID, "best").observed
    assert "live" not in before.provenance["carbon"]
    store = SignalStore(planned.key_value, planned.system_region)
    now = planned.now()
    hours = {
        now // 3600.0 * 3600.0 - offset * 3600.0: PastHour(9.0, False, "live", "2026-10-15", False, now)
        for offset in range(30 * 24)
    }
    for region in ("us-east-1", "ca-central-1"):
        store.put(CARBON_PAST, CarbonPast(region, hours))
    after = savings_report(planned, WORKFLOW_ID, "best").observed
    assert "live, 2026-10-15" in after.provenance["carbon"]
    assert "embedded hourly trace" in after.provenance["carbon"]


def test_times_are_of_warm_runs_and_carbon_is_of_all(planned: FakeCloud) -> None:
    add_runs(planned, 50, region="ca-central-1", plan_version=2)
    # Each call starts with a run that is cold throughout: one of these, and eight of the home share.
    for batch in range(8):
        started = planned.now() - 3_000.0 + 60.0 * batch
        add_runs(planned, 4, plan_version=2, reason="home_share", started_at=started)
    report = savings_report(planned, WORKFLOW_ID, "best")
    observed = report.observed
    assert observed.times == Times("warm", 49, 24, 119)
    assert observed.control is not None
    assert observed.control.runs == 32
    assert report.entry_is_away
    shown = "\n".join(str(part) for part in observed_parts(report))
    assert "time: of warm runs only" in shown
    assert ", of warm runs: 49 by the plan, 24 of the home share" in shown
    assert "Expected time contains handing the trigger on" in shown
    assert "handing the trigger on" not in str(observed_parts(replace(report, entry_is_away=False)))


def test_times_of_runs_that_are_not_alike_are_shown_and_not_compared(planned: FakeCloud) -> None:
    add_runs(planned, 50, region="ca-central-1", plan_version=2)
    for batch in range(8):
        started = planned.now() - 3_000.0 + 60.0 * batch
        add_runs(planned, 2, plan_version=2, reason="home_share", started_at=started)
    report = savings_report(planned, WORKFLOW_ID, "best")
    assert report.observed.carbon is not None
    assert report.observed.runtime is None
    assert report.observed.times == Times(None, 50, 16, 120)
    table, *sentences = observed_parts(report)
    assert isinstance(table, Table)
    (row,) = (row for row in table.rows if row[0].startswith("plan 2"))
    assert row[-1] == "-"
    assert "time, measured: not compared" in str(sentences[-1])
