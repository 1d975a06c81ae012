"""A month in virtual time: when plans come and go as load and grids change, and that nothing flaps or is lost."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from statistics import mean

import pytest

from multi_x_serverless.adaptation.balance import LONGEST_S
from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import CheckSettings, check_solver
from multi_x_serverless.adaptation.ledger import Ledger
from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import PlanStore, physical_name, workflow_table
from multi_x_serverless.collection.carbon_file import FILE_VARIABLE
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.errors import CloudError
from multi_x_serverless.model.amounts import grams
from multi_x_serverless.model.ledger import LedgerEntry
from multi_x_serverless.observation.history import History
from tests.fakes import Call, FakeCloud
from tests.unit.adaptation.month import (
    AWAY,
    DAY_S,
    HOME,
    HOUR_S,
    TWO_REGIONS,
    Month,
    always,
    deployed_month,
    feed_of,
    slow_processor,
)
from tests.unit.deployment.projects import WORKFLOW_ID, functions

RENEWAL_DAYS = 6
"""A plan lives a week, and is renewed a day before its end."""

LONGEST_H = round(LONGEST_S / HOUR_S)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> FakeCloud:
    return deployed_month(tmp_path_factory.mktemp("project"))


@pytest.fixture
def cloud(deployed: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    slow_processor(monkeypatch, 0.02)
    return deployed.copy()


def test_under_rising_load_the_first_plan_waits_for_runs_and_checks_come_sooner_as_it_earns(cloud: FakeCloud) -> None:
    month = Month(cloud, lambda hour: max(0, hour // 24 - 2) // 4).run(28)
    first = month.staged()[0]
    before = [check for hour, check in month.checks.items() if hour < first]
    assert {check["verdict"] for check in before} == {"wait"}
    assert all(check["runs"] < CheckSettings().minimum_runs for check in before)
    assert month.checks[first]["runs"] >= CheckSettings().minimum_runs
    assert sum(map(month.load, range(first - LONGEST_H))) < CheckSettings().minimum_runs, "noticed within a day"
    assert len([hour for hour in month.checks if 24 < hour < first]) < first / 12, "counting is not done every hour"
    assert month.regions(first - 1, "plan") == {HOME}
    assert month.regions(first + 3, "plan") == {AWAY}
    assert month.regions(first + 3, "home_share") <= {HOME}
    earlier, later = month.waits(12, 16), month.waits(25, 28)
    assert mean(earlier) == LONGEST_H
    assert mean(later) < LONGEST_H / 2
    earned = [check["balance"]["earned_carbon_gco2eq"] for hour, check in month.checks.items() if hour > first]
    assert earned == sorted(earned), "nothing earned is lost when plans follow each other"
    # What follows the first plan is renewals of it.
    assert all(after - before >= RENEWAL_DAYS * 24 for before, after in itertools.pairwise(month.staged()))
    assert list(month.migrations.values()) == list(range(2, 2 + len(month.staged())))


def test_when_load_falls_away_checks_get_rare_and_the_workflow_goes_home(cloud: FakeCloud) -> None:
    month = Month(cloud, lambda hour: max(0, 12 - hour // 6)).run(22)
    assert len(month.staged()) == 2, "the first and one renewal, while the week before it still had runs"
    last = month.staged()[-1]
    expired = last + 7 * 24
    after = [check for hour, check in month.checks.items() if hour > last + RENEWAL_DAYS * 24]
    assert {check["verdict"] for check in after} == {"wait"}
    assert "no run in the last 7 days" in after[0]["reason"]
    assert set(month.waits(10, 22)) == {LONGEST_H}
    # A plan that is over leaves nothing behind.
    (home_at,) = [hour for hour in month.migrations if hour > last + 2]
    assert expired <= home_at <= expired + 2
    active = PlanStore(cloud).active(WORKFLOW_ID)
    assert active is not None
    assert (active.solver, active.version) == ("none", month.migrations[home_at])
    assert set(month.swept) == {f"{function} in {AWAY}" for function in ("first", "left", "join")}
    assert functions(cloud) == {f"{function} in {HOME}" for function in ("first", "left", "join")}


def test_an_expired_plan_sends_runs_home_before_anybody_has_looked_at_it(cloud: FakeCloud) -> None:
    month = Month(cloud, lambda hour: 30).run(0.5)
    assert month.regions(11) == {AWAY}
    cloud.time = month.begin = month.begin + 8 * DAY_S
    month.add_runs()
    assert month.routed[12] == {("expired", HOME): 30}


def test_bursts_neither_drive_the_checks_nor_the_plans(cloud: FakeCloud) -> None:
    month = Month(cloud, lambda hour: 200 if hour % 168 == 30 else 0).run(25)
    staged = month.staged()
    assert len(staged) == 1 + (25 * 24 - staged[0]) // (RENEWAL_DAYS * 24), "no more than renewals"
    assert month.regions(168 + 30) == month.regions(3 * 168 + 30) == {AWAY}
    # Between bursts and after them: a burst is the earnings of a month, not of an hour.
    assert min(month.waits(2, 25)) >= LONGEST_H / 4


def test_a_plan_follows_grids_that_swap_order_and_does_not_come_back(
    cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap = 9 * 24
    feed = feed_of(
        monkeypatch,
        tmp_path,
        home=lambda hour: 400.0 if hour < swap else 40.0,
        away=lambda hour: 40.0 if hour < swap else 400.0,
    )
    month = Month(cloud, lambda hour: 1, feed).run(16)
    by_plan = {hour: month.regions(hour) for hour in month.routed if month.regions(hour)}
    assert all(regions == {AWAY} for hour, regions in by_plan.items() if month.staged()[0] + 2 < hour < swap)
    went_home = min(hour for hour, regions in by_plan.items() if hour >= swap and HOME in regions)
    assert went_home - swap <= 36, "a forecast that has seen a day of the new order is followed at the next check"
    # Hour by hour of the day, as the forecast learns that it is not yesterday's weather: within four days all are home.
    assert all(regions == {HOME} for hour, regions in by_plan.items() if hour >= swap + 4 * 24)
    active = PlanStore(cloud).active(WORKFLOW_ID)
    assert active is not None
    assert active.regions == {HOME}
    assert len([hour for hour in month.staged() if hour >= swap]) <= 7
    # A plan that places everything home is not renewed: nothing changes when it ends.
    assert not [hour for hour in month.staged() if hour >= swap + 4 * 24]


def test_grids_that_differ_by_less_than_the_hysteresis_move_nothing(
    cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nearly = (400.0, 400.0 * (1 - CheckSettings().hysteresis / 2))
    feed = feed_of(
        monkeypatch, tmp_path, home=lambda hour: nearly[hour // 24 % 2], away=lambda hour: nearly[(hour // 24 + 1) % 2]
    )
    month = Month(cloud, lambda hour: 3, feed).run(8)
    assert month.verdicts().count("keep") >= 6
    assert month.staged() == []
    assert month.migrations == {}


def test_a_feed_that_stops_is_told_and_served_for_as_long_as_documented(
    cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops = 6 * 24
    feed = feed_of(monkeypatch, tmp_path, home=always(40.0), away=always(400.0))
    feed.stops_at = stops
    month = Month(cloud, lambda hour: 2, feed).run(22)

    def warned(hour: int) -> str:
        return " ".join(month.checks[hour]["warnings"])

    for hour in month.checks:
        if month.checks[hour]["verdict"] == "wait":
            continue
        days = (hour - stops) / 24
        assert ("newest hour known" in warned(hour)) == (days > 2), (days, warned(hour))
        assert ("the embedded data serves" in warned(hour)) == (days > 14 or "embedded data serves" in warned(hour))
        # By the feed home is the cleaner one, by the embedded data it is far from that.
        assert (month.checks[hour]["verdict"] == "staged") == (hour == (month.staged() or [-1])[0])
    (moved,) = month.staged()
    assert stops + 14 * 24 <= moved <= stops + 15 * 24 + 1
    assert "the embedded data serves" in warned(moved)


def test_signals_that_nobody_can_write_are_used_for_two_weeks_and_then_the_workflow_goes_home(cloud: FakeCloud) -> None:
    fails_from = cloud.now() + DAY_S

    def refuse(call: Call) -> CloudError | None:
        is_signal = call.operation == "put" and call.arguments[1] == physical_name("signals")
        return CloudError("throttled", operation="put") if is_signal and cloud.now() >= fails_from else None

    month = Month(cloud, lambda hour: 10 if hour < 24 else int(hour % 8 == 0))
    cloud.faults.before = refuse
    month.run(20)
    failing = {hour: check for hour, check in month.checks.items() if hour >= 24}
    assert all("could not be refreshed" in " ".join(check["warnings"]) for check in failing.values())
    old = [hour for hour, check in failing.items() if "days old" in " ".join(check["warnings"])]
    assert 2 * 24 <= min(old) <= 3 * 24 + LONGEST_H
    assert 14 * 24 < min(month.failures) <= 15 * 24 + LONGEST_H
    assert "too old to plan with" in month.failures[min(month.failures)]
    # The plan that the last good values made ends a week after it was made at the latest.
    *_, last = month.routed
    assert month.regions(last, "expired") | month.regions(last, "plan") == {HOME}
    active = PlanStore(cloud).active(WORKFLOW_ID)
    assert active is not None
    assert active.solver == "none"
    assert f"first in {AWAY}" in month.swept


def test_of_several_workflows_those_that_fail_stop_no_other(tmp_path: Path) -> None:
    cloud = deployed_month(tmp_path)
    stored = workflow_table(cloud).get(Key(WORKFLOW_ID))
    first_plan = PlanStore(cloud).active(WORKFLOW_ID)
    assert stored is not None
    assert first_plan is not None
    Month(cloud, lambda hour: 110).add_runs()
    runs = History(cloud).runs(WORKFLOW_ID)
    names = ("a-poisoned-0.0.1", "b-locked-0.0.1", "c-damaged-0.0.1", WORKFLOW_ID, "z-sound-0.0.1")
    for name in names:
        workflow_table(cloud).put(Key(name), replace(stored.value, workflow_id=name))
        if name != WORKFLOW_ID:
            History(cloud).add(name, runs)
            PlanStore(cloud).activate(
                name, PlanStore(cloud).add(replace(first_plan, workflow_id=name)).version, replaces=None
            )

    def spoil(table: str, partition: str, sort: str = "") -> None:
        cloud.key_value.put(
            cloud.system_region, physical_name(table), Key(partition, sort), {"document": '{"schema": "x"}'}
        )

    spoil("workflows", names[0])
    (chunk,) = cloud.key_value.query(cloud.system_region, physical_name("history"), names[2])
    spoil("history", chunk.key.partition, chunk.key.sort)
    cloud.time += HOUR_S
    with lock(cloud, f"{names[1]} (data_sync)"):
        checked = check_solver(cloud, CheckSettings())
    assert [decision.workflow_id for decision in checked] == list(names)
    assert [decision.verdict for decision in checked] == ["failed", "failed", "failed", "staged", "staged"]
    assert [decision.error_code for decision in checked[1:3]] == ["conflict", "invalid-document"]
    spoil("plans", names[2], "v00000001")
    with lock(cloud, names[1]):
        migrated = check_deployment(cloud, progress=SILENT)
    outcomes = {outcome.workflow_id: outcome.outcome for outcome in migrated}
    assert list(outcomes) == list(names)
    assert [outcomes[name] for name in names[:4]] == ["failed", "failed", "failed", "migrated"]


def test_a_plan_that_never_pays_is_never_staged_and_every_check_is_in_the_balance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checks of a billionth of a gram beside a kilogram: what were rounded on the way would be nothing."""
    slow_processor(monkeypatch, 0.0002)
    # Runs of a tenth of a millisecond do not earn the copy of eight megabytes.
    (tmp_path / "model.bin").write_bytes(random.Random(0).randbytes(8_000_000))
    cloud = deployed_month(tmp_path, TWO_REGIONS + "estimated_invocations_per_month: 1\n")
    feed = feed_of(monkeypatch, tmp_path, home=always(20.0), away=always(2.0))
    month = Month(cloud, lambda hour: 110 if hour == 1 else int(hour % 84 == 50), feed, duration_s=1e-4)
    Ledger(cloud).add(LedgerEntry(WORKFLOW_ID, "migration", cloud.now(), 0.0, 0.0, 0, 1e3, 0.0))
    month.run(10)
    declined = [check for check in month.checks.values() if check["verdict"] == "keep"]
    assert len(declined) >= 8
    assert month.staged() == []
    for check in declined:
        assert "does not pay" in check["reason"], check["reason"]
        gain, overhead_gco2eq = check["gain"], check["overhead"]["carbon_gco2eq"]
        total = (gain["in_force"] - gain["planned"]) * gain["expected_runs"] * gain["routed_share"]
        assert 0 < total < overhead_gco2eq
        assert f"{grams(total)} less CO2eq over" in check["reason"]
        assert f"against {grams(overhead_gco2eq)} of overhead" in check["reason"]
    spent = [Fraction(check["balance"]["spent_carbon_gco2eq"]) for check in month.checks.values()]
    assert all(after > before for before, after in itertools.pairwise(spent)), "each check adds what it took"
    assert spent[0] > 1_000
    assert spent[-1] - spent[0] < Fraction(1, 10**6)
    entries = [
        LedgerEntry.from_document(str(item.attributes["document"]))
        for item in cloud.key_value.query(cloud.system_region, physical_name("ledger"), WORKFLOW_ID)
    ]
    exact = sum(Fraction(entry.carbon_gco2eq) for entry in entries)
    assert spent[-1] == Fraction(float(exact)), "the sum, rounded once"
    assert sum(entry.count for entry in entries if entry.kind == "solve") == len(declined)
