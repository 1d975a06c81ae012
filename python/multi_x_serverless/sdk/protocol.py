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

A sync node's start is claimed, and so is that of every node with delivery "exactly_once". The claim belongs to the
request id of the invocation and is good until that invocation must have ended (its time limit). `decide_claim` has the
table of cases. With "exactly_once" the function's calls are kept back until it has returned, then written down in the
claim (the outbox), and only then sent::

    claim ──► function returns ──► outbox written if the claim is still ours ──► calls, declines ──► done
      │                                     │
      └ an attempt that dies here has       └ an attempt that dies here is repeated from the outbox; the function
        called nobody                         does not run again

So all that follows from such a node follows from one and the same run of its function.

`EdgeTask` is the state of one edge on its way, and `Claiming` that of a claim: immutable values that say which
operation is next and what they become by its answer. `node_run` and `claims` carry the operations out; the exhaustive
check of the protocol (`tests/property/protocol_model.py`) carries them out in every order, with a crash after every one
of them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

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


class EdgeStep(enum.Enum):
    """The next operation for one edge."""

    SEND = "send"
    """Publish the message of a plain node."""
    STORE = "store"
    """Leave the payload at the join."""
    REPORT = "report"
    """Set the edge's slot at the join; the answer is the join's state."""
    FIRE = "fire"
    """Publish the join's message."""
    MARK = "mark"
    """Note that it is published."""
    ENDED = "ended"


@dataclass(frozen=True)
class EdgeTask:
    """What one attempt of a node has still to do about one edge.

    Attributes:
        edge: Index of the edge.
        is_called: Whether it is called; otherwise it is declined.
        step: The next operation.
        join: The join's state after the report.
    """

    edge: int
    is_called: bool
    step: EdgeStep
    join: JoinState | None = None

    @property
    def is_dead_end(self) -> bool:
        """Whether the join is found dead, so that its own edges are to be declined."""
        return self.join is not None and self.join.next_step is JoinStep.DECLINE

    @property
    def fires(self) -> bool:
        """Whether this attempt publishes the join."""
        return self.join is not None and self.join.next_step is JoinStep.FIRE

    def after(self, join: JoinState | None = None) -> EdgeTask:
        """The task when its next operation is done; `join` is the answer to a report."""
        if self.step is EdgeStep.REPORT and join is not None:
            goes_on = join.next_step is JoinStep.FIRE
            return replace(self, step=EdgeStep.FIRE if goes_on else EdgeStep.ENDED, join=join)
        return replace(self, step=_NEXT_STEPS[self.step])


_NEXT_STEPS = {
    EdgeStep.SEND: EdgeStep.ENDED,
    EdgeStep.STORE: EdgeStep.REPORT,
    EdgeStep.FIRE: EdgeStep.MARK,
    EdgeStep.MARK: EdgeStep.ENDED,
}


def begin_call(manifest: Manifest, edge: int) -> EdgeTask:
    """The task of calling an edge."""
    joins = manifest.nodes[manifest.edges[edge].target].sync
    return EdgeTask(edge, is_called=True, step=EdgeStep.STORE if joins else EdgeStep.SEND)


def begin_decline(edge: int) -> EdgeTask:
    """The task of declining an edge that leads to a join."""
    return EdgeTask(edge, is_called=False, step=EdgeStep.REPORT)


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
        outbox: What its function called, once that is certain (`outbox`); `None` before, and for nodes whose delivery
            is at least once.
    """

    owner: str
    attempt: str
    started_at: float
    lease_until: float
    done: bool
    outbox: bytes | None = None


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


class ClaimStep(enum.Enum):
    """The next operation for a claim, or how claiming has ended."""

    WRITE = "write"
    """Write the wanted claim on the condition `Claiming.condition`; the answer is its version or `None`."""
    READ = "read"
    """Read the claim; the answer is its state and version, or `None`."""
    TAKEN = "taken"
    DUPLICATE = "duplicate"
    WAIT = "wait"


@dataclass(frozen=True)
class Claiming:
    """One delivery on its way to the start of its node.

    Attributes:
        wanted: The claim to be written.
        step: The next operation, or the end.
        condition: Version that the claim must have to be written over, 0 for absent; after TAKEN the version it got.
    """

    wanted: ClaimState
    step: ClaimStep = ClaimStep.WRITE  # a first delivery, which is nearly every one, pays for one write
    condition: int = 0

    def after_write(self, version: int | None) -> Claiming:
        """The claim was written as `version`, or the condition did not hold."""
        if version is None:
            return replace(self, step=ClaimStep.READ)
        return replace(self, step=ClaimStep.TAKEN, condition=version)

    def after_read(self, held: ClaimState | None, version: int, earliest_retry_s: float) -> Claiming:
        """The claim was read as `held`."""
        decision = decide_claim(held, self.wanted, earliest_retry_s)
        if decision is ClaimDecision.DUPLICATE:
            return replace(self, step=ClaimStep.DUPLICATE)
        if decision is ClaimDecision.WAIT:
            return replace(self, step=ClaimStep.WAIT)
        outbox = None if held is None else held.outbox
        return replace(self, wanted=replace(self.wanted, outbox=outbox), step=ClaimStep.WRITE, condition=version)
