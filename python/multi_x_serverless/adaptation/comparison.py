"""How much less a quantity is under a plan than in its controls, with a confidence interval.

The home share sends runs home at random, so the runs that it sent home under a plan are the controls of a randomised
experiment: they differ from the plan's runs in where they ran and in nothing else. Post-stratification by hour of the
day takes the chance out of how many of either kind fell into clean and dirty hours: within each stratum (consecutive
hours with enough runs of both kinds) the means are compared, and strata weigh as the plan's runs are spread.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MINIMUM_CONTROLS = 10
"""Fewer controls are too few for any statement: their variance is not known well enough."""

MINIMUM_IN_STRATUM = 5
"""Runs of either kind that a stratum has at least."""

NORMAL_QUANTILE = 1.959964
"""97.5 % quantile of the normal distribution, for two-sided 95 % intervals."""


@dataclass(frozen=True)
class HourlyValue:
    """A quantity of one run, and the UTC hour of the day (0-23) in which the run started.

    Attributes:
        weight: How many runs it stands for.
    """

    hour: int
    value: float
    weight: float = 1.0


@dataclass(frozen=True)
class Estimate:
    """A mean per run over the strata, weighted as the plan's runs are spread, its standard error and its interval."""

    mean: float
    standard_error: float
    interval: Interval


@dataclass(frozen=True)
class Saving:
    """``1 - plan / control`` of a quantity with its 95 % confidence interval."""

    fraction: float
    low: float
    high: float


@dataclass(frozen=True)
class ErrorTerm:
    """What one stratum of one arm adds to the variance of an estimate, and its degrees of freedom."""

    variance: float
    freedom: int


@dataclass(frozen=True)
class Difference:
    """How much more the controls have of a quantity than the planned runs, per run or summed over some."""

    value: float
    terms: tuple[ErrorTerm, ...]

    def times(self, runs: float) -> Difference:
        """The sum over so many runs, whose number is known."""
        return Difference(self.value * runs, tuple(ErrorTerm(t.variance * runs**2, t.freedom) for t in self.terms))

    def interval(self) -> Interval:
        """With Student's quantile at Welch's degrees of freedom."""
        return _interval_of(self.value, self.terms)


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def less(self, known: float) -> Interval:
        """Less what is known without error."""
        return Interval(self.value - known, self.low - known, self.high - known)


@dataclass(frozen=True)
class _StratumMean:
    weight: float
    mean: float
    squared_error: float
    runs: int


def strata(controls: Iterable[int], planned: Iterable[int]) -> tuple[frozenset[int], ...]:
    """Group the hours of the day so that each group has enough runs of both kinds; as many groups as possible.

    Args:
        controls: Hour of each control.
        planned: Hour of each run that the plan routed.

    Returns:
        Groups of consecutive hours that together make the day; none if there are too few runs altogether.
    """
    count, planned_count = Counter(controls), Counter(planned)
    if count.total() < MINIMUM_CONTROLS or planned_count.total() < MINIMUM_CONTROLS:
        return ()
    groups: list[set[int]] = []
    current: set[int] = set()
    for hour in range(24):
        current.add(hour)
        if all(sum(kind[other] for other in current) >= MINIMUM_IN_STRATUM for kind in (count, planned_count)):
            groups.append(current)
            current = set()
    if current and groups:
        groups[-1] |= current
    return tuple(frozenset(group) for group in groups)


def stratified(values: Sequence[HourlyValue], groups: Sequence[frozenset[int]], weights: Sequence[float]) -> Estimate:
    """Mean of the means of strata, with given weights that sum to 1; every stratum needs two values."""
    parts = _means(values, groups, weights)
    mean, terms = _weighted_mean(parts), _error_terms(parts)
    return Estimate(mean, math.sqrt(sum(term.variance for term in terms)), _interval_of(mean, terms))


