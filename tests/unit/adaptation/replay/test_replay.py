"""Whole replays of small worlds, against loops by hand and against what a person expects of them."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from multi_x_serverless.adaptation.replay.hourly import COLUMNS, hourly_csv
from multi_x_serverless.adaptation.replay.intensities import LEAD_HOURS, Intensities
from multi_x_serverless.adaptation.replay.load import Load, constant_load, read_load
from multi_x_serverless.adaptation.replay.replay import ReplaySettings, replay
from multi_x_serverless.adaptation.replay.results import POLICIES, REPLAY_SCHEMA, REPLAY_VERSION, Replay
from multi_x_serverless.errors import UsageError
from multi_x_serverless.model import documents
from multi_x_serverless.model.robust import Interval
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.problem import SolveSettings, build_problem
from multi_x_serverless.solving.robust import RobustSettings
from tests.oracles.brute_force import all_placements
from tests.oracles.checker import Checker
from tests.unit.adaptation.replay.test_overhead import START_KWH
from tests.unit.adaptation.replay.worlds import AWAY, HOME, always, by_hour_of_day, days, replayed, world
from tests.unit.core.documents import dump, fan_out_problem
from tests.unit.solving.workflows import embedded_signals, observed_runs, workflow

SWAPPING = by_hour_of_day([100.0] * 12 + [900.0] * 12)
"""Cleaner than home (400) before noon, dirtier after."""


def surprising(hour: int) -> float:
    """Clean as long as anybody can remember, and dirty from then on."""
    return 100.0 if hour < 0 else 700.0


def swapping_world(count: int) -> Intensities:
    return world(days(count), {HOME: always(400.0), AWAY: SWAPPING})


def places(found: Replay, policy: str) -> list[dict[str, str]]:
    """The placement of every hour."""
    return [dict(found.placements[number]) for number in found.policy(policy).hours.placements.tolist()]


SHARE = 0.25
RUNS = (10.0, 4000.0, 0.0, 250.0)

Checked = list[dict[tuple[tuple[str, str], ...], tuple[float, float]]]
"""Hour -> placement -> carbon and cost of a run."""


def small_problem() -> dict[str, Any]:
    """With so few scenarios that the checker, which is slow, goes through all placements of all hours."""
    problem = fan_out_problem()
    problem["settings"]["scenarios"] = 30
    return problem


@pytest.fixture(scope="module")
def made() -> Intensities:
    return world(
        days(2), {HOME: lambda hour: 380.0 + 15.0 * (hour % 5), AWAY: lambda hour: 390.0 + 30.0 * ((hour % 24) - 12)}
    )


@pytest.fixture(scope="module")
def found(made: Intensities) -> Replay:
    load = Load(np.resize(np.array(RUNS), 48), "changing")
    return replayed(small_problem(), made, load, home_share=SHARE, package_bytes=2.0**28)


@pytest.fixture(scope="module")
def checked(made: Intensities) -> Checked:
    by_hour = []
    for hour in range(48):
        problem = small_problem()
        problem["intensity_gco2e_per_kwh"] = made.day(hour)
        checker = Checker(problem)
        summaries = {
            tuple(sorted(placement.items())): checker.summaries(placement, hour % 24)
            for placement in all_placements(problem)
        }
        by_hour.append({key: (entry["carbon"].mean, entry["cost"].mean) for key, entry in summaries.items()})
    return by_hour


class TestByHand:
    """Two days, two regions, four nodes: every sum is done again in loops over the independent checker's numbers."""

    @pytest.mark.parametrize("policy", POLICIES)
    def test_carbon_and_cost_of_the_runs(
        self,
        found: Replay,
        checked: Checked,
        policy: str,
    ) -> None:
        share = SHARE if policy in {"single", "system", "oracle"} else 0.0
        carbon = cost = 0.0
        for hour, placement in enumerate(places(found, policy)):
            at_home = checked[hour][tuple(sorted((node, HOME) for node in placement))]
            placed = checked[hour][tuple(sorted(placement.items()))]
            runs = RUNS[hour % 4]
            carbon += runs * ((1 - share) * placed[0] + share * at_home[0])
            cost += runs * ((1 - share) * placed[1] + share * at_home[1])
        assert found.policy(policy).carbon.gross == pytest.approx(carbon, rel=1e-9)
        assert found.policy(policy).cost.gross == pytest.approx(cost, rel=1e-9)

    def test_the_oracle_takes_the_least_of_all_placements(self, found: Replay, checked: Checked) -> None:
        for hour, placement in enumerate(places(found, "oracle")):
            least = min(carbon for carbon, _ in checked[hour].values())
            assert checked[hour][tuple(sorted(placement.items()))][0] == pytest.approx(least, rel=1e-9)

    def test_the_static_region_is_the_best_of_all_hours(self, found: Replay, checked: Checked) -> None:
        totals = {
            region: sum(
                RUNS[hour % 4] * checked[hour][tuple(sorted((node, region) for node in found.placements[0]))][0]
                for hour in range(48)
            )
            for region in (HOME, AWAY)
        }
        assert found.static_region == min(totals, key=lambda region: totals[region])
        assert found.policy("static").carbon.gross == pytest.approx(min(totals.values()), rel=1e-9)

    @pytest.mark.parametrize("policy", ["single", "system", "oracle"])
    def test_overhead(self, found: Replay, made: Intensities, policy: str) -> None:
        seconds = {
            name: np.mean([seconds or 0.0 for seconds in columns["duration_s"]])
            for name, columns in fan_out_problem()["observations"]["nodes"].items()
        }
        often = {name: np.mean(columns["ran"]) for name, columns in fan_out_problem()["observations"]["nodes"].items()}
        result = found.policy(policy)
        intensity = dict(zip(made.regions, made.replayed, strict=True))
        solves = sum(0.02 / 3600 * 0.0035 * 1.11 * intensity[HOME][hour] for hour in (0, 24))
        assert result.overhead["solves"].carbon_gco2eq == pytest.approx(solves)
        path = [dict.fromkeys(seconds, HOME), *places(found, policy)]
        cold = 0.0
        for hour, (before, after) in enumerate(pairwise(path)):
            runs = RUNS[hour % 4] * (1 - SHARE)
            for node, region in after.items():  # Every node is a function of its own here.
                if before[node] != region:
                    at_once = -(-runs / 3600 * seconds[node] // 1)
                    cold += min(at_once, runs * often[node]) * START_KWH * intensity[region][hour]
        assert cold > 0
        assert result.overhead["cold_starts"].carbon_gco2eq == pytest.approx(cold)
        assert result.overhead["copies"].cost_usd == pytest.approx(0.25 * 0.02), "one region, a quarter of a GB"
        assert result.carbon.overhead == pytest.approx(sum(part.carbon_gco2eq for part in result.overhead.values()))
        assert result.cost.overhead == pytest.approx(sum(part.cost_usd for part in result.overhead.values()))

    @pytest.mark.parametrize("policy", POLICIES)
    def test_net_is_gross_and_overhead_by_hour_and_in_all(self, found: Replay, policy: str) -> None:
        result = found.policy(policy)
        hours = result.hours
        assert result.carbon.net == result.carbon.gross + result.carbon.overhead
        assert hours.carbon_gross_gco2eq.sum() == pytest.approx(result.carbon.gross)
        assert hours.carbon_overhead_gco2eq.sum() == pytest.approx(result.carbon.overhead)
        assert hours.cost_gross_usd.sum() == pytest.approx(result.cost.gross)
        assert hours.cost_overhead_usd.sum() == pytest.approx(result.cost.overhead)

    def test_hours_without_runs_cost_nothing(self, found: Replay) -> None:
        for policy in POLICIES:
            assert found.policy(policy).hours.carbon_gross_gco2eq[2::4].tolist() == [0.0] * 12


class TestWhatPeopleExpect:
    def test_a_grid_that_swaps_order_is_followed_by_the_hour(self) -> None:
        found = replayed(fan_out_problem(), swapping_world(3))
        for policy in ("single", "system", "oracle"):
            by_hour = places(found, policy)
            for hour in range(24, 72):
                assert set(by_hour[hour].values()) == ({AWAY} if hour % 24 < 12 else {HOME}), (policy, hour)
        system, static = found.policy("system"), found.policy("static")
        assert found.static_region == HOME, "500 in the mean"
        assert system.carbon.net < 0.7 * static.carbon.net
        assert system.switches == 5
        assert system.changes == 1
        assert system.region_shares == {HOME: 0.5, AWAY: 0.5}

    def test_a_region_that_is_always_cleaner_is_static(self) -> None:
        found = replayed(fan_out_problem(), world(days(2), {HOME: always(400.0), AWAY: always(30.0)}), home_share=0.0)
        static, system = found.policy("static"), found.policy("system")
        assert found.static_region == AWAY
        assert system.hours.carbon_gross_gco2eq == pytest.approx(static.hours.carbon_gross_gco2eq)
        assert system.carbon.net > static.carbon.net, "it solved twice"
        assert static.overhead["copies"].cost_usd == pytest.approx(0.02 * 10e6 / 2**30)
        assert static.solves == 0

    def test_a_plan_that_never_pays_is_never_made(self) -> None:
        found = replayed(fan_out_problem(), swapping_world(3), 0.001)
        system, home = found.policy("system"), found.policy("home")
        assert system.changes == 0
        assert all("does not pay" in moment.reason for moment in system.moments)
        assert system.carbon.gross == home.carbon.gross
        assert system.carbon.net == system.carbon.gross + system.overhead["solves"].carbon_gco2eq
        assert system.overhead["copies"].carbon_gco2eq == 0.0
        assert found.policy("oracle").carbon.net > home.carbon.net, "it moves whatever that takes"

    def test_gains_below_the_threshold_change_nothing(self) -> None:
        near = world(days(2), {HOME: always(400.0), AWAY: always(379.0)})  # 5 % slower: 0.5 % less carbon
        problem = fan_out_problem()
        problem["constraints"]["priority_order"] = ["carbon"]
        found = replayed(problem, near)
        assert found.policy("system").changes == 0
        assert "threshold" in found.policy("system").moments[0].reason
        assert replayed(problem, near, hysteresis=0.0).policy("system").changes == 1

    def test_switches_that_gain_next_to_nothing_are_not_planned(self) -> None:
        # One hour in four home is cleaner (away is 5 % slower), by so little that a day loses less than the threshold.
        near = world(days(2), {HOME: always(400.0), AWAY: lambda hour: 384.0 if hour % 4 == 0 else 100.0})
        dirty = world(days(2), {HOME: always(400.0), AWAY: lambda hour: 900.0 if hour % 4 == 0 else 100.0})
        found, other = (replayed(fan_out_problem(), made, home_share=0.0) for made in (near, dirty))
        assert found.policy("system").switches == 0
        assert found.policy("oracle").switches == other.policy("oracle").switches == 23
        assert found.policy("system").carbon.gross < 1.02 * found.policy("oracle").carbon.gross
        assert other.policy("system").switches == 23

    def test_without_a_past_the_first_day_is_at_home(self) -> None:
        unknown = world(days(2), {HOME: always(400.0), AWAY: always(30.0)}, known_days_before=0)
        found = replayed(fan_out_problem(), unknown)
        system = found.policy("system")
        assert system.hours_without_plan == 24
        assert {*places(found, "system")[23].values()} == {HOME}
        assert {*places(found, "system")[24].values()} == {AWAY}
        assert "no forecast" in system.moments[0].reason
        assert (system.solves, found.policy("oracle").solves) == (1, 2)

    def test_a_feed_that_is_stale_from_the_start_leaves_all_at_home(self) -> None:
        found = replayed(fan_out_problem(), swapping_world(2), delay_hours=15 * 24)
        for policy in ("single", "system"):
            result = found.policy(policy)
            assert result.hours_without_plan == 48
            assert result.carbon.net == found.policy("home").carbon.net
            assert result.solves == 0
        assert found.policy("oracle").carbon.net < found.policy("home").carbon.net

    def test_when_a_feed_dries_up_the_last_plan_ends_after_a_week(self) -> None:
        stale = world(days(30), {HOME: always(400.0), AWAY: always(30.0)})
        stale.given[:, LEAD_HOURS + 48 :] = False
        system = replayed(fan_out_problem(), stale).policy("system")
        refused = [moment.hour for moment in system.moments if "days old" in moment.reason]
        # The newest hour is of day 2; after another 14 days it is too old: refused from day 17 on.
        assert refused == list(range(17 * 24, 30 * 24, 24))
        # Renewed at most a day before its end, so the last renewal was on day 14 or before, for a week.
        renewals = [moment.hour for moment in system.moments if moment.puts_in_force]
        end = renewals[-1] + 168
        assert system.hours_without_plan == 720 - end
        assert (system.hours.placements[:end] != 0).all()
        assert (system.hours.placements[end:] == 0).all()

    def test_a_plan_is_not_followed_for_more_than_a_week(self) -> None:
        clean = world(days(21), {HOME: always(400.0), AWAY: always(30.0)})
        system = replayed(fan_out_problem(), clean, replan_hours=10 * 24).policy("system")
        at_home = np.flatnonzero(system.hours.placements == 0).tolist()
        # Plans on days 0, 10 and 20.
        assert at_home == [*range(7 * 24, 10 * 24), *range(17 * 24, 20 * 24)]
        assert system.hours_without_plan == len(at_home)

    def test_plans_that_pay_are_renewed_without_a_gap(self) -> None:
        clean = world(days(21), {HOME: always(400.0), AWAY: always(30.0)})
        system = replayed(fan_out_problem(), clean).policy("system")
        assert system.hours_without_plan == 0
        assert system.changes == 1
        # As in the product: from the moment on at which a day is left of the week.
        assert [moment.hour for moment in system.moments if moment.puts_in_force] == [0, 144, 288, 432]

    def test_replanning_more_often_follows_a_grid_that_changes_its_mind(self) -> None:
        def away(hour: int) -> float:
            return 100.0 if (hour // 30) % 2 == 0 else 900.0

        unsteady = world(days(10), {HOME: always(400.0), AWAY: away})
        often, seldom = (
            replayed(fan_out_problem(), unsteady, replan_hours=hours).policy("system") for hours in (3, 72)
        )
        assert often.carbon.net < seldom.carbon.net
        assert (often.solves, seldom.solves) == (80, 4)

    def test_bursts_count_in_the_hours_in_which_they_come(self) -> None:
        bursts = read_load(
            "hour,runs\n" + "".join(f"{hour},{1e5 if hour == 6 else 1}\n" for hour in range(24)), 72, name="f"
        )
        found = replayed(fan_out_problem(), swapping_world(3), bursts)
        steady = replayed(fan_out_problem(), swapping_world(3))
        assert found.static_region == AWAY, "nearly all runs come when it is cleaner"
        assert steady.static_region == HOME
        system = found.policy("system")
        by_hour = system.hours.carbon_gross_gco2eq
        assert by_hour[6] == pytest.approx(1e5 * by_hour[5])
        assert by_hour[[6, 30, 54]].sum() > 0.99 * system.carbon.gross

    def test_load_that_comes_with_a_switch_starts_more_containers(self) -> None:
        def starts(runs: float) -> float:
            return (
                replayed(fan_out_problem(), swapping_world(2), runs).policy("oracle").overhead["cold_starts"].cost_usd
            )

        assert starts(36_000.0) > 4 * starts(3_600.0) > 0

    @pytest.mark.parametrize("policy", ["single", "system", "oracle"])
    @pytest.mark.parametrize("share", [0.1, 0.37, 1.0])
    def test_the_home_share_interpolates(self, policy: str, share: float) -> None:
        none = replayed(fan_out_problem(), swapping_world(2), home_share=0.0)
        some = replayed(fan_out_problem(), swapping_world(2), home_share=share)
        home = none.policy("home")
        moved, kept = none.policy(policy), some.policy(policy)
        if share == 1.0 and policy != "oracle":
            assert kept.changes == 0, "nothing follows a plan, so none pays"
        for of in ("carbon", "cost"):
            expected = (1 - share) * getattr(moved, of).gross + share * getattr(home, of).gross
            assert getattr(kept, of).gross == pytest.approx(expected, rel=1e-12)
        expected_mean = (1 - share) * moved.runtime_mean_s + share * home.runtime_mean_s
        assert kept.runtime_mean_s == pytest.approx(expected_mean, rel=1e-12)
        if share < 1.0:
            routed = some.routed_saving_against_static(policy)
            assert routed == pytest.approx(1 - moved.carbon.gross / none.policy("static").carbon.gross)

    def test_run_times_are_of_all_runs(self) -> None:
        found = replayed(fan_out_problem(), swapping_world(2), home_share=0.0)
        home, system = found.policy("home"), found.policy("system")
        assert home.runtime_tail_s == pytest.approx(home.hours.runtime_tail_s[0])
        assert system.runtime_tail_s <= system.hours.runtime_tail_s.max()
        assert home.runtime_tail_s < system.runtime_tail_s


class TestLimits:
    def limited(self, kind: str, **limits: dict[str, Any]) -> dict[str, Any]:
        problem = fan_out_problem()
        problem["constraints"][kind] = limits
        return problem

    def test_what_no_placement_keeps_leaves_all_at_home(self) -> None:
        problem = self.limited("hard", runtime={"type": "absolute", "value": 0.01})
        found = replayed(problem, swapping_world(2))
        for policy in ("single", "system", "oracle"):
            assert found.policy(policy).carbon.gross == found.policy("home").carbon.gross
        assert found.policy("oracle").infeasible_hours == 48
        assert found.policy("home").hours_over_hard_limits == 48
        assert found.static_region == HOME

    def test_hours_in_which_nothing_keeps_the_limits_are_at_home(self) -> None:
        reached = replayed(fan_out_problem(), world(days(1), {HOME: always(400.0), AWAY: always(400.0)}))
        per_run = reached.policy("home").carbon.gross / 24_000.0
        problem = self.limited("hard", carbon={"type": "absolute", "value": 1.5 * per_run})
        dirty_nights = by_hour_of_day([900.0] * 6 + [400.0] * 18)
        found = replayed(problem, world(days(2), {HOME: dirty_nights, AWAY: always(800.0)}), home_share=0.0)
        assert found.policy("oracle").infeasible_hours == 12
        assert {*places(found, "oracle")[3].values()} == {HOME}
        assert found.policy("home").hours_over_hard_limits == 12

    def test_a_limit_on_time_binds_all_policies(self) -> None:
        cleaner = world(days(2), {HOME: always(400.0), AWAY: always(30.0)})
        problem = self.limited("hard", runtime={"type": "relative", "value": 1.05})
        found = replayed(problem, cleaner)
        assert found.static_region == HOME, "5 % slower and further away"
        assert found.policy("single").carbon.gross == found.policy("home").carbon.gross
        assert found.policy("system").carbon.gross < found.policy("home").carbon.gross
        assert all(policy.hours_over_hard_limits == 0 for policy in found.policies)
        assert found.policy("oracle").infeasible_hours == 0

    def test_wishes_rank_static_regions_before_carbon(self) -> None:
        cleaner = world(days(1), {HOME: always(400.0), AWAY: always(30.0)})
        assert replayed(fan_out_problem(), cleaner).static_region == AWAY
        problem = self.limited("soft", runtime={"type": "relative", "value": 1.01})
        assert replayed(problem, cleaner).static_region == HOME

    def test_priorities_and_tolerance_rank_static_regions(self) -> None:
        cleaner = world(days(1), {HOME: always(400.0), AWAY: always(395.0)})
        problem = fan_out_problem()
        problem["constraints"]["priority_order"] = ["runtime"]
        assert replayed(problem, cleaner).static_region == HOME
        far = world(days(1), {HOME: always(400.0), AWAY: always(300.0)})
        assert replayed(fan_out_problem(), far).static_region == AWAY
        problem["constraints"] = {"priority_order": ["carbon", "cost"], "priority_tolerance": 0.9}
        assert replayed(problem, far).static_region == HOME

    def test_regret_is_of_the_first_objective(self) -> None:
        problem = fan_out_problem()
        problem["constraints"]["priority_order"] = ["cost", "carbon"]
        found = replayed(problem, swapping_world(1))
        assert found.regret_of_forecast() == 0.0, "prices were known"
        assert (
            replayed(fan_out_problem(), world(days(2), {HOME: always(400.0), AWAY: surprising})).regret_of_forecast()
            > 0.1
        )

    def test_an_interval_is_for_planning_only(self) -> None:
        near = world(days(2), {HOME: always(400.0), AWAY: always(330.0)})
        problem = fan_out_problem()
        assert replayed(problem, near).policy("system").changes == 1
        problem["intensity_interval"] = {"low_factor": 0.8, "high_factor": 1.2}
        found = replayed(problem, near)
        assert found.policy("system").changes == 0
        assert found.policy("home").carbon.gross == replayed(fan_out_problem(), near).policy("home").carbon.gross
        assert found.policy("oracle").carbon.gross < found.policy("home").carbon.gross
        # Nor is a byte taken to have been as dear as it was planned with.
        problem["intensity_interval"] = None
        for of_its_own in ({}, {"intra_high_factor": 0.0}):
            problem["transmission"]["interval"] = {"low_factor": 1.0, "high_factor": 10_000.0} | of_its_own
            dear = replayed(problem, near)
            assert dear.policy("home").carbon.gross == replayed(fan_out_problem(), near).policy("home").carbon.gross
        assert dear.policy("system").changes == 0, "bytes that stay home are free, those that leave are very dear"
        assert dear.policy("oracle").carbon.gross == replayed(fan_out_problem(), near).policy("oracle").carbon.gross

    @pytest.mark.parametrize("energy", [None, Interval(0.0005, 0.003)], ids=["presets", "between them"])
    def test_what_came_true_is_not_of_the_case_that_a_robust_dump_was_planned_for(
        self, energy: Interval | None
    ) -> None:
        """Also of bytes within a region: a robust plan takes them to cost less than is expected, or nothing."""
        plain, robust = (
            json.loads(build_problem(workflow(), observed_runs(30), embedded_signals(), settings))
            for settings in (
                SolveSettings(scenarios=100),
                SolveSettings(scenarios=100, robust=RobustSettings(transmission_kwh_per_gb=energy)),
            )
        )
        grids = {region: always(400.0 - 10.0 * place) for place, region in enumerate(plain["regions"])}
        moved = dict.fromkeys((node["name"] for node in plain["nodes"]), plain["home"])
        at_home, at_home_in_the_case = (
            LoadedProblem(dump(problem)).evaluate(moved, 0).carbon.mean for problem in (plain, robust)
        )
        assert at_home_in_the_case < at_home
        found, expected = (replayed(problem, world(days(2), grids)) for problem in (robust, plain))
        for policy in ("home", "static", "oracle"):
            assert found.policy(policy).carbon.gross == expected.policy(policy).carbon.gross
        assert found.provenance.keys() - expected.provenance.keys() == {"carbon_interval", "transmission_interval"}


class TestHonesty:
    @pytest.mark.parametrize("moment", [24, 31, 57])
    def test_planning_never_sees_a_later_hour(self, moment: int) -> None:
        def away(hour: int) -> float:
            return 400.0 + 300.0 * math.sin(hour * 0.7) + 100.0 * math.sin(hour * 0.05)

        before = world(days(3), {HOME: lambda hour: 400.0 + hour % 24, AWAY: away})
        after = world(
            days(3),
            {
                HOME: lambda hour: 400.0 + hour % 24 if hour < moment else 30.0,
                AWAY: lambda hour: away(hour) if hour < moment else 1400.0 - away(hour),
            },
        )
        settings: dict[str, Any] = {"replan_hours": 3, "hysteresis": 0.0}
        known, other = (replayed(fan_out_problem(), made, **settings) for made in (before, after))
        for policy in ("single", "system"):
            # What is decided at the moment itself still rests on the hours before it.
            assert places(known, policy)[: moment + 1] == places(other, policy)[: moment + 1]
            for hours in (known.policy(policy).hours, other.policy(policy).hours):
                assert len({*hours.placements[:moment].tolist()}) > 1, "there was something to decide"
            assert (
                known.policy(policy).hours.carbon_gross_gco2eq[:moment].tolist()
                == other.policy(policy).hours.carbon_gross_gco2eq[:moment].tolist()
            )
        assert places(known, "oracle")[moment:] != places(other, "oracle")[moment:], "the worlds differ"

    def test_equal_inputs_give_equal_documents(self) -> None:
        first, second = (replayed(fan_out_problem(), swapping_world(2)) for _ in range(2))
        assert first.to_document() == second.to_document()
        assert hourly_csv(first) == hourly_csv(second)

    def test_processor_time_is_measured_unless_it_is_given(self) -> None:
        ticks = iter(range(10_000))
        found = replay(
            dump(fan_out_problem()),
            swapping_world(2),
            constant_load(1000.0, 48),
            ReplaySettings(threads=1),
            cpu_clock=lambda: 3.0 * next(ticks),
        )
        # 3 s of solving and 3 s of reading the document, on each of two days.
        per_second = 0.0035 / 3600 * 1.11 * 400.0
        assert found.policy("oracle").overhead["solves"].carbon_gco2eq == pytest.approx(12.0 * per_second)

    @pytest.mark.parametrize(
        "settings",
        [
            {"replan_hours": 0},
            {"home_share": 1.5},
            {"home_share": math.nan},
            {"delay_hours": -1},
            {"package_bytes": -1.0},
            {"package_bytes": math.inf},
            {"package_bytes": math.nan},
            {"hysteresis": math.nan},
            {"solve_cpu_s": math.inf},
            {"solve_cpu_s": math.nan},
            {"solve_cpu_s": -1.0},
        ],
    )
    def test_settings_out_of_range_are_refused(self, settings: dict[str, Any]) -> None:
        with pytest.raises(UsageError):
            replayed(fan_out_problem(), swapping_world(1), **settings)

    def test_progress_is_told_by_day(self) -> None:
        told: list[tuple[str, int]] = []
        replay(
            dump(fan_out_problem()),
            swapping_world(2),
            constant_load(1.0, 48),
            ReplaySettings(solve_cpu_s=0.0),
            progress=lambda policy, hour: told.append((policy, hour)),
        )
        assert told == [(policy, hour) for policy in POLICIES for hour in (0, 24, 48)]


class TestDocuments:
    def test_the_result_says_what_it_rests_on(self) -> None:
        found = replayed(fan_out_problem(), swapping_world(2))
        fields = documents.read(found.to_document(), REPLAY_SCHEMA, REPLAY_VERSION)
        assert fields.truth("simulated")
        assert (fields.text("first_day"), fields.text("last_day"), fields.integer("hours")) == (
            "2023-06-01",
            "2023-06-02",
            48,
        )
        assert fields.number("runs") == 48_000.0
        assert fields.section("intensity_origins").text(HOME) == "made up for tests, 2023"
        policies = {entry.text("name"): entry for entry in fields.sections("policies")}
        assert list(policies) == list(POLICIES)
        system, home, static = (
            policies[name].section("carbon_gco2eq").number("net") for name in ("system", "home", "static")
        )
        saved = policies["system"].section("saved_against_home").section("carbon")
        assert saved.number("net") == pytest.approx(1 - system / home)
        assert policies["system"].section("saved_against_static").section("carbon").number("net") == pytest.approx(
            1 - system / static
        )
        regret = policies["system"].section("carbon_gco2eq").number("gross")
        regret /= policies["oracle"].section("carbon_gco2eq").number("gross")
        assert fields.number("regret_of_forecast") == pytest.approx(regret - 1)
        (first,) = policies["system"].sections("put_in_force")
        assert first.text("datetime_utc") == "2023-06-01T00:00Z"
        assert "carbon falls by" in first.text("reason")
        assert len(fields.sections("placements")) == len(found.placements)

    def test_the_csv_holds_every_hour_of_every_policy(self) -> None:
        found = replayed(fan_out_problem(), swapping_world(2))
        header, *lines = hourly_csv(found).splitlines()
        assert header == ",".join(COLUMNS)
        assert len(lines) == 48 * len(POLICIES)
        rows = [dict(zip(COLUMNS, line.split(","), strict=True)) for line in lines]
        of_system = [row for row in rows if row["policy"] == "system"]
        assert of_system[25]["datetime_utc"] == "2023-06-02T01:00Z"
        assert of_system[25]["regions"] == "ca-central-1=1"
        for gross, more, net in (
            ("carbon_gross_gco2eq", "carbon_overhead_gco2eq", "carbon_net_gco2eq"),
            ("cost_gross_usd", "cost_overhead_usd", "cost_net_usd"),
        ):
            for row in of_system:
                assert float(row[net]) == pytest.approx(float(row[gross]) + float(row[more]))
        total = sum(float(row["carbon_net_gco2eq"]) for row in of_system)
        assert total == pytest.approx(found.policy("system").carbon.net)
        members = json.loads(found.to_document())
        assert {*members["placements"][int(of_system[25]["placement"])].values()} == {AWAY}

    def test_few_runs_are_told(self) -> None:
        problem = fan_out_problem()
        columns = problem["observations"]
        columns["runs"] = 6
        columns["trigger_bytes"] = columns["trigger_bytes"][:6]
        for entry in columns["nodes"].values():
            for name in ("ran", "region", "duration_s", "cpu_utilization", "data_bytes"):
                entry[name] = entry[name][:6]
        columns["edges"] = [{name: values[:6] for name, values in entry.items()} for entry in columns["edges"]]
        assert any("6 observed runs" in note for note in replayed(problem, swapping_world(1)).notes)
