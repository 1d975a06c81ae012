"""The solver benchmarks measure what they say, lose nothing, and refuse what they cannot read."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.machine import Machine
from benchmarks.solver_benchmarks import command, runner
from benchmarks.solver_benchmarks.cases import (
    BASE,
    Case,
    Shape,
    cases_of,
    default_shapes,
    full_shapes,
    lies_on,
    with_nodes,
)
from benchmarks.solver_benchmarks.measurement import Measurement, Settings
from benchmarks.solver_benchmarks.problems import random_problem
from benchmarks.solver_benchmarks.random_dag import random_dag
from benchmarks.solver_benchmarks.results import Build, Results, read_results, write_results
from benchmarks.solver_benchmarks.runner import MeasuringFailedError, measure_in_process
from multi_x_serverless.errors import InvalidDocumentError, NewerSchemaError, UsageError
from multi_x_serverless.solving.engine import SOLVERS
from tests.unit.solver_benchmark_results import BUILD, OTHER_BUILD, SETTINGS, entry, measurement, results_of

SMALL = Shape(nodes=5, sync_nodes=1, regions=3, pinned_share=0.4, tail_limit=1.05)
SMALLER = replace(SMALL, nodes=4)
QUICK = Settings(scenarios=100, deadline_s=20.0, threads=1, repetitions=2)
SCRIPT = runner.ROOT / "benchmarks" / "solver_benchmarks" / "run_solver_benchmarks_multiprocess.py"
HEEDING_INTERRUPTS = """
import runpy, signal, sys
# Where tests are run in the background, Ctrl-C is ignored, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(("nodes", "sync_nodes"), [(1, 0), (2, 0), (3, 1), (12, 0), (12, 5), (12, 10), (40, 13)])
@pytest.mark.parametrize("seed", range(3))
def test_a_graph_has_as_many_nodes_and_sync_nodes_as_asked_for(nodes: int, sync_nodes: int, seed: int) -> None:
    graph = random_dag(nodes, sync_nodes, seed)
    assert len(graph.nodes) == nodes
    assert sum(node.sync for node in graph.nodes) == sync_nodes
    for index, node in enumerate(graph.nodes[1:], start=1):
        callers = [graph.edges[edge].source for edge in graph.incoming[index]]
        assert len(callers) in ({2, 3} if node.sync else {1})
        assert len(set(callers)) == len(callers)


def test_more_sync_nodes_add_calls_and_take_none_away() -> None:
    few, many = random_dag(20, 3, 7), random_dag(20, 9, 7)
    assert {node.name for node in few.nodes if node.sync} < {node.name for node in many.nodes if node.sync}
    assert set(few.edges) < set(many.edges)


def test_problems_are_those_of_the_shape_and_of_the_seed() -> None:
    document = random_problem(SMALL, 3, 100)
    assert random_problem(SMALL, 3, 100) == document
    assert random_problem(SMALL, 4, 100) != document
    problem = json.loads(document)
    assert len(problem["regions"]) == 3
    assert sum(node["allowed"] == [problem["home"]] for node in problem["nodes"]) == 2
    assert problem["constraints"]["hard"]["runtime"] == {"type": "relative", "value": 1.05}
    without = json.loads(random_problem(replace(SMALL, tail_limit=None), 3, 100))
    assert without["constraints"]["hard"] == {}


@pytest.mark.parametrize(
    ("changes", "what_changes"),
    [
        ({"regions": 6}, {"regions", "nodes", "prices"}),
        ({"pinned_share": 0.8}, {"nodes"}),
        ({"tail_limit": 1.01}, {"constraints"}),
    ],
)
def test_one_thing_varies_and_the_workflow_stays(changes: dict[str, Any], what_changes: set[str]) -> None:
    one, other = (json.loads(random_problem(shape, 3, 100)) for shape in (SMALL, replace(SMALL, **changes)))
    same = {"edges", "observations", "nodes", "regions", "prices", "constraints"} - what_changes
    assert {name for name in same if one[name] != other[name]} == set()
    assert {name for name in what_changes if one[name] == other[name]} == set()
    assert set(one["regions"]) <= set(other["regions"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes": 0}, "at least one node"),
        ({"sync_nodes": 4}, "0 to 3 can be sync nodes, not 4"),
        ({"sync_nodes": -1}, "can be sync nodes"),
        ({"regions": 0}, "1 to 33 can be used, not 0"),
        ({"regions": 34}, "1 to 33 can be used, not 34"),
        ({"pinned_share": 1.1}, "between 0 and 1"),
        ({"pinned_share": float("nan")}, "between 0 and 1"),
        ({"tail_limit": 0.99}, "home itself breaks a limit of 0.99"),
    ],
)
def test_an_impossible_shape_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(SMALL, **changes)


def test_the_grids_vary_one_thing_at_a_time_and_the_large_one_goes_on_with_the_small_one() -> None:
    shapes = default_shapes()
    assert len(set(shapes)) == len(shapes)
    on_axes = Counter(axis for shape in shapes for axis in asdict(BASE) if lies_on(axis, shape))  # type: ignore[arg-type]
    assert all(on_axes[axis] >= 3 for axis in asdict(BASE))
    assert set(shapes) < set(full_shapes())
    assert with_nodes(64, sync_share=0.5, regions=33) in full_shapes()
    cases = cases_of(shapes, range(2))
    assert len(set(cases)) == len(cases) == len(shapes) * 2 * len(SOLVERS)


