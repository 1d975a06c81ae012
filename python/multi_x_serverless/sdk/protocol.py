"""What follows from what in a run: pure functions over the manifest and the state of a join.

Every edge of a run ends once, called or declined::

    node finished ──► edges called while it ran            (published or reported at once)
                 └──► all its other edges are declined     (only after the function returned)

    edge declined ──► to a plain node: that node is dead, its own edges are declined in turn
                 └──► to a sync node:  reported "d" in the edge's slot

    report (slot set if it was empty) ──► some slot empty                      wait
                                     ├──► complete, one called, not fired      fire: publish, then mark fired
                                     ├──► complete, one called, fired          done
                                     └──► complete, none called                the join is dead: decline its edges

Only the report that finds the join complete acts on it, and every report of a complete join does, whichever attempt
of whichever node it comes from. So a crash between any two steps is repaired when the platform delivers that node's
message again: it reports again, finds the join complete, and repeats what is missing. Repeating is harmless: slots and
payloads keep what was written first, a second firing meets the claim of the first, declines meet slots that are set.
A decline stops at a join that may still run, and passes it only when it is dead.

A sync node's start is claimed. The claim belongs to the request id of the invocation and is good until that
invocation must have ended (its time limit). `decide_claim` has the table of cases.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from multi_x_serverless.sdk.errors import DamagedStateError
from multi_x_serverless.sdk.manifest import Manifest
from multi_x_serverless.sdk.tables import FIRED, edge_slot

CALLED = "c"
DECLINED = "d"


@dataclass(frozen=True)
class Declines:
    """Where declines lead.

    Attributes:
        edges: Every declined edge once, nearest first.
        reports: Those of them that lead to a sync node and must be reported there.
    """

    edges: tuple[int, ...]
    reports: tuple[int, ...]


def spread_declines(manifest: Manifest, edges: Iterable[int]) -> Declines:
    """Follow declined edges through the plain nodes that die of them, up to the joins."""
    declined: list[int] = []
    reports: list[int] = []
    waiting = list(edges)
    for edge in waiting:
        declined.append(edge)
        target = manifest.edges[edge].target
        if manifest.nodes[target].sync:
            reports.append(edge)
        else:
            waiting.extend(manifest.outgoing[target])
    return Declines(tuple(declined), tuple(reports))


class JoinStep(enum.Enum):
    """What a reporter must do after its report."""

    WAIT = "wait"
    FIRE = "fire"
    DECLINE = "decline"
    DONE = "done"


@dataclass(frozen=True)
class JoinState:
    """A sync node as its status item shows it.

    Attributes:
        complete: Whether every edge has ended.
        called: Edges that were called so far, ascending.
        fired: Whether a reporter is known to have published it.
    """

    complete: bool
    called: tuple[int, ...]
    fired: bool

    @property
    def next_step(self) -> JoinStep:
        """What the reporter that sees this state must do."""
        if not self.complete:
            return JoinStep.WAIT
        if not self.called:
            return JoinStep.DECLINE
        return JoinStep.DONE if self.fired else JoinStep.FIRE


def read_join(manifest: Manifest, node: int, attributes: Mapping[str, object]) -> JoinState:
    """The state of a join from the attributes of its status item.

    Raises:
        DamagedStateError: A slot holds what the protocol never writes.
    """
    slots = {edge: attributes.get(edge_slot(edge)) for edge in manifest.incoming[node]}
    for edge, state in slots.items():
        if state not in (CALLED, DECLINED, None):
            raise DamagedStateError(f"slot {edge} of node {node} holds {state!r}")
    return JoinState(
        complete=None not in slots.values(),
        called=tuple(edge for edge, state in slots.items() if state == CALLED),
        fired=FIRED in attributes,
    )


class ClaimDecision(enum.Enum):
    """What a delivery of a sync node's message may do."""

    TAKE = "take"
    DUPLICATE = "duplicate"
    WAIT = "wait"


@dataclass(frozen=True)
class ClaimState:
    """A claim as it is stored.

    Attributes:
        owner: Request id of the invocation; a retry has the same.
        attempt: Made up by each attempt, to know its own write again when the answer to it was lost.
        started_at: When it was taken, seconds since the epoch.
        lease_until: When its invocation must have ended.
        done: Whether the node has finished.
    """

    owner: str
    attempt: str
    started_at: float
    lease_until: float
    done: bool


def decide_claim(held: ClaimState | None, wanted: ClaimState, earliest_retry_s: float) -> ClaimDecision:
    """Whether a delivery may start the node.

    =========================================== =========== ========================================================
    claim found                                 decision    because
    =========================================== =========== ========================================================
    none, or this attempt's own                 take
    done                                        duplicate   the node ran
    lease over                                  take        whoever held it was ended by its time limit
    of another request, lease good              duplicate   that request runs, or is retried under its own id; it is
                                                            not lost before it is dead-lettered, and a redrive comes
                                                            when the lease is over
    of the same request, later than a retry     take        a retry: the platform starts one only after the attempt
    can come                                                before it has ended, as when the process died
    of the same request, sooner                 wait        the queue handed out one event twice; the first may be at
                                                            work. The delivery fails and comes again later
    =========================================== =========== ========================================================
    """
    now = wanted.started_at
    if held is None or held.attempt == wanted.attempt:
        return ClaimDecision.TAKE
    if held.done:
        return ClaimDecision.DUPLICATE
    if held.lease_until <= now:
        return ClaimDecision.TAKE
    if held.owner != wanted.owner:
        return ClaimDecision.DUPLICATE
    return ClaimDecision.TAKE if now >= held.started_at + earliest_retry_s else ClaimDecision.WAIT
