"""How figures are put into words: no exponents, no sign of nothing, the prefix of the rounded value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from multi_x_serverless.model.amounts import dollars, grams
from multi_x_serverless.report.wording import (
    compared,
    compared_span,
    compared_with,
    dollars_per_million,
    gap_to_bound,
    more_or_less,
    more_or_less_span,
    percent,
    proof,
    relative,
    seconds,
    size,
)


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
        (grams, 1e-15, "0 g"),
        (grams, -1e-15, "0 g"),
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
    ("change", "alone", "against"),
    [
        (-0.683, "68.3 % less", "68.3 % less than home"),
        (0.018, "1.8 % more", "1.8 % more than home"),
        (3.5, "350 % more", "350 % more than home"),
        (-1.0, "100 % less", "100 % less than home"),
        (5e-4, "0.1 % more", "0.1 % more than home"),
        (-5e-4, "0.1 % less", "0.1 % less than home"),
        (0.0004, "the same", "the same as home"),
        (-0.0004, "the same", "the same as home"),
        (None, "-", "- vs home"),
    ],
)
def test_the_direction_of_a_change_is_a_word(change: float | None, alone: str, against: str) -> None:
    assert compared(change) == alone
    assert compared_with(change, "home") == against


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (-0.67, -0.52, "52.0 % to 67.0 % less"),
        (0.02, 0.08, "2.0 % to 8.0 % more"),
        (-0.252, 0.426, "25.2 % less to 42.6 % more"),
        (-0.1, 0.0, "0.0 % to 10.0 % less"),
        (-0.1, 0.0002, "0.0 % to 10.0 % less"),
        (-0.0002, 0.1, "0.0 % to 10.0 % more"),
        (-0.0002, 0.0002, "the same"),
    ],
)
def test_a_span_of_changes_has_the_directions_of_its_ends(low: float, high: float, text: str) -> None:
    assert compared_span(low, high) == text


def test_an_amount_is_more_or_less_and_nothing_is_neither() -> None:
    assert [more_or_less(value, grams) for value in (-2.76e-4, 1.31e-4, 0.0)] == ["276 ug less", "131 ug more", "0 g"]
    assert more_or_less_span(-3.93e-4, -1.59e-4, grams) == "159 ug to 393 ug less"
    assert more_or_less_span(3.68e-5, 1.3e-4, dollars) == "36.8 uUSD to 130 uUSD more"
    assert more_or_less_span(-1e-3, 2e-6, grams) == "1 mg less to 2 ug more"
    assert more_or_less_span(0.0, 0.0, grams) == "the same"


@pytest.mark.parametrize("show", [grams, dollars, seconds, dollars_per_million])
def test_what_is_rounded_away_has_no_direction(show: Callable[[float], str]) -> None:
    assert {more_or_less(value, show) for value in (-1e-20, 0.0, 1e-20)} == {show(0.0)}
    for low, high in ((-1e-20, 1e-20), (-1e-20, 0.0), (0.0, 1e-20), (-2e-20, -1e-20), (1e-20, 2e-20)):
        assert more_or_less_span(low, high, show) == "the same"
    assert more_or_less_span(-1e-20, 5.0, show) == f"{show(0.0)} to {show(5.0)} more"
    assert more_or_less_span(-5.0, 1e-20, show) == f"{show(0.0)} to {show(5.0)} less"


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


@pytest.mark.parametrize(
    ("gap", "is_proven", "expected"),
    [
        (0.0, True, "0.0 %"),
        (2e-10, False, "0.0 %: nothing less is possible"),
        (3e-5, False, "< 0.05 %"),
        (3e-5, True, "< 0.05 %"),
        (4.99e-4, False, "< 0.05 %"),
        (5e-4, False, "0.1 %"),
        (0.0213, False, "2.1 %"),
    ],
)
def test_a_gap_that_is_rounded_away_is_not_shown_as_none(gap: float, expected: str, *, is_proven: bool) -> None:
    assert gap_to_bound(gap, is_proven=is_proven) == expected


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (0.0, "feasible, and nothing less is possible"),
        (3e-5, "feasible, at most 0.05 % of its carbon above the least possible"),
        (0.02, "feasible, at most 2.0 % of its carbon above the least possible"),
    ],
)
def test_a_proof_does_not_round_a_gap_away(gap: float, said: str) -> None:
    assert proof([("feasible", gap)], of="its carbon") == said
