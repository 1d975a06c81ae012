"""Cold starts by the grids of their own hours, what is assumed where these are not known, and who notes the finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.adaptation import balance as balance_module
from multi_x_serverless.adaptation import spent as spent_module
from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import check_solver
from multi_x_serverless.adaptation.cold_starts import CausedColdStarts, ColdStartSpending, caused_cold_starts
from multi_x_serverless.adaptation.ledger import Ledger
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.spent import spent_on
from multi_x_serverless.adaptation.status import workflow_status
from multi_x_serverless.collection.carbon_source import HourlyIntensity
from multi_x_serverless.collection.embedded_carbon import EmbeddedCarbonSource
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.model.regions import Region
from multi_x_serverless.observation.history import History
from multi_x_serverless.solving.model_constants import COLD_START_S, OUTSIDE_INTENSITY_GCO2EQ_PER_KWH, PUE_DEFAULT
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import add_runs, deployed_example
from tests.unit.adaptation.test_check_solver import SETTINGS
from tests.unit.deployment.projects import WORKFLOW_ID, record_of

HOUR_S = 3_600.0
NORTH, WEST = "ca-central-1", "us-west-1"
FUNCTIONS = 3


class Grids(EmbeddedCarbonSource):
    """Past hours by region and hour; nothing is known of other regions and hours."""

    def __init__(self, known: Mapping[str, Mapping[float, float]]) -> None:
        self._known = known

    def past(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        wanted = {first_hour + number * HOUR_S for number in range(hours)}
        return {
            start: HourlyIntensity(value, is_estimated=False, source="a test", vintage="2023")
            for start, value in self._known.get(region.code, {}).items()
            if start in wanted
        }


@pytest.fixture
def cloud(tmp_path: Path) -> FakeCloud:
    """The example, whose functions start cold in the north and, two hours before, in the west."""
    cloud = deployed_example(tmp_path)
    now = hour_of(cloud)
    for began in (now, now - 2 * HOUR_S):
        add_runs(cloud, 2, started_at=began)  # containers at home, which the runs away would have found
    add_runs(cloud, 1, region=NORTH, plan_version=2, started_at=now + 60.0)
    add_runs(cloud, 1, region=WEST, plan_version=3, started_at=now - 2 * HOUR_S + 60.0)
    return cloud


def hour_of(cloud: FakeCloud) -> float:
    return cloud.now() // HOUR_S * HOUR_S


def cold_starts(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, known: Mapping[str, Mapping[float, float]], *unknown: str
) -> ColdStartSpending:
    """By grids that are known; of `unknown` regions there is no forecast either."""
    monkeypatch.setattr(spent_module, "carbon_source", lambda cloud: Grids(known))
    signals = read_signals(cloud)
    carbon = {region: signal for region, signal in signals.carbon.items() if region not in unknown}
    record = record_of(cloud)
    assert record is not None
    runs = History(cloud).runs(WORKFLOW_ID)
    return spent_on(cloud, record, runs, replace(signals, carbon=carbon), "best").cold_starts


def by_hand(*intensities: float) -> float:
    """Of as many starts of each function as there are intensities, on 512 MB, at full load, in gCO2eq."""
    kw = 512 / 1769 * 0.0035 + 512 / 1024 * 0.0003725
    return sum(FUNCTIONS * COLD_START_S / HOUR_S * kw * PUE_DEFAULT * intensity for intensity in intensities)


def test_each_start_is_priced_by_the_grid_of_its_own_hour(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    now = hour_of(cloud)
    add_runs(cloud, 1, region=NORTH, plan_version=2, started_at=now - 2 * HOUR_S + 120.0)
    known = {
        NORTH: {now - 2 * HOUR_S: 10.0, now - HOUR_S: 50.0, now: 20.0},
        WEST: {now - 2 * HOUR_S: 300.0},
    }
    found = cold_starts(cloud, monkeypatch, known)
    assert found.count == 3 * FUNCTIONS
    assert found.carbon_gco2eq == pytest.approx(by_hand(20.0, 10.0, 300.0))
    assert found.assumed == ()


def test_a_region_that_nobody_knows_changes_no_other(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    found = cold_starts(cloud, monkeypatch, {NORTH: {hour_of(cloud): 20.0}}, WEST)
    assert found.carbon_gco2eq == pytest.approx(by_hand(20.0, OUTSIDE_INTENSITY_GCO2EQ_PER_KWH))
    assert found.assumed == ("intensity",)


def test_an_hour_that_nobody_knows_has_the_forecast_of_the_same_hour_and_that_is_said(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = hour_of(cloud)
    values = read_signals(cloud).carbon[WEST].intensity_gco2eq_per_kwh
    found = cold_starts(cloud, monkeypatch, {NORTH: {now: 20.0}})
    assert found.carbon_gco2eq == pytest.approx(by_hand(20.0, values[int((now - 2 * HOUR_S) // HOUR_S) % 24]))
    assert found.assumed == ("hour",)


def test_what_grows_with_the_history_is_in_what_a_check_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cold starts, and what plans earned: on a clock of the processor that only they move."""
    cloud = deployed_example(tmp_path, runs=120)
    check_solver(cloud, SETTINGS)
    check_deployment(cloud, progress=SILENT)
    add_runs(cloud, 4, region="ca-central-1", plan_version=2, started_at=cloud.now() - 3_000.0)
    before = Ledger(cloud).spending(WORKFLOW_ID).by_kind["check"].cpu_s
    clock = 100.0
    find, is_routed = caused_cold_starts, balance_module.is_routed_away

    def find_in_five_seconds(*arguments: Any) -> CausedColdStarts:
        nonlocal clock
        clock += 5.0
        return find(*arguments)

    def ask_in_a_second(*arguments: Any) -> bool:
        nonlocal clock
        clock += 1.0
        return is_routed(*arguments)

    monkeypatch.setattr("time.process_time", lambda: clock)
    monkeypatch.setattr("multi_x_serverless.adaptation.spent.caused_cold_starts", find_in_five_seconds)
    monkeypatch.setattr("multi_x_serverless.adaptation.balance.is_routed_away", ask_in_a_second)
    (decision,) = check_solver(cloud, SETTINGS)
    noted = Ledger(cloud).spending(WORKFLOW_ID)
    assert noted.by_kind["check"].cpu_s == pytest.approx(before + 5.0 + 124), "each run is looked at"
    assert decision.balance is not None
    assert decision.balance.routed_runs == 4, "runs of the plan that is home only are none that plans routed"
    monkeypatch.undo()
    spent = workflow_status(cloud, WORKFLOW_ID).net.overhead_total
    assert decision.balance.spent_carbon_gco2eq == spent.carbon_gco2eq, "with this check"
