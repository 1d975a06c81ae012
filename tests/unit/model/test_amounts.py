"""Amounts read the same in reasons of decisions and in tables."""

from __future__ import annotations

import pytest

from multi_x_serverless.model import amounts
from multi_x_serverless.report import wording


@pytest.mark.parametrize(
    "value", [0.0, 3.2e-12, 4.35e-5, 1.48e-1, 0.9996, 1.0, 257e-6, 1234.0, 999_600.0, 4.2e9, -0.02]
)
def test_reasons_and_tables_put_amounts_alike(value: float) -> None:
    assert amounts.grams(value) == wording.grams(value)
    assert amounts.dollars(value) == wording.dollars(value)


def test_what_is_rounded_away_is_nothing_in_the_unit() -> None:
    assert (amounts.grams(1e-15), amounts.dollars(1e-15)) == ("0 g", "0 USD")
    assert amounts.grams(4.35e-5) == "43.5 ug"
