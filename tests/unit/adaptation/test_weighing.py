"""Whether a plan is left for another: limits, then objectives in their order, then overhead."""

from __future__ import annotations

import pytest

from multi_x_serverless.adaptation.overhead import Overhead
from multi_x_serverless.adaptation.weighing import (
    Standing,
    Terms,
    home_without_choice,
    standing,
    weigh_limits,
    weigh_objectives,
)
from multi_x_serverless.solving.simulation import Simulator
from tests.unit.core.documents import dump, fan_out_problem

TERMS = Terms(
    order=("carbon", "cost", "runtime"), hysteresis=0.01, tolerance=0.0, expected_runs=1000.0, routed_share=0.9
)
FREE = Overhead(0.0, 0.0)


def plan(*, hard: int = 0, soft: int = 0, carbon: float = 1.0, cost: float = 1.0, runtime: float = 1.0) -> Standing:
    return Standing(hard, soft, {"carbon": carbon, "cost": cost, "runtime": runtime})


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (plan(hard=3), plan(hard=2, soft=9, carbon=5.0), True),
        (plan(hard=2, soft=9), plan(hard=3, carbon=0.1), False),
        (plan(soft=2), plan(soft=1, carbon=5.0), True),
        (plan(soft=1), plan(soft=2, carbon=0.1), False),
    ],
)
def test_limits_are_not_weighed_against_gains(before: Standing, after: Standing, changes: bool) -> None:
    verdict = weigh_limits(before, after)
    assert verdict is not None
    assert verdict.changes is changes


def test_equal_limits_decide_nothing() -> None:
    assert weigh_limits(plan(hard=1, soft=2), plan(hard=1, soft=2, carbon=0.1)) is None


@pytest.mark.parametrize(
    ("before", "after", "home", "changes", "said"),
    [
        (plan(hard=2), plan(), plan(), True, "the plan in force breaks 2 hard"),
        (plan(hard=2), plan(hard=1), plan(), True, "the plan in force breaks 2 hard"),
        (plan(), plan(hard=1), plan(hard=3), True, "the plan in force ends, breaks 3 hard"),
        (plan(), plan(soft=1), plan(soft=5), True, "the plan in force ends, breaks 5 soft"),
        (plan(), plan(soft=1), plan(soft=1), False, "the plan in force breaks 0 soft"),
        (plan(), plan(soft=1), plan(), False, "the plan in force breaks 0 soft"),
        (
            plan(soft=1),
            plan(soft=1),
            plan(soft=4),
            True,
            "the plan in force ends, breaks 4 soft",
        ),
        (plan(soft=1), plan(soft=1), plan(), False, "the plan in force ends, breaks 0 soft"),
    ],
)
def test_a_plan_that_is_about_to_end_is_held_against_the_limits_and_so_is_home(
    before: Standing, after: Standing, home: Standing, changes: bool, said: str
) -> None:
    verdict = weigh_limits(before, after, home)
    assert verdict is not None
    assert verdict.changes is changes
    assert said in verdict.reason
    assert weigh_limits(before, before, before) is None


@pytest.mark.parametrize(
    ("after", "changes", "said"),
    [
        (plan(carbon=0.9), True, "carbon falls by 10.0 % a run: 90 g less CO2eq over 1000 expected runs"),
        (plan(carbon=0.9, cost=9.0), True, "carbon falls"),
        (plan(carbon=1.1, cost=0.1), False, "carbon rises by 10.0 % a run under the new plan."),
        (plan(carbon=0.995, cost=0.9), True, "cost falls by 10.0 % a run: 90 USD less over 1000 expected runs"),
        (plan(carbon=0.995, cost=1.1), False, "cost rises"),
        (plan(runtime=0.9), True, "time is not weighed against overhead"),
        (plan(carbon=0.995), False, "threshold of 1.0 %"),
    ],
)
def test_the_first_objective_that_differs_decides(after: Standing, changes: bool, said: str) -> None:
    verdict = weigh_objectives(plan(), after, TERMS, FREE)
    assert verdict.changes is changes
    assert said in verdict.reason


@pytest.mark.parametrize(("carbon_of_change", "changes"), [(89.9, True), (90.1, False)])
def test_a_gain_has_to_exceed_the_overhead_of_getting_there(carbon_of_change: float, changes: bool) -> None:
    verdict = weigh_objectives(plan(), plan(carbon=0.9), TERMS, Overhead(carbon_of_change, 1e9))
    assert verdict.changes is changes
    assert verdict.gain is not None
    assert verdict.gain.total == pytest.approx(90.0)
    assert ("does not pay" in verdict.reason) is not changes


def test_what_is_given_up_within_the_tolerance_may_be() -> None:
    tolerant = Terms(("carbon", "cost"), 0.01, tolerance=0.05, expected_runs=1000.0, routed_share=1.0)
    assert weigh_objectives(plan(), plan(carbon=1.04, cost=0.5), tolerant, FREE).changes
    assert not weigh_objectives(plan(), plan(carbon=1.06, cost=0.5), tolerant, FREE).changes


def test_a_standing_sums_up_the_hours() -> None:
    problem = fan_out_problem()
    problem["constraints"]["hard"] = {"runtime": {"type": "absolute", "value": 0.1}}
    problem["constraints"]["soft"] = {"carbon": {"type": "relative", "value": 1.0}}
    simulator = Simulator(dump(problem))
    away = dict.fromkeys(simulator.home, "ca-central-1")
    found = standing(simulator, {0: away, 12: away})
    assert (found.hard, found.soft) == (2, 1), "in the afternoon Canada is made up to be dirtier"
    means = [simulator.problem.evaluate(away, hour).carbon.mean for hour in (0, 12)]
    assert found.means["carbon"] == pytest.approx(sum(means) / 2)


@pytest.mark.parametrize("is_proven", [True, False])
def test_without_a_choice_everything_goes_home(is_proven: bool) -> None:
    none = "no placement" if is_proven else "the heuristic solver finds no placement"
    goes = home_without_choice("heuristic", is_home=False, is_proven=is_proven)
    assert (goes.changes, goes.reason) == (
        True,
        f"{none} that meets the hard limits at any hour: everything goes home.",
    )
    stays = home_without_choice("heuristic", is_home=True, is_proven=is_proven)
    assert (stays.changes, stays.reason) == (
        False,
        f"{none} that meets the hard limits at any hour; everything is home.",
    )
