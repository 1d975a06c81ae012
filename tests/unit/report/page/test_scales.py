from __future__ import annotations

import math

import pytest

from multi_x_serverless.report.page.scales import Scale, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 430.0, (0.0, 200.0, 400.0, 600.0)),
        (0.0, 400.0, (0.0, 100.0, 200.0, 300.0, 400.0)),
        (2.02, 2.2, (2.0, 2.05, 2.1, 2.15, 2.2)),
        (-3.0, 5.0, (-4.0, -2.0, 0.0, 2.0, 4.0, 6.0)),
    ],
)
def test_marks_are_round_and_enclose_what_is_shown(low: float, high: float, expected: tuple[float, ...]) -> None:
    assert ticks(low, high, 4) == pytest.approx(expected)


@pytest.mark.parametrize("value", [0.0, 5.0, -5.0, 1e-12])
def test_a_span_without_length_has_marks_on_both_sides(value: float) -> None:
    marks = ticks(value, value, 4)
    assert marks[0] < value < marks[-1]


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="no span"):
        ticks(0.0, math.inf, 4)


def test_a_scale_may_run_upwards() -> None:
    scale = Scale(0.0, 10.0, 200.0, 100.0)
    assert [scale(value) for value in (0.0, 5.0, 10.0)] == [200.0, 150.0, 100.0]
