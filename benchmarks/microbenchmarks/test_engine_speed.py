"""The engine through its Python door: one evaluation, and all 24 hours."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

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
