"""The message between functions.

Compact JSON, version 1. Members (* = may be missing):

======== ==========================================================================================================
v        version of the format
run, wf  run id, workflow id
mf       id of the manifest by which node, edge and placement are counted
node     index of the node the message starts
edge*    index of the edge that brought it (for a sync node: the edge whose report completed the join); missing in
         a trigger
hop      messages on the way so far
plan*    version of the plan, 0 for none; `plan`, `key` and `place` are missing in a trigger without placement yet
key*     ``"home"`` or the planned hour, 0-23
place*   the run's region per node, one digit each (`plan_replica.encode_placement`), indices into the manifest's
         regions
why*     why the run has this placement (a reason of `routing`), in a trigger that was handed on
called*  edges of a sync node that were called, ascending: whose payloads to read
sent     when it was published, seconds since the epoch; a trigger that is handed on keeps its own
payload* what the call carries (`payload`)
======== ==========================================================================================================

A message names positions in the manifest, never a resource: where it goes next is derived by the receiver.
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from multi_x_serverless.sdk.errors import OtherManifestError, PayloadError, RejectedMessageError
from multi_x_serverless.sdk.manifest import Manifest
from multi_x_serverless.sdk.payload import ABSENT_PAYLOAD, Payload, PayloadReference, decode_wire
from multi_x_serverless.sdk.plan_replica import PlanReplicaError, decode_placement, encode_placement
from multi_x_serverless.sdk.tables import payload_object_key

ENVELOPE_VERSION = 1
SPARE_HOPS = 100
"""Hops beyond one per node after which a message is taken for a loop and rejected."""

PlacementKey: TypeAlias = int | Literal["home"]

# Made once: `json.dumps` with separators of its own makes an encoder for every message.
_encode_json = json.JSONEncoder(separators=(",", ":")).encode

_MEMBERS = frozenset(
    ("v", "run", "wf", "mf", "node", "edge", "hop", "plan", "key", "place", "why", "called", "sent", "payload")
)
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WORD = re.compile(r"[a-z_]{1,32}")
_MAXIMUM_PLAN_VERSION = 2**53


@dataclass(frozen=True)
class Placement:
    """Where the nodes of one run go.

    Attributes:
        plan_version: The plan it is from, 0 if there was none.
        key: The planned hour, or ``"home"``.
        regions: For each node an index into the manifest's regions.
        why: Reason of the choice; empty in messages behind the entry node.
    """

    plan_version: int
    key: PlacementKey
    regions: tuple[int, ...]
    why: str = ""


@dataclass(frozen=True)
class Envelope:
    """One message; see the module's text for the fields."""

    run_id: str
    workflow_id: str
    manifest_id: str
    node: int
    edge: int | None
    hop: int
    placement: Placement | None
    sent_at: float
    payload: Payload | PayloadReference = ABSENT_PAYLOAD
    called: tuple[int, ...] = ()

    @property
    def identity(self) -> str:
        """What a duplicate shares with its original: a run starts once, each edge is called once, a join fires once."""
        if self.edge is None:
            return f"{self.run_id}:trigger"
        return f"{self.run_id}:join{self.node}" if self.called else f"{self.run_id}:edge{self.edge}"

    def encode(self) -> str:
        """The message's text."""
        head: dict[str, object] = {
            "v": ENVELOPE_VERSION,
            "run": self.run_id,
            "wf": self.workflow_id,
            "mf": self.manifest_id,
            "node": self.node,
            "hop": self.hop,
            "sent": round(self.sent_at, 6),
        }
        if self.edge is not None:
            head["edge"] = self.edge
        if self.placement is not None:
            head["plan"] = self.placement.plan_version
            head["key"] = self.placement.key
            head["place"] = encode_placement(self.placement.regions)
            if self.placement.why:
                head["why"] = self.placement.why
        if self.called:
            head["called"] = self.called
        text = _encode_json(head)
        payload = self.payload.wire_text()
        # The payload is encoded once, where it was passed, and only put in here.
        return f'{text[:-1]},"payload":{payload}}}' if payload else text


@dataclass(frozen=True)
class LargePayload:
    """An object to store before the message that refers to it is published."""

    key: str
    body: bytes


def split_large_payload(envelope: Envelope, region: int) -> tuple[Envelope, LargePayload | None]:
    """Take a payload that is too large for a message out of it.

    Args:
        envelope: The message as it was made.
        region: Index of the region in whose object store the payload would lie: the receiver's.

    Returns:
        The message to publish, and the object to store first if there is one.
    """
    payload = envelope.payload
    if isinstance(payload, PayloadReference) or not payload.is_large:
        return envelope, None
    reference = PayloadReference(region, payload.kind, len(payload.body))
    key = payload_object_key(envelope.workflow_id, envelope.run_id, envelope.edge)
    return replace(envelope, payload=reference), LargePayload(key, payload.body)


def new_run_id(now: float) -> str:
    """A run id: 32 hex digits, unique, ascending with time (milliseconds, then 80 random bits)."""
    return f"{int(now * 1000):012x}{os.urandom(10).hex()}"


def new_trigger(manifest: Manifest, payload: Payload, *, now: float, run_id: str | None = None) -> Envelope:
    """The message that starts a run; publish its `encode()` to the entry function's topic in the home region.

    A payload that `Payload.is_large` goes by `split_large_payload` first.

    Args:
        manifest: The workflow's manifest as it is deployed.
        payload: Argument of the entry function; `ABSENT_PAYLOAD` for none.
        now: Seconds since the epoch.
        run_id: Name of the run; made up if missing.
    """
    return Envelope(
        run_id=new_run_id(now) if run_id is None else run_id,
        workflow_id=manifest.workflow_id,
        manifest_id=manifest.id,
        node=0,
        edge=None,
        hop=0,
        placement=None,
        sent_at=now,
        payload=payload,
    )


