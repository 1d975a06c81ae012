"""Which runs are learned from once functions were changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from multi_x_serverless.adaptation.deploy_forecast import MonthlyChange, forecast_deployment
from multi_x_serverless.adaptation.relearning import ENOUGH_RUNS, learnable_runs
from multi_x_serverless.adaptation.solve import build_workflow_problem
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.model.run import EdgeObservation, ObservedRun
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.observation.history import History
from multi_x_serverless.solving.problem import SolveSettings
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import add_runs, deployed_example
from tests.unit.deployment.projects import CONFIGURATION, SOURCE, WORKFLOW_ID, make_project, record_of

HOUR_S = 3_600.0
MEMORY = "  providers: {{aws: {{config: {{memory: {memory}, timeout: 60}}}}}}\n"


def changed(cloud: FakeCloud, project: Path, *, memory: int) -> float:
    """Deploy other memory of all functions a day later; returns when."""
    cloud.time += 24 * HOUR_S
    deploy(cloud, make_project(project, configuration=CONFIGURATION + MEMORY.format(memory=memory)))
    return cloud.now()


def learned(cloud: FakeCloud) -> tuple[int, str]:
    """How many runs a problem has, and what it says of them behind their dates."""
    record = record_of(cloud)
    assert record is not None
    document = orjson.loads(build_workflow_problem(cloud, record, SolveSettings()).document)
    _, _, remark = document["provenance"]["runs"].partition(" UTC; ")
    found = learnable_runs(record, History(cloud).runs(WORKFLOW_ID))
    assert found.remark == remark
    return document["observations"]["runs"], remark


def run_since(cloud: FakeCloud, count: int, *, within_s: float = DAY_S) -> None:
    """So many runs, the last of them so long after the first, and an hour."""
    add_runs(cloud, 1, started_at=cloud.now() + 60.0)
    cloud.time += within_s
    add_runs(cloud, count - 1, started_at=cloud.now() + 61.0)
    cloud.time += HOUR_S


def test_all_runs_count_while_nothing_was_changed(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    run_since(cloud, 30)
    assert learned(cloud) == (30, "")
    deploy(cloud, make_project(tmp_path))
    run_since(cloud, ENOUGH_RUNS)
    assert learned(cloud) == (30 + ENOUGH_RUNS, ""), "deploying the same again changes no function"
    deploy(cloud, make_project(tmp_path, configuration=CONFIGURATION + "home_share: 0.2\n"))
    run_since(cloud, ENOUGH_RUNS)
    assert learned(cloud) == (30 + 2 * ENOUGH_RUNS, "")


def test_runs_of_before_a_change_count_until_there_are_enough_since(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    run_since(cloud, 150)
    changed(cloud, tmp_path, memory=1024)
    assert learned(cloud) == (150, ""), "of the change nothing is known yet"
    run_since(cloud, ENOUGH_RUNS - 1)
    count, remark = learned(cloud)
    assert count == 150 + ENOUGH_RUNS - 1
    assert remark.startswith("99 of them since code or settings of the functions changed on ")
    assert remark.endswith(" UTC, not enough to learn from alone (100 would be)")
    add_runs(cloud, 1, started_at=cloud.now())
    count, remark = learned(cloud)
    assert count == ENOUGH_RUNS
    assert remark.startswith("150 of before code or settings of the functions changed on ")
    assert remark.endswith(" UTC are left out")


def test_a_burst_is_no_day(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    run_since(cloud, 150)
    changed(cloud, tmp_path, memory=1024)
    run_since(cloud, 3 * ENOUGH_RUNS, within_s=0.0)
    count, remark = learned(cloud)
    assert count == 150 + 3 * ENOUGH_RUNS
    assert remark.endswith("not enough to learn from alone (those of a day would be)")


@pytest.mark.parametrize(("seen", "is_enough"), [(0, False), (19, False), (20, True)])
def test_what_is_rare_is_not_forgotten(tmp_path: Path, seen: int, is_enough: bool) -> None:
    """`left` ran in half of the runs of before: until it has run often enough since, these count."""
    cloud = deployed_example(tmp_path)
    run_since(cloud, 150)
    changed(cloud, tmp_path, memory=1024)
    since = cloud.now()
    run_since(cloud, 2 * ENOUGH_RUNS)
    history = History(cloud)
    runs = history.runs(WORKFLOW_ID)
    without = [run for run in runs if run.started_at >= since][seen:]
    history.remove(WORKFLOW_ID)
    history.add(WORKFLOW_ID, [_without_left(run) if run in without else run for run in runs])
    count, remark = learned(cloud)
    assert count == 2 * ENOUGH_RUNS + (0 if is_enough else 150)
    assert ("left out" in remark) == is_enough
    assert (f"it did in {seen}" in remark or f", {seen} did" in remark) != is_enough


def _without_left(run: ObservedRun) -> ObservedRun:
    declined = EdgeObservation(False, 0.0, None, None)
    edges = {index: declined if index in (0, 2) else edge for index, edge in run.edges.items()}
    return replace(run, nodes={0: run.nodes[0], 2: run.nodes[2]}, edges=edges)


def test_runs_are_counted_as_they_are_and_not_as_what_they_stand_for(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    run_since(cloud, 40)
    changed(cloud, tmp_path, memory=1024)
    run_since(cloud, ENOUGH_RUNS - 1)
    history = History(cloud)
    runs = [replace(run, weight=50.0) for run in history.runs(WORKFLOW_ID)]
    history.remove(WORKFLOW_ID)
    history.add(WORKFLOW_ID, runs)
    _, remark = learned(cloud)
    assert remark.startswith("99 of them since ")


def test_the_newest_change_with_enough_runs_decides(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    run_since(cloud, 7)
    changed(cloud, tmp_path, memory=1024)
    run_since(cloud, ENOUGH_RUNS)
    changed(cloud, tmp_path, memory=2048)
    run_since(cloud, 20)
    count, remark = learned(cloud)
    assert count == ENOUGH_RUNS + 20
    since, before = remark.split("; ")
    assert since.startswith("20 of them since code or settings of the functions changed")
    assert before.startswith("7 of before code or settings of the functions changed")


def test_runs_that_failed_are_not_enough(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    run_since(cloud, 50)
    changed(cloud, tmp_path, memory=1024)
    add_runs(cloud, ENOUGH_RUNS, status="failed", started_at=cloud.now())
    assert learned(cloud) == (50, "")


def test_functions_are_named_where_only_some_changed(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    own = 'regions_and_providers={"providers": {"aws": {"config": {"memory": 256, "timeout": 60}}}}'
    source = SOURCE.replace('name="left"', f'name="left", {own}')
    assert source != SOURCE
    deploy(cloud, make_project(tmp_path, source=source))
    run_since(cloud, 10)
    cloud.time += HOUR_S
    deploy(cloud, make_project(tmp_path, source=source, configuration=CONFIGURATION + MEMORY.format(memory=1024)))
    run_since(cloud, ENOUGH_RUNS)
    _, remark = learned(cloud)
    assert remark.startswith("10 of before settings of first, join changed on ")


def test_other_code_is_a_change_of_all_functions(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    run_since(cloud, 10)
    cloud.time += HOUR_S
    deploy(cloud, make_project(tmp_path, source=SOURCE + "\nLIMIT = 7\n"))
    run_since(cloud, ENOUGH_RUNS)
    _, remark = learned(cloud)
    assert remark.startswith("10 of before code or settings of the functions changed on ")


def test_what_a_deployment_changes_is_expected_of_the_runs_that_are_learned_from(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    run_since(cloud, 40)
    changed(cloud, tmp_path, memory=1024)
    run_since(cloud, ENOUGH_RUNS)
    project = make_project(tmp_path)
    preview = deploy(cloud, project, dry_run=True).preview
    assert preview is not None
    forecast = forecast_deployment(cloud, preview)
    assert isinstance(forecast, MonthlyChange)
    assert forecast.observed_runs == ENOUGH_RUNS
