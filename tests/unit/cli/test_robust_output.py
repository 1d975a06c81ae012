"""Robust planning on the command line: which options go together, and which carbon is called what."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.adaptation.other_placements import with_expectations
from multi_x_serverless.adaptation.robustness import placements_without_intervals, plan_without_robustness
from multi_x_serverless.adaptation.savings import expected_of
from multi_x_serverless.cli.commands.report import show_report
from multi_x_serverless.cli.commands.status import show_status
from multi_x_serverless.cli.explanation_tables import show_explanation
from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cli.solution_tables import RobustView, show_frontier, show_solution
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import EXIT_OK, EXIT_USAGE
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.report.page.savings_section import trade_offs_section
from multi_x_serverless.report.placements import explain_placements
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.solution import Solution, plan_from_solution
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.cli.golden import check_golden, table_settings
from tests.unit.cli.test_golden_output import report
from tests.unit.core.documents import ENTRY, JOIN, LABEL, RESIZE, dump, fan_out_problem
from tests.unit.deployment.projects import WORKFLOW_ID
from tests.unit.report.page.reports import OBSERVED, report_of

CASE = "in the case least favourable to moving"


def robust_problem() -> dict[str, Any]:
    """Quebec's hours are 30 and 300 gCO2eq/kWh against 400: with 20 % either way it stays the better one at night."""
    problem = fan_out_problem()
    problem["intensity_gco2e_per_kwh"]["ca-central-1"] = [30.0] * 12 + [300.0] * 12
    problem["intensity_interval"] = {"low_factor": 0.8, "high_factor": 1.25}
    problem["transmission"]["interval"] = {"low_factor": 1.0, "high_factor": 5.0, "intra_high_factor": 0.0}
    problem["provenance"] |= {"carbon_interval": "given by hand", "transmission_interval": "the published presets"}
    return problem


def solved(problem: dict[str, Any]) -> tuple[Solution, Plan, Plan]:
    """A solution but for the time it took, its plan, and the plan without intervals."""
    solution = replace(LoadedProblem(dump(problem)).solve("fine-grained"), elapsed_s=0.0123)
    plan = plan_from_solution(solution, "fan_out-0.1.0", created_at=1_700_049_600.0, expires_at=2e9).with_version(3)
    plan = with_expectations(plan, dump(problem))
    placements = placements_without_intervals(dump(problem), "fine-grained", deadline_s=60.0, taken_s=0.0)
    return solution, plan, plan_without_robustness(plan, placements, dump(problem))


# -- tables ------------------------------------------------------------------------------------------------------------


def test_solve_shows_both_cases_and_what_planning_robustly_gives_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    solution, plan, plain = solved(robust_problem())
    assert plan.robust is not None
    view = RobustView(plan.robust, plan, plain)
    show_solution(table_settings(monkeypatch), [ENTRY, RESIZE, LABEL, JOIN], solution, view)
    check_golden("solve_robust", capsys.readouterr().out)


def test_a_comparison_with_a_plan_that_was_not_settled_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    solution, plan, plain = solved(robust_problem())
    first, *others = plain.hours
    unsettled = replace(first, certificate=replace(first.certificate, status="timed_out"))
    assert plan.robust is not None
    view = RobustView(plan.robust, plan, replace(plain, hours=(unsettled, *others)))
    show_solution(table_settings(monkeypatch), [ENTRY, RESIZE, LABEL, JOIN], solution, view)
    words = " ".join(capsys.readouterr().out.split())
    assert (
        f"vs home Time was up before the plan without --robust was settled at hours {first.hour} (UTC): there may be a "
        "better one, and more be given up. --deadline allows more."
    ) in words


