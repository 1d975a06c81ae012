"""What the report of savings compares, and with what confidence."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import check_solver
from multi_x_serverless.adaptation.comparison import MINIMUM_CONTROLS
from multi_x_serverless.adaptation.intensity import intensity_history
from multi_x_serverless.adaptation.savings import observed_savings, savings_report
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.collection.carbon import EmbeddedCarbonSource
from multi_x_serverless.collection.forecast import CarbonHistory
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.errors import CloudError, NotEnoughDataError
from multi_x_serverless.model.run import ObservedRun
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
    assert "0 that the home share" in report.observed.obstacle


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


class NoPast(EmbeddedCarbonSource):
    """A live source that is not to be had."""

    def history(self, region: str, start: float, hours: int) -> CarbonHistory:
        raise CloudError("no answer", retryable=True)


def test_intensities_are_those_of_the_runs_own_hours() -> None:
    signals = embedded_signals()
    source = EmbeddedCarbonSource()
    history = intensity_history(source, signals, REGIONS, NOON - 3 * DAY + 100.0, NOON + 100.0)
    for moment in (NOON - 3 * DAY, NOON - DAY - 3600.0, NOON + 3599.0):
        (expected,) = source.history(HOME, moment // 3600.0 * 3600.0, 1).intensity_gco2eq_per_kwh
        assert history.at(moment)[HOME] == expected
    assert history.at(NOON)[HOME] != signals.carbon[HOME].intensity_gco2eq_per_kwh[12]
    assert "2023" in history.origin
    assert "forecast" not in history.origin


def test_a_source_without_a_past_is_replaced_by_the_forecast_and_says_so() -> None:
    signals = embedded_signals()
    history = intensity_history(NoPast(), signals, REGIONS, NOON - 2 * DAY, NOON)
    values = signals.carbon[HOME].intensity_gco2eq_per_kwh
    assert [history.at(NOON - offset * 3600.0)[HOME] for offset in (0, 1, 24, 48)] == [
        values[12],
        values[11],
        values[12],
        values[12],
    ]
    assert "forecast of 2023-11-15" in history.origin
    with pytest.raises(NotEnoughDataError, match="eu-west-1"):
        intensity_history(NoPast(), signals, ("eu-west-1",), NOON, NOON)


def test_report_needs_prices_of_every_region_that_ran(planned: FakeCloud) -> None:
    add_runs(planned, 2, region="eu-west-1", plan_version=1)
    assert "eu-west-1" not in read_signals(planned).prices
    with pytest.raises(NotEnoughDataError, match="eu-west-1"):
        savings_report(planned, WORKFLOW_ID, "best")
