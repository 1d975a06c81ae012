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
                region), log_bytes*, returned* (when all that was left was to wait until calls are accepted, and then to
                report branches that died; from the node's start),
                result* (what a node without successors returned, on clouds that log it), restored* (bool: delivery
                exactly once; an earlier attempt's function had returned, this one only sent what that had called)
node_failed     node, wall, error (type), message, traceback (list of lines, shortened), cold
duplicate       node, edge: a message that came again after its node had started, if that is claimed (sync nodes and
                exactly-once delivery); nothing was run
rejected        reason, detail: a message that was not this workflow's; nothing was run (`run` is empty)
=============== =================================================================================================

`node` is the index, in the manifest of the workflow, of the node whose invocation wrote the record; in `edge_declined`
it is the node that the edge leaves, which is dead unless it is the `origin`. A called edge to a sync node writes both
an `edge_called` and a `sync_reported`. An attempt that is repeated writes its records again: (run, edge) tells.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

RECORD_VERSION = 1
MARKER = '{"mxs":'

LARGEST = 2**63 - 1
"""Largest whole number in a record."""

_COMMON = {"wf": "text", "run": "text", "region": "text", "ts": "number", "req": "text"}

# Per type, what a reader may rely on: member -> kind. Kinds: text, number (finite), size (number, 0 or more),
# index (whole number, 0 or more), flag, network, texts. All of these must be there.
_REQUIRED = {
    "run_started": {
        "node": "index",
        "manifest": "text",
        "plan": "index",
        "key": "key",
        "place": "text",
        "sent": "number",
        "bytes": "size",
        "reason": "text",
        "forwarded": "flag",
    },
    "run_forwarded": {"node": "index", "to": "text", "sent": "number", "bytes": "size", "wall": "size"},
    "node_started": {"node": "index", "hop": "index", "cold": "flag"},
    "edge_called": {
        "node": "index",
        "edge": "index",
        "to": "text",
        "bytes": "size",
        "offset": "size",
        "publish": "size",
    },
    "edge_declined": {"node": "index", "edge": "index", "offset": "size", "origin": "index"},
    "sync_reported": {
        "node": "index",
        "edge": "index",
        "to": "text",
        "state": "text",
        "bytes": "size",
        "complete": "flag",
        "fired": "flag",
        "duration": "size",
    },
    "node_finished": {
        "node": "index",
        "wall": "size",
        "user": "size",
        "cpu": "size",
        "memory": "size",
        "cold": "flag",
        "network": "network",
        "other_in": "size",
        "other_out": "size",
    },
    "node_failed": {
        "node": "index",
        "wall": "size",
        "error": "text",
        "message": "text",
        "traceback": "texts",
        "cold": "flag",
    },
    "duplicate": {"node": "index"},
    "rejected": {"reason": "text", "detail": "text"},
}

RECORD_TYPES = frozenset(_REQUIRED)

_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode


class MalformedRecordError(ValueError):
    """A line carries the marker of a record but is none."""


class NewerRecordError(MalformedRecordError):
    """A record of a version that only a newer program can read."""


def format_record(record_type: str, members: Mapping[str, Any]) -> str:
    """One line without its end."""
    return _encode({"mxs": RECORD_VERSION, "t": record_type, **members})


def parse_line(line: str, decode: Callable[[str], Any] = json.loads) -> dict[str, Any] | None:
    """The record in a line of a log, or `None` if the line is somebody else's.

    Text before the record is tolerated: user code may have written without an end of line. Whatever is returned has
    every member of its type, in its kind: a line that imitates a record cannot break a reader.

    Args:
        line: A line without its end.
        decode: Reads JSON as `json.loads` does; faster ones exist outside of the standard library.

    Raises:
        NewerRecordError: The record is of a version that only a newer program knows.
        MalformedRecordError: The line carries the marker but no record of a known version and type.
    """
    start = line.find(MARKER)
    if start < 0:
        return None
    try:
        record = decode(line[start:] if start else line)
    except ValueError:
        raise MalformedRecordError("the record is cut or damaged") from None
    version = record.get("mxs")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise MalformedRecordError(f"record version {version!r} is none")
    if version > RECORD_VERSION:
        raise NewerRecordError(f"record version {version}: this program reads up to {RECORD_VERSION}")
    record_type = record.get("t")
    checks = _CHECKS.get(record_type) if isinstance(record_type, str) else None
    if checks is None:
        raise MalformedRecordError(f"record type {record_type!r} is not known")
    for member, kind, is_kind in checks:
        if not is_kind(record.get(member)):
            raise MalformedRecordError(f"{record_type}: {member} is {record.get(member)!r}, expected {kind}")
    return record  # type: ignore[no-any-return]  # it begins with the marker: an object


# Called for every member of every line: comparing types is half the time of `isinstance`, and tells bool from int.
def _is_number(value: object) -> bool:
    kind = type(value)
    # Whole numbers have no limit in JSON, floats have: one that is too large for a float is no quantity.
    return (kind is float and math.isfinite(value)) or (  # type: ignore[arg-type]  # a float, as just checked
        kind is int and -LARGEST <= value <= LARGEST  # type: ignore[operator]  # an int
    )


def _is_size(value: object) -> bool:
    return _is_number(value) and value >= 0  # type: ignore[operator]  # a number, as just checked


def _is_index(value: object) -> bool:
    return type(value) is int and 0 <= value <= LARGEST


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_network(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(both, list) and len(both) == 2 and all(map(_is_size, both)) for both in value.values()
    )


_IS_KIND: dict[str, Callable[[object], bool]] = {
    "text": _is_text,
    "texts": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "number": _is_number,
    "size": _is_size,
    "index": _is_index,
    "flag": lambda value: isinstance(value, bool),
    "key": lambda value: value == "home" or (_is_index(value) and value <= 23),  # type: ignore[operator]  # an index
    "network": _is_network,
}

_CHECKS = {
    record_type: tuple((member, kind, _IS_KIND[kind]) for member, kind in (_COMMON | required).items())
    for record_type, required in _REQUIRED.items()
}
