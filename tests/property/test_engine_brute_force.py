"""The exact solver against every placement, both judged by the independent checker."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from multi_x_serverless import _core
from tests.oracles.brute_force import ROUNDING, best_of, is_within, limit_value, score_all
from tests.oracles.checker import Checker
from tests.oracles.problems import random_problem

MOST_PLACEMENTS = 36


def _small_problems(count: int) -> list[tuple[int, dict[str, Any]]]:
    problems = ((seed, random_problem(seed, max_nodes=4, scenarios=64)) for seed in range(1000, 2000))
    small = (
        entry
        for entry in problems
        if 4 <= math.prod(len(node["allowed"]) for node in entry[1]["nodes"]) <= MOST_PLACEMENTS
    )
    return [next(small) for _ in range(count)]


PROBLEMS = _small_problems(120)


@pytest.mark.parametrize("problem", [entry[1] for entry in PROBLEMS], ids=[str(entry[0]) for entry in PROBLEMS])
def test_the_optimum_is_the_best_of_all_placements(problem: dict[str, Any]) -> None:
    solution = json.loads(_core.Problem.from_json(json.dumps(problem)).solve())
    (hour,) = solution["hours"]
    scored = score_all(Checker(problem), hour["hour"])
    best = best_of(problem, scored)
    if best is None:
        assert hour["status"] == "infeasible"
        assert hour["infeasibility"]["proven"]
        return
    assert hour["status"] == "optimal"
    assert hour["soft_violations"] == best.broken
    tolerance = problem["constraints"]["priority_tolerance"]
    order = problem["constraints"]["priority_order"]
    for position, (metric, value) in enumerate(zip(order, best.values, strict=True)):
        is_last = position == len(order) - 1
        reached = hour["metrics"][metric]["mean"]
        assert reached <= value * (1.0 if is_last else 1.0 + tolerance) * (1.0 + 3 * ROUNDING)
        assert hour["priority"][position]["lower_bound"] <= value * (1.0 + 3 * ROUNDING)
    explained = hour["min_marginals_metric"]
    for node, by_region in hour["min_marginals"].items():
        for region, value in by_region.items():
            with_node = (entry for entry in scored if entry.placement[node] == region)
            assert value == pytest.approx(min(entry.metrics[explained].mean for entry in with_node), rel=1e-9)


def test_what_is_compared_matters() -> None:
    decides = {"lower bound": 0, "upper bound": 0}
    for _, problem in PROBLEMS:
        hard = problem["constraints"]["hard"]
        relative = {metric: limit for metric, limit in hard.items() if limit["type"] == "relative"}
        scored = score_all(Checker(problem), problem["hours"][0]) if relative else []
        for metric, limit in relative.items():
            home = next(entry for entry in scored if set(entry.placement.values()) == {problem["home"]}).metrics[metric]
            for entry in scored:
                found = entry.metrics[metric]
                keeps_low = is_within(found.tail_lower, limit_value(limit, home.tail_lower))
                keeps_estimate = is_within(found.tail, limit_value(limit, home.tail))
                keeps_high = is_within(found.tail_upper, limit_value(limit, home.tail_upper))
                decides["lower bound"] += not keeps_low and keeps_estimate and keeps_high
                decides["upper bound"] += keeps_low and keeps_estimate and not keeps_high
    # Each end rules out placements that the rest would let pass. Where the estimate alone does, see the unit tests.
    assert min(decides.values()) >= 3, decides


def test_the_problems_are_not_all_easy() -> None:
    constraints = [problem["constraints"] for _, problem in PROBLEMS]
    assert sum(bool(entry["hard"]) for entry in constraints) > 15
    assert sum(bool(entry["soft"]) for entry in constraints) > 15
    assert {entry["priority_order"][0] for entry in constraints} == {"carbon", "cost", "runtime"}
