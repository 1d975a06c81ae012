"""Numbers on the command line: finite ones, and not larger than anything that makes sense."""

from __future__ import annotations

import math
from typing import Any

import click

LARGEST_TIME_SCALE = 1e6

LARGEST_PACKAGE_MB = 1e6
"""A hundred times what AWS Lambda takes as an image."""

LONGEST_S = 1e9
"""Seconds, some 30 years: as good as for ever, and no timer overflows."""


class FiniteRange(click.FloatRange):
    """A number within a range; neither infinity nor "nan", which compares with nothing and so is in every range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a number, or refuse it."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


def seconds_range(least: float = 0.0) -> FiniteRange:
    """Seconds of a time to wait, to take or to look back."""
    return FiniteRange(min=least, max=LONGEST_S)