def decode_envelope(text: object, manifest: Manifest, function: str) -> Envelope:
    """Read a message that reached a function.

    Raises:
        RejectedMessageError: It is no message of this workflow for this function.
        OtherManifestError: It is one of another deployment of the same workflow.
    """
    members = _members_of(text)
    if members["wf"] != manifest.workflow_id:
        raise RejectedMessageError("other_workflow", f"it is for workflow {_shown(members['wf'])}")
    if not isinstance(members["mf"], str):
        raise _malformed("mf", members["mf"])
    if members["mf"] != manifest.id:
        raise OtherManifestError(
            f"the message was sent under manifest {_shown(members['mf'])}, this function has {manifest.id}; it is "
            "delivered again until both agree, then dead-lettered"
        )
    node = _integer(members, "node", len(manifest.nodes))
    if manifest.nodes[node].function != function:
        raise RejectedMessageError("other_function", f"node {node} does not run function '{function}'")
    edge = None if "edge" not in members else _integer(members, "edge", len(manifest.edges))
    placement = _placement_of(members, manifest)
    called = _called_of(members, manifest)
    _check_position(manifest, node, edge, placement, called)
    run_id, sent_at = members["run"], members["sent"]
    if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id):
        raise _malformed("run", run_id)
    if isinstance(sent_at, bool) or not isinstance(sent_at, int | float) or not math.isfinite(sent_at):
        raise _malformed("sent", sent_at)
    return Envelope(
        run_id=run_id,
        workflow_id=manifest.workflow_id,
        manifest_id=manifest.id,
        node=node,
        edge=edge,
        hop=_hop_of(members, manifest),
        placement=placement,
        sent_at=float(sent_at),
        payload=_payload_of(members, manifest),
        called=called,
    )


def _members_of(text: object) -> dict[str, object]:
    if not isinstance(text, str):
        raise RejectedMessageError("malformed", "the message is no text")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise RejectedMessageError("malformed", "the message is no JSON") from None
    if not isinstance(document, dict):
        raise RejectedMessageError("malformed", "the message is no JSON object")
    version = document.get("v")
    if version != ENVELOPE_VERSION or isinstance(version, bool):
        raise RejectedMessageError("unknown_version", f"its version is {_shown(version)}")
    unknown = sorted(document.keys() - _MEMBERS)
    missing = sorted({"run", "wf", "mf", "node", "hop", "sent"} - document.keys())
    if unknown or missing:
        raise RejectedMessageError("malformed", f"unknown members {_shown(unknown)}, missing members {missing}")
    return document


def _hop_of(members: dict[str, object], manifest: Manifest) -> int:
    limit = SPARE_HOPS + len(manifest.nodes)
    hop = members["hop"]
    if isinstance(hop, int) and not isinstance(hop, bool) and hop > limit:
        raise RejectedMessageError("too_many_hops", f"{hop} hops, at most {limit} are possible")
    return _integer(members, "hop", limit + 1)


def _placement_of(members: dict[str, object], manifest: Manifest) -> Placement | None:
    present = [name for name in ("plan", "key", "place") if name in members]
    if not present:
        if "why" in members:
            raise _malformed("why", members["why"])
        return None
    if len(present) != 3:
        raise RejectedMessageError("malformed", f"of plan, key and place it has only {present}")
    key, place, why = members["key"], members["place"], members.get("why", "")
    if key == "home":
        placement_key: PlacementKey = "home"
    else:
        placement_key = _integer(members, "key", 24)
    if not isinstance(place, str):
        raise _malformed("place", place)
    if not isinstance(why, str) or (why and not _WORD.fullmatch(why)):
        raise _malformed("why", why)
    try:
        regions = decode_placement(place, len(manifest.nodes), len(manifest.regions))
    except PlanReplicaError as error:
        raise RejectedMessageError("malformed", str(error)) from None
    return Placement(_integer(members, "plan", _MAXIMUM_PLAN_VERSION), placement_key, regions, why)


def _called_of(members: dict[str, object], manifest: Manifest) -> tuple[int, ...]:
    called = members.get("called", [])
    if not isinstance(called, list) or not all(_is_index(edge, len(manifest.edges)) for edge in called):
        raise _malformed("called", called)
    if called != sorted(set(called)):
        raise _malformed("called", called)
    return tuple(called)


def _check_position(
    manifest: Manifest, node: int, edge: int | None, placement: Placement | None, called: tuple[int, ...]
) -> None:
    if edge is None:
        if node != 0 or called:
            raise RejectedMessageError("misplaced", f"node {node} is not started by a trigger")
        return
    if placement is None:
        raise RejectedMessageError("misplaced", "a message between functions carries its run's placement")
    if manifest.edges[edge].target != node:
        raise RejectedMessageError("misplaced", f"edge {edge} does not lead to node {node}")
    if manifest.nodes[node].sync != bool(called) or any(manifest.edges[other].target != node for other in called):
        raise RejectedMessageError("misplaced", f"node {node} does not join the edges {list(called)}")


def _payload_of(members: dict[str, object], manifest: Manifest) -> Payload | PayloadReference:
    if "payload" not in members:
        return ABSENT_PAYLOAD
    try:
        return decode_wire(members["payload"], len(manifest.regions))
    except PayloadError as error:
        raise RejectedMessageError("malformed", str(error)) from None


def _integer(members: dict[str, object], name: str, bound: int) -> int:
    value = members[name]
    if not isinstance(value, int) or not _is_index(value, bound):
        raise _malformed(name, value)
    return value


def _is_index(value: object, bound: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < bound


def _malformed(name: str, value: object) -> RejectedMessageError:
    return RejectedMessageError("malformed", f"member '{name}' is {_shown(value)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
