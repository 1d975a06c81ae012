"""The exact solver against two general solvers, on problems too large to try every placement.

toulbar2 (weighted constraint satisfaction) judges cost and carbon without limits, HiGHS (mixed integer programs) every
objective under limits on percentiles. Both are given the independent checker's numbers, none of the engine's.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from typing import Any

import pytest

from multi_x_serverless import _core
from tests.oracles.brute_force import ROUNDING, keeps_hard
from tests.oracles.checker import Checker
from tests.oracles.mixed_integer import PlacementProgram
from tests.oracles.problems import random_problem, repin
from tests.oracles.terms import mean_terms, value_of
from tests.oracles.weighted_csp import ROUNDING as CSP_ROUNDING
from tests.oracles.weighted_csp import least_placement

METRICS = ("carbon", "cost", "runtime")


def _solve(problem: dict[str, Any]) -> dict[str, Any]:
    (hour,) = json.loads(_core.Problem.from_json(json.dumps(problem)).solve())["hours"]
    found: dict[str, Any] = hour
    return found


# -- without limits: toulbar2 ------------------------------------------------------------------------------------------

PINS = {"free": 0, "every third at home": 3, "every second at home": 2}


def _additive_problem(seed: int, every: int) -> dict[str, Any]:
    problem = random_problem(seed, min_nodes=8, max_nodes=12, max_regions=5, scenarios=20, limits=False)
    # Bytes that cost about as much as work: else every node has its own best region and nothing is to be weighed.
    source = random.Random(seed)
    problem["transmission"]["inter_region_kwh_per_gb"] = source.choice([0.02, 0.5, 2.0])
    for edge in problem["observations"]["edges"]:
        factor = source.choice([1.0, 20.0])
        edge["payload_bytes"] = [None if size is None else size * factor for size in edge["payload_bytes"]]
    repin(problem, every)
    return problem


@pytest.mark.parametrize("every", PINS.values(), ids=PINS)
@pytest.mark.parametrize("metric", ["carbon", "cost"])
@pytest.mark.parametrize("seed", range(5000, 5025))
def test_the_optimum_without_limits_is_that_of_toulbar2(seed: int, metric: str, every: int) -> None:
    problem = _additive_problem(seed, every)
    problem["constraints"] = {"priority_order": [metric]}
    checker = Checker(problem)
    hour = problem["hours"][0]
    terms = mean_terms(checker, metric, hour)
    _, best = least_placement(terms)
    found = _solve(problem)
    assert found["status"] == "optimal"
    assert value_of(terms, found["placement"]) == pytest.approx(best, rel=CSP_ROUNDING)
    assert found["objective"]["value"] == pytest.approx(best, rel=CSP_ROUNDING)
    assert found["objective"]["lower_bound"] <= best * (1.0 + CSP_ROUNDING)


@pytest.mark.parametrize("metric", ["carbon", "cost"])
def test_best_values_with_a_node_held_are_those_of_toulbar2(metric: str) -> None:
    problem = _additive_problem(5100, 3)
    problem["constraints"] = {"priority_order": [metric]}
    checker = Checker(problem)
    found = _solve(problem)
    assert found["min_marginals_metric"] == metric
    for node, by_region in found["min_marginals"].items():
        for region, value in by_region.items():
            held = {**problem, "nodes": [dict(entry) for entry in problem["nodes"]]}
            next(entry for entry in held["nodes"] if entry["name"] == node)["allowed"] = [region]
            judge = Checker(held)
            _, best = least_placement(mean_terms(judge, metric, problem["hours"][0]))
            assert value == pytest.approx(best, rel=CSP_ROUNDING), (node, region)
    assert checker.nodes.keys() == found["min_marginals"].keys()


@pytest.mark.parametrize("metric", ["carbon", "cost"])
def test_those_problems_have_something_to_weigh(metric: str) -> None:
    spread = myopic = 0
    for seed in range(5000, 5025):
        problem = _additive_problem(seed, 3)
        checker = Checker(problem)
        terms = mean_terms(checker, metric, problem["hours"][0])
        placement, best = least_placement(terms)
        alone = {name: min(by_region, key=by_region.__getitem__) for name, by_region in terms.nodes.items()}
        spread += len(set(placement.values())) > 1
        myopic += value_of(terms, alone) > best * 1.001
    assert spread >= 10
    assert myopic >= 10


# -- under limits: HiGHS -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Limited:
    """A problem whose optimum without limits breaks the limit (unless that has no optimum but home)."""

    problem: dict[str, Any]
    metric: str


def _limited_problem(seed: int) -> Limited:
    source = random.Random(seed)
    problem = random_problem(seed, min_nodes=4, max_nodes=7, max_regions=4, scenarios=40, limits=False)
    repin(problem, source.choice([0, 0, 3]))
    problem["settings"]["tail"] = 0.9
    metric = source.choice(METRICS)
    problem["constraints"] = {"priority_order": [metric]}
    free = _solve(problem)
    limited = source.sample([other for other in METRICS if other != metric], source.choice([1, 1, 2]))
    hard = {}
    for other in limited:
        value = source.uniform(0.85, 0.999) * free["metrics"][other]["tail_upper"]
        # Every other problem has it as a fraction of home's, which is held at three ranks.
        hard[other] = {"type": "absolute", "value": value}
        if seed % 2:
            home = free["home_metrics"][other]["tail_upper"]
            hard[other] = {"type": "relative", "value": value / home} if home > 0 else hard[other]
    if source.random() < 0.3:
        hard[metric] = {"type": "relative", "value": round(source.uniform(1.0, 1.1), 3)}
    problem["constraints"]["hard"] = hard
    return Limited(problem, metric)


LIMITED = {seed: _limited_problem(seed) for seed in range(6000, 6080)}


@pytest.mark.parametrize("limited", LIMITED.values(), ids=map(str, LIMITED))
def test_the_optimum_under_limits_is_that_of_highs(limited: Limited) -> None:
    problem, metric = limited.problem, limited.metric
    hard = problem["constraints"]["hard"]
    hour = problem["hours"][0]
    checker = Checker(problem)
    best = PlacementProgram(checker, hour).least_mean(metric, hard)
    found = _solve(problem)
    if best is None:
        assert found["status"] == "infeasible"
        assert found["infeasibility"]["proven"]
        return
    placement, value = best
    assert found["status"] == "optimal"
    assert found["objective"]["value"] == pytest.approx(value, rel=3 * ROUNDING)
    home = checker.summaries(dict.fromkeys(checker.nodes, checker.home), hour)
    for judged in (placement, found["placement"]):
        metrics = checker.summaries(judged, hour)
        assert metrics[metric].mean == pytest.approx(value, rel=3 * ROUNDING)
        for name, limit in hard.items():
            assert keeps_hard(limit, metrics[name], home[name])


def test_those_limits_bind() -> None:
    answers = [_solve(limited.problem) for limited in LIMITED.values()]
    optimal = [answer for answer in answers if answer["status"] == "optimal"]
    assert len(optimal) >= 20
    assert len(answers) - len(optimal) >= 10
    # Now and then another placement with the same value keeps a limit that the first one found would break.
    binding = [any(limit["binding"] for limit in answer["constraints"]) for answer in optimal]
    assert sum(binding) >= 0.95 * len(optimal)
    assert {answer["objective"]["name"] for answer in optimal} == set(METRICS)
    assert all(math.isfinite(answer["objective"]["value"]) for answer in answers)
