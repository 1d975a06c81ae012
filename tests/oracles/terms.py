"""Mean cost and carbon as sums of terms of nodes and of pairs of them, from the independent checker."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from tests.oracles.checker import Checker, Fate


@dataclass(frozen=True)
class Terms:
    """Terms of one objective; the value of a placement is their sum.

    Attributes:
        nodes: node -> region -> term, over the regions it may run in.
        pairs: (node, other node) -> (region of the one, region of the other) -> term. Pairs are the ends of edges, and
            nodes that wait for another one's region.
    """

    nodes: Mapping[str, Mapping[str, float]]
    pairs: Mapping[tuple[str, str], Mapping[tuple[str, str], float]]

    @property
    def tables(self) -> list[list[float]]:
        """The terms of each node and each pair."""
        nodes = [list(by_region.values()) for by_region in self.nodes.values()]
        return [*nodes, *(list(by_ends.values()) for by_ends in self.pairs.values())]


def allowed_pairs(checker: Checker, source: str, target: str) -> list[tuple[str, str]]:
    """Pairs of regions that two nodes may run in."""
    return [(a, b) for a in checker.nodes[source]["allowed"] for b in checker.nodes[target]["allowed"]]


def terms_of(checker: Checker, fate: Fate, metric: str, hour: int) -> Terms:
    """Terms of carbon (gCO2eq) or cost (USD) in one scenario."""

    def of_node(name: str, region: str) -> float:
        if metric == "carbon":
            return checker.node_carbon(fate, name, region, hour)
        return checker.node_cost(fate, name, region)

    def of_edge(index: int, source: str, target: str) -> float:
        if metric == "carbon":
            return checker.edge_carbon(fate, index, source, target, hour)
        return checker.edge_cost(fate, index, source, target)

    def of_waiting(waits: str, other: str, source: str, target: str) -> float:
        if metric == "carbon":
            return checker.waiting_carbon(fate, waits, other, source, target, hour)
        return checker.waiting_cost(fate, waits, other, source, target)

    pairs: dict[tuple[str, str], dict[tuple[str, str], float]] = {}

    def add(one: str, other: str, term: Callable[[str, str], float]) -> None:
        table = pairs.setdefault((one, other), {})
        for ends in allowed_pairs(checker, one, other):
            table[ends] = table.get(ends, 0.0) + term(*ends)

    for index, edge in enumerate(checker.edges):
        add(edge["from"], edge["to"], partial(of_edge, index))
    for waits, other in checker.waiting_pairs:
        add(waits, other, partial(of_waiting, waits, other))
    nodes = {
        name: {region: of_node(name, region) for region in node["allowed"]} for name, node in checker.nodes.items()
    }
    return Terms(nodes, pairs)


def mean_terms(checker: Checker, metric: str, hour: int) -> Terms:
    """Terms of mean carbon (gCO2eq) or mean cost (USD) over all scenarios."""
    every = [terms_of(checker, fate, metric, hour) for fate in checker.fates]
    first = every[0]
    return Terms(
        {
            name: {region: math.fsum(terms.nodes[name][region] for terms in every) / len(every) for region in by_region}
            for name, by_region in first.nodes.items()
        },
        {
            pair: {ends: math.fsum(terms.pairs[pair][ends] for terms in every) / len(every) for ends in by_ends}
            for pair, by_ends in first.pairs.items()
        },
    )


def value_of(terms: Terms, placement: Mapping[str, str]) -> float:
    """The sum of the terms of a placement."""
    pairs = (by_ends[placement[one], placement[other]] for (one, other), by_ends in terms.pairs.items())
    return math.fsum([*(terms.nodes[name][region] for name, region in placement.items()), *pairs])
