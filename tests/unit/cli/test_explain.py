"""``explain``: tables that a person has read, the whole as JSON, and which arguments go together."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.adaptation.solve import solve_workflow
from multi_x_serverless.cli.explanation_tables import show_explanation
from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.errors import UsageError
from multi_x_serverless.report.explain import explain_problem, explain_workflow
from multi_x_serverless.report.explanation import Explanation
from multi_x_serverless.report.placements import explain_placements
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.problem import SolveSettings
from multi_x_serverless.solving.solution import plan_from_solution
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.cli.golden import check_golden, check_golden_document, table_settings
from tests.unit.core.documents import ENTRY, RESIZE, dump, fan_out_problem, one_node_problem
from tests.unit.deployment.projects import WORKFLOW_ID

NARROW = 80


def example() -> dict[str, Any]:
    problem = fan_out_problem()
    problem["nodes"][2]["allowed"] = ["us-east-1"]
    problem["constraints"]["hard"] = {"runtime": {"type": "absolute", "value": 1.59}}
    problem["constraints"]["soft"] = {"cost": {"type": "relative", "value": 1.1}}
    return problem


def staged(problem: dict[str, Any]) -> Explanation:
    document = dump(problem)
    plan = plan_from_solution(
        LoadedProblem(document).solve("fine-grained"), "fan_out-0.1.0", created_at=1_700_049_600.0, expires_at=2e9
    )
    return explain_placements(document, plan.with_version(3), role="staged", origin="kept")


def shown(
    explanation: Explanation,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    node: str | None = None,
) -> str:
    settings = table_settings(monkeypatch)
    monkeypatch.setenv("COLUMNS", str(NARROW))
    show_explanation(settings, explanation, node=node)
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= NARROW
    return output


def test_the_explanation_of_a_plan(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    check_golden("explain", shown(staged(example()), capsys, monkeypatch))


def test_the_explanation_of_a_node(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    explanation = explain_problem(dump(example()), node=RESIZE)
    check_golden("explain_node", shown(explanation, capsys, monkeypatch, node=RESIZE))


@pytest.mark.parametrize(
    ("rank", "tightest", "sentence"),
    [
        (94, "lower bound", "lower bound of p95, with 95 % confidence,"),
        (95, "estimate", "limit of runtime: p95 1.94 s, at most 1.94 s"),
        (97, "", "p95 1.94 s, with 95 % confidence not above 1.96 s, at most 1.96 s"),
    ],
)
def test_a_relative_limit_is_shown_where_it_is_the_tightest(
    rank: int, tightest: str, sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    explanation = staged(one_node_problem({rank: 0.001}))
    of_node = " ".join(shown(explanation, capsys, monkeypatch, node=ENTRY).split())
    assert "breaks the hard limit of runtime" in of_node
    assert sentence.rsplit(":", maxsplit=1)[-1].strip() in of_node
    # With a wider limit the plan is away, and closest to the limit at this rank.
    problem = one_node_problem({rank: 0.001})
    problem["constraints"]["hard"]["runtime"]["value"] = 1.01
    whole = shown(staged(problem), capsys, monkeypatch)
    # The name of the statistic may be on the next line of its cell.
    assert ("hard: runtime," in whole) == bool(tightest)
    assert tightest.rsplit(" ", maxsplit=1)[-1] in whole
    meaning = f"\n{tightest}: a hard limit relative to home has to hold for three figures: p95 of the scenarios (est"
    assert (meaning in whole.replace("\n  ", " ")) == bool(tightest)


def test_nodes_that_differ_in_their_middle_are_told_apart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [
        f"translate_into_{language}_and_then_publish:entry_0_{number}:{number + 1}"
        for number, language in enumerate(("english", "spanish"))
    ]
    problem = {**example(), "hours": [0]}
    text = json.dumps(problem).replace("resize:entry_0_0:1", names[0]).replace("label:entry_0_1:2", names[1])
    output = shown(staged(json.loads(text)), capsys, monkeypatch)
    cells = [line[1:].partition("  ")[0].strip() for line in output.partition("best other")[2].splitlines()[2:]]
    assert "".join(cells).count(names[0]) == 1
    assert "".join(cells).count(names[1]) == 1


def test_a_function_that_is_one_node_names_it() -> None:
    problem = example()
    (hour, *_) = explain_problem(dump(problem), node=RESIZE.partition(":")[0]).hours
    assert [node.node for node in hour.nodes] == [RESIZE]
    again = json.loads(json.dumps(problem).replace("label:entry_0_1:2", "resize:entry_0_1:2"))
    with pytest.raises(UsageError, match=r"'resize' is several nodes, name one of them: resize:entry_0_0:1, resize"):
        explain_problem(dump(again), node="resize")
    with pytest.raises(UsageError, match="the plan has no node 'crop'; there are entry:entry_point:0, "):
        explain_problem(dump(problem), node="crop")
    with pytest.raises(UsageError, match=r"no node 'resiz' \(did you mean 'resize'\?\); there are entry:"):
        explain_problem(dump(problem), node="resiz")
    with pytest.raises(UsageError, match=rf"did you mean '{RESIZE}'\?"):
        explain_problem(dump(problem), node=RESIZE.replace("_0:", "_1:"))


def test_where_nothing_keeps_the_limits(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    problem = example()
    problem["constraints"]["hard"] = {"runtime": {"type": "absolute", "value": 0.1}}
    problem["hours"] = [0]
    output = shown(explain_problem(dump(problem)), capsys, monkeypatch)
    assert "nothing was found that keeps the hard limits, so everything is home" in " ".join(output.split())
    assert "! breaks a hard limit" in output


def test_a_plan_over_other_data_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    problem = example()
    plan = plan_from_solution(
        LoadedProblem(dump(problem)).solve("fine-grained"), "fan_out-0.1.0", created_at=0.0, expires_at=1.0
    )
    problem["intensity_gco2e_per_kwh"]["ca-central-1"] = [900.0] * 24
    explanation = explain_placements(dump(problem), plan, role="active", origin="rebuilt")
    words = " ".join(shown(explanation, capsys, monkeypatch).split())
    assert "was not kept" in words
    assert "others than those it was made of" in words
    assert "optimal when it was made" in words
    assert "< would be better at these hours" in words
    detail = " ".join(shown(explanation, capsys, monkeypatch, node=None).split())
    assert detail == words
    part = explain_placements(dump(problem), plan, role="active", origin="rebuilt", node=RESIZE)
    assert "the plan was made of other data" in " ".join(shown(part, capsys, monkeypatch, node=RESIZE).split())


def test_every_verdict_has_a_mark_that_is_explained() -> None:
    from typing import get_args  # noqa: PLC0415

    from multi_x_serverless.cli.explanation_tables import _NOTES, MARKS  # noqa: PLC0415
    from multi_x_serverless.report.explanation import Verdict  # noqa: PLC0415

    assert set(MARKS) == set(get_args(Verdict))
    assert set(MARKS.values()) - {""} <= set(_NOTES)


def rounded(value: Any) -> Any:
    """The same with numbers of six digits: the last ones are the processor's."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: rounded(entry) for name, entry in value.items()}
    return [rounded(entry) for entry in value] if isinstance(value, list) else value


