"""The plot script draws what was measured, and says what is wrong with what it cannot draw."""

from __future__ import annotations

import itertools
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.solver_benchmarks.cases import BASE, Case, Shape, with_nodes
from benchmarks.solver_benchmarks.results import Entry, Results, write_results
from benchmarks.solver_benchmarks.runner import ROOT
from multi_x_serverless.errors import InvalidDocumentError
from plotting import solver_benchmark_plotting, solver_figures
from plotting.solver_comparison import (
    axes_in,
    evaluations,
    excess_percent,
    line_of,
    optima,
    places_on,
    processor_seconds,
)
from tests.unit.solver_benchmark_results import OTHER_BUILD, entry, measurement, results_of

SHAPES = (
    BASE,
    with_nodes(4),
    with_nodes(32),
    replace(BASE, tail_limit=None),
)
ALONG_AXES = {f"{name}.png" for name in ("time", "gap", "own-gap", "memory", "evaluations")}


def changed(results: Results, change: Callable[[Entry], Entry]) -> Results:
    return replace(results, entries=tuple(change(one) for one in results.entries))


def draw(results: Results, directory: Path) -> int:
    write_results(results, directory / "results.json")
    return solver_benchmark_plotting.main([str(directory / "results.json"), "--output", str(directory / "plots")])


def test_a_picture_for_each_quantity_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = results_of(SHAPES)
    of_other_build = tuple(entry(one.case, OTHER_BUILD) for one in results.entries[:4])
    assert draw(replace(results, entries=results.entries + of_other_build), tmp_path) == 0
    told = capsys.readouterr()
    assert {Path(line).name for line in told.out.splitlines()} == ALONG_AXES
    assert told.err == "4 entries of other builds or settings are not drawn.\n"
    for line in told.out.splitlines():
        picture = Path(line).read_bytes()
        assert picture.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", picture[16:24])
        assert width > 1000
        assert height > 300


def test_the_large_grid_has_a_picture_of_what_it_crosses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, values in (("FULL_NODES", (8, 16)), ("FULL_SYNC_SHARES", (0.25, 0.5)), ("FULL_REGIONS", (2, 3))):
        monkeypatch.setattr(solver_figures, name, values)
    shapes = tuple(
        with_nodes(nodes, sync_share=share, regions=regions)
        for nodes, share, regions in itertools.product((8, 16), (0.25, 0.5), (2, 3))
    )
    assert draw(results_of(shapes, graphs=1), tmp_path) == 0
    assert {Path(line).name for line in capsys.readouterr().out.splitlines()} == {*ALONG_AXES, "grid.png"}
    assert draw(results_of(shapes[1:], graphs=1), tmp_path / "another") == 0
    assert "grid.png" not in capsys.readouterr().out


def test_a_run_that_was_ended_is_drawn_as_far_as_it_came(tmp_path: Path) -> None:
    """Of the last problem one solver is there, and no optimum is proven: nothing is above it."""
    results = changed(results_of(SHAPES), unproven)
    assert draw(replace(results, entries=results.entries[:-2]), tmp_path) == 0


def unproven(one: Entry) -> Entry:
    if one.case.solver != "fine-grained":
        return one
    return replace(one, measurement=replace(one.measurement, status="timed_out", gap=0.05))