def test_a_case_is_measured_in_its_own_process() -> None:
    found = {solver: asyncio.run(measure_in_process(Case(SMALL, 0, solver), QUICK)) for solver in SOLVERS}
    assert len({one.problem_hash for one in found.values()}) == 1
    assert found["fine-grained"].status == "optimal"
    assert found["fine-grained"].gap == pytest.approx(0.0, abs=1e-9)
    for one in found.values():
        assert one.objective_gco2eq >= found["fine-grained"].objective_gco2eq * (1.0 - 1e-9)
        assert one.objective_gco2eq >= one.lower_bound_gco2eq > 0
        assert len(one.solve_wall_s) == len(one.solve_processor_s) == QUICK.repetitions
        assert one.peak_mb >= one.idle_mb > 0
    assert found["heuristic"].evaluations > 0


def test_what_a_process_died_of_is_told() -> None:
    with pytest.raises(MeasuringFailedError, match=r"5 nodes .* ended with 1: .*threads"):
        asyncio.run(measure_in_process(Case(SMALL, 0, "heuristic"), replace(QUICK, threads=0)))


def test_a_measuring_process_ends_with_who_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def interrupt() -> None:
        is_started = asyncio.Event()

        async def start_and_tell(*words: str, **options: Any) -> asyncio.subprocess.Process:
            started.append(await start(*words, **options))
            is_started.set()
            return started[0]

        monkeypatch.setattr(asyncio, "create_subprocess_exec", start_and_tell)
        task = asyncio.create_task(measure_in_process(Case(SMALL, 0, "heuristic"), QUICK))
        await is_started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupt())
    assert started[0].returncode == -signal.SIGKILL