def test_the_whole_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "problem.json"
    path.write_bytes(dump(example()))
    arguments = ["--output", "json", "explain", "--problem", str(path), "--hour", "0", "--node", RESIZE]
    assert run(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "multi-x-serverless/cli/explain"
    check_golden_document("explain_json", json.dumps(rounded(document), indent=2))


def test_a_document_is_read_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(dump(example()))))
    assert run(["explain", "--problem", "-"]) == 0
    assert "moved alone" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["hello-0.0.1", "--problem", "x.json"],
        ["--problem", "x.json", "--fresh"],
        ["--problem", "x.json", "--plan", "staged"],
        ["hello-0.0.1", "--plan", "active", "--fresh"],
        ["hello-0.0.1", "--hour", "24"],
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", *arguments]) == 2
    assert "Usage:" in capsys.readouterr().err


def test_an_unknown_node_is_named_with_those_there_are(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "problem.json"
    path.write_bytes(dump(example()))
    assert run(["explain", "--problem", str(path), "--node", "nobody"]) == 2
    assert RESIZE in capsys.readouterr().err


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    cloud = deployed_example(tmp_path, runs=30)

    @contextmanager
    def open_cloud(_settings: Settings, *, exclusive: bool = True) -> Iterator[Cloud]:
        assert not exclusive, "explaining changes nothing"
        yield cloud

    monkeypatch.setattr(Settings, "open_cloud", open_cloud)
    return cloud


def test_a_home_only_plan_was_asked_of_no_solver(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.regions
    assert run(["explain", WORKFLOW_ID]) == 0
    output = capsys.readouterr().out
    assert "no solver was asked" in output
    assert f"solve {WORKFLOW_ID}" in output
    assert run(["--output", "json", "explain", WORKFLOW_ID]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["plan"] == {"role": "active", "version": 1, "solver": "none"}
    assert document["hours"] == []
    assert run(["explain", WORKFLOW_ID, "--plan", "staged"]) == 1


def test_a_staged_plan_of_a_workflow(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    solve_workflow(cloud, WORKFLOW_ID, settings=SolveSettings(scenarios=100, validation_scenarios=100))
    assert run(["explain", WORKFLOW_ID]) == 0
    assert f"Plan 2 of {WORKFLOW_ID}, staged" in capsys.readouterr().out
    assert run(["--output", "json", "explain", WORKFLOW_ID, "--fresh", "--hour", "5"]) == 0
    assert [entry["hour"] for entry in json.loads(capsys.readouterr().out)["hours"]] == [5]
    found = explain_workflow(cloud, WORKFLOW_ID)
    assert isinstance(found, Explanation)
    assert found.basis.runs == 30
