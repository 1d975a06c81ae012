"""Medians with their uncertainty, and how several of them become one.

Observed times have long tails (retries, queues, pauses of a processor), which move a mean and leave a median alone.
Nothing is drawn at random: equal samples give equal estimates. The history of a busy workflow has rare runs more often
than the world (`observation.reservoir`), so each sample counts by how many runs the one stands for that it was seen in.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from multi_x_serverless.model.estimate import Z_95, Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

MEDIAN_OVER_MEAN = math.sqrt(math.pi / 2.0)
"""Standard error of a median over that of a mean, for normal errors."""


_ROUNDING = 1e-9
"""Weights that differ by this fraction of their sum are equal."""


def median_of(samples: Sequence[float], smallest_error: float, weights: Sequence[float] | None = None) -> Estimate:
    """The median of samples of any distribution.

    The standard error is that of a normal distribution whose 95 % interval is as wide as the one between two order
    statistics of ranks n/2 +- 0.98 sqrt(n) (Conover, Practical Nonparametric Statistics, "Quantiles"). Of weighted
    samples, n is the effective number (sum w)^2 / sum w^2 (Kish, Survey Sampling, 1965), and ranks are parts of the
    weight: the weight below the median then varies as among n samples of the same weight.

    Args:
        samples: At least one.
        smallest_error: The standard error is at least this: clocks are not exact, and equal samples not certain.
        weights: How much each sample counts, above 0; all the same by default. `Estimate.samples` is their number.
    """
    if weights is None:
        weights = [1.0] * len(samples)
    heaviest = max(weights)  # so that equal weights are all 1, and their sum is exact
    ranked = sorted((value, weight / heaviest) for value, weight in zip(samples, weights, strict=True))
    passed = list(accumulate(weight for _, weight in ranked))
    count = passed[-1] ** 2 / math.fsum(weight**2 for _, weight in ranked)
    reach = Z_95 * math.sqrt(count) / 2.0

    def at_rank(rank: int) -> float:
        """The sample that so many effective ones, itself included, are not above."""
        if rank <= 1:
            return ranked[0][0]
        position = bisect_left(passed, rank / count * passed[-1] * (1.0 - _ROUNDING))
        return ranked[min(position, len(ranked) - 1)][0]

    width = at_rank(round(1.0 + count / 2.0 + reach)) - at_rank(round(count / 2.0 - reach))
    value = _weighted_median(samples, weights)
    return Estimate(value, max(smallest_error, width / (2.0 * Z_95)), len(ranked))


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
    values = [estimate.value for estimate in estimates]
    between = _variance_between(estimates)
    weights = [1.0 / (estimate.standard_error**2 + between) for estimate in estimates]
    return Estimate(_weighted_median(values, weights), MEDIAN_OVER_MEAN / math.sqrt(math.fsum(weights)), samples)


def _weighted_median(values: Sequence[float], weights: Sequence[float]) -> float:
    """The value with at most half of the weight on either side; between two of them if each has exactly half."""
    ranked = sorted(zip(values, weights, strict=True))
    total, below = math.fsum(weights), 0.0
    for rank, (value, weight) in enumerate(ranked):
        below += weight / total
        if below >= 0.5 - _ROUNDING:
            is_even = below <= 0.5 + _ROUNDING and rank + 1 < len(ranked)
            return (value + ranked[rank + 1][0]) / 2.0 if is_even else value
    return ranked[-1][0]


def _variance_between(estimates: Sequence[Estimate]) -> float:
    """Variance of what the estimates are of, beyond that of the estimates themselves."""
    weights = [1.0 / estimate.standard_error**2 for estimate in estimates]
    total = math.fsum(weights)
    mean = math.fsum(weight * entry.value for weight, entry in zip(weights, estimates, strict=True)) / total
    spread = math.fsum(weight * (entry.value - mean) ** 2 for weight, entry in zip(weights, estimates, strict=True))
    scale = total - math.fsum(weight**2 for weight in weights) / total
    return max(0.0, (spread - (len(estimates) - 1)) / scale)
