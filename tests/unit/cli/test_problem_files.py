"""``simulate`` and ``solve --problem``: documents in, tables or JSON out, no cloud, no project."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.cli.main import run
from tests.unit.core.documents import dump, fan_out_problem, one_node_problem


def _write(directory: Path, problem: dict[str, Any]) -> str:
    path = directory / "problem.json"
    path.write_bytes(dump(problem))
    return str(path)


def _limited(runtime: float) -> dict[str, Any]:
    problem = fan_out_problem()
    problem["constraints"]["hard"] = {"runtime": {"type": "relative", "value": runtime}}
    return problem


def _json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_solved_and_simulated_placements_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem, solution = _write(tmp_path, _limited(1.1)), str(tmp_path / "solution.json")
    assert run(["--output", "json", "solve", "--problem", problem, "-o", solution]) == 0
    solved = _json(capsys)
    assert solved["workflow_id"] == "fan_out-0.1.0"
    assert solved["staged_plan_version"] is None
    assert json.loads(Path(solution).read_text()) == solved["solution"]
    assert run(["--output", "json", "simulate", problem, "--placement", solution]) == 0
    simulated = _json(capsys)
    assert simulated["problem_hash"] == solved["solution"]["problem_hash"]
    for found, expected in zip(simulated["hours"], solved["solution"]["hours"], strict=True):
        assert found["metrics"] == expected["metrics"]


def test_tables_show_metrics_and_margins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = _write(tmp_path, _limited(1.1))
    assert run(["simulate", problem, "--placement", "ca-central-1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.strip().startswith("CO2eq") for line in lines) == 2, "carbon differs between the hours"
    assert sum(line.strip().startswith("time") for line in lines) == 1, "time does not"
    (limit,) = (line for line in lines if "hard: runtime" in line)
    assert limit.split()[-1] == "yes"
    assert run(["solve", "--problem", problem]) == 0
    output = capsys.readouterr().out
    assert "Plan: region per node and hours" in output
    assert "Nothing was staged." in output


def test_tables_name_what_a_relative_limit_is_the_tightest_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = _write(tmp_path, one_node_problem({95: 0.001}))
    assert run(["simulate", problem, "--placement", "ca-central-1"]) == 4
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "hard: runtime" in line)
    assert "estimate" in row
    assert row.split()[-1] == "NO"
    unmet = one_node_problem({95: -0.002})
    unmet["constraints"]["hard"]["runtime"]["value"] = 0.95
    assert run(["solve", "--problem", _write(tmp_path, unmet)]) == 4
    output = " ".join(capsys.readouterr().out.split())
    assert "VIOLATED" in output
    assert "runtime (p95, estimate) can be 1.94 s at the least, the limit is 1.84 s." in output


def test_the_frontier_of_an_hour_has_numbered_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = _write(tmp_path, fan_out_problem())
    assert run(["--output", "json", "solve", "--problem", problem, "--pareto", "--hour", "12", "--frontier", "0"]) == 0
    document = _json(capsys)
    pareto = document["pareto"]
    assert (pareto["hour"], pareto["tolerance"], pareto["complete"]) == (12, 0.0, True)
    assert [point["number"] for point in pareto["points"]] == list(range(1, len(pareto["points"]) + 1))
    assert all(hour["frontier"] is None for hour in document["solution"]["hours"]), "of one hour only"
    assert document["picked"] is None
    assert run(["solve", "--problem", problem, "--pareto"]) == 0
    output = capsys.readouterr().out
    assert "point" in output[output.index("Pareto frontier") :]
    assert "within 1.0 % in each" in " ".join(output.split())
    assert run(["solve", "--problem", problem]) == 0
    assert "Pareto" not in capsys.readouterr().out
    assert run(["solve", "--problem", problem, "--pareto", "--hour", "5"]) == 2
    assert "planned are 0, 12" in capsys.readouterr().err


def test_standard_input_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (["simulate", "-", "--placement", "all-home"], ["solve", "--problem", "-"]):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(dump(fan_out_problem()))))
        assert run(arguments) == 0
        assert "CO2eq" in capsys.readouterr().out


def test_options_go_before_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = _write(tmp_path, fan_out_problem())
    assert run(["--output", "json", "solve", "--problem", problem, "-s", "heuristic", "--seed", "9"]) == 0
    solution = _json(capsys)["solution"]
    assert (solution["solver"], solution["seed"]) == ("heuristic", 9)
    assert run(["--output", "json", "solve", "--problem", problem, "--threads", "1", "--deadline", "20"]) == 0
    solution = _json(capsys)["solution"]
    assert (solution["solver"], solution["seed"]) == ("fine-grained", 1)


def test_limits_that_nothing_keeps_end_with_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = _write(tmp_path, _limited(0.1))
    assert run(["solve", "--problem", problem]) == 4
    assert "No placement meets the hard limits" in capsys.readouterr().out
    assert run(["simulate", problem, "--placement", "all-home"]) == 4
    assert "NO" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["solve", "--problem"], ["simulate", "--placement", "all-home"]])
def test_bad_documents_end_with_2_and_the_path_of_the_field(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = fan_out_problem()
    problem["nodes"][2]["memory_mb"] = -1
    assert run(["--output", "json", *command, _write(tmp_path, problem)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    error = json.loads(captured.err)["error"]
    assert (error["code"], error["path"], error["reason"]) == ("invalid-problem", "nodes[2].memory_mb", "out-of-range")
    assert run([*command, str(tmp_path / "missing.json")]) == 2
    assert "missing.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["solve"],
        ["solve", "hello-0.0.1", "--problem", "x.json"],
        ["solve", "--problem", "x.json", "--dry-run"],
        ["solve", "--problem", "x.json", "--transmission", "best"],
        ["solve", "--problem", "x.json", "--pick", "1"],
        ["solve", "--problem", "x.json", "--hour", "3"],
        ["solve", "hello-0.0.1", "--pick", "0"],
        ["simulate", "x.json"],
        ["simulate", "x.json", "--placement", "all-home", "--hour", "24"],
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert "Usage:" in capsys.readouterr().err


def test_a_solution_that_cannot_be_written_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = tmp_path / "missing" / "solution.json"
    assert run(["solve", "--problem", _write(tmp_path, fan_out_problem()), "-o", str(nowhere)]) == 2
    assert f"cannot write {nowhere}" in capsys.readouterr().err


def test_a_placement_that_does_not_fit_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    placement = tmp_path / "placement.json"
    placement.write_text('{"entry:entry_point:0": "us-east-1"}')
    problem = _write(tmp_path, fan_out_problem())
    assert run(["--output", "json", "simulate", problem, "--placement", str(placement)]) == 2
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "invalid-placement"
    assert run(["simulate", problem, "--placement", "mars-north-1"]) == 2
    assert "ca-central-1" in capsys.readouterr().err


def test_percentiles_are_named_as_the_document_has_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = _limited(1.3)
    problem["settings"] |= {"tail": 0.8, "confidence": 0.9}
    assert run(["solve", "--problem", _write(tmp_path, problem), "--pareto"]) == 0
    output = capsys.readouterr().out
    assert "p80" in output
    assert "90 % confidence" in output
    assert "p95" not in output
    assert "95 % confidence" not in output


def test_what_a_solver_does_not_find_is_not_said_not_to_be_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything away is too slow, everything home emits too much; a node alone away is neither."""
    problem = fan_out_problem()
    problem["hours"] = [0]
    problem["constraints"]["hard"] = {
        "runtime": {"type": "relative", "value": 1.02},
        "carbon": {"type": "relative", "value": 0.9},
    }
    file = _write(tmp_path, problem)
    assert run(["solve", "--problem", file]) == 0
    assert "hard limits at hours" not in capsys.readouterr().out
    assert run(["solve", "--problem", file, "-s", "coarse-grained"]) == 4
    said = " ".join(capsys.readouterr().out.split())
    assert "The coarse-grained solver found no placement that meets the hard limits at hours 0 (UTC)." in said
    assert "There may be one: -s fine-grained." in said
    assert "Each limit can be met for itself, but they were not met together." in said
    assert "No placement meets" not in said

    problem["constraints"]["hard"] = {"runtime": {"type": "absolute", "value": 0.001}}
    assert run(["solve", "--problem", _write(tmp_path, problem)]) == 4
    said = " ".join(capsys.readouterr().out.split())
    assert "No placement meets the hard limits at hours 0 (UTC)." in said
    assert "There may be one" not in said


def test_names_between_colons_are_no_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = _write(tmp_path, fan_out_problem())
    named = Path(problem).read_text(encoding="utf-8").replace("label:entry_0_1:2", "label:100:2")
    Path(problem).write_text(named, encoding="utf-8")
    assert run(["solve", "--problem", problem]) == 0
    assert "label:100:2" in capsys.readouterr().out
