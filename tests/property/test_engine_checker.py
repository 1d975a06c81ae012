"""The engine's scenarios against an independent checker that follows the document's specification."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from multi_x_serverless import _core
from tests.oracles import counters
from tests.oracles.checker import Checker
from tests.oracles.problems import HOURS_PER_DAY, random_problem

# Samples are single precision; mean cost and carbon are exact sums in double precision.
SINGLE, DOUBLE = 3e-6, 1e-9


@pytest.mark.parametrize("seed", range(60))
def test_cost_carbon_and_time_of_every_scenario_agree(seed: int) -> None:
    problem = random_problem(seed)
    parsed = _core.Problem.from_json(json.dumps(problem))
    checker = Checker(problem)
    source = random.Random(seed)
    for _ in range(2):
        placement = {node["name"]: source.choice(node["allowed"]) for node in problem["nodes"]}
        hour = source.randrange(HOURS_PER_DAY)
        found, expected = parsed.samples(placement, hour), checker.samples(placement, hour)
        for metric in ("carbon", "cost", "runtime"):
            np.testing.assert_allclose(found[metric], expected[metric], rtol=SINGLE, err_msg=metric)
        metrics = parsed.evaluate(placement, hour)
        for metric, summary in (("carbon", metrics.carbon), ("cost", metrics.cost), ("runtime", metrics.runtime)):
            judged = checker.summary(expected[metric])
            assert summary.mean == pytest.approx(judged.mean, rel=SINGLE if metric == "runtime" else DOUBLE)
            assert summary.tail == pytest.approx(judged.tail, rel=SINGLE)
            bounds = [(summary.tail_upper, judged.tail_upper), (summary.tail_lower, judged.tail_lower)]
            for bound, expected_bound in bounds:
                assert (bound is None) == (expected_bound is None)
                if expected_bound is not None:
                    assert bound == pytest.approx(expected_bound, rel=SINGLE)


@pytest.mark.parametrize("seed", range(100, 112))
def test_validation_uses_fresh_scenarios(seed: int) -> None:
    problem = random_problem(seed, hours=2, limits=False)
    solution = json.loads(_core.Problem.from_json(json.dumps(problem)).solve())
    checker = Checker(problem, first=counters.FIRST_VALIDATION_SCENARIO)
    for hour in solution["hours"]:
        judged = checker.summaries(hour["placement"], hour["hour"])
        for metric, summary in judged.items():
            found = hour["validation"]["metrics"][metric]
            assert found["mean"] == pytest.approx(summary.mean, rel=SINGLE)
            assert found["tail"] == pytest.approx(summary.tail, rel=SINGLE)
