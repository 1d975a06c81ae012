"""The state of joins over a backend: the reports of their edges, and the payloads that those brought.

All of a join's items lie in the region that the run's placement names for the sync node, wherever its message ends up:
a reporter and a sync node that fell back to another region still meet there.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from multi_x_serverless.sdk.backend import ABSENT, Attributes, Backend
from multi_x_serverless.sdk.errors import DamagedStateError
from multi_x_serverless.sdk.manifest import Manifest
from multi_x_serverless.sdk.payload import ABSENT_PAYLOAD, Payload
from multi_x_serverless.sdk.predecessors import PredecessorResult
from multi_x_serverless.sdk.protocol import CALLED, DECLINED, JoinState, read_join
from multi_x_serverless.sdk.tables import (
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

    def store(self, edge: int, payload: Payload) -> None:
        """Leave the payload of a called edge; the first one stays."""
        attributes: Attributes = {"kind": payload.kind, "body": payload.body}
        if payload.is_large:
            # An object of this attempt's own: which one counts is decided by the item, as for small payloads.
            name = os.urandom(8).hex()
            self._backend.put_object(self._region, self._object_key(edge, name), payload.body)
            attributes = {"kind": payload.kind, "size": len(payload.body), "object": name}
        self._backend.put(
            self._region,
            SYNC_PAYLOADS,
            self._partition,
            payload_sort(self._node, edge),
            attributes,
            condition=ABSENT,
            expires_at=self._expiry(),
        )

    def report(self, edge: int, *, is_called: bool) -> JoinState:
        """Set an edge's slot unless it is set; returns the join as it is then."""
        return self._set(edge_slot(edge), CALLED if is_called else DECLINED)

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
            body = self._backend.get_object(self._region, self._object_key(edge, str(attributes.get("object"))))
        if not isinstance(body, bytes):
            raise DamagedStateError(f"the payload of edge {edge} of run {self._run_id} has no body")
        if kind == "json":
            return Payload("json", body)
        if kind == "bytes":
            return Payload("bytes", body)
        raise DamagedStateError(f"the payload of edge {edge} of run {self._run_id} is of kind {kind!r}")

    def _object_key(self, edge: int, name: str) -> str:
        return f"{payload_object_key(self._manifest.workflow_id, self._run_id, edge)}-{name}"

    def _expiry(self) -> float:
        return self._clock() + ITEM_LIFETIME_S
