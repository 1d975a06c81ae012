"""What a full history keeps: few runs, the rare ones among them, and weights that undo the choice."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multi_x_serverless.model.run import EdgeObservation, HistoryChunk, NodeObservation, ObservedRun
from multi_x_serverless.model.sync_state import Thresholds
from multi_x_serverless.observation.reservoir import FEATURE_RUNS, Candidate, priority, thresholds_for


def node(region: str, duration_s: float = 1.0) -> NodeObservation:
    return NodeObservation(region, duration_s, 0.5, False, {}, {}, 0.0, 0.0)


def run(name: str, *, rare_edge: bool = False, region: str = "us-east-1", duration_s: float = 1.0) -> ObservedRun:
    called = EdgeObservation(called=True, payload_bytes=1.0, offset_s=0.5, latency_s=0.1)
    declined = EdgeObservation(called=False, payload_bytes=0.0, offset_s=0.5, latency_s=None)
    nodes = {0: node(region, duration_s)} | ({1: node(region)} if rare_edge else {})
    return ObservedRun(
        run_id=name,
        manifest_id="m",
        status="complete",
        started_at=0.0,
        finished_at=1.0,
        plan_version=1,
        placement_key="home",
        reason="plan",
        trigger_bytes=0.0,
        nodes=nodes,
        edges={0: called if rare_edge else declined},
    )


def world(seed: int, count: int = 6_000) -> list[ObservedRun]:
    """Runs of which one in 200 calls the rare edge and one in 400 is in the rare region; those are slow."""
    chance = random.Random(seed)
    return [
        run(
            f"{seed}-{number}",
            rare_edge=number % 200 == 0,
            region="ca-central-1" if number % 400 == 7 else "us-east-1",
            duration_s=chance.lognormvariate(0.0, 0.5) * (3.0 if number % 200 == 0 else 1.0),
        )
        for number in range(count)
    ]


def thinned(runs: Sequence[ObservedRun], keep: int) -> list[ObservedRun]:
    candidates = [Candidate.of(entry) for entry in runs]
    thresholds = thresholds_for(candidates, keep)
    return [candidate.to_run() for candidate in candidates if candidate.stays(thresholds)]


def test_rare_edges_and_rare_regions_stay() -> None:
    runs = world(1)
    kept = thinned(runs, 500)
    assert len(kept) == 500
    rare = {entry.run_id for entry in runs if entry.edges[0].called or entry.nodes[0].region != "us-east-1"}
    assert len(rare) == 45 < FEATURE_RUNS
    assert rare <= {entry.run_id for entry in kept}
    assert all(entry.weight == 1.0 for entry in kept if entry.run_id in rare), "none of them was left out"


def test_weights_make_up_for_what_was_left_out() -> None:
    """Averaged over many worlds, weighted sums over what is kept are those over all runs."""
    errors: dict[str, list[float]] = {"runs": [], "rare": [], "seconds": []}
    for seed in range(60):
        runs = world(seed, 2_000)
        kept = thinned(thinned(runs[:1_500], 300) + runs[1_500:], 300)
        errors["runs"].append(sum(entry.weight for entry in kept) / len(runs) - 1.0)
        rare = sum(entry.weight for entry in kept if entry.edges[0].called)
        errors["rare"].append(rare / sum(entry.edges[0].called for entry in runs) - 1.0)
        seconds = sum(entry.weight * entry.nodes[0].duration_s for entry in kept)
        errors["seconds"].append(seconds / sum(entry.nodes[0].duration_s for entry in runs) - 1.0)
    for quantity, found in errors.items():
        mean = sum(found) / len(found)
        spread = (sum((error - mean) ** 2 for error in found) / len(found)) ** 0.5
        assert abs(mean) <= 4.0 * spread / len(found) ** 0.5 + 1e-9, f"{quantity}: {mean:+.4f} +- {spread:.4f}"


def test_what_is_frequent_in_the_history_only_is_not_frequent_in_its_weights() -> None:
    kept = thinned(world(3), 200)
    unweighted = sum(entry.edges[0].called for entry in kept) / len(kept)
    weighted = sum(entry.weight * entry.edges[0].called for entry in kept) / sum(entry.weight for entry in kept)
    assert unweighted > 0.1
    assert weighted == pytest.approx(1 / 200, rel=0.3)


@given(keep=st.integers(1, 80), order=st.randoms(use_true_random=False), count=st.integers(1, 120))
@settings(max_examples=80, deadline=None)
def test_the_order_of_runs_does_not_matter_and_no_more_are_kept_than_asked(
    keep: int, order: random.Random, count: int
) -> None:
    runs = world(9, count)
    kept = thinned(runs, keep)
    assert len(kept) == min(keep, count)
    shuffled = list(runs)
    order.shuffle(shuffled)
    assert sorted(entry.run_id for entry in thinned(shuffled, keep)) == sorted(entry.run_id for entry in kept)
    assert thinned(kept, keep) == kept, "what fits is left alone"


def test_thinning_in_steps_keeps_what_thinning_at_once_does() -> None:
    runs = [run(str(number)) for number in range(1_000)]
    at_once = thinned(runs, 50)
    in_steps = thinned(thinned(thinned(runs, 700), 200), 50)
    assert in_steps == at_once


def test_many_features_share_the_room() -> None:
    runs = [run(f"{number}", region=f"r{number % 300}") for number in range(3_000)]
    kept = thinned(runs, 600)
    assert len(kept) == 600
    regions = [entry.nodes[0].region for entry in kept]
    assert len(set(regions)) == 300, "every region keeps something"
    assert thresholds_for([], 5) == Thresholds()


def test_priorities_are_spread_evenly_and_stay_below_one() -> None:
    values = sorted(priority(str(number)) for number in range(10_000))
    assert values[0] >= 0.0
    assert values[-1] < 1.0
    assert max(abs(value - rank / 10_000) for rank, value in enumerate(values)) < 0.02
    assert priority("\ud800") == priority("\ud800")


def test_weighted_chunks_are_of_a_version_that_older_programs_refuse() -> None:
    plain, weighted = HistoryChunk((run("a"),)), HistoryChunk(tuple(thinned([run(f"{n}") for n in range(50)], 5)))
    assert b'"version":1' in plain.to_document()
    assert b'"version":2' in weighted.to_document()
    for chunk in (plain, weighted):
        assert HistoryChunk.from_document(chunk.to_document()) == chunk
