"""Metrics per placement are those of the engine in every hour; percentiles of mixtures are those of the runs."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from multi_x_serverless import data
from multi_x_serverless.adaptation.replay.metrics import REGIONS_PER_PROBE, PlacementBook
from multi_x_serverless.solving.problem import SolveSettings, build_problem
from multi_x_serverless.solving.robust_problem import without_intervals
from multi_x_serverless.solving.simulation import Simulator
from tests.oracles.problems import random_problem
from tests.unit.adaptation.replay.worlds import AWAY, HOME
from tests.unit.core.documents import ENTRY, JOIN, LABEL, RESIZE, dump, fan_out_problem
from tests.unit.solving.workflows import embedded_signals, observed_runs, workflow

MIXED = {ENTRY: HOME, RESIZE: AWAY, LABEL: HOME, JOIN: AWAY}


def some_placements(problem: dict[str, list[dict[str, list[str]]]], seed: int) -> list[dict[str, str]]:
    source = random.Random(seed)
    return [{str(node["name"]): source.choice(node["allowed"]) for node in problem["nodes"]} for _ in range(3)]


@pytest.mark.parametrize("seed", range(25))
def test_carbon_is_a_constant_and_a_rate_per_region(seed: int) -> None:
    problem = random_problem(seed, max_regions=4)
    simulator = Simulator(without_intervals(json.dumps(problem).encode()))
    book = PlacementBook(simulator)
    intensities = np.array([problem["intensity_gco2e_per_kwh"][region] for region in book.regions])
    for placement in some_placements(problem, seed):
        number = book.number(placement)
        by_hour = book.carbon([number] * 24, intensities)
        for hour in (0, 11, 23):
            found = simulator.problem.evaluate(placement, hour)
            assert by_hour[hour] == pytest.approx(found.carbon.mean, rel=1e-9)
            assert book.metrics(number).cost_usd == found.cost.mean
            assert book.metrics(number).runtime_s == found.runtime.mean


def test_more_regions_than_a_day_has_hours() -> None:
    regions = tuple(data.regions())
    assert len(regions) > REGIONS_PER_PROBE
    model = workflow()
    for function in model.functions.values():
        object.__setattr__(function, "allowed_regions", regions)
    document = build_problem(model, observed_runs(30), embedded_signals(regions), SolveSettings(scenarios=100))
    simulator = Simulator(document)
    book = PlacementBook(simulator)
    last, first = book.regions[-1], book.regions[1]
    placement = {node: (first, last)[place % 2] for place, node in enumerate(book.nodes)}
    intensities = np.array([json.loads(document)["intensity_gco2e_per_kwh"][region] for region in book.regions])
    expected = [simulator.problem.evaluate(placement, hour).carbon.mean for hour in range(24)]
    assert book.carbon([book.number(placement)] * 24, intensities) == pytest.approx(expected, rel=1e-9)


def test_placements_are_numbered_as_they_turn_up() -> None:
    book = PlacementBook(Simulator(dump(fan_out_problem())))
    assert book.home == 0
    assert book.number(MIXED) == 1
    assert book.number(dict(reversed(MIXED.items()))) == 1, "the order of the nodes is nothing"
    assert dict(book.placements[1]) == MIXED
    assert book.shares(1).tolist() == [0.5, 0.5]
    assert book.shares(book.home).tolist() == [1.0, 0.0]


def test_the_percentile_of_one_placement_is_the_engines() -> None:
    for seed in range(20):
        problem = random_problem(seed)
        simulator = Simulator(without_intervals(json.dumps(problem).encode()))
        book = PlacementBook(simulator)
        for placement in some_placements(problem, seed):
            tail = book.run_time_tail({book.number(placement): 12.3}, problem["settings"]["tail"])
            assert tail == simulator.problem.evaluate(placement, 0).runtime.tail


def test_the_percentile_of_a_mixture_is_that_of_all_its_runs() -> None:
    book = PlacementBook(Simulator(dump(fan_out_problem())))
    away = book.number(MIXED)
    runs = {book.home: 2.0, away: 3.0}
    all_runs = sorted([*book.metrics(book.home).run_times_s.tolist() * 2, *book.metrics(away).run_times_s.tolist() * 3])
    for tail in (0.5, 0.9, 0.95, 0.99):
        place = -int(-tail * len(all_runs) // 1) - 1
        assert book.run_time_tail(runs, tail) == pytest.approx(all_runs[place], rel=1e-6)
    assert book.run_time_tail({book.home: 1.0, away: 0.0}, 0.95) == book.run_time_tail({book.home: 5.0}, 0.95)
