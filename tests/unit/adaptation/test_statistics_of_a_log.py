"""A recorded log -> sync -> history -> statistics, compared with a file, and with the records themselves."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from multi_x_serverless.adaptation.statistics import summarise
from multi_x_serverless.cloud.ports import Cloud, LogEvent
from multi_x_serverless.collection.measured_round_trips import measure_round_trips
from multi_x_serverless.collection.relative_speed import measure_speeds
from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model.config import FunctionConfiguration, ProviderSettings, WorkflowConfiguration
from multi_x_serverless.model.graph import Edge, Graph, Node
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.statistics import EdgeStatistics, Gap, NodeRegion, NodeStatistics, WorkflowStatistics
from multi_x_serverless.observation.history import History
from multi_x_serverless.observation.sync import LogSource, sync_logs
from multi_x_serverless.solving.problem import WorkflowModel
from tests.data.logs import make_reviews
from tests.data.logs.make_reviews import AWAY, FUNCTIONS, HOME, WORKFLOW_ID
from tests.fakes import FakeKeyValueStore, FakeLogService, Faults
from tests.unit.cli.golden import WRITE

GOLDEN = make_reviews.FILE.parent / "reviews_statistics.json"
NOW = 1_700_500_000.0
MEMORY_MB = 1769
MB_PER_VCPU = 1769.0

CLOCK_DIGITS_S = 1e-6
"""What a difference of two times since the epoch is worth in double precision."""

GRAPH = Graph(
    nodes=(
        Node("receive:entry_point:0", "receive", sync=False),
        Node("translate:receive_0_0:1", "translate", sync=False),
        Node("score:receive_0_1:2", "score", sync=False),
        Node("archive:score_2_0:3", "archive", sync=False),
        Node("summarise:sync:4", "summarise", sync=True),
    ),
    edges=(
        Edge(0, 1, (), conditional=True),
        Edge(0, 2, (), conditional=False),
        Edge(2, 3, (), conditional=False),
        Edge(1, 4, (), conditional=False),
        Edge(3, 4, (), conditional=False),
        Edge(3, 4, (), conditional=True),
    ),
)


def workflow() -> WorkflowModel:
    provider = ProviderSettings(timeout_s=60, memory_mb=MEMORY_MB, architecture="x86_64")
    everywhere, at_home = (AWAY, HOME, "us-west-2"), (HOME,)
    return WorkflowModel(
        configuration=WorkflowConfiguration(
            workflow_name="reviews",
            workflow_version="0.0.1",
            home_region=HOME,
            provider=provider,
            data_regions={"score": "us-west-2"},
        ),
        functions={
            name: FunctionConfiguration(name, everywhere if name in ("score", "archive") else at_home, {}, provider)
            for name in FUNCTIONS
        },
        graph=GRAPH,
        manifest_id="reviews-manifest",
    )


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return [json.loads(line) for line in make_reviews.FILE.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def runs(events: list[dict[str, Any]]) -> tuple[ObservedRun, ...]:
    """What comes of the log by way of the history, read in three syncs."""
    logs = FakeLogService(Faults())
    for number, event in enumerate(events):
        place = event["region"], event["function"]
        logs.logs.setdefault(place, []).append(LogEvent(f"{number:08d}", event["timestamp"], event["message"]))
    clock = SimpleNamespace(time=0.0)
    store = FakeKeyValueStore.of(HOME, "history", "statistics", "locks")
    cloud = cast(Cloud, SimpleNamespace(key_value=store, logs=logs, system_region=HOME, now=lambda: clock.time))
    sources = tuple(LogSource(region, function) for region, function in sorted(logs.logs))
    completed = failed = 0
    for moment in (make_reviews.FIRST_RUN + 50_000.3, make_reviews.FIRST_RUN + 300_000.1, NOW):
        clock.time = moment
        report = sync_logs(cloud, WORKFLOW_ID, GRAPH, sources)
        completed, failed = completed + report.completed, failed + report.failed
        assert report.malformed == 0
    assert (completed, failed) == (61, 1)
    return History(cloud).runs(WORKFLOW_ID)


@pytest.fixture(scope="module")
def statistics(runs: tuple[ObservedRun, ...]) -> WorkflowStatistics:
    return summarise(workflow(), runs, NOW)


@pytest.fixture(scope="module")
def records(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records of complete runs, read without any code of ours; of a retried node only the attempt that finished."""
    found = []
    for event in events:
        start = event["message"].find('{"mxs"')
        if start >= 0:
            found.append(json.loads(event["message"][start:]))
    finished = {record["run"] for record in found if record["t"] == "node_finished" and record["node"] == 4}
    return [record for record in found if record["run"] in finished]


