from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multi_x_serverless.collection.relative_speed import FASTEST, MeasuredSpeeds, measure_speeds
from tests.unit.collection.synthetic import CANADA, EAST, IRELAND, NOW, WEST, Runs, World, cold, with_nodes

WORLD = World(speeds={EAST: 1.0, WEST: 1.25, CANADA: 0.8})


def everywhere(world: World, *regions: str, count: int = 40, seed: int = 0) -> tuple[Runs, ...]:
    return tuple(world.runs((region,) * 4, count, seed) for region in regions)


def test_a_speed_has_its_samples_and_interval() -> None:
    measured = measure_speeds([WORLD.workflow(*everywhere(WORLD, EAST, WEST), WORLD.runs((EAST,) * 4, 9, 7))], NOW)
    assert measured.reference == EAST
    assert set(measured.speeds) == {EAST, WEST}
    assert (measured.speeds[EAST].value, measured.speeds[EAST].samples) == (1.0, 4 * 49)
    west = measured.speeds[WEST]
    assert west.value == pytest.approx(1.25, rel=0.03)
    assert (west.samples, west.nodes, west.may_be_common, west.is_bounded) == (160, 4, False, False)
    assert west.interval.low < west.value < west.interval.high
    assert west.interval.high - west.interval.low < 0.1


@given(
    west=st.floats(0.5, 2.0),
    canada=st.floats(0.5, 2.0),
    noise=st.floats(0.0, 0.3),
    count=st.integers(20, 50),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=50, deadline=None)
def test_what_is_true_is_recovered(west: float, canada: float, noise: float, count: int, seed: int) -> None:
    world = World(speeds={WEST: west, CANADA: canada}, noise=noise)
    runs = (world.runs((EAST,) * 4, count + 1, seed), *everywhere(world, WEST, CANADA, count=count, seed=seed))
    measured = measure_speeds([world.workflow(*runs)], NOW)
    assert measured.reference == EAST
    tolerance = 6 * 1.6 * noise / (4 * count) ** 0.5 + 0.001
    for region, true in ((WEST, west), (CANADA, canada)):
        assert measured.speeds[region].value == pytest.approx(true, rel=tolerance)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    world = World(speeds={WEST: 1.1}, noise=0.2)
    hits = 0
    for seed in range(150):
        measured = measure_speeds([world.workflow(*everywhere(world, EAST, WEST, count=30, seed=seed))], NOW)
        other = measured.speeds[EAST if measured.reference == WEST else WEST]
        hits += other.interval.contains(1.1 if measured.reference == EAST else 1 / 1.1)
    assert 134 <= hits <= 150, "of 150, 142 are expected"


def test_regions_are_compared_through_others() -> None:
    """No node ran both in Canada and in the west; the east ties them together."""
    pair = everywhere(WORLD, EAST, WEST)
    other = everywhere(WORLD, EAST, CANADA, seed=3)
    measured = measure_speeds([WORLD.workflow(*pair), WORLD.workflow(*other, workflow_id="other-1")], NOW)
    assert measured.reference == EAST
    assert measured.speeds[WEST].value == pytest.approx(1.25, rel=0.04)
    assert measured.speeds[CANADA].value == pytest.approx(0.8, rel=0.04)


def test_what_does_not_hang_together_stays_assumed() -> None:
    largest = WORLD.workflow(*everywhere(WORLD, EAST, WEST, count=60))
    island = WORLD.workflow(*everywhere(WORLD, CANADA, IRELAND), workflow_id="island-1")
    measured = measure_speeds([largest, island], NOW)
    assert set(measured.speeds) == {EAST, WEST}
    assert measured.apart == (CANADA, IRELAND)
    assert measured.speeds == measure_speeds([largest], NOW).speeds


def test_cold_starts_change_nothing() -> None:
    warm = everywhere(WORLD, EAST, WEST)
    frozen = tuple(cold(runs) for runs in everywhere(WORLD, EAST, WEST, seed=5))
    assert measure_speeds([WORLD.workflow(*warm, *frozen)], NOW) == measure_speeds([WORLD.workflow(*warm)], NOW)
    assert measure_speeds([WORLD.workflow(*frozen)], NOW) == MeasuredSpeeds()


