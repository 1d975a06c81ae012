"""Which cold starts plans caused, and what they took; all numbers by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from multi_x_serverless import data
from multi_x_serverless.adaptation.cold_starts import (
    IDLE_S,
    NO_COLD_STARTS,
    CausedColdStarts,
    ColdStart,
    ColdStartSpending,
    caused_cold_starts,
    price_cold_starts,
)
from multi_x_serverless.model.config_types import ProviderSettings
from multi_x_serverless.model.deployments import Origin
from multi_x_serverless.model.graph import Edge, Graph, Node
from multi_x_serverless.model.run import EdgeObservation, NodeObservation, ObservedRun
from multi_x_serverless.solving.model_constants import COLD_START_S
from tests.unit.observation.records import diamond

HOME, AWAY = "us-east-1", "ca-central-1"
ONE = Graph(nodes=(Node("only:entry_point:0", "only", sync=False),), edges=())
OF_ONE = {"m1": Origin(ONE, HOME, 0.1)}
BEGIN = 1_700_000_000.0


def node(region: str = HOME, *, cold: bool = False, init_s: float | None = None, lasts: float = 1.0) -> NodeObservation:
    return NodeObservation(region, lasts, 0.5, cold, {}, {}, 0.0, 0.0, init_s)


def run(at: float, entry: NodeObservation, *, plan: int = 2, reason: str = "plan", weight: float = 1.0) -> ObservedRun:
    """A run of one node, `at` seconds after the beginning."""
    return ObservedRun(
        f"run-{at}", "m1", "complete", BEGIN + at, BEGIN + at + 1, plan, "0", reason, 0.0, {0: entry}, {}, (), weight
    )


def cold(region: str, init_s: float | None = 0.2) -> NodeObservation:
    return node(region, cold=True, init_s=init_s)


def test_a_cold_start_away_counts_where_home_would_have_had_a_container() -> None:
    runs = [
        run(0.0, cold(HOME), plan=1),  # the first one ever: cold anywhere
        run(100.0, cold(AWAY)),  # home's container is idle since second 1
        run(200.0, node(AWAY)),
        run(201.0 + IDLE_S, cold(AWAY)),  # the container that was used at 200 is still there, by a hair
        run(203.0 + 2 * IDLE_S, cold(AWAY)),  # now it is gone, so it would be cold at home as well
    ]
    found = caused_cold_starts(runs, OF_ONE, HOME)
    assert [start.at - BEGIN for start in found.starts] == [100.0, 201.0 + IDLE_S]
    assert {(start.function, start.region, start.init_s) for start in found.starts} == {("only", AWAY, 0.2)}
    assert not found.is_upper_bound


def test_what_the_home_share_meets_because_others_moved_counts_too() -> None:
    runs = [
        run(0.0, node(HOME), plan=1),
        run(300.0, cold(AWAY)),
        run(700.0, cold(HOME), reason="home_share"),  # had the run at 300 stayed, its container would be there
    ]
    found = caused_cold_starts(runs, OF_ONE, HOME)
    assert [(start.region, start.at - BEGIN) for start in found.starts] == [(AWAY, 300.0), (HOME, 700.0)]


def test_executions_at_once_need_a_container_each_at_home_too() -> None:
    runs = [run(0.0, node(HOME), plan=1), run(10.0, cold(AWAY)), run(10.5, cold(AWAY)), run(20.0, node(AWAY))]
    found = caused_cold_starts(runs, OF_ONE, HOME)
    assert [start.at - BEGIN for start in found.starts] == [10.0], "at 10.5 home's container would be busy"


def test_each_execution_finds_the_container_that_was_used_last() -> None:
    """At 499 that of second 1.5 and not that of second 1, so that at 700 one is left that was used at 500."""
    runs = [run(0.0, node(HOME), plan=1), run(0.5, node(HOME), plan=1), run(499.0, node(HOME), plan=1)]
    found = caused_cold_starts([*runs, run(700.0, cold(AWAY)), run(700.5, cold(AWAY))], OF_ONE, HOME)
    assert [start.at - BEGIN for start in found.starts] == [700.0], "the other one was idle since second 1, too long"


def test_without_a_move_nothing_is_caused() -> None:
    runs = [run(0.0, node(HOME)), run(10.0, cold(HOME)), run(5.0, cold(AWAY), plan=3)]
    assert [start.at - BEGIN for start in caused_cold_starts(runs, OF_ONE, HOME).starts] == [5.0]
    assert caused_cold_starts(runs[:2], OF_ONE, HOME) == CausedColdStarts((), is_upper_bound=False)
    assert caused_cold_starts([], OF_ONE, HOME).starts == ()


def test_only_functions_that_moved_count() -> None:
    nodes = {0: cold(HOME), 1: cold(AWAY), 2: cold(HOME)}
    edges = {0: EdgeObservation(True, 1.0, 0.4, 0.1), 1: EdgeObservation(True, 1.0, 0.6, None)}
    first = replace(run(0.0, node(HOME), plan=1), nodes={index: node(HOME) for index in range(3)}, edges=edges)
    second = replace(run(50.0, node(HOME)), nodes=nodes, edges=edges)
    (start,) = caused_cold_starts([first, second], {"m1": Origin(diamond(), HOME, 0.1)}, HOME).starts
    assert start.function == "count"
    assert start.at - BEGIN == pytest.approx(50.0 + 0.4 + 0.1), "the offset and the latency of its call"


def replaced(*moments: float) -> Callable[[str], Sequence[float]]:
    return lambda function: [BEGIN + moment for moment in moments] if function == "only" else []


def test_a_deployment_replaces_the_containers_at_home_too() -> None:
    """Two containers are idle at 30 s; what is there after a deployment is the one that answered its probe."""
    runs = [
        run(0.0, node(HOME), plan=1),
        run(0.5, node(HOME), plan=1),
        run(60.0, cold(AWAY)),
        run(60.5, cold(AWAY)),
        run(70.0, node(AWAY)),
    ]
    found = caused_cold_starts(runs, OF_ONE, HOME)
    assert [start.at - BEGIN for start in found.starts] == [60.0, 60.5], "without one both would be warm"
    found = caused_cold_starts(runs, OF_ONE, HOME, replaced(30.0))
    assert [start.at - BEGIN for start in found.starts] == [60.0], "the other one would start cold at home as well"
    found = caused_cold_starts(runs, OF_ONE, HOME, replaced(60.25))
    assert [start.at - BEGIN for start in found.starts] == [60.0, 60.5]
    other = {"m1": Origin(Graph((Node("o:entry_point:0", "o", sync=False),), ()), HOME, 0.1)}
    assert len(caused_cold_starts(runs, other, HOME, replaced(30.0)).starts) == 2, "that function was not replaced"


def test_a_container_that_works_while_its_code_is_replaced_is_used_no_more() -> None:
    runs = [
        run(0.0, node(HOME, lasts=50.0), plan=1),
        run(0.5, node(HOME, lasts=50.0), plan=1),
        run(100.0, cold(AWAY)),
        run(100.5, cold(AWAY)),
    ]
    assert len(caused_cold_starts(runs, OF_ONE, HOME).starts) == 2
    found = caused_cold_starts(runs, OF_ONE, HOME, replaced(10.0, 20.0))
    assert [start.at - BEGIN for start in found.starts] == [100.0], "the probe's, of the latest deployment"


def test_what_answered_the_probe_goes_like_any_other() -> None:
    runs = [run(-5.0, node(HOME), plan=1), run(30.0 + IDLE_S, cold(AWAY)), run(200.0 + 2 * IDLE_S, cold(AWAY))]
    found = caused_cold_starts(runs, OF_ONE, HOME, replaced(30.0))
    assert [start.at - BEGIN for start in found.starts] == [30.0 + IDLE_S]
    found = caused_cold_starts(runs, OF_ONE, HOME, replaced(29.0))
    assert found.starts == (), "it was idle for too long"


def test_runs_of_earlier_graphs_are_followed_through_the_same_containers() -> None:
    earlier = Graph(
        (Node("first:entry_point:0", "first", sync=False), Node("only:first_0_0:1", "only", sync=False)),
        (Edge(0, 1, (), conditional=False),),
    )
    origins = {**OF_ONE, "m0": Origin(earlier, "us-west-2", 0.1)}
    before = replace(run(0.0, node("us-west-2"), plan=1), manifest_id="m0", nodes={1: node("us-west-2")})
    found = caused_cold_starts([before, run(100.0, cold(AWAY))], origins, HOME)
    assert [(start.function, start.at - BEGIN) for start in found.starts] == [("only", 100.0)]
    assert not found.is_upper_bound
    # Away is what is not the home of its own time.
    moved = replace(
        before, run_id="b", started_at=BEGIN + 5.0, plan_version=2, nodes={1: cold(HOME), 0: cold("us-west-2")}
    )
    found = caused_cold_starts([before, moved], origins, HOME)
    assert [(start.function, start.region) for start in found.starts] == [("only", HOME)]
    assert caused_cold_starts([before, replace(moved, nodes={1: cold("us-west-2")})], origins, HOME).starts == ()


def test_of_unknown_deployments_all_cold_starts_of_moved_nodes_are_counted_as_an_upper_bound() -> None:
    runs = [
        replace(run(0.0, cold(HOME)), nodes={0: cold(HOME), 1: cold(HOME)}),
        replace(run(1.0, cold(AWAY)), nodes={0: cold(AWAY), 1: cold(HOME)}),
        run(2.0, cold(HOME), plan=1),
        replace(run(3.0, cold(HOME)), manifest_id="m9"),
    ]
    found = caused_cold_starts(runs, {}, HOME)
    assert [(start.function, start.region, start.at - BEGIN) for start in found.starts] == [
        (None, HOME, 0.0),
        (None, AWAY, 1.0),
    ], "node 1, plan 1 and the last deployment moved nothing"
    assert found.is_upper_bound
    assert not caused_cold_starts(runs[2:], {}, HOME).is_upper_bound


def test_functions_that_are_gone_are_taken_for_the_largest() -> None:
    small, large = (ProviderSettings(timeout_s=60, memory_mb=memory) for memory in (128, 1769))
    start = ColdStart("gone", AWAY, BEGIN, 0.36, is_measured=True, weight=1.0)

    def spent_on(function: str | None) -> ColdStartSpending:
        starts = CausedColdStarts((replace(start, function=function),), is_upper_bound=True)
        return price_cold_starts(starts, {"s": small, "l": large}, lambda _region, _at: 20.0, data.prices)

    assert spent_on("gone") == spent_on(None) == replace(spent_on("l"), assumed=("memory",))
    assert spent_on("s").carbon_gco2eq < spent_on("l").carbon_gco2eq
    assert spent_on("s").assumed == ()


def test_of_a_sample_all_cold_starts_are_counted_as_an_upper_bound() -> None:
    runs = [run(0.0, cold(AWAY), weight=3.0), run(5 * IDLE_S, cold(AWAY, init_s=None), weight=2.0)]
    found = caused_cold_starts(runs, OF_ONE, HOME)
    assert [start.weight for start in found.starts] == [3.0, 2.0]
    assert found.is_upper_bound
    spent = price(found)
    assert (spent.count, spent.measured) == (5.0, 3.0)
    assert spent.init_s == pytest.approx(3 * 0.2 + 2 * COLD_START_S)
    assert spent.is_upper_bound


def price(found: CausedColdStarts) -> ColdStartSpending:
    provider = ProviderSettings(timeout_s=60, memory_mb=1769, architecture="x86_64")
    return price_cold_starts(
        found, {"only": provider}, lambda region, at: 20.0 if region == AWAY else 400.0, data.prices
    )


def test_prices_by_hand() -> None:
    starts = (
        ColdStart("only", AWAY, BEGIN, 0.36, is_measured=True, weight=1.0),
        ColdStart("only", HOME, BEGIN, 0.1004, is_measured=True, weight=1.0),
    )
    spent = price(CausedColdStarts(starts, is_upper_bound=False))
    kw = 0.0035 + 1769 / 1024 * 0.0003725
    assert spent.carbon_gco2eq == pytest.approx((0.36 * 20.0 + 0.1004 * 400.0) / 3600 * kw * 1.11)
    away, home = (data.prices(region).lambda_usd_per_gb_second("x86_64") for region in (AWAY, HOME))
    assert spent.cost_usd == pytest.approx(1769 / 1024 * (0.36 * away + 0.101 * home)), "milliseconds are rounded up"
    assert price(CausedColdStarts((), is_upper_bound=False)) == NO_COLD_STARTS


def test_a_start_of_a_sample_is_priced_as_often_as_it_stands_for() -> None:
    once = ColdStart("only", AWAY, BEGIN, 0.36, is_measured=True, weight=1.0)
    one, seven = (
        price(CausedColdStarts((replace(once, weight=weight),), is_upper_bound=True)) for weight in (1.0, 7.0)
    )
    assert (seven.carbon_gco2eq, seven.cost_usd) == pytest.approx((7 * one.carbon_gco2eq, 7 * one.cost_usd))
    assert (seven.count, seven.init_s) == pytest.approx((7.0, 7 * 0.36))