def of_node(records: list[dict[str, Any]], node: int, region: str | None = None) -> list[dict[str, Any]]:
    return [
        record
        for record in records
        if record["t"] == "node_finished" and record["node"] == node and region in (None, record["region"])
    ]


def at(samples: list[float], position: float) -> float:
    ordered = np.sort(samples)
    return float(ordered[int(np.floor(position * len(ordered)))])


def node_of(statistics: WorkflowStatistics, index: int) -> NodeStatistics:
    return statistics.nodes[index]


def region_of(statistics: WorkflowStatistics, index: int, region: str) -> NodeRegion:
    (found,) = (entry for entry in statistics.nodes[index].regions if entry.region == region)
    return found


def rounded(text: bytes | str) -> Any:
    """A document with its numbers to nine digits: the last ones are those of a machine's logarithm."""
    return json.loads(text, parse_float=lambda number: float(f"{float(number):.9g}"))


def test_the_file_of_events_is_what_its_program_writes() -> None:
    assert make_reviews.FILE.read_text(encoding="utf-8") == make_reviews.text()


def test_the_statistics_are_those_of_the_golden_file(statistics: WorkflowStatistics) -> None:
    document = rounded(statistics.to_document())
    if os.environ.get(WRITE):
        GOLDEN.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert document == rounded(GOLDEN.read_text(encoding="utf-8"))
    assert WorkflowStatistics.from_document(statistics.to_document()) == statistics


def test_runs_are_counted_as_the_log_has_them(
    statistics: WorkflowStatistics, records: list[dict[str, Any]], events: list[dict[str, Any]]
) -> None:
    starts = {record["run"]: record["ts"] for record in records if record["t"] == "run_started"}
    ends: dict[str, float] = defaultdict(float)
    for record in records:
        if record["t"] == "node_finished":
            ends[record["run"]] = max(ends[record["run"]], record["ts"])
    times = [ends[run] - start for run, start in starts.items()]
    assert (statistics.runs, statistics.failed, statistics.other_runs) == (len(starts), 1, 0) == (61, 1, 0)
    assert statistics.first_run_at == make_reviews.FIRST_RUN
    assert statistics.last_run_at == make_reviews.FIRST_RUN + 61 * make_reviews.INTERVAL_S
    assert statistics.runs_per_day == pytest.approx(62 / ((NOW - make_reviews.FIRST_RUN) / 86_400))
    assert statistics.runtime is not None
    assert statistics.runtime.mean == pytest.approx(np.mean(times))
    assert (statistics.runtime.p50, statistics.runtime.p95) == pytest.approx((at(times, 0.5), at(times, 0.95)))
    executions = [record for record in records if record["t"] == "node_finished"]
    assert statistics.cold_share == pytest.approx(np.mean([record["cold"] for record in executions]))
    assert statistics.regions == (AWAY, HOME)


@pytest.mark.parametrize("index", range(5))
@pytest.mark.parametrize("region", [HOME, AWAY])
def test_durations_and_utilisation_of_a_node_are_those_of_its_records(
    statistics: WorkflowStatistics, records: list[dict[str, Any]], index: int, region: str
) -> None:
    mine = of_node(records, index, region)
    if not mine:
        assert region not in {entry.region for entry in node_of(statistics, index).regions}
        return
    entry = region_of(statistics, index, region)
    for spread, is_cold in ((entry.warm, False), (entry.cold, True)):
        walls = [record["wall"] for record in mine if record["cold"] is is_cold]
        assert (0 if spread is None else spread.count) == len(walls)
        if spread is not None:
            expected = np.mean(walls), at(walls, 0.5), at(walls, 0.95)
            assert (spread.mean, spread.p50, spread.p95) == pytest.approx(expected)
    vcpus = MEMORY_MB / MB_PER_VCPU
    shares = [min(1.0, record["cpu"] / record["wall"] / vcpus) for record in mine]
    assert entry.cpu_utilization == pytest.approx(np.mean(shares))
    warm = [record["wall"] for record in mine if not record["cold"]]
    if warm:
        assert entry.log_duration is not None
        assert entry.log_duration.value == pytest.approx(np.median(np.log(warm)))


