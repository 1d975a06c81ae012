"""What a sync node receives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PredecessorResult:
    """What one call brought to a sync node.

    Attributes:
        payload: The value that was passed; `None` if none was.
        has_payload: Whether a value was passed.
        function: Name of the function that called.
        node: Name of the node that called.
        edge: Index of the call's edge in the manifest; results come in this order.
    """

    payload: Any
    has_payload: bool
    function: str
    node: str
    edge: int
