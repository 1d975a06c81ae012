"""Amounts of carbon and money in words, the same in every sentence: reasons of decisions, tables, pages."""

from __future__ import annotations

from collections.abc import Sequence

GRAM_PREFIXES = ((1e-6, "t"), (1e-3, "kg"), (1.0, "g"), (1e3, "mg"), (1e6, "ug"), (1e9, "ng"))
"""Of each unit of carbon how many are a gCO2eq, and its name; the largest unit first."""


def grams(value: float) -> str:
    """Carbon in the prefix of gCO2eq that reads best; runs are small, a month of them is not."""
    return prefixed(value, "g", GRAM_PREFIXES)


def dollars(value: float) -> str:
    """An amount in the prefix of USD that reads best; what planning costs is small."""
    return prefixed(value, "USD", ((1.0, "USD"), (1e3, "mUSD"), (1e6, "uUSD"), (1e9, "nUSD")))


def prefixed(value: float, unit: str, prefixes: Sequence[tuple[float, str]]) -> str:
    """A value to three digits, or to the one if it has more before the point, and never with an exponent.

    Args:
        unit: What nothing is in, and what is rounded away.
        prefixes: Factor and name, the largest unit first: the first of which there is one or more, once rounded, is it.
    """
    if value == 0:
        return f"0 {unit}"
    for factor, name in prefixes:
        shown = value * factor
        if abs(float(f"{shown:.3g}")) >= 1.0:
            return f"{shown:.3g} {name}" if abs(float(f"{shown:.3g}")) < 1000.0 else f"{shown:.0f} {name}"
    factor, name = prefixes[-1]
    return f"{value * factor:.3g} {name}" if abs(value * factor) >= 1e-4 else f"0 {unit}"
