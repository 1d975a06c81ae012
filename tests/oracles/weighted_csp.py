"""toulbar2 as an oracle: mean cost or carbon without limits is a weighted constraint satisfaction problem."""

from __future__ import annotations

from pytoulbar2 import CFN

from tests.oracles.terms import Terms, value_of

DECIMALS = 9
"""toulbar2 counts in whole numbers: terms are scaled so that the largest is 1, and rounded to this many decimals."""

ROUNDING = 1e-7
"""Relative error of an optimum by that rounding; generous."""


def least_placement(terms: Terms) -> tuple[dict[str, str], float]:
    """A placement of least value, proven by toulbar2, and its value in the unit of the terms."""
    tables = terms.tables
    largest = max(map(max, tables))
    scale = 1.0 / largest if largest > 0.0 else 1.0
    network = CFN(ubinit=2.0 * len(tables), resolution=DECIMALS)
    for name, by_region in terms.nodes.items():
        regions = list(by_region)
        network.AddVariable(name, regions)
        network.AddFunction([name], [by_region[region] * scale for region in regions])
    for pair, by_ends in terms.pairs.items():
        # Row by row: allowed_pairs runs through the caller's regions first, like the cost tables of toulbar2.
        network.AddFunction(list(pair), [value * scale for value in by_ends.values()])
    answer = network.Solve()
    assert answer is not None
    chosen = answer[0]
    placement = {
        name: list(by_region)[int(position)]
        for (name, by_region), position in zip(terms.nodes.items(), chosen, strict=True)
    }
    return placement, value_of(terms, placement)