@pytest.mark.parametrize("index", range(5))
def test_data_of_a_node_is_that_of_its_records(
    statistics: WorkflowStatistics, records: list[dict[str, Any]], index: int
) -> None:
    mine, node = of_node(records, index), node_of(statistics, index)
    for entry in node.regions:
        there = of_node(records, index, entry.region)
        places = sorted({place for record in there for place in record["network"]})
        assert [moved.region for moved in entry.data] == places
        for moved in entry.data:
            both = [record["network"].get(moved.region, [0, 0]) for record in there]
            expected = np.mean([received for received, _ in both]), np.mean([sent for _, sent in both])
            assert (moved.received_bytes, moved.sent_bytes) == pytest.approx(expected)
        assert entry.other_sent_bytes == pytest.approx(np.mean([record["other_out"] for record in there]))
        assert entry.other_received_bytes == pytest.approx(np.mean([record["other_in"] for record in there]))
    assert sum(place.share for place in node.data_places) == pytest.approx(1.0 if node.data_places else 0.0)
    if index == 3:
        by_place = {place: sum(sum(record["network"][place]) for record in mine) for place in (HOME, "us-west-2")}
        assert [(place.region, place.basis) for place in node.data_places] == [
            (HOME, "measured"),
            ("us-west-2", "measured"),
        ]
        assert node.data_places[0].share == pytest.approx(by_place[HOME] / sum(by_place.values()))
        assert node.data_places[0].moved_bytes == pytest.approx(by_place[HOME] / len(mine))


def test_bytes_of_unknown_places_lie_where_the_configuration_says(statistics: WorkflowStatistics) -> None:
    (place,) = node_of(statistics, 2).data_places
    assert (place.region, place.basis, place.share, place.moved_bytes) == ("us-west-2", "declared", 1.0, 4_500.0)
    assert node_of(statistics, 2).unknown_bytes == 0.0


