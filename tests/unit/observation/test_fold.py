"""Folding records into runs: order, repeats and gaps."""

from __future__ import annotations

import random

import orjson
import pytest

from multi_x_serverless.model.graph import Edge, Graph, Node
from multi_x_serverless.model.run import FailedAttempt, HistoryChunk
from multi_x_serverless.observation.fold import examine, fold
from tests.unit.observation.records import RunLog, diamond


def test_complete_run_has_every_node_and_edge() -> None:
    run = fold("r", RunLog("r").complete(), diamond(), "complete")
    assert run is not None
    assert sorted(run.nodes) == [0, 1, 2]
    assert {index: edge.called for index, edge in run.edges.items()} == {0: True, 1: True, 2: True}
    assert run.duration_s == pytest.approx(1.3)
    assert (run.plan_version, run.placement_key, run.reason) == (3, "5", "plan")
    assert run.edges[0].offset_s == pytest.approx(0.2)
    assert run.edges[0].latency_s == pytest.approx(0.05)
    assert run.edges[1].latency_s is None, "a join also waited for others"
    assert (run.nodes[0].other_sent_bytes, run.nodes[0].other_received_bytes) == (5, 10)


def test_time_until_a_call_was_accepted_is_kept_if_the_planned_region_took_it() -> None:
    log = RunLog("r")
    run = fold("r", log.complete(), diamond(), "complete")
    assert run is not None
    assert {index: edge.publish_s for index, edge in run.edges.items()} == {0: 0.01, 1: 0.01, 2: 0.01}
    refused = [record | ({"fallback": True} if record.get("edge") == 0 else {}) for record in log.complete()]
    run = fold("r", refused, diamond(), "complete")
    assert run is not None
    assert {index: edge.publish_s for index, edge in run.edges.items()} == {0: None, 1: 0.01, 2: 0.01}
    declined = fold("r", log.declining(), diamond(), "complete")
    assert declined is not None
    assert declined.edges[0].publish_s is None


def test_history_of_before_times_of_acceptance_were_kept_is_read() -> None:
    run = fold("r", RunLog("r").complete(), diamond(), "complete")
    assert run is not None
    assert HistoryChunk.from_document(HistoryChunk((run,)).to_document()).runs == (run,)
    document = orjson.loads(HistoryChunk((run,)).to_document())
    for edge in document["runs"][0]["edges"].values():
        del edge["publish_s"]
    (old,) = HistoryChunk.from_document(orjson.dumps(document)).runs
    assert old.edges[0].publish_s is None
    assert old.edges[0].latency_s == run.edges[0].latency_s


@pytest.mark.parametrize(
    ("cold", "init", "kept"),
    [
        (True, 0.25, 0.25),
        (True, 0, 0.0),
        (False, 0.25, None),
        (True, None, None),
        (True, "0.25", None),
        (True, True, None),
        (True, -1.0, None),
        (True, float("inf"), None),
    ],
)
def test_the_start_of_a_container_is_kept_of_cold_executions(cold: bool, init: object, kept: float | None) -> None:
    records = [
        record | ({"cold": cold, "init": init} if (record["t"], record.get("node")) == ("node_finished", 1) else {})
        for record in RunLog("r").complete()
    ]
    run = fold("r", records, diamond(), "complete")
    assert run is not None
    assert (run.nodes[0].init_s, run.nodes[1].init_s) == (None, kept)
    assert HistoryChunk.from_document(HistoryChunk((run,)).to_document()).runs == (run,)


def test_declined_branch_leaves_no_node_and_only_edges_of_nodes_that_ran() -> None:
    run = fold("r", RunLog("r").declining(), diamond(), "complete")
    assert run is not None
    assert sorted(run.nodes) == [0, 2]
    assert {index: edge.called for index, edge in run.edges.items()} == {0: False, 1: True}


@pytest.mark.parametrize("seed", range(10))
def test_order_and_repeats_do_not_matter(seed: int) -> None:
    generator = random.Random(seed)
    records = RunLog("r").complete()
    shuffled = [*records, *generator.choices(records, k=5)]
    generator.shuffle(shuffled)
    assert fold("r", shuffled, diamond(), "complete") == fold("r", records, diamond(), "complete")
    assert examine(shuffled, diamond()) == examine(records, diamond())


@pytest.mark.parametrize("records", [RunLog("r").complete(), RunLog("r").declining()], ids=["called", "declined"])
def test_run_is_complete_only_with_all_that_matters(records: list[dict[str, object]]) -> None:
    graph = diamond()
    assert examine(records, graph).is_complete
    essential = {"node_finished", "edge_called", "edge_declined"}
    for index, record in enumerate(records):
        if (record["t"] in essential and record.get("node") != 1) or record["t"] == "node_finished":
            assert not examine(records[:index] + records[index + 1 :], graph).is_complete, record


def test_failed_attempts_give_up_after_three() -> None:
    log = RunLog("r")
    start = [log.started(), log.node_started(0, 0.0)]
    two = [*start, log.failed(0, 0.1, 1), log.failed(0, 1.1, 2)]
    assert not examine(two, diamond()).is_given_up
    assert not examine([*two, log.failed(0, 1.1, 2)], diamond()).is_given_up, "the same line again is no attempt"
    assert examine([*two, log.failed(0, 3.1, 3)], diamond()).is_given_up


