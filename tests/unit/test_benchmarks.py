"""The growth benchmark runs from end to end; what it measures is nobody's assertion."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks.solver import growth
from benchmarks.solver.layered import Shape, layered_problem
from multi_x_serverless import _core


def test_problems_are_those_of_the_shape_and_of_the_seed() -> None:
    shape = Shape(nodes=10, regions=4, scenarios=100, tightness=1.05)
    document = layered_problem(shape, 3, 1.0)
    assert layered_problem(shape, 3, 1.0) == document
    assert layered_problem(shape, 4, 1.0) != document
    problem = _core.Problem.from_json(document)
    assert (len(problem.nodes), len(problem.regions), problem.hours) == (10, 4, [12])


def test_the_benchmark_writes_tables_and_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    axes = {"nodes": (4.0, 5.0), "regions": (2.0,), "scenarios": (100.0,), "tightness": (1.5, 1.01)}
    monkeypatch.setattr(growth, "QUICK_AXES", axes)
    # A deadline that ends every search, so that the gap over time is drawn too.
    growth.run(tmp_path, is_quick=True, deadline_s=1e-9)
    with (tmp_path / "growth.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["axis"], float(row["value"])) for row in rows] == [
        (axis, value) for axis, values in axes.items() for value in values
    ]
    assert {row["status"] for row in rows} <= {"optimal", "timed_out"}
    assert all(float(row["peak_mb"]) >= float(row["idle_mb"]) > 0 for row in rows)
    timed_out = [row for row in rows if row["status"] == "timed_out"]
    assert timed_out
    with (tmp_path / "gap_over_time.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(timed_out) * (1 + len(growth.SHARES_OF_DEADLINE))
    assert {path.name for path in tmp_path.iterdir()} == {
        "machine.txt",
        *(f"{name}{suffix}" for name in ("growth", "gap_over_time") for suffix in (".csv", ".svg", ".png")),
    }
