"""How figures are put into words: no exponents, no sign of nothing, the prefix of the rounded value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from multi_x_serverless.report.wording import dollars, grams, percent, proof, relative, seconds, size


@pytest.mark.parametrize(
    ("show", "value", "text"),
    [
        (grams, 0.0, "0 g"),
        (grams, 2.1e-4, "210 ug"),
        (grams, 0.9994, "999 mg"),
        (grams, 0.9996, "1 g"),
        (grams, 999.4, "999 g"),
        (grams, 999.6, "1 kg"),
        (grams, 1234.0, "1.23 kg"),
        (grams, -56_789.0, "-56.8 kg"),
        (grams, 4.2e9, "4200 t"),
        (grams, 1.2e-11, "0.012 ng"),
        (grams, 1e-15, "0 ng"),
        (dollars, 0.9999, "1 USD"),
        (dollars, -0.000165, "-165 uUSD"),
        (dollars, 1234.4, "1234 USD"),
        (dollars, 2_500_000.0, "2500000 USD"),
        (size, 12.4, "12 B"),
        (size, 999.6, "1 kB"),
        (size, 999_600.0, "1 MB"),
        (size, 3.2e12, "3.2 TB"),
        (size, 5e15, "5000 TB"),
        (seconds, 0.02, "20 ms"),
        (seconds, 0.9996, "1.00 s"),
        (seconds, 999.996, "1000 s"),
        (seconds, 4210.0, "4210 s"),
        (percent, -0.0001, "0.0 %"),
        (percent, 0.021, "2.1 %"),
        (relative, -0.0001, "0.0 %"),
        (relative, -0.021, "-2.1 %"),
        (relative, 3.5, "+350 %"),
        (relative, None, "-"),
    ],
)
def test_amounts_are_in_the_prefix_of_what_is_shown(show: Callable[[Any], str], value: float | None, text: str) -> None:
    assert show(value) == text


def test_a_change_that_is_rounded_away_has_no_sign() -> None:
    assert [percent(part, signed=True) for part in (-0.0, -0.0004, 0.0004, 0.0006)] == ["0.0 %"] * 3 + ["+0.1 %"]


@pytest.mark.parametrize(
    ("hours", "when", "text"),
    [
        ([("optimal", 0.0), ("optimal", 1e-9)], "", "optimal"),
        ([("optimal", 0.0), ("infeasible", 0.9)], "", "infeasible or optimal"),
        (
            [("timed_out", 0.1), ("infeasible", 0.9)],
            "",
            "infeasible or timed out, at most 10.0 % of it above the least possible",
        ),
        ([("optimal", 0.2)], " then", "optimal then, at most 20.0 % of it above the least possible"),
        ([("infeasible", 0.9)], " then", "nothing was found that keeps the hard limits, so everything is home"),
    ],
)
def test_hours_that_stay_home_say_nothing_of_the_distance_to_the_bound(
    hours: list[tuple[str, float]], when: str, text: str
) -> None:
    assert proof(hours, of="it", when=when) == text