@pytest.mark.parametrize("shapes", [(), (BASE,), (with_nodes(8), replace(BASE, nodes=64, regions=2))])
def test_too_little_is_told(tmp_path: Path, shapes: tuple[Shape, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert draw(results_of(shapes), tmp_path) == 2
    assert "holds too little to draw" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "exit_code", "message"),
    [
        (None, 2, "there is no file"),
        ("  \n", 2, "is empty; delete it and measure again"),
        ("no json", 1, "is not JSON"),
        (json.dumps({"schema": "multi-x-serverless/solver-benchmarks", "version": 2}), 1, "install a newer one"),
        (json.dumps({"schema": "multi-x-serverless/solver-benchmarks", "version": 1}), 1, "machine: is missing"),
        (json.dumps([{"nodes": 4, "time": 1.0}]), 1, "is not a JSON object"),
    ],
)
def test_what_is_no_results_file_is_refused_in_a_sentence(
    tmp_path: Path, text: str | None, exit_code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert solver_benchmark_plotting.main([str(path), "--output", str(tmp_path / "plots")]) == exit_code
    told = capsys.readouterr()
    assert message in told.err
    assert told.err.startswith("error: ")
    assert told.out == ""
    assert not (tmp_path / "plots").exists()


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plots").write_text("a file", encoding="utf-8")
    assert draw(results_of(SHAPES), tmp_path) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_without_matplotlib_it_says_how_to_get_it(tmp_path: Path) -> None:
    write_results(results_of(SHAPES), tmp_path / "results.json")
    code = "import sys; sys.modules['matplotlib'] = None; from plotting.solver_benchmark_plotting import main; "
    finished = subprocess.run(
        [sys.executable, "-c", code + "sys.exit(main())", str(tmp_path / "results.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 2
    assert finished.stderr == "error: matplotlib is needed to draw: pip install 'multi-x-serverless[plots]'.\n"


def test_it_is_a_script(tmp_path: Path) -> None:
    script = ROOT / "plotting" / "solver_benchmark_plotting.py"
    finished = subprocess.run(
        [sys.executable, str(script), "missing.json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 2
    assert "there is no file missing.json" in finished.stderr


def test_axes_are_those_with_two_places_from_easy_to_hard() -> None:
    entries = results_of((*SHAPES, replace(BASE, regions=5), replace(BASE, tail_limit=1.1))).entries
    assert axes_in(entries) == ("nodes", "regions", "tail_limit")
    assert axes_in(results_of(SHAPES).entries) == ("nodes", "tail_limit")
    assert places_on("nodes", entries) == (4, 16, 32)
    assert places_on("regions", entries) == (5, 10)
    assert places_on("tail_limit", entries) == (None, 1.1, 1.02)


def test_a_line_has_the_median_and_the_range_over_the_graphs() -> None:
    shape = replace(BASE, regions=5)
    seconds = {0: 1.0, 1: 8.0, 2: 3.0}
    entries = [
        replace(entry(case), measurement=measurement(case, seconds=took))
        for seed, took in seconds.items()
        for case in (Case(shape, seed, "heuristic"), Case(BASE, seed, "heuristic"))
    ]
    entries[2] = replace(entries[2], measurement=replace(entries[2].measurement, status="timed_out"))
    line = line_of("regions", "heuristic", processor_seconds, entries)
    assert {place: spread.is_whole for place, spread in line.spreads.items()} == {5: False, 10: True}
    spread = line.spreads[5]
    assert (spread.least, spread.middle, spread.most, spread.graphs) == (1.0, 3.0, 8.0, 3)
    assert line_of("regions", "fine-grained", processor_seconds, entries).spreads == {}


def test_what_a_solver_misses_is_told_from_proven_optima_alone() -> None:
    results = results_of((BASE, with_nodes(4)), graphs=1)
    results = changed(results, lambda one: unproven(one) if one.case.shape == with_nodes(4) else one)
    excess = excess_percent(results.entries)
    assert {problem: one.case.solver for problem, one in optima(results.entries).items()} == {(BASE, 0): "fine-grained"}
    found = {(one.case.shape.nodes, one.case.solver): excess(one) for one in results.entries}
    assert found[16, "coarse-grained"] == pytest.approx(50.0)
    assert found[16, "heuristic"] == found[16, "fine-grained"] == pytest.approx(0.0)
    assert {value for (nodes, _), value in found.items() if nodes == 4} == {None}


def test_solvers_of_different_problems_are_not_compared() -> None:
    results = results_of((BASE,), graphs=1)
    other = replace(results.entries[1], measurement=replace(results.entries[1].measurement, problem_hash="another"))
    with pytest.raises(InvalidDocumentError, match="different problems"):
        excess_percent(results.entries)(other)


def test_no_evaluation_counts_as_one() -> None:
    assert evaluations(entry(Case(BASE, 0, "coarse-grained"))) == 1.0
    assert evaluations(entry(Case(BASE, 0, "heuristic"))) == 1000.0
