"""What all signals have in common: members that say what a signal rests on, and refusals of values."""

from __future__ import annotations

import math
from typing import Any, Protocol

from multi_x_serverless.errors import InvalidDocumentError

SOURCE_SEPARATOR = "; "
"""Between several sources of a signal, and between the times that they describe."""


class HasOrigin(Protocol):
    """Something that says what it rests on."""

    @property
    def source(self) -> str:
        """Who knows it, for people."""

    @property
    def vintage(self) -> str:
        """The time that it describes."""

    @property
    def collected_at(self) -> float:
        """When it was asked for, in seconds since the epoch."""


def origin_members(signal: HasOrigin) -> dict[str, Any]:
    """Where a signal comes from, as members of its document."""
    return {"source": signal.source, "vintage": signal.vintage, "collected_at": signal.collected_at}


def require(condition: bool, document: str, path: str, message: str) -> None:
    """Refuse a document in which something does not hold.

    Raises:
        InvalidDocumentError: It does not.
    """
    if not condition:
        raise InvalidDocumentError(document, path, message)


def require_not_negative(value: float, document: str, path: str) -> None:
    """Refuse a document in which a value is below zero or not finite.

    Raises:
        InvalidDocumentError: It is.
    """
    require(math.isfinite(value) and value >= 0, document, path, f"is {value}, expected 0 or more")
