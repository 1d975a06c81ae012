"""What planning and moving take, against sums by hand."""

from __future__ import annotations

from typing import Any

import pytest

from multi_x_serverless.adaptation.day_schedule import NodeLoad, SignalPrices
from multi_x_serverless.adaptation.overhead import Overhead
from multi_x_serverless.adaptation.replay.overhead import NOTHING, ExpectedStarts, OverheadModel, read_overhead_model
from multi_x_serverless.model.config_types import Architecture, ProviderSettings
from multi_x_serverless.model.plan import Objective
from multi_x_serverless.solving.model_constants import COLD_START_S
from multi_x_serverless.solving.problem import SolveSettings, build_problem
from tests.unit.adaptation.replay.worlds import AWAY, HOME
from tests.unit.core.documents import ENTRY, JOIN, LABEL, RESIZE, dump, fan_out_problem
from tests.unit.solving.workflows import embedded_signals, observed_runs, workflow

INTENSITY = {HOME: 400.0, AWAY: 30.0}
HOME_PLACEMENT = dict.fromkeys((ENTRY, RESIZE, LABEL, JOIN), HOME)

# One start: 0.5 s of a vCPU at full load and 1769 MB, PUE 1.11 (docs/problem-document.md, "power").
START_KWH = COLD_START_S / 3600 * (0.0035 + 1769 / 1024 * 0.0003725) * 1.11
START_USD = 1.8e-5 * COLD_START_S * 1769 / 1024


def model(problem: dict[str, Any] | None = None, package_bytes: float = 2.0**30) -> OverheadModel:
    return read_overhead_model(dump(problem or fan_out_problem()), package_bytes)


def test_a_solve_is_processor_time_at_home() -> None:
    found = model().solve(7.2, INTENSITY)
    assert found.carbon_gco2eq == pytest.approx(7.2 / 3600 * 0.0035 * 1.11 * 400.0)
    assert found.cost_usd == 0.0


def test_places_are_functions_outside_of_home() -> None:
    placements = [HOME_PLACEMENT, {**HOME_PLACEMENT, LABEL: AWAY}, {**HOME_PLACEMENT, JOIN: AWAY, LABEL: AWAY}]
    assert model().places(placements) == {("label", AWAY), ("store", AWAY)}


def test_a_package_is_copied_once_to_a_region_and_each_function_probed() -> None:
    first, second = ("label", AWAY), ("store", AWAY)
    copied = model().copies({first, second}, set(), INTENSITY)
    assert copied.carbon_gco2eq == pytest.approx(1.0 * 0.001 * (400.0 + 30.0) / 2)
    assert copied.cost_usd == pytest.approx(0.02)
    assert model().copies({second}, {first}, INTENSITY) == NOTHING
    probed = model().probes({first, second}, INTENSITY)
    assert probed.carbon_gco2eq == pytest.approx(2 * START_KWH * 30.0)
    assert probed.cost_usd == pytest.approx(2 * (START_USD + 2e-7))


@pytest.mark.parametrize(
    ("runs", "starts"),
    [
        (0.0, 0.0),
        (0.25, 0.25),  # Never more than there are executions.
        (1.0, 1.0),
        (3600.0, 1.0),  # 0.92 s on average at once: 0.8 s * 1.145.
        (7200.0, 2.0),
        (36000.0, 10.0),
    ],
)
def test_cold_starts_are_the_executions_at_once(runs: float, starts: float) -> None:
    found = model().cold_starts(HOME_PLACEMENT, {**HOME_PLACEMENT, RESIZE: AWAY}, runs, INTENSITY)
    assert found.carbon_gco2eq == pytest.approx(starts * START_KWH * 30.0)
    assert found.cost_usd == pytest.approx(starts * START_USD)


def test_nodes_that_run_seldom_start_seldom() -> None:
    # `label` runs in two of three runs and takes 0.5 s * 1.14: 0.38 at once with a run a second.
    found = model().cold_starts(HOME_PLACEMENT, {**HOME_PLACEMENT, LABEL: AWAY}, 3600.0 * 10, INTENSITY)
    assert found.cost_usd == pytest.approx(4 * START_USD)
    seldom = model().cold_starts(HOME_PLACEMENT, {**HOME_PLACEMENT, LABEL: AWAY}, 0.3, INTENSITY)
    assert seldom.cost_usd == pytest.approx(0.3 * 2 / 3 * START_USD)


