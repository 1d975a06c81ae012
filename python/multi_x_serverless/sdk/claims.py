"""The claim of a node's start over a backend: who runs it, until when, what it called, whether it is done.

A claim lies in the region that the run's placement names for the node, wherever the node's message ends up: two
deliveries of it meet there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from multi_x_serverless.sdk.backend import Attribute, Attributes, Backend
from multi_x_serverless.sdk.errors import ClaimHeldError, DamagedStateError
from multi_x_serverless.sdk.outbox import INLINE_OUTBOX_BYTES
from multi_x_serverless.sdk.protocol import Claiming, ClaimState, ClaimStep
from multi_x_serverless.sdk.tables import CLAIMS, ITEM_LIFETIME_S, node_sort, outbox_object_key, run_partition

_CLAIM_STEPS = 16
"""Operations after which claiming gives up because other deliveries keep changing the claim."""


@dataclass(frozen=True)
class Claim:
    """A claim that was taken, with the version under which it may be written next."""

    state: ClaimState
    version: int


class NodeClaims:
    """The claim of one node of one run.

    Args:
        backend: The cloud.
        region: Region of the claim.
        workflow_id: The workflow.
        run_id: The run.
        node: Index of the node.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        backend: Backend,
        region: str,
        *,
        workflow_id: str,
        run_id: str,
        node: int,
        clock: Callable[[], float],
    ) -> None:
        self._backend = backend
        self._region = region
        self._workflow_id = workflow_id
        self._run_id = run_id
        self._node = node
        self._clock = clock
        self._partition = run_partition(workflow_id, run_id)

    def take(self, owner: str, attempt: str, lease_s: float) -> Claim | None:
        """Claim the node's start for one delivery of its message.

        Args:
            owner: Request id of the invocation.
            attempt: Unique to this attempt.
            lease_s: Seconds until the invocation must have ended.

        Returns:
            The claim, with the outbox of an earlier attempt if that got so far; `None` if the message is a duplicate
            and nothing is to be done.

        Raises:
            ClaimHeldError: The delivery must come again later.
        """
        now = self._clock()
        claiming = Claiming(ClaimState(owner, attempt, started_at=now, lease_until=now + lease_s, done=False))
        for _ in range(_CLAIM_STEPS):
            if claiming.step is ClaimStep.WRITE:
                claiming = claiming.after_write(self._write(claiming.wanted, claiming.condition))
            elif claiming.step is ClaimStep.READ:
                held, version = self._read()
                claiming = claiming.after_read(held, version, self._backend.earliest_retry_s)
            else:
                break
        if claiming.step is ClaimStep.TAKEN:
            return Claim(claiming.wanted, claiming.condition)
        if claiming.step is ClaimStep.DUPLICATE:
            return None
        raise ClaimHeldError(
            f"node {self._node} of run {self._run_id} may still be running for the same request; this delivery fails "
            "on purpose and is repeated later"
        )

    def commit(self, claim: Claim, outbox: bytes) -> Claim:
        """Write down what the node's function called; from now on that is what it called.

        Raises:
            ClaimHeldError: The claim is another attempt's by now; what this one called counts for nothing.
        """
        if len(outbox) > INLINE_OUTBOX_BYTES:
            # Under the attempt's own name: an attempt that died before its commit leaves nothing that counts.
            self._backend.put_object(self._region, self._object_key(claim.state.attempt), outbox)
            held = replace(claim.state, outbox=_reference_to(claim.state.attempt))
        else:
            held = replace(claim.state, outbox=_INLINE + outbox)
        version = self._write(held, claim.version)
        if version is None:
            # The write may have been ours after all: its answer was lost and the repetition met its own effect.
            found, found_version = self._read()
            if found is None or found.attempt != claim.state.attempt or found.outbox is None:
                raise ClaimHeldError(
                    f"node {self._node} of run {self._run_id} was taken over by another attempt while its function "
                    "ran; the calls of this attempt are dropped"
                )
            version = found_version
        return Claim(held, version)

    def outbox_of(self, claim: Claim) -> bytes | None:
        """The outbox that a claim holds; `None` if the node's function has not finished yet.

        Raises:
            DamagedStateError: It is not there.
        """
        held = claim.state.outbox
        if held is None:
            return None
        if held.startswith(_INLINE):
            return held[len(_INLINE) :]
        return self._backend.get_object(self._region, self._object_key(held[len(_REFERENCE) :].decode("ascii")))

    def complete(self, claim: Claim) -> None:
        """Note that the node has finished: every later delivery of its message is a duplicate."""
        # The outbox is not needed any more. If somebody took over after our lease there is nothing left to protect:
        # what is sent twice meets the claims and slots of those it is for.
        self._write(replace(claim.state, done=True, outbox=None), claim.version)

    def release(self, claim: Claim) -> None:
        """Give the claim back after a failure, so that the next attempt need not wait for the lease."""
        # Written, never deleted: versions would begin anew, and an attempt that somebody took over from could meet the
        # version that it knows again and write over a stranger's claim.
        self._write(replace(claim.state, lease_until=claim.state.started_at), claim.version)

    def _write(self, state: ClaimState, condition: int) -> int | None:
        attributes: dict[str, Attribute] = {
            "owner": state.owner,
            "attempt": state.attempt,
            "started_at": state.started_at,
            "lease_until": state.lease_until,
            "done": int(state.done),
        }
        if state.outbox is not None:
            attributes["outbox"] = state.outbox
        return self._backend.put(
            self._region,
            CLAIMS,
            self._partition,
            node_sort(self._node),
            attributes,
            condition=condition,
            expires_at=self._clock() + ITEM_LIFETIME_S,
        )

    def _read(self) -> tuple[ClaimState | None, int]:
        found = self._backend.get(self._region, CLAIMS, self._partition, node_sort(self._node))
        return (None, 0) if found is None else (_claim_of(found.attributes), found.version)

    def _object_key(self, attempt: str) -> str:
        return outbox_object_key(self._workflow_id, self._run_id, self._node, attempt)


_INLINE = b"i"
_REFERENCE = b"r"


def _reference_to(attempt: str) -> bytes:
    return _REFERENCE + attempt.encode("ascii")


def _claim_of(attributes: Attributes) -> ClaimState:
    outbox = attributes.get("outbox")
    if outbox is not None and not (isinstance(outbox, bytes) and outbox[:1] in (_INLINE, _REFERENCE)):
        raise DamagedStateError("the outbox of a claim is damaged")
    try:
        return ClaimState(
            owner=str(attributes["owner"]),
            attempt=str(attributes["attempt"]),
            started_at=float(attributes["started_at"]),
            lease_until=float(attributes["lease_until"]),
            done=bool(attributes["done"]),
            outbox=outbox,
        )
    except (KeyError, ValueError) as error:
        raise DamagedStateError(f"a claim is damaged ({error!r})") from error
