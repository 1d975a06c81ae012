"""Tries every placement and picks as the specification says: limits, fewest broken wishes, order of priority."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracles.checker import Checker, Summary

# Room for the single precision of the engine's scenarios; a difference that matters is far larger.
ROUNDING = 2e-6


@dataclass(frozen=True)
class Best:
    """What the best placements have in common.

    Attributes:
        broken: Soft limits that even the best placements break.
        values: Best mean of each metric, in order of priority.
    """

    broken: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Scored:
    """A placement with its metrics."""

    placement: Mapping[str, str]
    metrics: Mapping[str, Summary]


def all_placements(problem: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Every placement that the pins allow."""
    names = [node["name"] for node in problem["nodes"]]
    for regions in itertools.product(*(node["allowed"] for node in problem["nodes"])):
        yield dict(zip(names, regions, strict=True))


def score_all(checker: Checker, hour: int) -> list[Scored]:
    """Metrics of every placement."""
    return [Scored(placement, checker.summaries(placement, hour)) for placement in all_placements(checker.problem)]


def limit_value(limit: dict[str, Any], home: float | None) -> float:
    """A limit in the unit of its metric."""
    value: float = limit["value"]
    if limit["type"] == "absolute":
        return value
    assert home is not None
    return value * home


def keeps_hard(limit: dict[str, Any], found: Summary, home: Summary) -> bool:
    """Whether a placement keeps a hard limit, up to rounding.

    An absolute limit is on the percentile's upper confidence bound, a relative one on its lower bound, its estimate and
    its upper bound, each over the same one of home.
    """
    if limit["type"] == "absolute":
        return is_within(found.tail_upper, limit["value"])
    pairs = [
        (found.tail_lower, home.tail_lower),
        (found.tail, home.tail),
        (found.tail_upper, home.tail_upper),
    ]
    return all(reference is None or is_within(value, limit_value(limit, reference)) for value, reference in pairs)


def is_within(value: float | None, limit: float) -> bool:
    """Whether a value keeps a limit, up to rounding."""
    return value is not None and value <= limit * (1.0 + ROUNDING)


def best_of(problem: dict[str, Any], scored: list[Scored]) -> Best | None:
    """The specification's choice, or None if nothing keeps the hard limits."""
    constraints = problem["constraints"]
    home = next(entry for entry in scored if set(entry.placement.values()) == {problem["home"]})
    hard = constraints.get("hard", {})
    soft = constraints.get("soft", {})

    def keeps_all(entry: Scored) -> bool:
        return all(keeps_hard(limit, entry.metrics[name], home.metrics[name]) for name, limit in hard.items())

    def broken(entry: Scored) -> int:
        return sum(
            not is_within(entry.metrics[metric].mean, limit_value(limit, home.metrics[metric].mean))
            for metric, limit in soft.items()
        )

    left = [entry for entry in scored if keeps_all(entry)]
    if not left:
        return None
    fewest = min(broken(entry) for entry in left)
    left = [entry for entry in left if broken(entry) == fewest]
    values = []
    for metric in constraints.get("priority_order", ["carbon", "cost", "runtime"]):
        best = min(entry.metrics[metric].mean for entry in left)
        values.append(best)
        cap = best * (1.0 + constraints.get("priority_tolerance", 0.0))
        left = [entry for entry in left if is_within(entry.metrics[metric].mean, cap)]
    return Best(broken=fewest, values=tuple(values))