def test_what_stays_in_its_region_or_finds_its_function_there_is_warm() -> None:
    assert model().cold_starts(HOME_PLACEMENT, dict(HOME_PLACEMENT), 3600.0, INTENSITY) == NOTHING
    problem = fan_out_problem()
    for node in problem["nodes"]:
        if node["name"] in {RESIZE, LABEL}:
            node["function"] = "shared"
    shared = model(problem)
    one_there, both_there = {**HOME_PLACEMENT, RESIZE: AWAY}, {**HOME_PLACEMENT, RESIZE: AWAY, LABEL: AWAY}
    assert shared.cold_starts(one_there, both_there, 3600.0, INTENSITY) == NOTHING
    # Together 0.916 + 0.38 s a run: two at once, not one each.
    assert shared.cold_starts(HOME_PLACEMENT, both_there, 3600.0, INTENSITY).cost_usd == pytest.approx(2 * START_USD)


def test_going_home_starts_cold_there() -> None:
    found = model().cold_starts({**HOME_PLACEMENT, RESIZE: AWAY}, HOME_PLACEMENT, 3600.0, INTENSITY)
    assert found.carbon_gco2eq == pytest.approx(START_KWH * 400.0)


def test_weights_and_declared_estimates_are_read() -> None:
    problem = fan_out_problem()
    problem["observations"]["weights"] = [1.0 if run % 3 == 2 else 0.0001 for run in range(30)]
    rarely = model(problem).cold_starts(HOME_PLACEMENT, {**HOME_PLACEMENT, LABEL: AWAY}, 1.0, INTENSITY)
    assert rarely.cost_usd < 0.001 * START_USD
    problem["observations"] = {"runs": 0}
    problem["priors"] = {
        "nodes": {
            name: {"duration_s": {"median": 2.0, "sigma_log": 0.0}, "cpu_utilization": 0.5, "data_bytes": 0}
            for name in (ENTRY, RESIZE, LABEL, JOIN)
        },
        "edges": [],
        "trigger_bytes": 0,
    }
    found = model(problem).cold_starts(HOME_PLACEMENT, {**HOME_PLACEMENT, LABEL: AWAY}, 3600.0, INTENSITY)
    assert found.cost_usd == pytest.approx(2 * START_USD)


def test_power_usage_of_a_region_counts() -> None:
    problem = fan_out_problem()
    problem["power"]["pue"] = {AWAY: 2.22}
    place = {("label", AWAY)}
    assert model(problem).probes(place, INTENSITY).carbon_gco2eq == pytest.approx(
        2 * model().probes(place, INTENSITY).carbon_gco2eq
    )
    assert isinstance(model().probes(place, INTENSITY), Overhead)


@pytest.mark.parametrize("objective", ["carbon", "cost", "runtime"])
@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_a_start_is_priced_as_the_product_prices_it(objective: Objective, architecture: Architecture) -> None:
    signals = embedded_signals()
    document = build_problem(workflow(), observed_runs(30), signals, SolveSettings(scenarios=100))
    expected = {region: signals.carbon[region].intensity_gco2eq_per_kwh for region in (HOME, AWAY)}
    ours = ExpectedStarts(read_overhead_model(document, 0.0), expected)
    load = NodeLoad(1.0, 2.0, ProviderSettings(memory_mb=1234, architecture=architecture))
    for region in (HOME, AWAY):
        theirs = SignalPrices(signals).of_start(load, region, objective)
        assert ours.of_start(load, region, objective) == pytest.approx(theirs, rel=1e-12)
        assert (theirs > 0).all()


def test_a_node_of_less_than_a_megabyte_has_one() -> None:
    problem = fan_out_problem()
    for node in problem["nodes"]:
        node["memory_mb"] = 0.3
    found = model(problem)
    assert {load.provider.memory_mb for load in found.loads.values()} == {1}
    away = dict.fromkeys(HOME_PLACEMENT, AWAY)
    assert found.cold_starts(HOME_PLACEMENT, away, 1000.0, INTENSITY).cost_usd > 0
