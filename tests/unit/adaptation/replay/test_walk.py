"""One policy through a stretch, by the product's rules: when a plan counts as about to end, and what is deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from multi_x_serverless.adaptation.replay.limits import LimitBook
from multi_x_serverless.adaptation.replay.metrics import PlacementBook
from multi_x_serverless.adaptation.replay.overhead import FunctionPlace, read_overhead_model
from multi_x_serverless.adaptation.replay.policies import (
    LIFETIME_HOURS,
    ByForecast,
    DayPlan,
    Known,
    PlanInForce,
    Solved,
    Solving,
    Step,
    Weighing,
)
from multi_x_serverless.adaptation.replay.results import PolicyResult
from multi_x_serverless.adaptation.replay.walk import GRACE_HOURS, World, walk
from multi_x_serverless.adaptation.solve import PLAN_LIFETIME_S
from multi_x_serverless.adaptation.weighing import Verdict
from multi_x_serverless.deployment.withdrawal import GRACE_S
from multi_x_serverless.model.plan import Placement
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.solving.simulation import Simulator
from tests.unit.adaptation.replay.worlds import AWAY, HOME, always, days, replayed, world
from tests.unit.core.documents import ENTRY, JOIN, LABEL, RESIZE, dump, fan_out_problem

NODES = (ENTRY, RESIZE, LABEL, JOIN)
AT_HOME: Placement = dict.fromkeys(NODES, HOME)
ALL_AWAY: Placement = dict.fromkeys(NODES, AWAY)
COPY_USD = 0.02
"""Of a package of 1 GB from home to `AWAY`."""


@dataclass
class Scripted:
    """Puts placements in force at given hours, and notes which functions it was told of."""

    script: dict[int, Placement]
    life: int | None = None
    told: dict[int, frozenset[FunctionPlace]] = field(default_factory=dict)
    name: str = "scripted"
    description: str = "as it is told"
    every_hours: int | None = 1
    keeps_controls: bool = False

    def plan(self, known: Known) -> Step:
        self.told[known.hour] = known.present
        placement = self.script.get(known.hour)
        return Step(None if placement is None else DayPlan(dict.fromkeys(range(24), placement), self.life), "told")


def walked(policy: Scripted) -> PolicyResult:
    made, document = world(days(1), {HOME: always(400.0), AWAY: always(30.0)}), dump(fan_out_problem())
    simulator = Simulator(document)
    book = PlacementBook(simulator)
    return walk(
        World(
            intensities=made,
            runs=np.full(24, 10.0),
            book=book,
            limits=LimitBook(simulator, made, book),
            overhead=read_overhead_model(document, 2.0**30),
            home=simulator.home,
            delay_hours=0,
            home_share=0.0,
            tail=0.95,
        ),
        policy,
    )


def copies(result: PolicyResult) -> float:
    return result.overhead["copies"].cost_usd / COPY_USD


def test_a_plan_counts_as_about_to_end_when_it_does_in_the_product() -> None:
    in_force = PlanInForce(DayPlan({}, LIFETIME_HOURS), since_hour=10)
    for hour in range(10, 10 + LIFETIME_HOURS + 2):
        in_product = hour * 3600.0 >= 10 * 3600.0 + PLAN_LIFETIME_S - DAY_S
        assert in_force.is_about_to_end(hour) == in_product, hour
    assert not PlanInForce(DayPlan({}), since_hour=0).is_about_to_end(10**6)


class TestTheLastDayOfAPlan:
    """A plan that is about to end is weighed as if everything were home, but what it breaks it breaks until its end."""

    def weighed(
        self, hour: int, away: float, hourly: Placement, *, limits: dict[str, Any] | None = None
    ) -> tuple[Mapping[int, Placement], Verdict]:
        problem = fan_out_problem()
        problem["constraints"]["hard"] = limits or {}
        document, expected = dump(problem), {HOME: [400.0] * 24, AWAY: [away] * 24}
        simulator = Simulator(document).with_intensity(expected, hours=range(24))
        model = read_overhead_model(document, 1e6)
        known = Known(
            hour=hour,
            past=world(days(1), {HOME: always(400.0), AWAY: always(away)}).known_at(0),
            in_force=PlanInForce(DayPlan(dict.fromkeys(range(24), ALL_AWAY), LIFETIME_HOURS), 0),
            present=model.places([ALL_AWAY]),
            runs_by_hour=(1000.0,) * 24,
        )
        weighing = Weighing(model, ("carbon", "cost", "runtime"), 0.0, 0.01, home_share=0.1)
        solved = Solved(dict.fromkeys(range(24), hourly), 0.02, (), {})
        return weighing.choose(simulator, solved, known, expected)

    @pytest.mark.parametrize(("hour", "is_renewed"), [(143, False), (144, True)])
    def test_it_is_renewed_while_it_pays_against_home(self, hour: int, is_renewed: bool) -> None:
        plan, verdict = self.weighed(hour, 30.0, ALL_AWAY)
        assert all(entry == ALL_AWAY for entry in plan.values())
        assert verdict.changes == is_renewed

    @pytest.mark.parametrize("hour", [24, 143, 144, 167])
    def test_limits_that_it_breaks_are_kept_at_once(self, hour: int) -> None:
        plan, verdict = self.weighed(hour, 30.0, AT_HOME, limits={"runtime": {"type": "relative", "value": 1.0}})
        assert all(entry == AT_HOME for entry in plan.values())
        assert verdict.changes
        assert "breaks 24 hard limits" in verdict.reason

    def test_limits_that_going_home_would_break_renew_it(self) -> None:
        limit = {"carbon": {"type": "absolute", "value": 3e-4}}
        _, verdict = self.weighed(144, 30.0, ALL_AWAY, limits=limit)
        assert verdict.changes
        assert "home, where runs go when the plan in force ends, breaks 24 hard limits" in verdict.reason
        assert not self.weighed(143, 30.0, ALL_AWAY, limits=limit)[1].changes

    @pytest.mark.parametrize(("followed", "changes"), [(None, False), (AT_HOME, False), (ALL_AWAY, True)])
    def test_where_nothing_keeps_the_limits_what_is_home_stays_as_it_is(
        self, followed: Placement | None, changes: bool
    ) -> None:
        problem = fan_out_problem()
        problem["constraints"]["hard"] = {"runtime": {"type": "absolute", "value": 0.01}}
        document = dump(problem)
        weighing = Weighing(read_overhead_model(document, 1e6), ("carbon",), 0.0, 0.01, home_share=0.1)
        policy = ByForecast("system", "", "fine-grained", 24, Solving(Simulator(document), 0.0, 0.02), weighing)
        plan = None if followed is None else DayPlan(dict.fromkeys(range(24), followed), LIFETIME_HOURS)
        step = policy.plan(
            Known(
                hour=24,
                past=world(days(2), {HOME: always(400.0), AWAY: always(30.0)}).known_at(24),
                in_force=None if plan is None else PlanInForce(plan, 0),
                present=frozenset(),
                runs_by_hour=(10.0,) * 24,
            )
        )
        assert (step.plan is not None) == changes
        none = "the fine-grained solver finds no placement that meets the hard limits at any hour"
        assert step.reason == f"{none}{': everything goes home.' if changes else '; everything is home.'}"
        assert step.infeasible_hours == tuple(range(24))


class TestWhatNoPlanUsesIsDeleted:
    def test_a_region_that_is_left_for_longer_than_the_grace_is_copied_to_again(self) -> None:
        assert GRACE_HOURS * 3600.0 == GRACE_S
        policy = Scripted({0: ALL_AWAY, 5: AT_HOME, 10: ALL_AWAY})
        result = walked(policy)
        assert copies(result) == pytest.approx(2)
        assert [len(policy.told[hour]) for hour in (4, 5, 6, 7, 10, 11)] == [4, 4, 4, 0, 0, 4]
        once = walked(Scripted({0: ALL_AWAY, 5: {**ALL_AWAY, ENTRY: HOME}}))
        assert copies(once) == pytest.approx(1)

    def test_within_the_grace_all_is_still_there(self) -> None:
        result = walked(Scripted({0: ALL_AWAY, 5: AT_HOME, 6: ALL_AWAY, 7: AT_HOME, 8: ALL_AWAY}))
        assert copies(result) == pytest.approx(1)

    def test_functions_are_deleted_one_by_one_and_their_region_keeps_its_package(self) -> None:
        policy = Scripted({0: ALL_AWAY, 5: {**ALL_AWAY, LABEL: HOME}, 10: ALL_AWAY})
        result = walked(policy)
        assert copies(result) == pytest.approx(1)
        assert policy.told[10] == policy.told[1] - {("label", AWAY)}
        four = walked(Scripted({0: ALL_AWAY})).overhead["probes"]
        assert result.overhead["probes"].cost_usd == pytest.approx(four.cost_usd * 5 / 4)

    def test_what_an_expired_plan_used_goes_as_well(self) -> None:
        assert copies(walked(Scripted({0: ALL_AWAY, 3: ALL_AWAY}, life=2))) == pytest.approx(1)
        assert copies(walked(Scripted({0: ALL_AWAY, 4: ALL_AWAY}, life=2))) == pytest.approx(2)

    def test_the_oracle_that_leaves_every_other_day_copies_every_other_day(self) -> None:
        made = world(days(4), {HOME: always(400.0), AWAY: lambda hour: 900.0 if hour // 24 % 2 else 100.0})
        result = replayed(fan_out_problem(), made, package_bytes=2.0**30).policy("oracle")
        assert copies(result) == pytest.approx(2)
