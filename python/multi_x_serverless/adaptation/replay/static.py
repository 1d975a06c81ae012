"""The best single region for the whole stretch, chosen with hindsight: the best that never moves again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from multi_x_serverless.adaptation.replay.limits import LimitBook
    from multi_x_serverless.adaptation.replay.metrics import PlacementBook
    from multi_x_serverless.model.plan import Objective, Placement
    from multi_x_serverless.solving.simulation import Simulator


def single_region(simulator: Simulator, region: str) -> Placement:
    """Every node in a region but for those that may not run there: they stay home."""
    frame = simulator.frame
    return {node: region if region in allowed else frame.home for node, allowed in frame.allowed.items()}


def best_static_region(
    simulator: Simulator,
    book: PlacementBook,
    limits: LimitBook,
    runs: NDArray[np.float64],
    replayed: NDArray[np.float64],
    order: tuple[Objective, ...],
    tolerance: float,
) -> str | None:
    """The region that keeps the hard limits in every hour and is best over all of them, by the engine's own rules.

    Of these the ones that break the fewest soft limits, then the best by each objective in turn, where those within
    `tolerance` of the best count as equal. `None` if no region keeps the hard limits.

    Args:
        runs: Of each hour, shape (hours,).
        replayed: gCO2eq/kWh, shape (regions, hours).
    """
    numbers = {region: book.number(single_region(simulator, region)) for region in book.regions}
    hours = range(len(runs))
    left: dict[str, int] = {}
    soft: dict[str, int] = {}
    for region, number in numbers.items():
        broken = [limits.broken(number, hour) for hour in hours] if limits.has_limits else []
        if not any(entry.hard for entry in broken):
            left[region], soft[region] = number, sum(entry.soft for entry in broken)
    if not left:
        return None
    fewest = min(soft.values())
    left = {region: number for region, number in left.items() if soft[region] == fewest}
    totals: dict[Objective, Callable[[int], float]] = {
        "carbon": lambda number: float((book.carbon([number] * len(runs), replayed) * runs).sum()),
        "cost": lambda number: book.metrics(number).cost_usd,
        "runtime": lambda number: book.metrics(number).runtime_s,
    }
    for objective in order:
        values = {region: totals[objective](number) for region, number in left.items()}
        enough = min(values.values()) * (1.0 + tolerance)
        left = {region: number for region, number in left.items() if values[region] <= enough}
    best = next(iter(left))
    # Where no node may run in a region, its placement is home's.
    home = simulator.frame.home
    return home if numbers[best] == numbers[home] else best
