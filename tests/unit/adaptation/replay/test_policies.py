"""How policies weigh plans, one decision at a time."""

from __future__ import annotations

import numpy as np
import pytest

from multi_x_serverless.adaptation.replay.intensities import Past
from multi_x_serverless.adaptation.replay.overhead import read_overhead_model
from multi_x_serverless.adaptation.replay.policies import LIFETIME_HOURS, DayPlan, Known, PlanInForce, Solved, Weighing
from multi_x_serverless.model.units import HOURS_PER_DAY
from multi_x_serverless.solving.simulation import Simulator
from tests.unit.adaptation.replay.worlds import AWAY, HOME
from tests.unit.core.documents import dump, fan_out_problem


@pytest.mark.parametrize("hour", [24, LIFETIME_HOURS - 10], ids=["fresh", "on its last day"])
def test_a_plan_that_breaks_a_limit_is_left_also_on_its_last_day(hour: int) -> None:
    problem = fan_out_problem()
    problem["constraints"]["hard"] = {"runtime": {"type": "relative", "value": 1.05}}
    expected = {HOME: [400.0] * HOURS_PER_DAY, AWAY: [30.0] * HOURS_PER_DAY}
    simulator = Simulator(dump(problem)).with_intensity(expected, hours=range(HOURS_PER_DAY))
    away = dict.fromkeys(simulator.home, AWAY)
    weighing = Weighing(
        read_overhead_model(dump(problem), 0.0), ("carbon", "cost", "runtime"), 0.0, hysteresis=0.01, home_share=0.1
    )
    known = Known(
        hour=hour,
        past=Past((), 0.0, np.empty((0, 0)), hour * 3_600.0),
        in_force=PlanInForce(DayPlan(dict.fromkeys(range(HOURS_PER_DAY), away), LIFETIME_HOURS), 0),
        present=frozenset(),
        runs_by_hour=(10.0,) * HOURS_PER_DAY,
    )
    solved = Solved(dict.fromkeys(range(HOURS_PER_DAY), simulator.home), 0.02, (), {})
    placements, verdict = weighing.choose(simulator, solved, known, expected)
    assert verdict.changes
    assert "the plan in force breaks 24 hard limits over the hours, the new one 0" in verdict.reason
    assert set(placements[0].values()) == {HOME}
