"""`benchmarks.run` and `benchmarks.plan`: on small projects made here, on the embedded cloud."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import plan, run
from benchmarks.suite.discovery import Benchmark, find_benchmarks
from benchmarks.suite.execution import measure
from benchmarks.suite.planning import REGION_SETS, in_regions, plan_over_regions, seen_at
from benchmarks.suite.tables import aligned
from multi_x_serverless.errors import NotEnoughDataError, UsageError
from multi_x_serverless.model.config_types import WorkflowConfiguration
from multi_x_serverless.model.run import FailedAttempt
from multi_x_serverless.solving.problem import WorkflowModel
from tests.unit.solving.workflows import embedded_signals, observed_runs, workflow

APP = """\
from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="NAME", version="0.0.1")


@workflow.serverless_function(name="start", entry_point=True)
def start(event):
    if event["fails"]:
        raise ValueError("it was asked to fail")
    workflow.invoke_serverless_function(end, workflow.read_object("data.txt"), conditional=event["calls"])


@workflow.serverless_function(name="end")
def end(body):
    return body.decode()
"""
CONFIGURATION = """\
workflow_name: NAME
workflow_version: 0.0.1
home_region: {provider: aws, region: us-east-1}
regions_and_providers: {allowed_regions: [us-east-1, us-west-2]}
"""
CALLS, DECLINES, FAILS = ({"fails": False, "calls": True}, {"fails": False, "calls": False}, {"fails": True})


def make_project(root: Path, name: str, *events: object) -> Benchmark:
    project = root / name
    (project / ".multi-x-serverless").mkdir(parents=True)
    (project / "app.py").write_text(APP.replace("NAME", name), encoding="utf-8")
    (project / ".multi-x-serverless" / "config.yml").write_text(CONFIGURATION.replace("NAME", name), encoding="utf-8")
    commands = [f"objects put {name}-0.0.1 data.txt", *(f"run {name}-0.0.1 -a '{json.dumps(one)}'" for one in events)]
    (project / "README.md").write_text("".join(f"$ multi_x_serverless --cloud local {one}\n" for one in commands))
    (project / "data.txt").write_text("data", encoding="utf-8")
    return Benchmark(name, project)


def test_every_folder_with_a_project_is_a_benchmark(tmp_path: Path) -> None:
    make_project(tmp_path, "two", CALLS)
    make_project(tmp_path, "one", CALLS)
    (tmp_path / "no_project").mkdir()
    (tmp_path / "no_project" / "app.py").touch()
    assert [one.name for one in find_benchmarks(root=tmp_path)] == ["one", "two"]
    assert [one.name for one in find_benchmarks(["two"], tmp_path)] == ["two"]
    with pytest.raises(UsageError, match="no benchmark 'three'; there are one, two"):
        find_benchmarks(["three"], tmp_path)


def test_the_sample_input_is_what_the_readme_says(tmp_path: Path) -> None:
    benchmark = make_project(tmp_path, "one", CALLS, DECLINES)
    more = [
        "objects put one-0.0.1 ../a.bin --key pictures/a.bin",
        "run one-0.0.1 --arguments-file events.jsonl",
        "status one-0.0.1",
        "--yes remove one",
    ]
    with (benchmark.project / "README.md").open("a") as readme:
        readme.write(
            "".join(f"$ multi_x_serverless {one}\n" for one in (*more, "status one-0.0.1", "--yes remove one"))
        )
    (benchmark.project / "events.jsonl").write_text("1\n\n[2]\n")
    sample = benchmark.sample()
    assert sample.inputs(6) == [CALLS, DECLINES, 1, [2], CALLS, DECLINES]
    assert sample.objects == {
        "data.txt": benchmark.project / "data.txt",
        "pictures/a.bin": benchmark.project / ".." / "a.bin",
    }


@pytest.mark.parametrize(
    "readme",
    [
        None,
        "",
        "$ multi_x_serverless run one-0.0.1 -a '{'\n",
        "$ multi_x_serverless run one-0.0.1 -a '{}\n",
        "$ multi_x_serverless run one-0.0.1 -a\n",
        "$ multi_x_serverless run one-0.0.1 --arguments-file missing.jsonl\n",
        "$ multi_x_serverless objects put one-0.0.1\n",
    ],
    ids=["missing", "no run", "damaged input", "open quote", "no input", "missing file", "no object"],
)
def test_sample_input_that_cannot_be_read_is_refused(tmp_path: Path, readme: str | None) -> None:
    benchmark = make_project(tmp_path, "one", CALLS)
    file = benchmark.project / "README.md"
    file.unlink() if readme is None else file.write_text(readme)
    with pytest.raises(UsageError, match=r"README\.md"):
        benchmark.sample()


def test_a_benchmark_that_fails_stops_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = make_project(tmp_path, "broken", CALLS)
    (broken.project / "app.py").write_text("def", encoding="utf-8")
    benchmarks = [broken, make_project(tmp_path, "fails", FAILS, CALLS), make_project(tmp_path, "works", CALLS)]
    first, second, third = run.run_all(benchmarks, 2, tmp_path / "state")
    assert (first.runs, first.failures, first.mean_s) == (2, 2, None)
    assert "app.py" in first.problem
    assert (second.runs, second.failures, second.nodes) == (2, 1, 2)
    assert second.problem.endswith("ValueError: it was asked to fail")
    assert (third.runs, third.failures, third.nodes, third.problem) == (2, 0, 2, "")
    # One worker for each function, started by the first run and used again by the second.
    assert third.cold_starts == 2
    assert third.mean_s is not None
    assert third.mean_s > 0
    capsys.readouterr()


def test_the_exit_code_tells_of_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = (make_project(tmp_path, "fails", FAILS), make_project(tmp_path, "works", CALLS))
    monkeypatch.setattr(run, "find_benchmarks", lambda only: tuple(one for one in found if one.name in only))
    document = tmp_path / "results.json"
    assert run.main(["--only", "works", "--runs", "1", "--json", str(document)]) == 0
    (one,) = json.loads(document.read_bytes())["benchmarks"]
    assert (one["name"], one["failures"]) == ("works", 0)
    monkeypatch.setenv("COLUMNS", "80")
    assert run.main(["--only", "fails", "--only", "works", "--runs", "1"]) == 1
    answer = capsys.readouterr()
    assert max(map(len, answer.out.splitlines())) <= 80
    assert [line.split()[:3] for line in answer.out.splitlines() if line.startswith(("fails", "works"))] == [
        ["works", "1", "0"],
        ["fails", "1", "1"],
        ["works", "1", "0"],
    ]
    assert "error: fails: start:entry_point:0: ValueError: it was asked to fail" in " ".join(answer.err.split())


@pytest.mark.parametrize("command", [run.main, plan.main])
def test_an_unknown_name_is_refused(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(command)
    assert command(["--only", "nothing"]) == 2
    assert "there is no benchmark 'nothing'; there are dna_visualization," in capsys.readouterr().err


def test_plans_rest_on_the_runs_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = (make_project(tmp_path, "ran", CALLS, DECLINES), make_project(tmp_path, "did_not", CALLS))
    monkeypatch.setattr(plan, "find_benchmarks", lambda _only: found)
    state, document = tmp_path / "state", tmp_path / "plans.json"
    monkeypatch.setenv("COLUMNS", "80")
    assert measure(state, found[0], 4).failures == 0
    assert plan.main(["--state-dir", str(state), "--runs", "3", "--json", str(document)]) == 0
    planned = json.loads(document.read_bytes())
    assert planned["simulated"] is True
    runs = {one["benchmark"]: one["runs"] for one in planned["planned"]}
    assert runs == {"ran": 4, "did_not": 3}
    combinations = [(one["benchmark"], one["regions"], one["transmission"]) for one in planned["planned"]]
    assert combinations == [
        (name, regions, preset)
        for name in ("ran", "did_not")
        for regions in REGION_SETS
        for preset in ("best", "worst")
    ]
    for one in planned["planned"]:
        assert one["home_region"] == REGION_SETS[one["regions"]][0]
        assert set(one["plan_regions"]) <= set(REGION_SETS[one["regions"]])
        # Carbon comes first in the order: the plan is the proven least of it over the scenarios it was chosen by, and
        # over fresh ones hardly anything above the others.
        assert one["is_proven"]
        assert one["plan"]["carbon_gco2eq"] <= one["single"]["carbon_gco2eq"] * 1.02
        assert one["single"]["carbon_gco2eq"] <= one["home"]["carbon_gco2eq"] * 1.02
        assert one["provenance"]["transmission"] == f"preset '{one['transmission']}'"
    shown = capsys.readouterr().out
    said = shown[shown.index("All figures are simulated") :]
    assert max(map(len, said.splitlines())) <= 80
    assert "ran: All figures rest on 4 observed runs" in shown


def test_a_benchmark_that_cannot_be_run_is_not_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = (make_project(tmp_path, "fails", FAILS), make_project(tmp_path, "works", CALLS))
    monkeypatch.setattr(plan, "find_benchmarks", lambda _only: found)
    assert plan.main(["--runs", "1"]) == 1
    answer = capsys.readouterr()
    assert "error: fails: 1 of 1 runs failed: start:entry_point:0: ValueError: it was asked to fail" in answer.err
    assert answer.out.startswith("works\n")


def test_the_home_and_its_data_move_with_the_set() -> None:
    model = workflow(pinned=("receive",))
    pinned = next(name for name, one in model.functions.items() if len(one.allowed_regions) == 1)
    data_regions = {pinned: model.configuration.home_region, "elsewhere": "sa-east-1"}
    model = replace(model, configuration=replace(model.configuration, data_regions=data_regions))
    moved = in_regions(model, REGION_SETS["Europe"])
    assert moved.configuration.home_region == "eu-central-1"
    assert moved.configuration.data_regions == {pinned: "eu-central-1", "elsewhere": "sa-east-1"}
    assert moved.functions[pinned].allowed_regions == ("eu-central-1",)
    others = [one.allowed_regions for name, one in moved.functions.items() if name != pinned]
    assert others
    assert set(others) == {REGION_SETS["Europe"]}


def test_runs_move_with_their_home_and_nothing_else_changes() -> None:
    model = workflow()
    home = model.configuration.home_region
    before = observed_runs()[0]
    node = replace(before.nodes[0], sent_bytes={home: 1.0, "sa-east-1": 2.0}, received_bytes={home: 3.0})
    before = replace(before, nodes={**before.nodes, 0: node})
    after = seen_at(before, home, "eu-central-1")
    assert after.nodes[0].sent_bytes == {"eu-central-1": 1.0, "sa-east-1": 2.0}
    assert after.nodes[0].received_bytes == {"eu-central-1": 3.0}
    assert seen_at(after, "eu-central-1", home) == before
    assert all(one.region == "eu-central-1" for index, one in after.nodes.items() if before.nodes[index].region == home)


def test_what_both_homes_had_is_of_the_new_one() -> None:
    (run_at_home,) = observed_runs(1)
    data = replace(
        run_at_home.nodes[0],
        sent_bytes={"us-west-2": 3.0, "us-east-1": 5.0},
        received_bytes={"us-east-1": 100.0, "us-west-2": 7.0, "eu-west-1": 1.0},
    )
    before = replace(run_at_home, nodes={**run_at_home.nodes, 0: data})
    moved = seen_at(before, "us-east-1", "us-west-2").nodes[0]
    assert moved.sent_bytes == {"us-west-2": 8.0}
    assert moved.received_bytes == {"us-west-2": 107.0, "eu-west-1": 1.0}


def test_failed_attempts_move_with_their_home() -> None:
    (run_at_home,) = observed_runs(1)
    attempts = (FailedAttempt(0, "us-east-1", 1.0), FailedAttempt(1, "eu-west-1", 2.0))
    moved = seen_at(replace(run_at_home, failed_attempts=attempts), "us-east-1", "us-west-2")
    assert moved.failed_attempts == (FailedAttempt(0, "us-west-2", 1.0), FailedAttempt(1, "eu-west-1", 2.0))


def test_without_runs_there_is_no_plan() -> None:
    model: WorkflowModel = workflow()
    assert isinstance(model.configuration, WorkflowConfiguration)
    with pytest.raises(NotEnoughDataError):
        plan_over_regions("none", model, (), embedded_signals())


def test_tables_are_aligned() -> None:
    shown = aligned(("name", "where", "count"), [("a", "here", "1"), ("longer", "x", "1234")], names=2)
    assert shown.splitlines() == [
        "name    where  count",
        "------  -----  -----",
        "a       here       1",
        "longer  x       1234",
    ]
