"""Medians with their uncertainty, and how several of them become one.

Observed times have long tails (retries, queues, pauses of a processor), which move a mean and leave a median alone.
Nothing is drawn at random: equal samples give equal estimates.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from multi_x_serverless.model.estimate import Z_95, Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

MEDIAN_OVER_MEAN = math.sqrt(math.pi / 2.0)
"""Standard error of a median over that of a mean, for normal errors."""


_ROUNDING = 1e-9
"""Weights that differ by this fraction of their sum are equal."""


def median_of(samples: Sequence[float], smallest_error: float) -> Estimate:
    """The median of samples of any distribution.

    The standard error is that of a normal distribution whose 95 % interval is as wide as the one between two order
    statistics of ranks n/2 +- 0.98 sqrt(n) (Conover, Practical Nonparametric Statistics, "Quantiles").

    Args:
        samples: At least one.
        smallest_error: The standard error is at least this: clocks are not exact, and equal samples not certain.
    """
    ordered = np.sort(np.asarray(samples, dtype=np.float64))
    count = len(ordered)
    reach = Z_95 * math.sqrt(count) / 2.0
    lower = max(1, round(count / 2.0 - reach))
    upper = min(count, round(1.0 + count / 2.0 + reach))
    width = float(ordered[upper - 1] - ordered[lower - 1])
    return Estimate(float(np.median(ordered)), max(smallest_error, width / (2.0 * Z_95)), count)


def pool(estimates: Sequence[Estimate]) -> Estimate:
    """One value of several estimates of the same quantity, some of which may be far off.

    The variance between them is estimated first (DerSimonian and Laird 1986), so that estimates that disagree count
    more alike and the interval says so; the value is their weighted median, which one bad estimate of several hardly
    moves.

    Args:
        estimates: At least one.
    """
    samples = sum(estimate.samples for estimate in estimates)
    if len(estimates) == 1:
        return estimates[0]
    values = np.array([estimate.value for estimate in estimates])
    variances = np.array([estimate.standard_error for estimate in estimates]) ** 2
    weights = 1.0 / (variances + _variance_between(values, variances))
    value = _weighted_median(values, weights)
    return Estimate(value, MEDIAN_OVER_MEAN / math.sqrt(float(weights.sum())), samples)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """The value with at most half of the weight on either side; between two of them if each has exactly half."""
    order = np.argsort(values, kind="stable")
    ranked, below = values[order], np.cumsum(weights[order]) / weights.sum()
    middle = int(np.argmax(below >= 0.5 - _ROUNDING))
    is_even = middle + 1 < len(ranked) and abs(below[middle] - 0.5) <= _ROUNDING
    return float((ranked[middle] + ranked[middle + 1]) / 2.0 if is_even else ranked[middle])


def _variance_between(values: np.ndarray, variances: np.ndarray) -> float:
    """Variance of what the estimates are of, beyond that of the estimates themselves."""
    weights = 1.0 / variances
    mean = float((weights * values).sum() / weights.sum())
    excess = float((weights * (values - mean) ** 2).sum()) - (len(values) - 1)
    scale = float(weights.sum() - (weights**2).sum() / weights.sum())
    return max(0.0, excess / scale)