def test_an_interrupted_run_keeps_what_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    process = subprocess.Popen(
        [sys.executable, "-c", HEEDING_INTERRUPTS, str(SCRIPT), "--output", str(path), "--graphs", "1"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines: list[str] = []
    while not lines or not lines[-1].startswith("["):
        lines.append(process.stderr.readline())
        assert lines[-1], f"ended with {process.wait()}: {lines}"
    os.kill(process.pid, signal.SIGINT)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 130
    assert "interrupted" in rest
    assert len(read_results(path).of_last_run()) >= 1
    assert {file.name for file in tmp_path.iterdir()} == {"results.json"}


@pytest.fixture
def tiny_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "default_shapes", lambda: (SMALL, SMALLER))


class FakeProcesses:
    """Stands in for the measuring processes; some cases end otherwise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.measured: list[Case] = []
        self.ends: dict[int, BaseException] = {}
        monkeypatch.setattr(runner, "measure_in_process", self.measure)

    async def measure(self, case: Case, settings: Settings) -> Measurement:
        assert settings.scenarios == 1000
        self.measured.append(case)
        if len(self.measured) in self.ends:
            raise self.ends[len(self.measured)]
        await asyncio.sleep(0)
        return measurement(case)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch, tiny_grid: None) -> FakeProcesses:
    return FakeProcesses(monkeypatch)


def run(path: Path, *words: str) -> int:
    return command.main(["--output", str(path), "--graphs", "2", *words])


EXPECTED = set(cases_of((SMALL, SMALLER), range(2)))


def test_the_same_command_goes_on_after_an_interruption(
    tmp_path: Path, processes: FakeProcesses, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.json"
    processes.ends[6] = KeyboardInterrupt()
    assert run(path) == 130
    assert "7 cases are left" in capsys.readouterr().err
    assert len(read_results(path).entries) == 5

    processes.measured.clear()
    processes.ends.clear()
    assert run(path) == 0
    told = capsys.readouterr()
    assert "12 cases, 5 of them measured before" in told.err
    assert told.out == f"{path}\n"
    assert len(processes.measured) == 7
    assert {one.case for one in read_results(path).of_last_run()} == EXPECTED

    processes.measured.clear()
    assert run(path) == 0
    assert processes.measured == []
    assert run(path, "--no-resume") == 0
    assert len(processes.measured) == 12


def test_several_workers_measure_the_same_cases(tmp_path: Path, processes: FakeProcesses) -> None:
    assert run(tmp_path / "results.json", "--workers", "3") == 0
    assert len(processes.measured) == len(EXPECTED)
    assert {one.case for one in read_results(tmp_path / "results.json").entries} == EXPECTED


def test_other_settings_another_build_or_other_graphs_are_measured_beside(
    tmp_path: Path, processes: FakeProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.json"
    assert run(path) == 0
    assert run(path, "--deadline", "5") == 0
    assert {one.settings.deadline_s for one in read_results(path).of_last_run()} == {5.0}
    monkeypatch.setattr(Build, "here", classmethod(lambda cls: OTHER_BUILD))
    assert run(path) == 0
    found = read_results(path)
    assert len(processes.measured) == len(found.entries) == 36
    assert {one.build for one in found.of_last_run()} == {OTHER_BUILD}
    assert run(path, "--seed", "1") == 0
    assert len(processes.measured) == 36 + 6, "of two graphs one is new"


def test_a_case_that_fails_does_not_lose_the_others(
    tmp_path: Path, processes: FakeProcesses, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.json"
    failing = cases_of((SMALL,), (0,))[1]
    processes.ends[2] = MeasuringFailedError(failing, "ended with -9: no message")
    assert run(path) == 1
    told = capsys.readouterr().err
    assert f"failed: {failing}: ended with -9" in told
    assert "cases that failed: 1; the same command tries them again" in told
    assert {one.case for one in read_results(path).entries} == EXPECTED - {failing}
    processes.ends.clear()
    assert run(path) == 0
    assert {one.case for one in read_results(path).entries} == EXPECTED


def test_results_of_another_machine_are_not_mixed_in(
    tmp_path: Path, processes: FakeProcesses, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.json"
    write_results(replace(results_of((SMALL,)), machine=replace(Machine.here(), processor="Another")), path)
    before = path.read_bytes()
    assert run(path) == 2
    assert "measured on another machine" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert processes.measured == []
    assert run(path, "--no-resume") == 0


def test_a_file_that_cannot_be_written_is_found_out_before_anything_is_measured(
    tmp_path: Path, processes: FakeProcesses, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert run(tmp_path / "file" / "results.json") == 2
    assert "cannot be" in capsys.readouterr().err
    assert processes.measured == []


@pytest.mark.parametrize(
    "words",
    [
        ("--workers", "0"),
        ("--graphs", "0"),
        ("--seed", "-1"),
        ("--threads", "some"),
        ("--deadline", "0"),
        ("--deadline", "nan"),
        ("--deadline", "inf"),
        ("--repetitions", "0"),
    ],
)
def test_arguments_out_of_range_are_refused(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.parser().parse_args(words)
    assert ended.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_what_is_written_is_read_again_and_names_no_machine_or_path(tmp_path: Path) -> None:
    path = tmp_path / "results" / "results.json"
    results = results_of((SMALL, replace(SMALL, tail_limit=None)))
    write_results(results, path)
    assert read_results(path) == results
    build = Build.here()
    assert len(build.engine_digest) == 12
    text = Results(Machine.here(), build, SETTINGS, ()).to_json().decode()
    assert str(Path.home()) not in text
    assert os.sep not in text.replace("multi-x-serverless/", "")


def test_an_entry_takes_the_place_of_an_earlier_one_of_its_key() -> None:
    results = results_of((SMALL,), graphs=1)
    again = replace(results.entries[0], load=7.0)
    changed = results.with_entry(again)
    assert len(changed.entries) == len(results.entries)
    assert changed.entries[-1] == again
    assert len(results.with_entry(entry(again.case, OTHER_BUILD)).entries) == len(results.entries) + 1


def document(**changes: Any) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(results_of((SMALL,), graphs=1).to_json())
    return {**members, **changes}


def with_entry_changed(part: str, **changes: Any) -> dict[str, Any]:
    members = document()
    members["entries"][0][part].update(changes)
    return members


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (None, UsageError, "there is no file .*run_solver_benchmarks_multiprocess.py"),
        ("", UsageError, "is empty; delete it"),
        ("{", InvalidDocumentError, "is not JSON"),
        ("[]", InvalidDocumentError, "is not a JSON object"),
        (document(schema="multi-x-serverless/solution"), InvalidDocumentError, "field schema"),
        (document(version=2), NewerSchemaError, "is 2, this program reads up to 1"),
        (document(version="1"), InvalidDocumentError, "field version"),
        (document(note="x"), InvalidDocumentError, "field note: is not known"),
        (document(machine={}), InvalidDocumentError, "machine.processor: is missing"),
        (document(entries={}), InvalidDocumentError, "field entries"),
        (with_entry_changed("case", seed="0"), InvalidDocumentError, r"entries\[0\].case.seed"),
        (with_entry_changed("case", solver="magic"), InvalidDocumentError, "there is no solver 'magic'"),
        (with_entry_changed("case", shape={**asdict(SMALL), "regions": 99}), InvalidDocumentError, "99"),
        (with_entry_changed("measurement", host="x"), InvalidDocumentError, r"entries\[0\].measurement.host"),
        (with_entry_changed("measurement", solve_wall_s=[]), InvalidDocumentError, "holds no solve"),
        (with_entry_changed("measurement", peak_mb=None), InvalidDocumentError, "peak_mb"),
    ],
)
def test_what_is_no_results_file_is_refused(
    tmp_path: Path, text: str | dict[str, Any] | None, error: type[Exception], message: str
) -> None:
    path = tmp_path / "results.json"
    if text is not None:
        path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    with pytest.raises(error, match=message):
        read_results(path)


def test_builds_differ_by_what_was_compiled() -> None:
    assert Build.here() == Build.here()
    assert replace(BUILD, engine_digest="f" * 12) != BUILD