def test_a_tenth_of_outliers_hardly_matters() -> None:
    east, west = everywhere(WORLD, EAST, WEST)
    wild = with_nodes(west[:4], lambda node: replace(node, duration_s=node.duration_s * 50, cpu_s=node.cpu_s * 50))
    measured = measure_speeds([WORLD.workflow(east, wild, west[4:])], NOW)
    assert measured.speeds[WEST].value == pytest.approx(1.25, rel=0.06)


def test_with_fewer_than_twenty_runs_in_each_nothing_is_said() -> None:
    east, west = everywhere(WORLD, EAST, WEST)
    assert measure_speeds([WORLD.workflow(east[:20], west[:20])], NOW).speeds
    assert measure_speeds([WORLD.workflow(east, west[:19])], NOW) == MeasuredSpeeds()
    assert measure_speeds([], NOW) == MeasuredSpeeds()


def test_nodes_that_wait_tell_nothing_and_are_named() -> None:
    waiting = World(speeds={WEST: 1.25}, busy_share=0.2)
    runs = everywhere(waiting, EAST, WEST)
    measured = measure_speeds([waiting.workflow(*runs)], NOW)
    assert (measured.reference, measured.speeds) == (None, {})
    assert measured.waiting_nodes[0] == "first:entry_point:0 of text-0.0.1"
    assert len(measured.waiting_nodes) == 4
    # A node that waits in one of the regions only, for what is far from there, does not count either.
    east = everywhere(WORLD, EAST)
    assert measure_speeds([WORLD.workflow(*east, runs[1])], NOW).speeds == {}


def test_what_a_small_function_can_get_of_a_processor_is_all_of_its_time() -> None:
    small = World(speeds={WEST: 1.25}, memory_mb=128)
    measured = measure_speeds([small.workflow(*everywhere(small, EAST, WEST))], NOW)
    assert measured.waiting_nodes == ()
    assert len(measured.speeds) == 2


def test_a_speed_that_may_be_the_common_one_is_kept_and_marked() -> None:
    same = World(noise=0.3)
    measured = measure_speeds([same.workflow(*everywhere(same, EAST, WEST))], NOW)
    (other,) = (speed for region, speed in measured.speeds.items() if region != measured.reference)
    assert other.may_be_common
    assert other.value != 1.0


def test_what_is_no_processors_is_bounded_and_said() -> None:
    world = World(speeds={WEST: 9.0})
    runs = (world.runs((EAST,) * 4, 50), world.runs((WEST,) * 4, 40))
    measured = measure_speeds([world.workflow(*runs)], NOW)
    assert measured.speeds[WEST].value == FASTEST
    assert measured.speeds[WEST].is_bounded
    assert measured.speeds[WEST].interval.low > FASTEST, "the interval is what was measured"


def test_nodes_that_disagree_widen_the_interval() -> None:
    def interval_of(factor: float) -> float:
        east, west = everywhere(WORLD, EAST, WEST)
        slowed = tuple(
            replace(
                run,
                nodes={
                    **run.nodes,
                    0: replace(
                        run.nodes[0], duration_s=run.nodes[0].duration_s * factor, cpu_s=run.nodes[0].cpu_s * factor
                    ),
                },
            )
            for run in west
        )
        measured = measure_speeds([WORLD.workflow(east, slowed)], NOW)
        (other,) = (speed for region, speed in measured.speeds.items() if region != measured.reference)
        return other.interval.high - other.interval.low

    assert interval_of(2.0) > 3 * interval_of(1.0)


def test_old_and_failed_runs_do_not_count() -> None:
    east, west = everywhere(WORLD, EAST, WEST)
    for changed in (
        tuple(replace(run, started_at=NOW - 31 * 86_400.0) for run in west),
        tuple(replace(run, status="failed") for run in west),
    ):
        assert measure_speeds([WORLD.workflow(east, changed)], NOW) == MeasuredSpeeds()
