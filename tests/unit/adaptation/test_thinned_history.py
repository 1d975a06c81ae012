"""What collectors learn of a history that keeps rare runs more often than others is what they learn of all runs."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from multi_x_serverless import data
from multi_x_serverless.adaptation.statistics import summarise
from multi_x_serverless.collection.measured_round_trips import measure_round_trips
from multi_x_serverless.collection.relative_speed import measure_speeds
from multi_x_serverless.model.config import FunctionConfiguration, ProviderSettings, WorkflowConfiguration
from multi_x_serverless.model.estimate import Z_95
from multi_x_serverless.model.graph import Edge, Graph, Node
from multi_x_serverless.model.run import EdgeObservation, NodeObservation, ObservedRun
from multi_x_serverless.model.shared_constants import BANDWIDTH_BYTES_PER_S, MESSAGE_ENVELOPE_BYTES
from multi_x_serverless.observation.reservoir import Candidate, thresholds_for
from multi_x_serverless.solving.problem import WorkflowModel

EAST, WEST = "us-east-1", "us-west-2"
NOW = 1_700_000_000.0
SEEDS = 20
RUNS, KEPT = 3_000, 800

RARE_EDGES = 6
RARE_SHARE = 0.015
"""Of the runs, for each of the rare edges."""

WEST_SHARE = 0.03
"""So little that nearly all of these runs are kept, and the rare ones among them are as frequent as in the world."""

SLOWER = 5.0
"""How many times as long a run with a rare edge takes, in either region."""

ADDED_S = 0.06
"""What the way to the west adds to a call."""

GRAPH = Graph(
    nodes=(
        Node("first:entry_point:0", "first", sync=False),
        *(Node(f"leaf:first_0_{edge}:{edge + 1}", "leaf", sync=False) for edge in range(RARE_EDGES + 1)),
    ),
    edges=tuple(Edge(0, edge + 1, (), edge > 0) for edge in range(RARE_EDGES + 1)),
)
DECLINED = EdgeObservation(called=False, payload_bytes=0.0, offset_s=0.01, latency_s=None)
CALLED = EdgeObservation(called=True, payload_bytes=1_000.0, offset_s=0.01, latency_s=0.03)
WARM = NodeObservation(EAST, 0.1, 0.09, False, {}, {}, 0.0, 0.0)


def model() -> WorkflowModel:
    provider = ProviderSettings(timeout_s=60, memory_mb=1769, architecture="x86_64")
    return WorkflowModel(
        configuration=WorkflowConfiguration("text", "0.0.1", home_region=EAST, provider=provider),
        functions={name: FunctionConfiguration(name, (EAST, WEST), {}, provider) for name in GRAPH.functions},
        graph=GRAPH,
        manifest_id="m1",
    )


def a_run(chance: random.Random, name: str, number: int) -> ObservedRun:
    """The first node is in the east; the node that it always calls is in the west at times, as fast as in the east."""
    region = WEST if chance.random() < WEST_SHARE else EAST
    position = chance.random() / RARE_SHARE
    rare = int(position) + 1 if position < RARE_EDGES else None
    factor = 1.0 if rare is None else SLOWER
    duration_s = 0.5 * factor * chance.lognormvariate(0.0, 0.2)
    publish_s = 0.03 * factor * chance.lognormvariate(0.0, 0.2)
    if region == WEST:
        publish_s += ADDED_S + (CALLED.payload_bytes + MESSAGE_ENVELOPE_BYTES) / BANDWIDTH_BYTES_PER_S
    nodes = {0: WARM, 1: NodeObservation(region, duration_s, 0.9 * duration_s, False, {}, {}, 0.0, 0.0)}
    edges = {0: replace(CALLED, publish_s=publish_s), **dict.fromkeys(range(1, RARE_EDGES + 1), DECLINED)}
    if rare is not None:
        edges[rare] = CALLED
        nodes[rare + 1] = WARM
    return ObservedRun(
        run_id=f"{name}-{number}",
        manifest_id="m1",
        status="complete",
        started_at=NOW - 3_600.0 + number,
        finished_at=NOW - 3_500.0 + number,
        plan_version=1,
        placement_key="home",
        reason="plan",
        trigger_bytes=0.0,
        nodes=nodes,
        edges=edges,
    )


def thinned(runs: Sequence[ObservedRun]) -> list[ObservedRun]:
    candidates = [Candidate.of(run) for run in runs]
    thresholds = thresholds_for(candidates, KEPT)
    return [candidate.to_run() for candidate in candidates if candidate.stays(thresholds)]


@pytest.fixture(scope="module")
def histories() -> list[list[ObservedRun]]:
    worlds = [(random.Random(seed), f"w{seed}") for seed in range(SEEDS)]
    return [thinned([a_run(chance, name, number) for number in range(RUNS)]) for chance, name in worlds]


def assert_unbiased(errors: Sequence[float]) -> None:
    """Errors in units of the standard error: about 5 % beyond two of them, and none on the whole."""
    assert sum(abs(error) <= Z_95 for error in errors) >= 0.85 * len(errors)
    assert abs(math.fsum(errors) / len(errors)) < 3.0 / math.sqrt(len(errors))


def test_rare_runs_are_frequent_in_the_history(histories: list[list[ObservedRun]]) -> None:
    for history in histories:
        assert len(history) == KEPT
        assert sum(len(run.nodes) > 2 for run in history) > 2 * RARE_EDGES * RARE_SHARE * KEPT
        assert sum(run.weight for run in history) == pytest.approx(RUNS, rel=0.2)


def test_regions_that_are_equally_fast_are_found_so(histories: list[list[ObservedRun]]) -> None:
    errors = []
    for history in histories:
        west = measure_speeds([summarise(model(), history, NOW)], NOW).speeds[WEST]
        spread = math.log(west.interval.high / west.interval.low) / (2 * Z_95)
        errors.append(math.log(west.value) / spread)
    assert_unbiased(errors)


def test_the_way_between_regions_is_found(histories: list[list[ObservedRun]]) -> None:
    truth_s = ADDED_S + data.round_trip_seconds(EAST, EAST).value
    errors = []
    for history in histories:
        trip = measure_round_trips([summarise(model(), history, NOW)], NOW).trips[EAST, WEST].estimate
        errors.append((trip.value - truth_s) / trip.standard_error)
    assert_unbiased(errors)


def test_medians_are_those_of_all_runs_and_count_what_is_kept(histories: list[list[ObservedRun]]) -> None:
    """A median of a node's durations is about what it is without rare runs, which are a tenth of all."""
    true = math.log(0.5) + 0.2 * 0.124  # the quantile 0.5 / 0.91 of the others
    errors = []
    for history in histories:
        (east,) = [region for region in summarise(model(), history, NOW).nodes[1].regions if region.region == EAST]
        assert east.log_duration is not None
        assert east.log_duration.samples == sum(run.nodes[1].region == EAST for run in history)
        errors.append((east.log_duration.value - true) / east.log_duration.standard_error)
    assert_unbiased(errors)