def test_an_explanation_of_a_robust_plan(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _, plan, _ = solved(robust_problem())
    explanation = explain_placements(dump(robust_problem()), plan, role="staged", origin="kept")
    show_explanation(table_settings(monkeypatch), explanation, node=None)
    check_golden("explain_robust", capsys.readouterr().out)


def test_a_report_of_a_robust_plan_is_of_what_is_expected(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plan, _ = solved(robust_problem())
    found = replace(report(expected_of(plan), OBSERVED), plan=plan)
    show_report(table_settings(monkeypatch), found)
    output = capsys.readouterr().out
    check_golden("report_robust", output[: output.index("Observed runs")])


def test_a_frontier_names_its_case(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = LoadedProblem(dump(robust_problem()))
    found = loaded.frontier_beside(loaded.solve("fine-grained"), 0, tolerance=0.1)
    show_frontier(table_settings(monkeypatch), found, tail=0.95, is_robust=True)
    assert f"00:00 UTC, in the planning scenarios, {CASE}" in " ".join(capsys.readouterr().out.split())


def test_the_page_names_the_case_of_its_trade_offs() -> None:
    data = report_of()
    assert CASE not in trade_offs_section(data)
    assert data.trade_offs is not None
    robust = replace(data, trade_offs=replace(data.trade_offs, is_robust=True))
    assert f"Carbon is that {CASE}: the plan is a robust one." in trade_offs_section(robust)


def test_documents_with_intervals_say_so_whoever_reads_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "problem.json"
    path.write_bytes(dump(robust_problem()))
    for command in (
        ["solve", "--problem", str(path)],
        ["explain", "--problem", str(path)],
        ["simulate", str(path), "--placement", "all-home"],
    ):
        assert run(command) == EXIT_OK
        words = " ".join(capsys.readouterr().out.split())
        assert f"{CASE}, not what is expected: home's grid at 0.8 times its forecast" in words
        assert "every other grid at 1.25 times its own" in words
        assert "bytes between regions at 0.005 kWh/GB and within one at 0" in words
        assert run(["--output", "json", *command]) == EXIT_OK
        document = json.loads(capsys.readouterr().out)
        robust = document["basis"]["robust"] if "basis" in document else document["robust"]
        assert robust["carbon_factors"] == {"low": 0.8, "high": 1.25, "origin": "given by hand"}
        assert robust["transmission_kwh_per_gb"]["high"] == 0.005
    path.write_bytes(dump(fan_out_problem()))
    assert run(["solve", "--problem", str(path)]) == EXIT_OK
    assert "least favourable" not in capsys.readouterr().out


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    cloud = deployed_example(tmp_path, runs=30)
    monkeypatch.setattr(Settings, "open_cloud", lambda *_, **__: nullcontext(cloud))
    return cloud


def document_of(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert run(["--output", "json", "solve", WORKFLOW_ID, *options]) == EXIT_OK
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_the_document_has_the_intervals_and_what_is_expected(
    cloud: FakeCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert document_of(capsys, "--dry-run")["robust"] is None
    document = document_of(capsys, "--robust")
    robust = document["robust"]
    assert document["solution"]["robust"] is True
    assert robust["carbon_factors"]["low"] < 1.0 < robust["carbon_factors"]["high"]
    assert robust["carbon_factors"]["origin"].startswith("2 mean absolute errors of the forecasts: home us-east-1")
    energy = robust["transmission_kwh_per_gb"]
    assert (energy["low"], energy["high"]) == (pytest.approx(0.001), pytest.approx(0.005))
    assert robust["within_region_kwh_per_gb"] == 0.0
    hour = document["solution"]["hours"][0]["validation"]
    assert robust["expected"]["home"]["carbon_gco2eq"] > hour["home_metrics"]["carbon"]["mean"]
    assert robust["without_robust_timed_out_hours"] == []
    assert robust["without_robust"]["plan"]["carbon_gco2eq"] <= robust["expected"]["plan"]["carbon_gco2eq"]
    staged = PlanStore(cloud).staged(WORKFLOW_ID)
    assert staged is not None
    assert staged.robust is not None
    assert staged.robust.to_members() == {
        name: value
        for name, value in robust.items()
        if name not in ("expected", "without_robust", "without_robust_timed_out_hours")
    }
    assert run(["--output", "json", "status", WORKFLOW_ID]) == EXIT_OK
    assert json.loads(capsys.readouterr().out)["staged_plan"]["robust"] == staged.robust.to_members()
    assert run(["status", WORKFLOW_ID]) == EXIT_OK
    assert "(fine-grained, robust)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "value", "name", "interval"),
    [
        ("--carbon-interval", "0.8,1.25", "carbon_factors", (0.8, 1.25)),
        ("--carbon-interval", "1, 1", "carbon_factors", (1.0, 1.0)),
        ("--transmission-interval", "0.001,0.06", "transmission_kwh_per_gb", (0.001, 0.06)),
    ],
)
def test_an_interval_that_is_named_is_taken_and_is_enough(
    cloud: FakeCloud,
    capsys: pytest.CaptureFixture[str],
    option: str,
    value: str,
    name: str,
    interval: tuple[float, float],
) -> None:
    found = document_of(capsys, option, value, "--dry-run")["robust"][name]
    assert (found["low"], found["high"]) == (pytest.approx(interval[0]), pytest.approx(interval[1]))
    assert found["origin"] == "given by hand"
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None


def test_an_interval_of_nothing_is_what_is_expected(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    plain = document_of(capsys, "--dry-run")["solution"]
    none = document_of(capsys, "--carbon-interval", "1,1", "--transmission-interval", "0.001,0.001", "--dry-run")[
        "solution"
    ]
    for before, after in zip(plain["hours"], none["hours"], strict=True):
        assert after["placement"] == before["placement"]
        assert after["validation"]["metrics"] == before["validation"]["metrics"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--carbon-interval", "1.1,1.2"],
            "its low end is above 0 and at most 1, its high end at least 1, not 1.1 and",
        ),
        (["--carbon-interval", "0.8,0.9"], "its high end at least 1, not 0.8 and 0.9"),
        (["--carbon-interval", "0,1.2"], "above 0"),
        (["--carbon-interval", "-0.1,1.2"], "above 0"),
        (["--carbon-interval", "20%"], "'20%' is not two numbers with a comma between them"),
        (["--carbon-interval", "0.8,1,1.2"], "is not two numbers"),
        (["--carbon-interval", "0.8,inf"], "is not an interval between two finite numbers"),
        (["--transmission-interval", "0.005,0.001"], "in kWh/GB, begins at 0 or above and ends above that"),
        (
            ["--transmission-interval", "0.002,0.005"],
            "expected to be 0.001 kWh/GB (preset 'best'), which is not within",
        ),
        (["--transmission-interval", "0.001,0.002", "--transmission", "worst"], "expected to be 0.005 kWh/GB"),
        (["--no-robust", "--carbon-interval", "0.8,1.2"], "--no-robust plans without intervals"),
    ],
)
def test_nonsense_is_refused_before_anything_is_staged(
    cloud: FakeCloud, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert run(["solve", WORKFLOW_ID, *options]) == EXIT_USAGE
    assert words in " ".join(capsys.readouterr().err.split())
    assert PlanStore(cloud).staged(WORKFLOW_ID) is None


@pytest.mark.parametrize(
    "options",
    [["--robust"], ["--no-robust"], ["--carbon-interval", "0.8,1.2"], ["--transmission-interval", "0.001,0.005"]],
)
def test_a_problem_document_has_its_own_intervals(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "problem.json"
    path.write_bytes(dump(fan_out_problem()))
    assert run(["solve", "--problem", str(path), *options]) == EXIT_USAGE
    assert "--problem holds all there is to solve, intervals too" in " ".join(capsys.readouterr().err.split())


def test_a_robust_point_that_is_picked_is_named_in_the_table(
    cloud: FakeCloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    assert run(["solve", WORKFLOW_ID, "--robust", "--pick", "1"]) == EXIT_OK
    output = capsys.readouterr().out
    expected = output[output.index("Expected:") :]
    assert "point 1, at all hours" in expected[: expected.index("the plan without --robust")]
    staged = PlanStore(cloud).staged(WORKFLOW_ID)
    assert staged is not None
    assert staged.robust is not None
    show = table_settings(monkeypatch)
    from multi_x_serverless.adaptation.status import workflow_status  # noqa: PLC0415

    show_status(show, workflow_status(cloud, WORKFLOW_ID), cloud.now())
    assert "robust" in capsys.readouterr().out
