"""Amounts in the one unit that reads best, in reasons of decisions as in tables."""

from __future__ import annotations

import pytest

from multi_x_serverless.model.amounts import dollars, grams


@pytest.mark.parametrize(("value", "shown"), [(0.148, "148 mg"), (4.35e-5, "43.5 ug"), (0.0, "0 g")])
def test_carbon_has_the_prefix_that_reads_best(value: float, shown: str) -> None:
    assert grams(value) == shown


def test_what_is_rounded_away_is_nothing_in_the_unit() -> None:
    assert (grams(1e-15), dollars(1e-15)) == ("0 g", "0 USD")