def saving(
    controls: Sequence[HourlyValue], planned: Sequence[HourlyValue], groups: Sequence[frozenset[int]]
) -> Saving | None:
    """How much less the planned runs have than the controls.

    The interval is that of the logarithm of the ratio of the two means (delta method), with Student's quantile at
    Welch's degrees of freedom. With 10 to 20 controls of a quantity that spreads over an order of magnitude it covers
    about 90 % instead of 95 %.

    Returns:
        `None` where there are no strata or a mean is not positive.
    """
    if not groups:
        return None
    weights = plan_weights(planned, groups)
    arms = [_means(controls, groups, weights), _means(planned, groups, weights)]
    control_mean, plan_mean = (_weighted_mean(arm) for arm in arms)
    if control_mean <= 0 or plan_mean <= 0:
        return None
    ratio = plan_mean / control_mean
    terms = [
        ErrorTerm(part.weight**2 * part.squared_error / mean**2, part.runs - 1)
        for arm, mean in zip(arms, (control_mean, plan_mean), strict=True)
        for part in arm
    ]
    variance = sum(term.variance for term in terms)
    if variance <= 0:
        return Saving(1.0 - ratio, 1.0 - ratio, 1.0 - ratio)
    spread = math.exp(student_quantile(_welch_freedom(terms)) * math.sqrt(variance))
    return Saving(1.0 - ratio, 1.0 - ratio * spread, 1.0 - ratio / spread)


def difference(
    controls: Sequence[HourlyValue], planned: Sequence[HourlyValue], groups: Sequence[frozenset[int]]
) -> Difference | None:
    """How much more the controls have per run than the planned runs; `None` where there are no strata."""
    if not groups:
        return None
    weights = plan_weights(planned, groups)
    control, plan = _means(controls, groups, weights), _means(planned, groups, weights)
    return Difference(_weighted_mean(control) - _weighted_mean(plan), _error_terms((*control, *plan)))


def summed(differences: Sequence[Difference]) -> Difference:
    """The sum of independent differences."""
    return Difference(
        math.fsum(each.value for each in differences), tuple(term for each in differences for term in each.terms)
    )


def plan_weights(planned: Sequence[HourlyValue], groups: Sequence[frozenset[int]]) -> tuple[float, ...]:
    """Share of the plan's runs in each stratum."""
    total = sum(entry.weight for entry in planned)
    return tuple(sum(entry.weight for entry in planned if entry.hour in group) / total for group in groups)


def student_quantile(degrees: float) -> float:
    """97.5 % quantile of Student's distribution, by its expansion at the normal one.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5; within 0.1 % from 4 degrees of freedom on.
    """
    z = NORMAL_QUANTILE
    terms = (
        (z**3 + z) / 4.0,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96.0,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384.0,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160.0,
    )
    return z + sum(term / degrees**power for power, term in enumerate(terms, start=1))


def _interval_of(value: float, terms: Sequence[ErrorTerm]) -> Interval:
    """Of a value with such errors, with Student's quantile at Welch's degrees of freedom."""
    variance = sum(term.variance for term in terms)
    if variance <= 0:
        return Interval(value, value, value)
    spread = student_quantile(_welch_freedom(terms)) * math.sqrt(variance)
    return Interval(value, value - spread, value + spread)


def _welch_freedom(terms: Sequence[ErrorTerm]) -> float:
    """Degrees of freedom of a sum of variances (Welch 1947, Satterthwaite 1946)."""
    return sum(term.variance for term in terms) ** 2 / sum(term.variance**2 / term.freedom for term in terms)


def _means(
    values: Sequence[HourlyValue], groups: Sequence[frozenset[int]], weights: Sequence[float]
) -> list[_StratumMean]:
    parts = []
    for group, weight in zip(groups, weights, strict=True):
        members = [entry for entry in values if entry.hour in group]
        total, count = sum(entry.weight for entry in members), len(members)
        mean = sum(entry.weight * entry.value for entry in members) / total
        # Variance of a ratio of weighted sums, linearised; with equal weights the usual one of a mean.
        squares = sum((entry.weight * (entry.value - mean)) ** 2 for entry in members)
        parts.append(_StratumMean(weight, mean, squares / total**2 * count / (count - 1), count))
    return parts


def _error_terms(parts: Sequence[_StratumMean]) -> tuple[ErrorTerm, ...]:
    return tuple(ErrorTerm(part.weight**2 * part.squared_error, part.runs - 1) for part in parts)


def _weighted_mean(parts: Sequence[_StratumMean]) -> float:
    return sum(part.weight * part.mean for part in parts)
