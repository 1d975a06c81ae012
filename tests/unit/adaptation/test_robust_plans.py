"""Robust plans of a deployed workflow: what they say is expected, what in the case they are made for, and checks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import CheckSettings, check_solver
from multi_x_serverless.adaptation.savings import expected_of
from multi_x_serverless.adaptation.solve import SolveOutcome, TradeOffs, solve_workflow
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.robust import Interval
from multi_x_serverless.report.explain import explain_anew, explain_workflow
from multi_x_serverless.report.explanation import Explanation
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.problem import SolveSettings
from multi_x_serverless.solving.robust import RobustSettings
from multi_x_serverless.solving.robust_problem import without_intervals
from multi_x_serverless.solving.solution import PlacedHour, Solution
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.deployment.projects import CONFIGURATION, WORKFLOW_ID

HOME = "us-east-1"
SETTINGS = SolveSettings(hours=(0, 12), scenarios=100, validation_scenarios=100)
NOTHING_PAYS = RobustSettings(carbon_factors=Interval(0.05, 20.0))
"""Quebec's grid, at twenty times its forecast, is dirtier than Virginia's at a twentieth."""

ROBUST = CONFIGURATION + "robust: true\n"


def solved(cloud: FakeCloud, robust: RobustSettings | None, trade_offs: TradeOffs | None = None) -> SolveOutcome:
    return solve_workflow(cloud, WORKFLOW_ID, settings=replace(SETTINGS, robust=robust), trade_offs=trade_offs)


def test_a_robust_plan_stays_home_where_the_plain_one_moves(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=30)
    plain, robust = solved(cloud, None), solved(cloud, NOTHING_PAYS)
    assert "ca-central-1" in plain.plan.regions
    assert robust.plan.regions == {HOME}
    assert (plain.plan.robust, plain.plain) == (None, None)
    assert robust.plan.robust is not None
    assert robust.plan.robust.carbon_factors == Interval(0.05, 20.0, "given by hand")
    # Beside it is what the plan without intervals would be, held against both cases.
    assert robust.plain is not None
    assert [entry.placement for entry in robust.plain.hours] == [entry.placement for entry in plain.plan.hours]
    without = expected_of(robust.plain)
    assert without is not None
    assert without.plan.carbon_gco2eq < 0.5 * without.home.carbon_gco2eq
    assert without.least_favourable is not None
    assert without.least_favourable.carbon_gco2eq > without.least_favourable.home_carbon_gco2eq


def test_the_metrics_of_a_robust_plan_are_what_is_expected(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=30)
    found = solved(cloud, RobustSettings())
    expected, cautious = LoadedProblem(without_intervals(found.problem)), LoadedProblem(found.problem)
    assert found.plan.regions != {HOME}
    for entry in found.plan.hours:
        assert entry.metrics is not None
        assert entry.home_metrics is not None
        assert entry.least_favourable is not None
        home = dict.fromkeys(entry.placement, HOME)
        for problem, placement, value in (
            (expected, entry.placement, entry.metrics.carbon.mean),
            (expected, home, entry.home_metrics.carbon.mean),
            (cautious, entry.placement, entry.least_favourable.carbon_gco2eq),
            (cautious, home, entry.least_favourable.home_carbon_gco2eq),
        ):
            # Over other scenarios than those it was planned with.
            assert value == pytest.approx(problem.evaluate(placement, entry.hour).carbon.mean, rel=0.05)
        assert entry.least_favourable.home_carbon_gco2eq < entry.home_metrics.carbon.mean
        # The certificate is that of the case.
        assert entry.certificate.value == pytest.approx(entry.least_favourable.carbon_gco2eq, rel=0.05)
        assert entry.certificate.status == "optimal"


def test_baselines_of_a_robust_plan_are_the_best_that_are_expected(tmp_path: Path) -> None:
    """In the least favourable case the best single region is home, and a saving against that would be too easy."""
    plan = solved(deployed_example(tmp_path, runs=30), NOTHING_PAYS).plan
    assert plan.best_static_region == "ca-central-1"
    for entry in plan.hours:
        assert entry.best_single_region == "ca-central-1"
        assert entry.best_static_metrics is not None
        assert entry.home_metrics is not None
        assert entry.best_static_metrics.carbon.mean < entry.home_metrics.carbon.mean


@pytest.mark.parametrize(("taken_s", "left_s"), [(4.0, 16.0), (19.5, 2.0), (25.0, 2.0)])
def test_the_solve_for_comparison_has_what_is_left_of_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken_s: float, left_s: float
) -> None:
    solve, place = LoadedProblem.solve, LoadedProblem.place
    deadlines: list[float | None] = []

    def slow(problem: LoadedProblem, solver: str, **options: Any) -> Solution:
        deadlines.append(options.get("deadline_s"))
        return replace(solve(problem, solver, **options), elapsed_s=taken_s)

    def placed(problem: LoadedProblem, solver: str, **options: Any) -> tuple[PlacedHour, ...]:
        deadlines.append(options["deadline_s"])
        return tuple(
            replace(entry, status="timed_out" if entry.hour == 12 else entry.status)
            for entry in place(problem, solver, **options)
        )

    monkeypatch.setattr(LoadedProblem, "solve", slow)
    monkeypatch.setattr(LoadedProblem, "place", placed)
    cloud = deployed_example(tmp_path, runs=30)
    settings = replace(SETTINGS, robust=RobustSettings(), deadline_s=20.0)
    found = solve_workflow(cloud, WORKFLOW_ID, settings=settings)
    # The document's own; what is left of it; and none for regions, which are all compared.
    assert deadlines == [None, left_s, *[0.0] * (len(deadlines) - 2)]
    assert json.loads(found.problem)["settings"]["deadline_s"] == 20.0
    assert found.plain is not None
    assert (found.plan.timed_out_hours, found.plain.timed_out_hours) == ((), (12,))


def test_baselines_need_no_time(tmp_path: Path) -> None:
    problem = LoadedProblem(solved(deployed_example(tmp_path, runs=30), None).problem)
    without_time, with_time = (problem.solve("coarse-grained", deadline_s=seconds) for seconds in (0.0, 60.0))
    assert without_time.best_static_region == with_time.best_static_region
    for first, second in zip(without_time.hours, with_time.hours, strict=True):
        assert first.best_single_region == second.best_single_region


def test_a_robust_plan_survives_storage_and_others_are_as_they_were(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=30)
    for robust in (None, RobustSettings()):
        plan = solved(cloud, robust).plan
        assert Plan.from_document(plan.to_document()) == plan
        assert PlanStore(cloud).staged(WORKFLOW_ID) == plan
    document = json.loads(solved(cloud, None).plan.to_document())
    del document["robust"]
    for entry in document["hours"]:
        del entry["least_favourable"]
    assert Plan.from_document(json.dumps(document)).robust is None, "of an older program"


def test_a_point_is_picked_of_the_frontier_in_the_case_and_says_what_is_expected(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=30)
    found = solved(cloud, RobustSettings(), TradeOffs(pick=1))
    assert found.frontier is not None
    point = found.frontier.frontier.points[0]
    assert found.plan.robust is not None
    for entry in found.plan.hours:
        assert entry.placement == point.placement
        assert entry.metrics is not None
        assert entry.least_favourable is not None
    first = found.plan.hours[0].least_favourable
    assert first is not None
    assert first.carbon_gco2eq == pytest.approx(point.metrics.carbon.mean, rel=0.05)


@pytest.mark.parametrize("solver", ["fine-grained", "coarse-grained", "heuristic"])
def test_every_solver_plans_robustly(tmp_path: Path, solver: str) -> None:
    cloud = deployed_example(tmp_path, runs=30)
    found = solve_workflow(cloud, WORKFLOW_ID, solver=solver, settings=replace(SETTINGS, robust=NOTHING_PAYS))
    assert found.plan.solver == solver
    assert found.plan.regions == {HOME}


@pytest.mark.parametrize(
    ("configuration", "is_robust", "expected"),
    [
        (CONFIGURATION, None, False),
        (CONFIGURATION, True, True),
        (ROBUST, None, True),
        (ROBUST, False, False),
    ],
)
def test_whoever_solves_decides_and_else_the_configuration(
    tmp_path: Path, configuration: str, is_robust: bool | None, *, expected: bool
) -> None:
    cloud = deployed_example(tmp_path, runs=30, configuration=configuration)
    found = solve_workflow(cloud, WORKFLOW_ID, settings=SETTINGS, is_robust=is_robust)
    assert (found.plan.robust is not None) == expected
    assert found.solution.provenance.keys() >= ({"carbon_interval"} if expected else set())


# -- explanations ------------------------------------------------------------------------------------------------------


def test_an_explanation_says_which_carbon_is_which(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=30)
    plan = solved(cloud, RobustSettings()).plan
    explanation = explain_workflow(cloud, WORKFLOW_ID)
    assert isinstance(explanation, Explanation)
    assert explanation.basis.robust == plan.robust
    for entry, planned in zip(explanation.hours, plan.hours, strict=True):
        assert planned.metrics is not None
        assert planned.least_favourable is not None
        assert entry.expected is not None
        assert entry.expected.carbon_gco2eq == planned.metrics.carbon.mean
        assert entry.chosen.metrics.carbon.mean == pytest.approx(planned.least_favourable.carbon_gco2eq, rel=0.05)


@pytest.mark.parametrize(
    "robust",
    [RobustSettings(), RobustSettings(Interval(0.9, 1.1), Interval(0.001, 0.06))],
    ids=["of forecasts", "named"],
)
def test_a_robust_plan_whose_problem_is_lost_is_explained_by_the_same_intervals(
    tmp_path: Path, robust: RobustSettings
) -> None:
    cloud = deployed_example(tmp_path, runs=30)
    plan = solved(cloud, robust).plan
    cloud.objects.objects.clear()
    explanation = explain_workflow(cloud, WORKFLOW_ID)
    assert isinstance(explanation, Explanation)
    assert explanation.basis.origin == "rebuilt"
    assert explanation.basis.robust is not None
    assert plan.robust is not None
    assert explanation.basis.robust.carbon_factors == plan.robust.carbon_factors
    assert [entry.gap for entry in explanation.hours] == pytest.approx([0.0, 0.0], abs=1e-6)


def test_a_fresh_explanation_plans_as_the_configuration_says(tmp_path: Path) -> None:
    plain = explain_anew(deployed_example(tmp_path / "plain", runs=30), WORKFLOW_ID, hour=0)
    robust = explain_anew(deployed_example(tmp_path / "robust", runs=30, configuration=ROBUST), WORKFLOW_ID, hour=0)
    assert (plain.basis.robust, plain.hours[0].expected) == (None, None)
    assert robust.basis.robust is not None
    assert robust.hours[0].expected is not None
    assert robust.hours[0].expected.home_carbon_gco2eq > robust.hours[0].chosen.home_metrics.carbon.mean


# -- checks ------------------------------------------------------------------------------------------------------------


def test_a_check_plans_robustly_if_the_configuration_says_so(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120, configuration=ROBUST)
    (decision,) = check_solver(cloud, CheckSettings(solve=replace(SETTINGS, hours=tuple(range(24)))))
    assert decision.verdict == "staged"
    assert decision.reason.startswith("in the case least favourable to moving: carbon falls by ")
    staged = PlanStore(cloud).staged(WORKFLOW_ID)
    assert staged is not None
    assert staged.robust is not None
    expected = expected_of(staged)
    assert expected is not None
    assert expected.least_favourable is not None
    assert decision.gain is not None
    # Gains are weighed in the case, and told so; what the plan says of itself is what is expected.
    assert decision.gain.in_force == pytest.approx(expected.least_favourable.home_carbon_gco2eq, rel=0.1)
    assert expected.home.carbon_gco2eq > expected.least_favourable.home_carbon_gco2eq
    check_deployment(cloud, progress=SILENT)
    (again,) = check_solver(cloud, CheckSettings(solve=replace(SETTINGS, hours=tuple(range(24)))))
    assert again.verdict == "keep"


def test_a_check_that_replaces_a_robust_plan_by_another_kind_says_so(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    solved(cloud, NOTHING_PAYS)
    check_deployment(cloud, progress=SILENT)
    in_force = PlanStore(cloud).active(WORKFLOW_ID)
    assert in_force is not None
    (decision,) = check_solver(cloud, CheckSettings(solve=SETTINGS))
    assert decision.verdict == "staged"
    assert (
        f"plan {in_force.version} in force was planned robustly, and this one is not: 'robust: true' in the "
        "configuration lets checks plan so."
    ) in decision.warnings


def test_a_robust_plan_that_waits_is_not_withdrawn_in_silence(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    waiting = solved(cloud, NOTHING_PAYS).plan
    (decision,) = check_solver(cloud, CheckSettings(solve=SETTINGS))
    assert decision.verdict == "staged"
    assert any(text.startswith(f"plan {waiting.version}, which no check staged, was") for text in decision.warnings)
    again = solved(cloud, NOTHING_PAYS).plan
    (kept,) = check_solver(cloud, CheckSettings(solve=SETTINGS, hysteresis=0.99))
    assert kept.verdict == "keep"
    assert f"Plan {again.version}, which no check staged, is left" in kept.reason


def test_the_largest_seed_is_followed_by_the_smallest(tmp_path: Path) -> None:
    """Plans are told by fresh scenarios, of the seed that follows."""
    cloud = deployed_example(tmp_path, runs=60)
    largest = SolveSettings(scenarios=100, validation_scenarios=100, seed=2**64 - 1)
    outcome = solve_workflow(cloud, WORKFLOW_ID, settings=largest, is_robust=True, stage=False)
    assert outcome.plan.robust is not None
