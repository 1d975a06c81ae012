"""The outbox: what one run of a function called and returned, written down before any of it is sent.

As bytes: one line of JSON, ``{"calls": [[edge, kind, length], ...], "wall": s, "user": s, "cpu": s, "result": ...}``
with the edges ascending, then the bodies in the same order. The times are those of the attempt that ran the function,
so that an attempt which only sends what is here can log what the node took.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from multi_x_serverless.sdk.errors import DamagedStateError
from multi_x_serverless.sdk.payload import ABSENT_PAYLOAD, Payload

INLINE_OUTBOX_BYTES = 4096
"""A larger outbox is an object of its own: every write of a claim is billed by the claim's whole size, and from four
write units on an object is the cheaper place."""


@dataclass(frozen=True)
class FunctionRun:
    """One run of the developer's function that has returned.

    Attributes:
        wall_s: From the start of the attempt to the function's return, in seconds.
        user_s: The function alone, in seconds.
        cpu_s: Processor time of both, in seconds.
        result: What it returned, if that is logged.
    """

    wall_s: float
    user_s: float
    cpu_s: float
    result: object = None


@dataclass(frozen=True)
class Outbox:
    """A run of a function, and what it called by edge."""

    run: FunctionRun
    calls: Mapping[int, Payload] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The bytes of the module's text."""
        ordered = sorted(self.calls.items())
        head = {
            "calls": [[edge, payload.kind, len(payload.body)] for edge, payload in ordered],
            "wall": self.run.wall_s,
            "user": self.run.user_s,
            "cpu": self.run.cpu_s,
            "result": self.run.result,
        }
        text = json.dumps(head, separators=(",", ":"))
        return b"".join([text.encode("ascii"), b"\n", *(payload.body for _, payload in ordered)])

    @classmethod
    def decode(cls, outbox: bytes) -> Outbox:
        """Read an outbox.

        Raises:
            DamagedStateError: The bytes are none.
        """
        head, _, bodies = outbox.partition(b"\n")
        calls: dict[int, Payload] = {}
        offset = 0
        try:
            document = json.loads(head)
            for edge, kind, length in document["calls"]:
                calls[int(edge)] = _payload(kind, bodies[offset : offset + length])
                offset += length
            run = FunctionRun(
                float(document["wall"]), float(document["user"]), float(document["cpu"]), document["result"]
            )
        except (KeyError, ValueError, TypeError) as error:
            raise DamagedStateError(f"an outbox is damaged ({error!r})") from error
        if offset != len(bodies):
            raise DamagedStateError(f"an outbox has {len(bodies)} bytes of payloads where {offset} are listed")
        return cls(run, calls)


def _payload(kind: object, body: bytes) -> Payload:
    if kind == "json":
        return Payload("json", body)
    if kind == "bytes":
        return Payload("bytes", body)
    if kind == "absent":
        return ABSENT_PAYLOAD
    raise ValueError(f"no payload is of kind {kind!r}")
