"""Accounting of single runs, against numbers worked out by hand and against the engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multi_x_serverless.model.run import EdgeObservation, NodeObservation, ObservedRun
from multi_x_serverless.solving.accounting import execution_kwh, footprint
from multi_x_serverless.solving.engine import mean_of_placement
from multi_x_serverless.solving.problem import SolveSettings, build_problem
from tests.unit.solving.workflows import HOME, NOON, embedded_signals, observed_runs, workflow


def one_node_run(region: str = HOME, *, other_bytes: float = 0.0) -> ObservedRun:
    node = NodeObservation(
        region, duration_s=3600.0, cpu_s=1800.0, cold=False, attributed_bytes={}, other_bytes=other_bytes
    )
    return ObservedRun(
        run_id="r",
        manifest_id="m1",
        status="complete",
        started_at=NOON,
        finished_at=NOON + 3600.0,
        plan_version=1,
        placement_key="home",
        reason="home_share",
        trigger_bytes=0.0,
        nodes={0: node},
        edges={0: EdgeObservation(False, 0.0, None, None), 1: EdgeObservation(False, 0.0, None, None)},
    )


def test_energy_of_an_hour_of_one_vcpu_half_busy() -> None:
    # 1 vCPU at 50 %: 0.00074 + 0.5 * (0.0035 - 0.00074) = 0.00212 kW; 1769 / 1024 GB * 0.0003725 kW/GB of memory.
    assert execution_kwh(3600.0, 1769, 1800.0) == pytest.approx(0.00212 + 1769 / 1024 * 0.0003725, rel=1e-9)


def test_carbon_and_cost_of_a_node_that_moves_nothing() -> None:
    signals = embedded_signals()
    result = footprint(one_node_run(), workflow(), signals, "best")
    intensity = signals.carbon[HOME].intensity_gco2eq_per_kwh[12]
    assert result.execution_gco2eq == pytest.approx((0.00212 + 1769 / 1024 * 0.0003725) * 1.11 * intensity, rel=1e-6)
    # 3600 s * 1769/1024 GB * 0.0000166667 USD, a request, a publish, and the log line's share.
    assert result.cost_usd == pytest.approx(3600 * 1769 / 1024 * 0.0000166667, rel=1e-3)
    assert result.runtime_s == 3600.0


def test_bytes_of_no_known_region_count_half_home_half_outside() -> None:
    signals = embedded_signals()
    gigabyte = float(2**30)
    plain = footprint(one_node_run(), workflow(), signals, "best")
    moving = footprint(one_node_run(other_bytes=gigabyte), workflow(), signals, "best")
    intensity = signals.carbon[HOME].intensity_gco2eq_per_kwh[12]
    expected = 0.5 * 0.001 * intensity + 0.5 * 0.001 * (intensity + 410.0) / 2.0
    assert moving.transmission_gco2eq - plain.transmission_gco2eq == pytest.approx(expected, rel=1e-9)


def test_worst_preset_moves_for_free_inside_a_region() -> None:
    signals = embedded_signals()
    gigabyte = float(2**30)
    moving = footprint(one_node_run(other_bytes=gigabyte), workflow(), signals, "worst")
    intensity = signals.carbon[HOME].intensity_gco2eq_per_kwh[12]
    assert moving.transmission_gco2eq == pytest.approx(0.5 * 0.005 * (intensity + 410.0) / 2.0, rel=1e-9)


@pytest.mark.parametrize("objective", ["carbon", "cost"])
def test_mean_of_observed_home_runs_agrees_with_the_engine(objective: str) -> None:
    """The same formulas twice, in Rust over scenarios and here over runs: at home they differ by sampling alone."""
    model, signals = workflow(), embedded_signals()
    # Runs of noon, as the hour that is evaluated; every run once gives means without sampling error.
    moved = {"us-west-2": 3e8, "sa-east-1": 2e8}  # one listed region and one where the workflow may not run
    runs = tuple(
        replace(
            run,
            started_at=NOON,
            nodes={index: replace(node, attributed_bytes=moved, other_bytes=1e8) for index, node in run.nodes.items()},
        )
        for run in observed_runs(40)
    )
    settings = SolveSettings(hours=(12,), scenarios=40 * 100, validation_scenarios=200)
    problem = build_problem(model, runs, signals, settings)
    home = {node.name: HOME for node in model.graph.nodes}
    expected = mean_of_placement(problem, home, 12, "carbon" if objective == "carbon" else "cost")
    results = [footprint(run, model, signals, "best") for run in runs]
    values = [result.carbon_gco2eq if objective == "carbon" else result.cost_usd for result in results]
    assert sum(values) / len(values) == pytest.approx(expected, rel=1e-3)
