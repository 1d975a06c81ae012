"""What the history says of workflows: `data_collect workflow` and `status`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.statistics import workflow_statistics
from multi_x_serverless.adaptation.status import workflow_status
from multi_x_serverless.errors import UnknownWorkflowError
from multi_x_serverless.observation.history import KEEP_DAYS, History
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import HOME, add_runs, deployed_example
from tests.unit.deployment.projects import WORKFLOW_ID, stage

AWAY = "ca-central-1"


@pytest.fixture
def cloud(tmp_path: Path) -> FakeCloud:
    """Seven runs at home, four away of which one failed, one of an older graph, one too old to count."""
    cloud = deployed_example(tmp_path, runs=7)
    add_runs(cloud, 3, region=AWAY, plan_version=2, started_at=cloud.now() - 600.0)
    add_runs(cloud, 1, region=AWAY, plan_version=2, started_at=cloud.now() - 100.0, status="failed")
    history = History(cloud)
    known = history.runs(WORKFLOW_ID)[0]
    old = cloud.now() - (KEEP_DAYS + 1) * 86_400.0
    history.add(
        WORKFLOW_ID,
        [
            replace(known, run_id="older graph", manifest_id="older"),
            replace(known, run_id="too old", started_at=old, finished_at=old + 900.0),
        ],
    )
    return cloud


def test_statistics_count_complete_and_failed_runs_of_the_deployed_graph(cloud: FakeCloud) -> None:
    (found,) = workflow_statistics(cloud)
    assert (found.workflow_id, found.runs, found.failed) == (WORKFLOW_ID, 10, 1)
    assert found.regions == (AWAY, HOME)
    # Three nodes of 0.50, 0.51, ... s one after the other.
    durations = [3 * (0.5 + 0.01 * number) for number in (*range(7), *range(3))]
    assert found.mean_runtime_s == pytest.approx(sum(durations) / len(durations))


def test_statistics_of_a_workflow_that_never_ran(tmp_path: Path) -> None:
    (found,) = workflow_statistics(deployed_example(tmp_path))
    assert (found.runs, found.failed, found.mean_runtime_s, found.regions) == (0, 0, 0.0, ())
    assert workflow_statistics(FakeCloud()) == ()


def test_status_counts_by_plan_where_nodes_ran_and_why(cloud: FakeCloud) -> None:
    add_runs(cloud, 2, plan_version=2, reason="home_share")
    staged = stage(cloud, left=AWAY)
    status = workflow_status(cloud, WORKFLOW_ID)
    assert status.active is not None
    assert status.active.version == 1
    assert status.staged == staged
    first, second = status.uses
    assert (first.plan_version, first.runs, first.failed, first.reasons) == (1, 7, 0, {"plan": 7})
    assert (second.plan_version, second.runs, second.failed) == (2, 6, 1)
    assert second.reasons == {"home_share": 2, "plan": 4}
    assert {tuple(regions.items()) for regions in second.regions.values()} == {((AWAY, 4), (HOME, 2))}
    assert set(second.regions) == {node.name for node in status.record.graph.nodes}


def test_last_runs_are_the_newest_first(cloud: FakeCloud) -> None:
    runs = workflow_status(cloud, WORKFLOW_ID, last=4).last_runs
    assert [run.started_at - cloud.now() for run in runs] == [-100.0, -598.0, -599.0, -600.0]
    assert runs[0].status == "failed"
    assert len(workflow_status(cloud, WORKFLOW_ID, last=100).last_runs) == 11
    assert workflow_status(cloud, WORKFLOW_ID, last=0).last_runs == ()


def test_status_of_an_unknown_workflow_names_the_known_ones(cloud: FakeCloud) -> None:
    with pytest.raises(UnknownWorkflowError, match=WORKFLOW_ID):
        workflow_status(cloud, "other-0.0.1")
