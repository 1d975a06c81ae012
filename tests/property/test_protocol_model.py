"""The protocol, exhaustively: every world that small graphs can reach, with crashes, duplicates and redrives.

The bounds on faults are what a few seconds allow; `test_random_walks` goes deeper than can be visited in full.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multi_x_serverless.sdk.protocol import CALLED, JoinState, JoinStep
from tests.property import protocol_model
from tests.property.protocol_model import Explorer, ProtocolError, Workflow, workflow

CHAIN = ("ppp", [(0, 1), (1, 2)])
PAIR = ("ps", [(0, 1), (0, 1)])
FAN = ("pps", [(0, 1), (0, 2), (1, 2)])
DIAMOND = ("ppps", [(0, 1), (0, 2), (1, 3), (2, 3)])
NESTED = ("pss", [(0, 1), (0, 1), (0, 2), (1, 2)])
TWO_JOINS = ("pss", [(0, 1), (0, 2)])
BEHIND = ("psp", [(0, 1), (1, 2)])


def explored(flow: Workflow, crashes: int, duplicates: int) -> Explorer:
    explorer = Explorer(flow, crashes=crashes, duplicates=duplicates)
    explorer.explore()
    return explorer


@pytest.mark.parametrize("exactly_once", [False, True], ids=["at_least_once", "exactly_once"])
@pytest.mark.parametrize(
    ("shape", "faults"),
    [
        (CHAIN, [(1, 1), (0, 2)]),
        (PAIR, [(1, 0), (0, 1)]),
        (FAN, [(1, 0), (0, 1)]),
        (NESTED, [(1, 0)]),
        (TWO_JOINS, [(1, 0), (0, 1)]),
        (BEHIND, [(1, 0), (0, 1)]),
    ],
    ids=["chain", "pair", "fan", "nested", "two_joins", "behind"],
)
def test_every_interleaving_keeps_every_promise(
    shape: tuple[str, list[tuple[int, int]]], faults: list[tuple[int, int]], exactly_once: bool
) -> None:
    nodes, edges = shape
    # Two joins that claim anyway and an entry are what there is time for; every node elsewhere.
    once = {0} if shape is NESTED else set(range(len(nodes)))
    flow = workflow(nodes, edges, exactly_once=once if exactly_once else set())
    for crashes, duplicates in faults:
        assert explored(flow, crashes, duplicates).ends > 0


@pytest.mark.parametrize("called", [set[int](), {0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}])
@pytest.mark.parametrize("calls_second", [False, True])
def test_declines_reach_joins_behind_joins(called: set[int], calls_second: bool) -> None:
    """`small_sync_example`: each of the four edges called or declined; the rest of its rows is NESTED above."""
    nodes, edges = NESTED
    flow = workflow(nodes, edges, [[called], [{3} if calls_second else set()], [set()]])
    assert explored(flow, 1, 0).ends > 0


def test_a_dead_branch_is_declined_through_plain_nodes() -> None:
    nodes, edges = DIAMOND
    assert explored(workflow(nodes, edges, [[{1}], [{2}], [{3}], [set()]]), 1, 0).ends > 0
    assert explored(workflow(nodes, edges, [[set()], [{2}], [{3}], [set()]]), 2, 0).ends > 0


def test_with_exactly_once_a_function_may_decide_otherwise_at_each_try() -> None:
    nodes, edges = PAIR
    behaviours: list[list[set[int]]] = [[{0}, {1}, set()], [set()]]
    assert explored(workflow(nodes, edges, behaviours, exactly_once={0}), 1, 0).ends > 0


def test_at_least_once_a_function_must_decide_alike_at_each_try() -> None:
    """What the guide warns of; also the proof that the checks above can fail."""
    nodes, edges = "pps", [(0, 1), (1, 2)]
    with pytest.raises(ProtocolError):
        explored(workflow(nodes, edges, [[{0}, set()], [{1}], [set()]]), 1, 0)


def test_a_join_that_fires_before_it_is_complete_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(join: JoinState) -> JoinStep:
        return JoinStep.FIRE if join.called else JoinStep.WAIT

    monkeypatch.setattr(JoinState, "next_step", property(hasty))
    with pytest.raises(ProtocolError):
        explored(workflow(*PAIR), 1, 0)


def test_a_report_that_overwrites_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot that was called and is declined by a later attempt: payloads would be lost."""
    set_slot = protocol_model._set_slot

    def forgetful(world: protocol_model.World, node: int, name: str, value: str | int) -> protocol_model.World:
        if value == CALLED and any(slot == (name, CALLED) for slot in world.slots[node]):
            slots = world.slots[node] - {(name, CALLED)}
            return set_slot(replace(world, slots=protocol_model._with(world.slots, node, slots)), node, name, "d")
        return set_slot(world, node, name, value)

    monkeypatch.setattr(protocol_model, "_set_slot", forgetful)
    with pytest.raises(ProtocolError):
        explored(workflow(*PAIR), 1, 0)


@st.composite
def flows(draw: st.DrawFn) -> Workflow:
    """Graphs of up to six nodes; functions that decide otherwise at each try only where delivery is exactly once."""
    count = draw(st.integers(2, 6))
    kinds, edges = "p", list[tuple[int, int]]()
    for node in range(1, count):
        joins = draw(st.booleans())
        kinds += "s" if joins else "p"
        edges += [
            (source, node)
            for source in draw(st.lists(st.integers(0, node - 1), min_size=1, max_size=3 if joins else 1))
        ]
    once = draw(st.sets(st.integers(0, count - 1)))
    behaviours = []
    for node in range(count):
        own = [edge for edge, (source, _) in enumerate(edges) if source == node]
        subsets = st.sets(st.sampled_from(own)) if own else st.just(set[int]())
        behaviours.append(draw(st.lists(subsets, min_size=1, max_size=3 if node in once else 1)))
    return workflow(kinds, edges, behaviours, exactly_once=once)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(flows(), st.integers(0, 2**32 - 1))
def test_random_walks(flow: Workflow, seed: int) -> None:
    explorer = Explorer(flow, crashes=6, duplicates=4)
    explorer.walk(random.Random(seed))
    assert explorer.ends == 1
