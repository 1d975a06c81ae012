"""The state of joins over a backend: reports, payloads and the claim of a sync node's start.

All of a join's items lie in the region that the run's placement names for the sync node, wherever its message ends up:
a reporter and a sync node that fell back to another region still meet there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from multi_x_serverless.sdk.backend import ABSENT, Attributes, Backend
from multi_x_serverless.sdk.errors import ClaimHeldError, DamagedStateError
from multi_x_serverless.sdk.manifest import Manifest
from multi_x_serverless.sdk.payload import ABSENT_PAYLOAD, Payload
from multi_x_serverless.sdk.predecessors import PredecessorResult
from multi_x_serverless.sdk.protocol import (
    CALLED,
    DECLINED,
    ClaimDecision,
    ClaimState,
    JoinState,
    decide_claim,
    read_join,
)
from multi_x_serverless.sdk.tables import (
    CLAIMS,
    FIRED,
    ITEM_LIFETIME_S,
    SYNC_PAYLOADS,
    SYNC_STATUS,
    edge_slot,
    node_sort,
    payload_object_key,
    payload_sort,
    payload_sort_prefix,
    run_partition,
)

_CLAIM_ROUNDS = 8
"""How often a claim is looked at again because another delivery changed it meanwhile."""


@dataclass(frozen=True)
class Claim:
    """A claim that was taken, with the version under which it may be closed."""

    state: ClaimState
    version: int


class Join:
    """One sync node of one run.

    Args:
        backend: The cloud.
        manifest: The workflow.
        run_id: The run.
        node: Index of the sync node.
        region: Region of the join's state.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, backend: Backend, manifest: Manifest, *, run_id: str, node: int, region: str, clock: Callable[[], float]
    ) -> None:
        self._backend = backend
        self._manifest = manifest
        self._run_id = run_id
        self._node = node
        self._region = region
        self._clock = clock
        self._partition = run_partition(manifest.workflow_id, run_id)

    def report_called(self, edge: int, payload: Payload) -> JoinState:
        """Leave a payload and set the edge's slot; the first payload and the first state stay."""
        attributes: Attributes = {"kind": payload.kind, "body": payload.body}
        if payload.is_large:
            self._backend.put_object(self._region, self._object_key(edge), payload.body)
            attributes = {"kind": payload.kind, "size": len(payload.body)}
        self._backend.put(
            self._region,
            SYNC_PAYLOADS,
            self._partition,
            payload_sort(self._node, edge),
            attributes,
            condition=ABSENT,
            expires_at=self._expiry(),
        )
        return self._set(edge_slot(edge), CALLED)

    def report_declined(self, edge: int) -> JoinState:
        """Set the edge's slot to declined unless it is set."""
        return self._set(edge_slot(edge), DECLINED)

    def mark_fired(self) -> None:
        """Note that the sync node's message is published."""
        self._set(FIRED, 1)

    def results(self, called: tuple[int, ...]) -> tuple[PredecessorResult, ...]:
        """What the called edges brought, in edge order.

        Raises:
            DamagedStateError: A payload is not there.
        """
        found = self._backend.query(self._region, SYNC_PAYLOADS, self._partition, payload_sort_prefix(self._node))
        items = {sort: item.attributes for sort, item in found}
        return tuple(self._result(edge, items.get(payload_sort(self._node, edge))) for edge in called)

    def claim(self, owner: str, attempt: str, lease_s: float) -> Claim | None:
        """Claim the node's start for one delivery of its message.

        Args:
            owner: Request id of the invocation.
            attempt: Unique to this attempt.
            lease_s: Seconds until the invocation must have ended.

        Returns:
            The claim, or `None` if the message is a duplicate and nothing is to be done.

        Raises:
            ClaimHeldError: The delivery must come again later.
        """
        condition = ABSENT  # a first delivery, which is nearly every one, pays for one write
        for _ in range(_CLAIM_ROUNDS):
            now = self._clock()
            wanted = ClaimState(owner, attempt, started_at=now, lease_until=now + lease_s, done=False)
            version = self._write_claim(wanted, condition)
            if version is not None:
                return Claim(wanted, version)
            found = self._backend.get(self._region, CLAIMS, self._partition, node_sort(self._node))
            held = None if found is None else _claim_of(found.attributes)
            decision = decide_claim(held, wanted, self._backend.earliest_retry_s)
            if decision is ClaimDecision.DUPLICATE:
                return None
            if decision is ClaimDecision.WAIT:
                break
            condition = ABSENT if found is None else found.version
        raise ClaimHeldError(
            f"node {self._node} of run {self._run_id} may still be running for the same request; this delivery fails "
            "on purpose and is repeated later"
        )

    def complete(self, claim: Claim) -> None:
        """Note that the node has finished: every later delivery of its message is a duplicate."""
        state = ClaimState(
            claim.state.owner, claim.state.attempt, claim.state.started_at, claim.state.lease_until, done=True
        )
        # If somebody took over after our lease there is nothing left to protect: both have run.
        self._write_claim(state, claim.version)

    def release(self, claim: Claim) -> None:
        """Give the claim back after a failure, so that the next attempt need not wait for the lease."""
        self._backend.delete(self._region, CLAIMS, self._partition, node_sort(self._node), condition=claim.version)

    def _set(self, attribute: str, value: str | int) -> JoinState:
        item = self._backend.set_if_absent(
            self._region,
            SYNC_STATUS,
            self._partition,
            node_sort(self._node),
            attribute,
            value,
            expires_at=self._expiry(),
        )
        return read_join(self._manifest, self._node, item.attributes)

    def _write_claim(self, state: ClaimState, condition: int) -> int | None:
        return self._backend.put(
            self._region,
            CLAIMS,
            self._partition,
            node_sort(self._node),
            {
                "owner": state.owner,
                "attempt": state.attempt,
                "started_at": state.started_at,
                "lease_until": state.lease_until,
                "done": int(state.done),
            },
            condition=condition,
            expires_at=self._expiry(),
        )

    def _result(self, edge: int, attributes: Attributes | None) -> PredecessorResult:
        if attributes is None:
            raise DamagedStateError(f"the payload of edge {edge} of run {self._run_id} is not there")
        payload = self._payload(edge, attributes)
        sender = self._manifest.nodes[self._manifest.edges[edge].source]
        return PredecessorResult(payload.value(), payload.kind != "absent", sender.function, sender.name, edge)

    def _payload(self, edge: int, attributes: Attributes) -> Payload:
        kind, body = attributes.get("kind"), attributes.get("body")
        if kind == "absent":
            return ABSENT_PAYLOAD
        if body is None and "size" in attributes:
            body = self._backend.get_object(self._region, self._object_key(edge))
        if not isinstance(body, bytes):
            raise DamagedStateError(f"the payload of edge {edge} of run {self._run_id} has no body")
        if kind == "json":
            return Payload("json", body)
        if kind == "bytes":
            return Payload("bytes", body)
        raise DamagedStateError(f"the payload of edge {edge} of run {self._run_id} is of kind {kind!r}")

    def _object_key(self, edge: int) -> str:
        return payload_object_key(self._manifest.workflow_id, self._run_id, edge)

    def _expiry(self) -> float:
        return self._clock() + ITEM_LIFETIME_S


def _claim_of(attributes: Attributes) -> ClaimState:
    try:
        return ClaimState(
            owner=str(attributes["owner"]),
            attempt=str(attributes["attempt"]),
            started_at=float(attributes["started_at"]),
            lease_until=float(attributes["lease_until"]),
            done=bool(attributes["done"]),
        )
    except (KeyError, ValueError) as error:
        raise DamagedStateError(f"a claim is damaged ({error!r})") from error
