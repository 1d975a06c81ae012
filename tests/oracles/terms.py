"""Mean cost and carbon as sums of terms of nodes and edges, from the independent checker."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tests.oracles.checker import Checker, Fate


@dataclass(frozen=True)
class Terms:
    """Terms of one objective; the value of a placement is their sum.

    Attributes:
        nodes: node -> region -> term, over the regions it may run in.
        edges: index of the edge -> (region of its caller, region of its callee) -> term.
    """

    nodes: Mapping[str, Mapping[str, float]]
    edges: Mapping[int, Mapping[tuple[str, str], float]]

    @property
    def tables(self) -> list[list[float]]:
        """The terms of each node and each edge."""
        nodes = [list(by_region.values()) for by_region in self.nodes.values()]
        return [*nodes, *(list(by_ends.values()) for by_ends in self.edges.values())]


def allowed_pairs(checker: Checker, source: str, target: str) -> list[tuple[str, str]]:
    """Pairs of regions that two nodes may run in."""
    return [(a, b) for a in checker.nodes[source]["allowed"] for b in checker.nodes[target]["allowed"]]


def terms_of(checker: Checker, fate: Fate, metric: str, hour: int) -> Terms:
    """Terms of carbon (gCO2eq) or cost (USD) in one scenario."""
    if metric == "carbon":
        return Terms(
            {
                name: {region: checker.node_carbon(fate, name, region, hour) for region in node["allowed"]}
                for name, node in checker.nodes.items()
            },
            {
                index: {
                    ends: checker.edge_carbon(fate, index, *ends, hour)
                    for ends in allowed_pairs(checker, edge["from"], edge["to"])
                }
                for index, edge in enumerate(checker.edges)
            },
        )
    return Terms(
        {
            name: {region: checker.node_cost(fate, name, region) for region in node["allowed"]}
            for name, node in checker.nodes.items()
        },
        {
            index: {
                ends: checker.edge_cost(fate, index, *ends) for ends in allowed_pairs(checker, edge["from"], edge["to"])
            }
            for index, edge in enumerate(checker.edges)
        },
    )


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
            index: {ends: math.fsum(terms.edges[index][ends] for terms in every) / len(every) for ends in by_ends}
            for index, by_ends in first.edges.items()
        },
    )


def value_of(checker: Checker, terms: Terms, placement: Mapping[str, str]) -> float:
    """The sum of the terms of a placement."""
    edges = (
        terms.edges[index][placement[edge["from"]], placement[edge["to"]]] for index, edge in enumerate(checker.edges)
    )
    return math.fsum([*(terms.nodes[name][region] for name, region in placement.items()), *edges])
