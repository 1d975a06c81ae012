"""What attempts of nodes raised, in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multi_x_serverless.observation.trace import NodeFailure


def describe_failure(failure: NodeFailure, attempts: int) -> str:
    """A sentence about a number of attempts that failed alike."""
    times = f" ({attempts} attempts)" if attempts > 1 else ""
    return f"{failure.node} in {failure.region} raised {failure.error}: {failure.message}{times}"


def failure_members(failure: NodeFailure) -> dict[str, Any]:
    """An attempt that raised, as members of a document."""
    return {
        "node": failure.node,
        "region": failure.region,
        "error": failure.error,
        "message": failure.message,
        "traceback": list(failure.traceback),
    }


def failure_lines(failures: Sequence[NodeFailure]) -> list[str]:
    """Attempts that failed alike are told once: usually all of a node did."""
    first: dict[tuple[str, str, str, str], NodeFailure] = {}
    attempts: Counter[tuple[str, str, str, str]] = Counter()
    for failure in failures:
        alike = (failure.node, failure.region, failure.error, failure.message)
        first.setdefault(alike, failure)
        attempts[alike] += 1
    return [describe_failure(failure, attempts[alike]) for alike, failure in first.items()]
