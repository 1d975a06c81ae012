"""What one call carries: nothing, a JSON value, or bytes; and how it travels.

In a message a payload is one member, so that no two values look alike: missing (nothing was passed), ``{"j": value}``,
``{"b": "<base64>"}``, or, above `INLINE_LIMIT_BYTES`, ``{"r": [region index, "j" or "b", size]}``: the content lies in
that region's object store under a key that the receiver derives from the run and the edge; a message cannot name one.
JSON is Python's: tuples arrive as lists, keys of objects as strings, NaN and infinities survive.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Literal, TypeAlias

from multi_x_serverless.sdk.errors import PayloadError

INLINE_LIMIT_BYTES = 240_000
"""Largest encoded payload inside a message or an item (SNS: 262,144 bytes with the envelope; DynamoDB: 400 KB)."""

PayloadKind: TypeAlias = Literal["absent", "json", "bytes"]

_KIND_CODES: dict[str, PayloadKind] = {"j": "json", "b": "bytes"}
_CODES = {kind: code for code, kind in _KIND_CODES.items()}


@dataclass(frozen=True)
class Payload:
    """A payload in encoded form: UTF-8 JSON text or raw bytes. Later changes of the sender's value do not reach it."""

    kind: PayloadKind
    body: bytes = b""

    @classmethod
    def of(cls, value: object) -> Payload:
        """Encode a value; bytes, bytearray and memoryview go as bytes, everything else as JSON.

        Raises:
            PayloadError: The value is neither.
        """
        if isinstance(value, bytes | bytearray | memoryview):
            return cls("bytes", bytes(value))
        try:
            return cls("json", _json_bytes(value))
        except (TypeError, ValueError, RecursionError) as error:
            raise PayloadError(
                f"a payload of type {type(value).__name__} cannot be sent ({error}); "
                "pass JSON values (None, bool, int, float, str, list, dict) or bytes"
            ) from error

    def value(self) -> object:
        """The value that was passed; `None` if none was.

        Raises:
            PayloadError: The body is damaged.
        """
        if self.kind == "bytes":
            return self.body
        if self.kind == "absent":
            return None
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise PayloadError(f"a stored payload is damaged ({error})") from error

    def wire_text(self) -> str:
        """The member of a message as JSON text; empty if there is none."""
        if self.kind == "json":
            return '{"j":' + self.body.decode() + "}"
        if self.kind == "bytes":
            return '{"b":"' + base64.b64encode(self.body).decode("ascii") + '"}'
        return ""

    @property
    def is_large(self) -> bool:
        """Whether it must go by the object store."""
        encoded = len(self.body) if self.kind == "json" else -(-len(self.body) // 3) * 4
        return encoded > INLINE_LIMIT_BYTES


ABSENT_PAYLOAD = Payload("absent")


@dataclass(frozen=True)
class PayloadReference:
    """A payload that lies in the object store of a region (an index into the manifest's regions)."""

    region: int
    kind: PayloadKind
    size: int

    def wire_text(self) -> str:
        """The member of a message as JSON text."""
        return f'{{"r":[{self.region},"{_CODES[self.kind]}",{self.size}]}}'


def decode_wire(document: object, regions: int) -> Payload | PayloadReference:
    """Read the member of a message.

    Args:
        document: What stood there.
        regions: How many regions the manifest knows.

    Raises:
        PayloadError: It is no payload.
    """
    if not isinstance(document, dict) or len(document) != 1:
        raise PayloadError("the payload is not an object with exactly one member")
    code, content = next(iter(document.items()))
    if code == "j":
        return Payload("json", _json_bytes(content))
    if code == "b" and isinstance(content, str):
        try:
            return Payload("bytes", base64.b64decode(content, validate=True))
        except (binascii.Error, ValueError) as error:
            raise PayloadError(f"the payload is no base64 ({error})") from error
    if code == "r" and isinstance(content, list) and len(content) == 3:
        region, kind_code, size = content
        kind = _KIND_CODES.get(kind_code) if isinstance(kind_code, str) else None
        if kind is not None and _is_count(region) and region < regions and _is_count(size):
            return PayloadReference(region, kind, size)
    raise PayloadError("the payload is of no known kind")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _json_bytes(value: object) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8 form; its escape has.
        return json.dumps(value, separators=(",", ":")).encode()
