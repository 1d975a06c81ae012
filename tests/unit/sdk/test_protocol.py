from __future__ import annotations

from dataclasses import replace

import pytest

from multi_x_serverless.sdk.errors import DamagedStateError
from multi_x_serverless.sdk.manifest import Manifest, ManifestEdge, ManifestFunction, ManifestNode
from multi_x_serverless.sdk.protocol import (
    ClaimDecision,
    ClaimState,
    JoinStep,
    decide_claim,
    read_join,
    spread_declines,
)

# entry -> a -> b -> join, entry -> join (twice), join -> end
MANIFEST = Manifest(
    workflow_id="example-0.0.1",
    module="app",
    variable="workflow",
    home="us-east-1",
    regions=("us-east-1",),
    home_share=0.0,
    functions=tuple(ManifestFunction(name, name, name) for name in ("entry", "a", "b", "join", "end")),
    nodes=tuple(ManifestNode(name, name, sync=name == "join") for name in ("entry", "a", "b", "join", "end")),
    edges=tuple(
        ManifestEdge(source, target, ()) for source, target in [(0, 1), (1, 2), (2, 3), (0, 3), (0, 3), (3, 4)]
    ),
)
HELD = ClaimState(owner="request", attempt="first", started_at=100.0, lease_until=200.0, done=False)


def test_a_decline_goes_through_dead_nodes_and_stops_at_a_join() -> None:
    declines = spread_declines(MANIFEST, [0])

    assert declines.edges == (0, 1, 2)
    assert declines.reports == (2,)


def test_every_edge_into_a_join_is_reported_on_its_own() -> None:
    assert spread_declines(MANIFEST, [3, 4]).reports == (3, 4)
    assert spread_declines(MANIFEST, [0, 3, 4]).reports == (3, 4, 2)


def test_a_decline_of_a_leaf_leads_nowhere() -> None:
    declines = spread_declines(MANIFEST, [5])

    assert declines.edges == (5,)
    assert declines.reports == ()


@pytest.mark.parametrize(
    ("attributes", "step", "called"),
    [
        ({}, JoinStep.WAIT, ()),
        ({"e2": "c", "e3": "c"}, JoinStep.WAIT, (2, 3)),
        ({"e2": "d", "e3": "d"}, JoinStep.WAIT, ()),
        ({"e2": "c", "e3": "d", "e4": "d"}, JoinStep.FIRE, (2,)),
        ({"e4": "c", "e3": "c", "e2": "c"}, JoinStep.FIRE, (2, 3, 4)),
        ({"e2": "c", "e3": "d", "e4": "d", "fired": 1}, JoinStep.DONE, (2,)),
        ({"e2": "d", "e3": "d", "e4": "d"}, JoinStep.DECLINE, ()),
        ({"e2": "c", "e3": "d", "e5": "c"}, JoinStep.WAIT, (2,)),
    ],
)
def test_a_reporter_acts_on_a_complete_join_only(
    attributes: dict[str, object], step: JoinStep, called: tuple[int, ...]
) -> None:
    join = read_join(MANIFEST, 3, attributes)

    assert join.next_step is step
    assert join.called == called


@pytest.mark.parametrize("state", ["x", "", 1, b"c"])
def test_a_slot_that_the_protocol_never_writes_is_not_guessed_at(state: object) -> None:
    with pytest.raises(DamagedStateError, match="slot 2"):
        read_join(MANIFEST, 3, {"e2": state})


def decide(held: ClaimState | None, *, owner: str, now: float, earliest_retry_s: float = 60.0) -> ClaimDecision:
    wanted = ClaimState(owner=owner, attempt="second", started_at=now, lease_until=now + 100, done=False)
    return decide_claim(held, wanted, earliest_retry_s)


def test_a_first_delivery_takes_the_claim() -> None:
    assert decide(None, owner="request", now=100.0) is ClaimDecision.TAKE


def test_an_attempt_knows_its_own_write_again() -> None:
    assert decide(replace(HELD, attempt="second"), owner="request", now=101.0) is ClaimDecision.TAKE


@pytest.mark.parametrize("owner", ["request", "other"])
@pytest.mark.parametrize("now", [101.0, 10_000.0])
def test_what_is_done_is_never_done_again(owner: str, now: float) -> None:
    assert decide(replace(HELD, done=True), owner=owner, now=now) is ClaimDecision.DUPLICATE


def test_another_request_does_not_start_while_the_lease_is_good() -> None:
    assert decide(HELD, owner="other", now=199.0) is ClaimDecision.DUPLICATE


@pytest.mark.parametrize("owner", ["request", "other"])
def test_after_the_lease_anybody_may_start(owner: str) -> None:
    assert decide(HELD, owner=owner, now=200.0, earliest_retry_s=1000.0) is ClaimDecision.TAKE


def test_a_retry_takes_over_at_once_from_the_attempt_that_died() -> None:
    assert decide(HELD, owner="request", now=160.0) is ClaimDecision.TAKE
    assert decide(HELD, owner="request", now=100.0, earliest_retry_s=0.0) is ClaimDecision.TAKE


def test_the_same_request_before_a_retry_can_come_waits() -> None:
    assert decide(HELD, owner="request", now=159.0) is ClaimDecision.WAIT
