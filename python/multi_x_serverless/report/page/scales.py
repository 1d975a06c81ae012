"""Axes: from a quantity to a place in a picture, and round numbers to mark."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A straight line from values to pixels.

    Attributes:
        low: Value at `start`.
        high: Value at `end`; greater than `low`.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(low: float, high: float, about: int) -> tuple[float, ...]:
    """About so many round numbers that enclose a span, which may have no length.

    Args:
        about: How many steps are wanted.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{low} to {high} is no span")
    if high <= low:
        margin = abs(low) * 0.1 or 1.0
        low, high = low - margin, high + margin
    raw = (high - low) / about
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1.0, 2.0, 5.0, 10.0) if factor * magnitude >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(number * step for number in range(first, last + 1))
