"""What moving one node alone would do to an hour, in one word, and which of several moves does least harm."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Literal

from multi_x_serverless.model.plan import Objective
from multi_x_serverless.report.explanation import Alternative, Verdict
from multi_x_serverless.solving.simulation import MEAN_TOLERANCE, METRICS, TAIL_TOLERANCE, SimulatedHour
from multi_x_serverless.solving.solution import Bounds


def judge(
    region: str,
    here: SimulatedHour,
    moved: SimulatedHour,
    bound: float | None,
    order: Sequence[Objective],
    tolerance: float,
    least: Bounds,
) -> Alternative:
    """Hold a placement with one node moved against the placement itself.

    Args:
        region: Where the node went.
        here: The placement at an hour.
        moved: The same with the one node elsewhere.
        bound: See `Alternative.bound`.
        order: Objectives, the first one first.
        tolerance: Fraction of the least of an objective within which placements count as equal in it.
        least: Of the hour, by objective in their order, as far as it is proven.
    """
    worse_in_all = all(_difference(metric, here, moved) > _rounding(metric) for metric in METRICS)
    verdict, decided_by = _verdict(here, moved, order, tolerance, least, is_worse_in_all=worse_in_all)
    return Alternative(region, moved, bound, verdict, worse_in_all, decided_by)


def by_harm(alternatives: Sequence[Alternative], order: Sequence[Objective]) -> tuple[Alternative, ...]:
    """Alternatives in ascending order of limits broken, hard ones first, then of the objectives' means."""

    def harm(alternative: Alternative) -> tuple[float, ...]:
        moved = alternative.moved
        means = (moved.metrics.of(objective).mean for objective in order)
        return (count_broken(moved, "hard"), count_broken(moved, "soft"), *means)

    return tuple(sorted(alternatives, key=harm))


def count_broken(entry: SimulatedHour, kind: Literal["hard", "soft"]) -> int:
    """How many limits of a kind a placement breaks."""
    return sum(check.is_violated for check in entry.limits if check.kind == kind)


def _verdict(
    here: SimulatedHour,
    moved: SimulatedHour,
    order: Sequence[Objective],
    tolerance: float,
    least: Bounds,
    *,
    is_worse_in_all: bool,
) -> tuple[Verdict, Objective | None]:
    hard_here, hard_moved = count_broken(here, "hard"), count_broken(moved, "hard")
    soft_here, soft_moved = count_broken(here, "soft"), count_broken(moved, "soft")
    if hard_moved:
        return "breaks-hard-limit", None
    if hard_here or soft_moved < soft_here:
        return "better", None
    if soft_moved > soft_here:
        return "breaks-soft-limit", None
    if is_worse_in_all:
        return "worse-in-all", None
    for objective, bound in zip_longest(order, least[: len(order)]):
        difference = _difference(objective, here, moved)
        if abs(difference) <= _rounding(objective):
            continue
        if bound is None:
            counts_as_equal = abs(difference) <= tolerance
        else:
            most = bound * (1.0 + tolerance) * (1.0 + _rounding(objective))
            counts_as_equal = all(hour.metrics.of(objective).mean <= most for hour in (here, moved))
        if not counts_as_equal:
            return ("worse" if difference > 0.0 else "better"), objective
    return "equal", None


def _difference(metric: Objective, here: SimulatedHour, moved: SimulatedHour) -> float:
    """How much more of a mean the moved placement has, relative to the placement."""
    before, after = here.metrics.of(metric).mean, moved.metrics.of(metric).mean
    if before == after:
        return 0.0
    return (after - before) / before if before > 0.0 else float("inf")


def _rounding(metric: Objective) -> float:
    """Relative difference that is none: run times are in single precision, sums of cost and carbon in double."""
    return TAIL_TOLERANCE if metric == "runtime" else MEAN_TOLERANCE
