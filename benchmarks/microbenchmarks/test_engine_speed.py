"""The engine through its Python door: one evaluation, and all 24 hours."""

from __future__ import annotations

import orjson
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.solver.layered import Shape, layered_problem, map_reduce_problem
from multi_x_serverless import _core
from multi_x_serverless.solving.problem import SolveSettings, build_problem
from tests.unit.solving.workflows import HOME, embedded_signals, observed_runs, workflow


def problem() -> bytes:
    return build_problem(workflow(pinned=("receive",)), observed_runs(120), embedded_signals(), SolveSettings())


def test_evaluate_a_placement(benchmark: BenchmarkFixture) -> None:
    parsed = _core.Problem.from_json(problem())
    placement = dict.fromkeys(parsed.nodes, HOME)
    metrics = benchmark(parsed.evaluate, placement, 12)
    assert metrics.carbon.mean > 0


@pytest.mark.parametrize("solver", ["fine-grained", "coarse-grained", "heuristic"])
def test_solve_24_hours(benchmark: BenchmarkFixture, solver: str) -> None:
    document = problem()

    def work() -> bytes:
        return _core.Problem.from_json(document).solve(solver)

    assert benchmark(work)


@pytest.mark.parametrize("seed", range(3))
def test_24_hours_of_6_nodes_in_4_regions_under_a_limit(benchmark: BenchmarkFixture, seed: int) -> None:
    """From the document's bytes, scenarios included; limit 1.1 x home, every third node pinned home."""
    document = layered_problem(Shape(6, 4, 1000, 1.1), seed, 10.0, tuple(range(24)))

    def work() -> bytes:
        return _core.Problem.from_json(document).solve()

    assert all_proven(benchmark(work))


@pytest.mark.parametrize("nodes", [16, 32])
@pytest.mark.parametrize("seed", range(3))
def test_pinned_graphs_in_10_regions(benchmark: BenchmarkFixture, nodes: int, seed: int) -> None:
    """One hour, limit 1.02 x home, every third node pinned home."""
    document = layered_problem(Shape(nodes, 10), seed, 10.0)

    def work() -> bytes:
        return _core.Problem.from_json(document).solve()

    assert all_proven(benchmark(work))


def test_map_reduce_of_500_workers_in_30_regions(benchmark: BenchmarkFixture) -> None:
    document = map_reduce_problem(500, 30, 10.0)
    parsed = _core.Problem.from_json(document)
    assert all_proven(benchmark(parsed.solve))


@pytest.mark.parametrize("tolerance", [0.05, 0.01])
def test_frontier_of_32_nodes_in_10_regions(benchmark: BenchmarkFixture, tolerance: float) -> None:
    parsed = _core.Problem.from_json(layered_problem(Shape(), 0, 10.0))
    answer = benchmark(parsed.pareto, 12, tolerance=tolerance)
    assert orjson.loads(answer)["frontier"]["complete"]


def all_proven(solution: bytes) -> bool:
    return {hour["status"] for hour in orjson.loads(solution)["hours"]} == {"optimal"}
