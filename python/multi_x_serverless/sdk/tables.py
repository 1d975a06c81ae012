"""The run-time tables: one set in every region a workflow may run in; names, keys and attributes.

=============== ================================ ===================================================================
table           key (partition, sort)            attributes
=============== ================================ ===================================================================
sync_status     "<workflow>/<run>", "n<node>"    per edge ``e<edge>``: "c" called or "d" declined; ``fired``: 1
sync_payloads   "<workflow>/<run>",              ``kind``: "absent", "json" or "bytes"; ``body``: its bytes, or
                "n<node>:e<edge, 5 digits>"      ``size`` and the end of its key, ``object``, when the body is an
                                                 object; written once
claims          "<workflow>/<run>", "n<node>"    start of a sync node, or of one with exactly-once delivery:
                                                 ``owner`` (request id), ``attempt``, ``started_at``,
                                                 ``lease_until`` (seconds since the epoch), ``done``: 0 or 1;
                                                 ``outbox``: "i" and the outbox, or "r" and the attempt in whose
                                                 object it lies
claims          "<workflow>/<run>", "placement"  the placement a run was given: ``plan``, ``key``, ``place``, ``why``
plan_replicas   "<workflow>", ""                 ``document``: JSON of `multi_x_serverless.sdk.plan_replica`
=============== ================================ ===================================================================

Items of a run carry a time to live of `ITEM_LIFETIME_S`; plan replicas do not expire by themselves. The partition
starts with the workflow's id, so that a policy can confine a workflow to its own items. Payloads too large for an
item or a message lie in the region's object store under `payload_object_key`, outboxes too large for a claim under
`outbox_object_key`. Those objects live as long as the items: a redrive of a message must still find its payload. They
are expired by age (a lifecycle rule of the bucket), not by whoever read them last, and a week of storage costs less
than one request to delete.
"""

from __future__ import annotations

SYNC_STATUS = "sync_status"
SYNC_PAYLOADS = "sync_payloads"
CLAIMS = "claims"
PLAN_REPLICAS = "plan_replicas"

REGION_TABLES = (SYNC_STATUS, SYNC_PAYLOADS, CLAIMS, PLAN_REPLICAS)
"""Every table that must exist in each region a workflow may run in."""

ITEM_LIFETIME_S = 7 * 24 * 3600.0
"""A week: longer than any retry, redrive or time to live that lags behind (two days on DynamoDB)."""

PLAN_DOCUMENT = "document"
"""Attribute of `plan_replicas` that holds the replica."""

FIRED = "fired"
PAYLOAD_OBJECT_PREFIX = "payloads/"
"""Objects under this prefix may be expired by a lifecycle rule after `ITEM_LIFETIME_S`."""


def run_partition(workflow_id: str, run_id: str) -> str:
    """Partition of all items of a run."""
    return f"{workflow_id}/{run_id}"


def node_sort(node: int) -> str:
    """Sort key of a node's item in `sync_status` and `claims`."""
    return f"n{node}"


def placement_sort() -> str:
    """Sort key of a run's placement in `claims`."""
    return "placement"


def payload_sort_prefix(node: int) -> str:
    """What the sort keys of a sync node's payloads start with."""
    return f"n{node}:"


def payload_sort(node: int, edge: int) -> str:
    """Sort key of one payload; keys sort in edge order."""
    return f"n{node}:e{edge:05d}"


def edge_slot(edge: int) -> str:
    """Attribute of `sync_status` that holds what became of an edge."""
    return f"e{edge}"


def payload_object_key(workflow_id: str, run_id: str, edge: int | None) -> str:
    """Key of the object that holds the payload of an edge, or of the trigger (`None`)."""
    return f"{PAYLOAD_OBJECT_PREFIX}{workflow_id}/{run_id}/{'trigger' if edge is None else f'e{edge}'}"


def outbox_object_key(workflow_id: str, run_id: str, node: int, attempt: str) -> str:
    """Key of the object that holds the outbox of one attempt of a node."""
    return f"{PAYLOAD_OBJECT_PREFIX}{workflow_id}/{run_id}/n{node}-{attempt}"
