"""The baseline search does what is published of it, and its judges tell what they say."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.reproduction.applications import workload
from benchmarks.reproduction.heuristic_study import (
    Exact,
    Pinned,
    pinned_graph,
    quantiles,
    space_of,
    study_pinned,
    study_tails,
    tail_limited_graph,
)
from benchmarks.reproduction.heuristic_week import heuristic_week
from benchmarks.reproduction.published_heuristic import (
    Judge,
    Judgement,
    Parameters,
    Placement,
    Space,
    exact_judge,
    many_runs,
    sampling_judge,
    search,
)
from benchmarks.solver.assembly import HOUR
from multi_x_serverless import _core

REGIONS = ("home", "green", "grey")
CARBON = {"home": 1.0, "green": 0.25, "grey": 2.0}
TIME = {"home": 1.0, "green": 3.0, "grey": 1.0}


def space(nodes: int, pinned: tuple[int, ...] = ()) -> Space:
    return Space("home", REGIONS, tuple(("home",) if node in pinned else REGIONS for node in range(nodes)))


def recording(asked: list[Placement], unit: float = 1.0) -> Judge:
    def judge(placement: Placement) -> Judgement:
        asked.append(placement)
        return Judgement(unit * sum(CARBON[region] for region in placement), max(TIME[region] for region in placement))

    return judge


def test_it_starts_at_home_tries_single_regions_and_makes_so_many_proposals() -> None:
    asked: list[Placement] = []
    found = search(space(4), recording(asked), 0)
    assert asked[:3] == [("home",) * 4, ("green",) * 4, ("grey",) * 4]
    assert len(asked) == 1 + 2 + 4 * 3 * 6 == len(found.best_so_far)
    assert found.placement == ("green",) * 4
    assert np.all(np.diff(found.best_so_far) <= 0)
    assert found.best_so_far[[0, 1, -1]].tolist() == [4.0, 1.0, 1.0]


def test_the_seed_decides() -> None:
    first, again, other = ([], [], [])  # type: tuple[list[Placement], list[Placement], list[Placement]]
    for asked, seed in ((first, 1), (again, 1), (other, 2)):
        search(space(4), recording(asked), seed)
    assert first == again != other


def test_pinned_nodes_stay_and_single_regions_take_the_rest() -> None:
    asked: list[Placement] = []
    search(space(3, pinned=(1,)), recording(asked), 0)
    assert asked[1] == ("green", "home", "green")
    assert {placement[1] for placement in asked} == {"home"}
    assert {placement[0] for placement in asked} == set(REGIONS)


def test_what_breaks_the_tolerance_is_skipped() -> None:
    asked: list[Placement] = []
    found = search(space(3), recording(asked), 0, limit=2.0)
    assert any("green" in placement for placement in asked)
    assert found.placement == ("home",) * 3
    assert search(space(3), recording([]), 0, limit=3.0).placement == ("green",) * 3


def changes(asked: list[Placement]) -> list[int]:
    """How many nodes each proposal differs in from the one before; single regions left out."""
    return [
        sum(one != other for one, other in zip(first, second, strict=True)) for first, second in pairwise(asked[3:])
    ]


def test_in_grams_a_run_that_emits_milligrams_accepts_everything() -> None:
    """Each proposal then starts from the one before: moving one node each, they differ in one at most."""
    tiny: list[Placement] = []
    search(space(8), recording(tiny, 1e-6), 0, Parameters(moved_nodes="one"))
    assert max(changes(tiny)) == 1
    large: list[Placement] = []
    search(space(8), recording(large, 1e6), 0, Parameters(moved_nodes="one"))
    # Nothing worse is accepted: every proposal starts from the greenest region.
    assert max(changes(large)) == 2
    assert all(sum(region != "green" for region in placement) <= 1 for placement in large[3:])


def test_in_per_cent_the_unit_of_carbon_does_not_matter() -> None:
    found: list[list[Placement]] = [[], []]
    for asked, unit in zip(found, (1.0, 2.0**-20), strict=True):
        search(space(6), recording(asked, unit), 3, Parameters(difference="per cent of home"))
    assert found[0] == found[1]


def test_regions_that_improved_are_preferred() -> None:
    asked: list[Placement] = []
    search(space(5), recording(asked), 0, Parameters(probability_of_improving_region=1.0))
    assert {region for placement in asked[3:] for region in placement} == {"green"}


def test_the_exact_judge_is_the_engine_and_samples_scatter_around_it() -> None:
    document = pinned_graph(6, 0)
    problem, allowed = _core.Problem.from_json(document), space_of(document)
    placement = allowed.in_one_region(allowed.regions[1])
    exact = exact_judge(problem, HOUR)(placement)
    told = problem.evaluate(dict(zip(problem.nodes, placement, strict=True)), HOUR)
    assert (exact.carbon, exact.runtime_tail) == (told.carbon.mean, told.runtime.tail)
    judge = sampling_judge(many_runs(problem, HOUR), 5)
    samples = [judge(placement) for _ in range(200)]
    assert len({one.carbon for one in samples}) > 100
    deviation = np.std([one.carbon for one in samples])
    assert np.mean([one.carbon for one in samples]) == pytest.approx(exact.carbon, abs=4 * deviation / math.sqrt(200))
    assert np.mean([one.runtime_tail for one in samples]) == pytest.approx(exact.runtime_tail, rel=0.03)


def test_graphs_have_every_third_node_pinned_and_a_limit_only_where_asked() -> None:
    free = space_of(pinned_graph(7, 0))
    assert [len(regions) == 1 for regions in free.allowed] == [True, False, False] * 2 + [True]
    assert len(free.regions) == 10
    assert tail_limited_graph(1.02, 0) != tail_limited_graph(1.01, 0)


def test_nothing_is_below_the_proven_optimum_and_effort_is_looked_up_by_evaluation() -> None:
    found = study_pinned(6, 1, range(5))
    assert np.all(found.excess_percent >= -1e-6)
    assert np.allclose(found.after(10**9), found.excess_percent, atol=1e-6)
    assert np.all(found.after(1) == found.excess_by_evaluation[:, 0])
    assert found.exact.heuristic_percent == pytest.approx(0.0, abs=1e-6)
    exact = Exact(1.0, 1, 1.0, 1.0, 0.0)
    half = Pinned(6, 0, exact, np.array([0.0, 3.0]), np.array([[9.0, 0.0], [9.0, 3.0]]))
    assert half.found == 0.5
    assert (quantiles(half.excess_percent), quantiles(np.array([]))) == ("0.0 / 1.5 / 3.0", "-")


def test_tails_are_held_against_what_is_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.reproduction.heuristic_study.POOL_SCENARIOS", 3000)
    monkeypatch.setattr("benchmarks.reproduction.heuristic_study.TRUE_SCENARIOS", 5000)
    loose = study_tails(3.0, [5], range(4))
    assert (loose.moved, loose.violates, loose.exact_violates, loose.worst_percent) == (1.0, 0.0, (0, 1), 0.0)
    assert len(loose.excess_percent) == loose.searches == 4
    tight = study_tails(1.02, [5], range(10))
    assert tight.violates > 0.5
    assert tight.worst_percent > 0


def test_of_one_node_the_heuristic_finds_the_optimum_of_every_hour() -> None:
    found = heuristic_week("worst", 4, Parameters(), [workload("DNA small")])
    assert found.missed_hours == 0.0
    assert found.over_home == pytest.approx(found.optimum_over_home, rel=1e-9)
