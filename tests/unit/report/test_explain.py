"""Which plan of a workflow is explained, and over which problem document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import CheckSettings, check_solver
from multi_x_serverless.adaptation.solve import solve_workflow
from multi_x_serverless.cloud.problems import ProblemStore
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.errors import NotEnoughDataError, UnknownWorkflowError
from multi_x_serverless.report.explain import explain_anew, explain_workflow
from multi_x_serverless.report.explanation import Explanation, NoSolverAsked
from multi_x_serverless.solving.problem import SolveSettings
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import add_runs, deployed_example
from tests.unit.deployment.projects import WORKFLOW_ID

SETTINGS = SolveSettings(hours=(0, 12), scenarios=100, validation_scenarios=100)


@pytest.fixture
def cloud(tmp_path: Path) -> FakeCloud:
    return deployed_example(tmp_path, runs=120)


def explained(cloud: FakeCloud) -> Explanation:
    found = explain_workflow(cloud, WORKFLOW_ID)
    assert isinstance(found, Explanation)
    return found


def test_the_staged_plan_goes_before_the_one_in_force(cloud: FakeCloud) -> None:
    outcome = solve_workflow(cloud, WORKFLOW_ID, settings=SETTINGS)
    found = explained(cloud)
    assert (found.plan.role, found.plan.version) == ("staged", outcome.plan.version)
    assert explain_workflow(cloud, WORKFLOW_ID, which="active") == NoSolverAsked(WORKFLOW_ID, "us-east-1", "active", 1)
    check_deployment(cloud, progress=SILENT)
    assert explained(cloud).plan.role == "active"
    assert explained(cloud) == explain_workflow(cloud, WORKFLOW_ID, which="active")


def test_a_plan_is_explained_by_what_it_was_made_of(cloud: FakeCloud) -> None:
    outcome = solve_workflow(cloud, WORKFLOW_ID, settings=SETTINGS)
    before = explained(cloud)
    assert before.basis.origin == "kept"
    assert before.basis.problem_hash == outcome.solution.problem_hash == before.plan.problem_hash
    assert before.hours[0].chosen.metrics == outcome.solution.hours[0].metrics, "over the same scenarios"
    add_runs(cloud, 50, reason="later")
    assert explained(cloud) == before, "whatever has happened since"


def test_a_plan_of_the_check_is_explained_too(cloud: FakeCloud) -> None:
    (decision,) = check_solver(cloud, CheckSettings(solve=SETTINGS))
    assert decision.verdict == "staged"
    assert explained(cloud).basis.origin == "kept"


def test_a_plan_whose_document_was_not_kept_is_explained_by_today(cloud: FakeCloud) -> None:
    outcome = solve_workflow(cloud, WORKFLOW_ID, settings=SETTINGS)
    ProblemStore(cloud).delete(WORKFLOW_ID, [outcome.plan.problem_hash])
    found = explained(cloud)
    assert found.basis.origin == "rebuilt"
    assert found.basis.problem_hash != found.plan.problem_hash, "these were not the settings"
    assert [entry.hour for entry in found.hours] == [0, 12]


def test_a_plan_that_fits_no_more_and_whose_document_is_gone_cannot_be_explained(cloud: FakeCloud) -> None:
    outcome = solve_workflow(cloud, WORKFLOW_ID, settings=SETTINGS)
    plans = PlanStore(cloud)
    hours = tuple(replace(entry, placement=dict.fromkeys(entry.placement, "eu-west-1")) for entry in outcome.plan.hours)
    plans.stage(replace(outcome.plan, hours=hours, problem_hash="0" * 64))
    with pytest.raises(NotEnoughDataError, match="--fresh"):
        explain_workflow(cloud, WORKFLOW_ID)


def test_without_a_plan_or_workflow_it_says_what_to_do(cloud: FakeCloud) -> None:
    assert isinstance(explain_workflow(cloud, WORKFLOW_ID), NoSolverAsked)
    with pytest.raises(NotEnoughDataError, match=f"solve {WORKFLOW_ID}"):
        explain_workflow(cloud, WORKFLOW_ID, which="staged")
    with pytest.raises(UnknownWorkflowError):
        explain_workflow(cloud, "nobody-0.0.1")


def test_a_fresh_explanation_changes_nothing(cloud: FakeCloud) -> None:
    before = cloud.contents()
    found = explain_anew(cloud, WORKFLOW_ID, hour=3)
    assert cloud.contents() == before
    assert (found.plan.role, found.plan.version, found.basis.origin) == ("anew", 0, "anew")
    assert found.basis.problem_hash == found.plan.problem_hash
    assert [entry.hour for entry in found.hours] == [3]
    assert "ca-central-1" in found.hours[0].chosen.placement.values()