def calls_of(records: list[dict[str, Any]], edge: int) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Pair of regions -> latency, time until accepted, payload, and which ends were cold; from the records alone."""
    source, target = GRAPH.edges[edge].source, GRAPH.edges[edge].target
    by_run: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for record in records:
        parts = by_run[record["run"]]
        if record["t"] == "node_started" and record["node"] == source:
            parts["start"] = record  # the last attempt is the one that called
        elif record["t"] == "node_started" and record["node"] == target:
            parts.setdefault("arrival", record)  # a retry waits for its turn, and that is no part of the way
        elif record["t"] == "edge_called" and record["edge"] == edge:
            parts["call"] = record
        elif record["t"] == "node_finished" and record["node"] in (source, target):
            parts["caller" if record["node"] == source else "called"] = record
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for parts in by_run.values():
        if "call" in parts and "called" in parts:
            start, arrival, call = parts["start"], parts["arrival"], parts["call"]
            found[start["region"], arrival["region"]].append(
                {
                    "latency": arrival["ts"] - start["ts"] - call["offset"],
                    "publish": call["publish"],
                    "bytes": call["bytes"],
                    "cold caller": parts["caller"]["cold"],
                    "cold": parts["called"]["cold"],
                }
            )
    return found


@pytest.mark.parametrize("index", range(6))
def test_edges_are_as_the_records_have_them(
    statistics: WorkflowStatistics, records: list[dict[str, Any]], index: int
) -> None:
    edge: EdgeStatistics = statistics.edges[index]
    calls = [record for record in records if record["t"] == "edge_called" and record["edge"] == index]
    ran = len(of_node(records, GRAPH.edges[index].source))
    assert (edge.decided, edge.called) == (ran, len({record["run"] for record in calls}))
    assert edge.call_probability == pytest.approx(len(calls) / ran)
    if edge.payload is not None:
        sizes = [record["bytes"] for record in calls]
        expected = np.mean(sizes), at(sizes, 0.5), at(sizes, 0.95)
        assert (edge.payload.mean, edge.payload.p50, edge.payload.p95) == pytest.approx(expected)
    if GRAPH.nodes[GRAPH.edges[index].target].sync:
        assert edge.latencies == ()
        return
    found = calls_of(records, index)
    assert {(latency.from_region, latency.to_region) for latency in edge.latencies} == set(found)
    for latency in edge.latencies:
        samples = found[latency.from_region, latency.to_region]
        assert (latency.count, latency.cold_count) == (len(samples), sum(call["cold"] for call in samples))
        assert latency.p50_s == pytest.approx(at([call["latency"] for call in samples], 0.5), abs=CLOCK_DIGITS_S)
        is_apart = latency.from_region != latency.to_region
        warm = [call for call in samples if not call["cold caller"]]
        accepted = [call["publish"] - is_apart * (call["bytes"] + 600) / 100e6 for call in warm]
        assert (latency.accepted is None) == (not accepted)
        if latency.accepted is not None:
            assert latency.accepted.value == pytest.approx(np.median(accepted))
            assert latency.accepted.samples == len(accepted)


def test_rare_things_and_what_is_missing_are_said(statistics: WorkflowStatistics) -> None:
    assert statistics.edges[0].called == 2
    assert node_of(statistics, 2).failed_attempts == 4, "three of the run that was given up, one that was made good"
    score, archive = GRAPH.nodes[2].name, GRAPH.nodes[3].name
    assert statistics.gaps == (
        Gap("few_samples", GRAPH.nodes[1].name, (HOME,)),
        Gap("region_never_seen", score, ("us-west-2",)),
        Gap("region_never_seen", archive, ("us-west-2",)),
        Gap("edge_never_called", f"{archive} -> {GRAPH.nodes[4].name}"),
    )


def test_the_collector_learns_from_them_what_the_log_was_made_of(statistics: WorkflowStatistics) -> None:
    trip = measure_round_trips([statistics], NOW).round_trip(HOME, AWAY)
    assert trip is not None
    assert trip.samples == 22
    assert trip.interval is not None
    assert trip.interval.contains(make_reviews.ROUND_TRIP_S)
    speeds = measure_speeds([statistics], NOW)
    assert speeds.reference == HOME
    assert speeds.speeds[AWAY].interval.contains(make_reviews.SPEED_AWAY)
    assert speeds.speeds[AWAY].nodes == 1, "the other node that moved mostly waits"
    assert speeds.waiting_nodes == (f"{GRAPH.nodes[3].name} of {WORKFLOW_ID}",)


def test_a_document_with_an_unknown_word_is_refused(statistics: WorkflowStatistics) -> None:
    document = json.loads(statistics.to_document())
    document["gaps"][0]["kind"] = "mystery"
    with pytest.raises(InvalidDocumentError, match="mystery"):
        WorkflowStatistics.from_document(json.dumps(document))


def test_the_golden_file_is_small_enough_to_be_read() -> None:
    assert Path(GOLDEN).stat().st_size < 40_000


def _values(edge: EdgeStatistics) -> list[float | None]:
    medians = [edge.accepted_within, *(latency.accepted for latency in edge.latencies)]
    return [None if median is None else median.value for median in medians]


def test_runs_that_stand_for_several_count_so_in_means_and_shares(runs: tuple[ObservedRun, ...]) -> None:
    """Runs that are there three times are the same as runs of three times the weight, but for what is sampled."""
    light, heavy = runs[::2], runs[1::2]
    weighted = [*light, *(replace(run, weight=3.0) for run in heavy)]
    repeated = [*light, *(replace(run, run_id=f"{run.run_id}-{copy}") for run in heavy for copy in range(3))]
    by_age = [sorted(entries, key=lambda run: run.started_at) for entries in (weighted, repeated)]
    found, expected = (summarise(workflow(), entries, NOW) for entries in by_age)
    assert (found.runs, found.failed, found.runs_per_day) == (expected.runs, expected.failed, expected.runs_per_day)
    assert found.sampled_runs < found.runs == expected.sampled_runs
    assert found.cold_share == pytest.approx(expected.cold_share)
    assert found.runtime is not None
    assert expected.runtime is not None
    assert found.runtime.mean == pytest.approx(expected.runtime.mean)
    assert (found.runtime.p50, found.runtime.p95) == (expected.runtime.p50, expected.runtime.p95)
    for mine, theirs in zip(found.edges, expected.edges, strict=True):
        assert mine.call_probability == pytest.approx(theirs.call_probability)
        assert _values(mine) == _values(theirs)
    for node, other in zip(found.nodes, expected.nodes, strict=True):
        assert node.failed_attempts == other.failed_attempts
        assert node.unknown_bytes == pytest.approx(other.unknown_bytes)
        for place, other_place in zip(node.data_places, other.data_places, strict=True):
            assert place.share == pytest.approx(other_place.share)
        for region, other_region in zip(node.regions, other.regions, strict=True):
            assert region.cpu_utilization == pytest.approx(other_region.cpu_utilization)
            if region.log_duration is not None and other_region.log_duration is not None:
                assert region.log_duration.value == other_region.log_duration.value
            assert region.other_sent_bytes == pytest.approx(other_region.other_sent_bytes)
