"""What functions log, and how it is read back.

One JSON object per line, one line per event, marked by its first member ``"mxs"`` (the version of the format). User
code writes to the same log; a reader takes only lines that hold a record and ignores all others. Times are seconds
since the epoch, UTC; durations in seconds; sizes in bytes.

Members of every record: ``mxs`` version, ``t`` type, ``wf`` workflow id, ``run`` run id, ``region`` where it was
written, ``ts`` when, ``req`` request id of the invocation. Members by type (* = may be missing):

=============== =================================================================================================
run_started     node, manifest (its id), plan (version, 0 = none), key ("home" or planned hour), place (placement
                digits, indices into the manifest's regions), sent (when the trigger was published), bytes (payload
                of the trigger), reason (why this placement: "plan", "home_share", "expired", "no_plan",
                "unreadable_plan", "other_manifest", "region_unavailable"), forwarded (bool: the trigger was handed
                on by another region)
run_forwarded   node, to (region), sent, bytes, wall
node_started    node, edge* (index of the edge that brought the message), sent* (when it was published), hop, cold
edge_called     node, edge, to (region), bytes (payload), offset (from the node's start), publish (duration of the
                publish or report), fallback* (bool: the planned region refused, home took it), large* (bool: via
                the object store)
edge_declined   node, edge, offset, origin (index of the node at which the branch died)
sync_reported   node, edge, to (region), state ("called" or "declined"), bytes, complete (bool: all slots set),
                fired (bool: this report published the sync node), duration
node_finished   node, wall, user (duration of the developer's function alone), cpu (CPU seconds), memory (peak, MB),
                cold, init* (initialisation, s, when cold), network (region -> [bytes in, bytes out] of the
                developer's own calls to AWS), other_in, other_out (bytes on the wire that belong to no known
                region), log_bytes*,
                result* (what a node without successors returned, on clouds that log it)
node_failed     node, wall, error (type), message, traceback (list of lines, shortened), cold
duplicate       node, edge: a sync node's message that came again after its node had started; nothing was run
rejected        reason, detail: a message that was not this workflow's; nothing was run (`run` is empty)
=============== =================================================================================================

`node` is the index, in the manifest of the workflow, of the node whose invocation wrote the record; in `edge_declined`
it is the node that the edge leaves, which is dead unless it is the `origin`. A called edge to a sync node writes both
an `edge_called` and a `sync_reported`. An attempt that is repeated writes its records again: (run, edge) tells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

RECORD_VERSION = 1
MARKER = '{"mxs":'

RECORD_TYPES = frozenset(
    {
        "run_started",
        "run_forwarded",
        "node_started",
        "edge_called",
        "edge_declined",
        "sync_reported",
        "node_finished",
        "node_failed",
        "duplicate",
        "rejected",
    }
)

_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode


class MalformedRecordError(ValueError):
    """A line carries the marker of a record but is none."""


def format_record(record_type: str, members: Mapping[str, Any]) -> str:
    """One line without its end."""
    return _encode({"mxs": RECORD_VERSION, "t": record_type, **members})


def parse_line(line: str) -> dict[str, Any] | None:
    """The record in a line of a log, or `None` if the line is somebody else's.

    Text before the record is tolerated: user code may have written without an end of line.

    Raises:
        MalformedRecordError: The line carries the marker but no record of a known version.
    """
    start = line.find(MARKER)
    if start < 0:
        return None
    try:
        record = json.loads(line[start:])
    except ValueError:
        raise MalformedRecordError("the record is cut or damaged") from None
    version = record.get("mxs")
    if not isinstance(version, int) or not 1 <= version <= RECORD_VERSION:
        raise MalformedRecordError(f"record version {version!r} is not known")
    if record.get("t") not in RECORD_TYPES or not isinstance(record.get("run", ""), str):
        raise MalformedRecordError(f"record type {record.get('t')!r} is not known")
    return dict(record)
