"""What became of particular runs, from the lines of their logs alone."""

from __future__ import annotations

from typing import Any

import pytest

from multi_x_serverless.observation.trace import NodeFailure, RunTrace, trace_runs
from tests.unit.observation.records import WORKFLOW_ID, RunLog, diamond
from tests.unit.observation.test_sync import EPOCH, SOURCE, Setting

JOIN = 2


def traces(setting: Setting, *run_ids: str) -> tuple[RunTrace, ...]:
    return trace_runs(setting.cloud, WORKFLOW_ID, diamond(), [SOURCE], run_ids, EPOCH)


def trace_of(records: list[dict[str, Any]]) -> RunTrace:
    setting = Setting()
    setting.write(records)
    setting.time = EPOCH + 60.0
    (trace,) = traces(setting, "r")
    return trace


def test_complete_run_has_its_nodes_in_the_order_of_their_start() -> None:
    records = RunLog("r", EPOCH).complete()
    records[-1] = {**records[-1], "result": {"words": 3}}
    trace = trace_of(records)
    assert (trace.status, trace.reason, trace.placement_key) == ("complete", "plan", "5")
    assert trace.duration_s == pytest.approx(1.3)
    assert [(node.node, node.start_s) for node in trace.nodes] == [
        ("receive:entry_point:0", 0.0),
        ("count:receive_0_0:1", pytest.approx(0.25)),
        ("join:sync:2", pytest.approx(0.8)),
    ]
    assert trace.result == {"words": 3}, "the value itself, when one node ended the run"
    assert trace.failures == ()


def test_run_of_several_ends_names_the_node_of_each_result() -> None:
    records = RunLog("r", EPOCH).complete()
    for position in (7, 9):
        records[position] = {**records[position], "result": position}
    assert trace_of(records).result == {"count:receive_0_0:1": 7, "join:sync:2": 9}


def test_run_under_way_failed_and_never_begun() -> None:
    log = RunLog("r", EPOCH)
    begun = [log.started(), log.node_started(0, 0.0)]
    assert trace_of(begun).status == "running"
    assert trace_of([]).status == "not started"
    attempts = [log.failed(0, at, attempt) for attempt, at in enumerate((0.1, 1.1, 3.1))]
    failed = trace_of([*begun, *attempts])
    assert failed.status == "failed"
    assert failed.failures == (NodeFailure("receive:entry_point:0", "us-east-1", "ValueError", "bad", ("line",)),) * 3
    assert failed.result is None


def test_failure_that_a_retry_made_good_is_still_told() -> None:
    log = RunLog("r", EPOCH)
    trace = trace_of([*log.complete(), log.failed(1, 0.3, 1)])
    assert trace.status == "complete"
    (failure,) = trace.failures
    assert failure.node == "count:receive_0_0:1"


def test_runs_are_told_apart_and_come_in_the_order_asked_for() -> None:
    setting = Setting()
    setting.write(RunLog("a", EPOCH).complete() + RunLog("b", EPOCH + 1.0).declining())
    setting.logs.write(EPOCH + 2.0, '{"mxs": 1, "t": "damaged')
    setting.logs.write(EPOCH + 2.0, "a line of the developer's own")
    setting.time = EPOCH + 60.0
    found = traces(setting, "b", "a", "c")
    assert [(trace.run_id, trace.status, len(trace.nodes)) for trace in found] == [
        ("b", "complete", 2),
        ("a", "complete", 3),
        ("c", "not started", 0),
    ]
