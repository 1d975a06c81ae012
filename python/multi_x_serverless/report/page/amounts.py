"""Amounts of which two stand in one cell, so that they are told in one prefix."""

from __future__ import annotations

from multi_x_serverless.model.amounts import GRAM_PREFIXES, grams


def grams_with_error(value: float, error: float) -> str:
    """``5.21 ± 0.16 ug``: both in the prefix that reads best for the value, the error with two digits.

    Args:
        value: In gCO2eq.
        error: Half of its interval, in gCO2eq.
    """
    shown, _, unit = grams(value).rpartition(" ")
    per_gram = next(factor for factor, name in GRAM_PREFIXES if name == unit)
    return f"{shown} ± {_two_digits(error * per_gram)} {unit}"


def _two_digits(value: float) -> str:
    """Two digits, or all before the point; without an exponent."""
    if value >= 10.0:
        return f"{value:.0f}"
    decimals = 1
    while decimals < 6 and value < 10.0 ** (1 - decimals):
        decimals += 1
    return f"{value:.{decimals}f}"