def test_retry_that_succeeds_makes_the_run_complete() -> None:
    log = RunLog("r")
    assert examine([*log.complete(), log.failed(1, 0.3, 1)], diamond()).is_complete


def test_failed_attempts_are_kept_each_once() -> None:
    log = RunLog("r")
    attempts = [log.failed(1, 0.3, 1), log.failed(1, 1.3, 2)]
    run = fold("r", [*log.complete(), *attempts, attempts[0], log.failed(7, 0.1, 1)], diamond(), "complete")
    assert run is not None
    assert run.failed_attempts == (FailedAttempt(1, "us-east-1", 0.1),) * 2, "a line read twice is no attempt"
    chunk = HistoryChunk((run,))
    assert HistoryChunk.from_document(chunk.to_document()) == chunk


def test_history_of_before_attempts_were_kept_still_loads() -> None:
    run = fold("r", RunLog("r").complete(), diamond(), "complete")
    assert run is not None
    document = orjson.loads(HistoryChunk((run,)).to_document())
    del document["runs"][0]["failed_attempts"]
    assert HistoryChunk.from_document(orjson.dumps(document)).runs == (run,)


def test_run_without_its_start_is_no_run() -> None:
    assert fold("r", RunLog("r").complete()[1:], diamond(), "failed") is None


def fan_in() -> Graph:
    """0 calls 1 and 2, both of which report to the join 3, which calls 4."""
    return Graph(
        nodes=tuple(Node(f"n{index}", f"f{index}", sync=index == 3) for index in range(5)),
        edges=tuple(Edge(source, target, (), False) for source, target in ((0, 1), (0, 2), (1, 3), (2, 3), (3, 4))),
    )


def test_branch_that_fails_before_a_join_ends_the_run() -> None:
    log = RunLog("r")
    begun = [log.started(), log.called(0, 0, 0.1, 0.1), log.called(0, 1, 0.1, 0.1), log.finished(0, 0.2)]
    failures = [log.failed(1, float(attempt), attempt) for attempt in (1, 2, 3)]
    other_branch = [log.called(2, 3, 0.4, 0.1), log.finished(2, 0.5)]
    assert not examine([*begun, *failures], fan_in()).is_given_up, "the other branch still runs"
    assert not examine([*begun, *failures[:2], *other_branch], fan_in()).is_given_up, "it will be tried again"
    state = examine([*begun, *failures, *other_branch], fan_in())
    assert state.is_given_up
    assert not state.is_complete
    assert state.stuck == {1, 3, 4}


def test_lines_that_are_missing_are_waited_for() -> None:
    log = RunLog("r")
    failures = [log.failed(1, float(attempt), attempt) for attempt in (1, 2, 3)]
    records = [log.called(0, 0, 0.1, 0.1), log.called(0, 1, 0.1, 0.1), log.finished(0, 0.2), *failures]
    assert not examine([*records, log.finished(2, 0.5)], fan_in()).is_given_up


def test_attempts_are_not_mixed() -> None:
    """The entry fails after its call and is tried again a minute later, under the same request id."""
    log = RunLog("r")
    records = [
        log.started(),
        log.node_started(0, 0.0),
        log.called(0, 0, 0.3, 0.2),
        log.failed(0, 0.4, 1) | {"req": "r-0"},
        log.node_started(1, 0.35, sent=log.start + 0.29),
        log.finished(1, 0.75, wall=0.4),
        log.called(1, 2, 0.6, 0.2),
        log.node_started(0, 60.0),
        log.called(0, 0, 60.2, 0.1),
        log.called(0, 1, 60.3, 0.25),
        log.finished(0, 60.5, wall=0.5),
        log.node_started(2, 60.6),
        log.finished(2, 61.0, wall=0.4),
    ]
    run = fold("r", records, diamond(), "complete")
    assert run is not None
    assert run.edges[0].offset_s == pytest.approx(0.1), "of the attempt that finished"
    assert run.edges[0].latency_s == pytest.approx(0.35 - 0.2), "of the call that the started node came from"
    assert run.nodes[0].duration_s == pytest.approx(0.5)


def test_retry_of_a_called_node_is_no_latency() -> None:
    log = RunLog("r")
    records = [
        record
        for record in log.complete()
        if not (record["t"] in ("node_started", "node_finished") and record["node"] == 1)
    ]
    retried = [
        log.node_started(1, 0.25),
        log.failed(1, 0.3, 1) | {"req": "r-1"},
        log.node_started(1, 60.0),
        log.finished(1, 60.5),
    ]
    run = fold("r", [*records, *retried], diamond(), "complete")
    assert run is not None
    assert run.edges[0].latency_s == pytest.approx(0.05)
    assert run.edges[2].offset_s is None, "the call was made by the attempt that failed"


def test_latency_is_unknown_without_the_lines_that_tell() -> None:
    records = [
        record for record in RunLog("r").complete() if not (record["t"] == "node_started" and record["node"] == 0)
    ]
    run = fold("r", records, diamond(), "complete")
    assert run is not None
    assert run.edges[0].latency_s is None
