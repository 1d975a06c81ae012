"""The growth benchmark runs from end to end; what it measures is nobody's assertion."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from benchmarks.solver import growth
from benchmarks.solver.layered import Shape, layered_problem
from benchmarks.solver.measure import Measurement, measure
from multi_x_serverless import _core


def test_problems_are_those_of_the_shape_and_of_the_seed() -> None:
    shape = Shape(nodes=10, regions=4, scenarios=100, tightness=1.05)
    document = layered_problem(shape, 3, 1.0)
    assert layered_problem(shape, 3, 1.0) == document
    assert layered_problem(shape, 4, 1.0) != document
    problem = _core.Problem.from_json(document)
    assert (len(problem.nodes), len(problem.regions), problem.hours) == (10, 4, [12])


def test_more_regions_change_nothing_else() -> None:
    few, many = (json.loads(layered_problem(Shape(nodes=10, regions=count), 3, 1.0)) for count in (4, 9))
    assert many["regions"][0] == few["regions"][0]
    assert set(few["regions"]) < set(many["regions"])
    assert few["edges"] == many["edges"]
    for name, columns in few["observations"]["nodes"].items():
        assert columns["duration_s"] == many["observations"]["nodes"][name]["duration_s"]


def test_a_point_is_measured_in_its_own_process() -> None:
    found = measure(layered_problem(Shape(nodes=5, regions=3, scenarios=100), 0, 20.0))
    assert found.status == "optimal"
    assert found.gap == pytest.approx(0.0, abs=1e-9)
    assert found.peak_mb >= found.idle_mb > 0
    assert found.explored > 0


def test_the_benchmark_writes_tables_and_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    axes = {"nodes": (4.0, 5.0), "regions": (2.0,), "scenarios": (100.0,), "tightness": (1.5, 1.01)}
    monkeypatch.setattr(growth, "QUICK_AXES", axes)
    monkeypatch.setattr(growth, "measure", _ended_by_the_deadline_at_five_nodes)
    growth.run(tmp_path, is_quick=True, deadline_s=10.0)
    with (tmp_path / "growth.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["axis"], float(row["value"])) for row in rows] == [
        (axis, value) for axis, values in axes.items() for value in values
    ]
    assert [row["nodes"] for row in rows if row["status"] == "timed_out"] == ["5"]
    with (tmp_path / "gap_over_time.csv").open(encoding="utf-8") as file:
        gaps = {float(row["deadline_s"]): float(row["gap"]) for row in csv.DictReader(file)}
    assert gaps == pytest.approx({10.0: 0.1, 0.1: 10.0, 0.3: 1.0 / 0.3, 1.0: 1.0, 3.0: 1.0 / 3.0})
    assert {path.name for path in tmp_path.iterdir()} == {
        "machine.txt",
        *(f"{name}{suffix}" for name in ("growth", "gap_over_time") for suffix in (".csv", ".svg", ".png")),
    }


def _ended_by_the_deadline_at_five_nodes(document: bytes) -> Measurement:
    problem = json.loads(document)
    is_hard = len(problem["nodes"]) == 5
    return Measurement(
        read_s=0.01,
        solve_s=0.1,
        status="timed_out" if is_hard else "optimal",
        gap=1.0 / problem["settings"]["deadline_s"] if is_hard else 0.0,
        explored=10,
        evaluations=3,
        peak_mb=30.0,
        idle_mb=20.0,
    )
