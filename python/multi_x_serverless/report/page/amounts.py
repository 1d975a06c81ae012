"""Amounts of which two stand in one cell, so that they are told in one prefix."""

from __future__ import annotations

from collections.abc import Mapping

from multi_x_serverless.model.amounts import grams

_PER_GRAM: Mapping[str, float] = {"t": 1e-6, "kg": 1e-3, "g": 1.0, "mg": 1e3, "ug": 1e6, "ng": 1e9}
"""Units that `grams` chooses from, and how many of each are a gram."""


def grams_with_error(value: float, error: float) -> str:
    """``5.21 ± 0.16 ug``: both in the prefix that reads best for the value, the error with two digits.

    Args:
        value: In gCO2eq.
        error: Half of its interval, in gCO2eq.
    """
    shown, _, unit = grams(value).rpartition(" ")
    return f"{shown} ± {_two_digits(error * _PER_GRAM[unit])} {unit}"


def _two_digits(value: float) -> str:
    """Two digits, or all before the point; without an exponent."""
    if value >= 10.0:
        return f"{value:.0f}"
    decimals = 1
    while decimals < 6 and value < 10.0 ** (1 - decimals):
        decimals += 1
    return f"{value:.{decimals}f}"
