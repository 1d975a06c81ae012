"""What the history says of workflows: `data_collect workflow` and `status`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.ledger import Ledger
from multi_x_serverless.adaptation.signals import collect_signals, read_signals
from multi_x_serverless.adaptation.statistics import read_statistics, store_statistics
from multi_x_serverless.adaptation.statistics_work import collect_statistics
from multi_x_serverless.adaptation.status import workflow_status
from multi_x_serverless.adaptation.upkeep import collect_for_workflows
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import physical_name, workflow_table
from multi_x_serverless.errors import CloudError, UnknownWorkflowError
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.statistics import Gap, WorkflowStatistics
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import KEEP_DAYS, History
from multi_x_serverless.observation.sync import forget_sync
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
    (found,) = collect_statistics(cloud).refreshed
    assert (found.workflow_id, found.runs, found.failed, found.other_runs) == (WORKFLOW_ID, 10, 1, 1)
    assert found.regions == (AWAY, HOME)
    # Three nodes of 0.50, 0.51, ... s one after the other.
    durations = [3 * (0.5 + 0.01 * number) for number in (*range(7), *range(3))]
    assert found.runtime is not None
    assert found.runtime.mean == pytest.approx(sum(durations) / len(durations))


def test_statistics_of_a_workflow_that_never_ran(tmp_path: Path) -> None:
    (found,) = collect_statistics(deployed_example(tmp_path)).refreshed
    assert (found.runs, found.failed, found.runtime, found.regions) == (0, 0, None, ())
    assert found.gaps == (Gap("no_runs"),)
    assert collect_statistics(FakeCloud()).refreshed == ()


def test_statistics_are_kept_and_read_back(cloud: FakeCloud) -> None:
    assert workflow_status(cloud, WORKFLOW_ID).statistics is None
    (found,) = collect_statistics(cloud, [WORKFLOW_ID]).refreshed
    assert read_statistics(cloud, WORKFLOW_ID) == found
    assert workflow_status(cloud, WORKFLOW_ID).statistics == found
    forget_sync(cloud, WORKFLOW_ID)
    assert read_statistics(cloud, WORKFLOW_ID) is None, "they go with the workflow"


def test_a_history_that_cannot_be_read_keeps_the_last_statistics(cloud: FakeCloud) -> None:
    (before,) = collect_statistics(cloud).refreshed
    cloud.faults.before = lambda call: (
        CloudError("throttled.") if call.operation == "query" and "history" in str(call.arguments[1]) else None
    )
    collected = collect_statistics(cloud)
    assert collected.refreshed == ()
    assert collected.failures == {WORKFLOW_ID: "throttled."}
    assert read_statistics(cloud, WORKFLOW_ID) == before


def test_a_workflow_that_fails_in_whatever_way_loses_no_other(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = deployed_workflow(cloud, WORKFLOW_ID)
    table = workflow_table(cloud)
    table.put(Key("aaa-0.0.1"), replace(record, workflow_id="aaa-0.0.1"))
    cloud.key_value.put(cloud.system_region, physical_name("workflows"), Key("bbb-0.0.1"), {"document": "{}"})

    def defective(cloud: Cloud, record: WorkflowRecord, history: Sequence[ObservedRun]) -> WorkflowStatistics:
        if record.workflow_id == "aaa-0.0.1":
            raise KeyError("edge")
        return store_statistics(cloud, record, history)

    monkeypatch.setattr("multi_x_serverless.adaptation.statistics_work.store_statistics", defective)
    collected = collect_statistics(cloud)
    assert [found.workflow_id for found in collected.refreshed] == [WORKFLOW_ID]
    assert list(collected.failures) == ["aaa-0.0.1", "bbb-0.0.1"]
    assert "a defect of the program met it" in collected.failures["aaa-0.0.1"]
    assert "KeyError: 'edge'" in collected.failures["aaa-0.0.1"]
    assert "schema" in collected.failures["bbb-0.0.1"]


def test_summarising_is_in_the_ledger_with_the_collections_of_the_day(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([3.0, 4.5, 10.0, 10.25])
    monkeypatch.setattr("multi_x_serverless.adaptation.statistics_work.time.process_time", lambda: next(clock))
    assert collect_statistics(cloud).warnings == ()
    collect_statistics(cloud)
    spent = Ledger(cloud).spending(WORKFLOW_ID).by_kind
    assert spent.keys() == {"collect"}
    assert (spent["collect"].count, spent["collect"].cpu_s) == (2, 1.75)


def test_a_collection_that_summarises_first_is_one(cloud: FakeCloud) -> None:
    """As `data_collect all` does: both parts take time, and are one command."""
    record = deployed_workflow(cloud, WORKFLOW_ID)
    for times in (1, 2):
        collect_statistics(cloud, is_part=True)
        collect_for_workflows(cloud, ("performance",), record.regions, (record,))
        assert Ledger(cloud).spending(WORKFLOW_ID).collections == times


def test_statistics_whose_account_cannot_be_written_are_there_all_the_same(cloud: FakeCloud) -> None:
    cloud.faults.before = lambda call: (
        CloudError("the table is away.")
        if call.operation == "put" and call.arguments[1] == physical_name("ledger")
        else None
    )
    collected = collect_statistics(cloud)
    assert len(collected.refreshed) == 1
    assert collected.failures == {}
    assert collected.warnings == (f"What summarising '{WORKFLOW_ID}' took is not in the ledger: the table is away.",)


def test_what_runs_tell_of_regions_reaches_the_signals(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=40)
    add_runs(cloud, 30, region=AWAY, plan_version=2, started_at=cloud.now() - 600.0)
    cloud.name = "aws"  # regions of the embedded cloud are one machine
    history = History(cloud)
    # Half a second of work, all of it in the processor, and a fifth more elsewhere.
    busy = []
    for run in history.runs(WORKFLOW_ID):
        factor = 1.2 if run.nodes[0].region == AWAY else 1.0
        nodes = {
            index: replace(node, duration_s=node.duration_s * factor, cpu_s=node.duration_s * factor)
            for index, node in run.nodes.items()
        }
        busy.append(replace(run, run_id=f"busy {run.run_id}", nodes=nodes))
    history.remove(WORKFLOW_ID)
    history.add(WORKFLOW_ID, busy)
    collect_signals(cloud, ["performance"], [HOME, AWAY])
    assert read_signals(cloud).performance[AWAY].relative_speed_is_assumed, "no statistics yet"

    collect_statistics(cloud)
    collect_signals(cloud, ["performance"], [HOME, AWAY])

    away = read_signals(cloud).performance[AWAY]
    assert away.relative_speed == pytest.approx(1 / 1.2, rel=0.03)
    assert not away.relative_speed_is_assumed


def test_statistics_that_cannot_be_read_are_a_note_and_lose_no_signal(cloud: FakeCloud) -> None:
    collect_statistics(cloud)
    table = physical_name("statistics")
    newer = {"document": '{"schema": "multi-x-serverless/workflow-statistics", "version": 99}'}
    cloud.key_value.put(HOME, table, Key(WORKFLOW_ID, "summary"), newer)
    (report,) = collect_signals(cloud, ["performance"], [HOME, AWAY])
    assert report.failures == ()
    assert report.notes[0].startswith(f"Nothing is learned from the runs of '{WORKFLOW_ID}'")


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
