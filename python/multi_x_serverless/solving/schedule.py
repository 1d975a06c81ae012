"""The placements of a day chosen together: what each hour gains, less what switching between hours costs.

Choosing the best placement of every hour by itself ignores that a switch has its price: in a region that was idle the
first runs start cold. Here a day is a walk over candidate placements, one per block of hours, that returns to where it
began, and its value is the sum of the blocks' values and of the prices of its switches. The least such walk is found
exactly, by dynamic programming over the blocks for every candidate that it may begin with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from multi_x_serverless.errors import UsageError
from multi_x_serverless.model.units import HOURS_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray


GRANULARITIES = (1, 2, 3, 4, 6, 8, 12, 24)
"""Numbers of equally long blocks that a day can be divided into."""


@dataclass(frozen=True)
class Schedule:
    """A placement for every hour of the day.

    Attributes:
        candidates: Index of the candidate at each of the 24 UTC hours.
        value: Sum of the hours' values and of the prices of all switches, per day.
        switching: The part of it that is the price of switches.
        switches: How often in a day the placement changes.
    """

    candidates: tuple[int, ...]
    value: float
    switching: float
    switches: int


def best_schedule(
    values: NDArray[np.float64], switching: NDArray[np.float64], *, granularity: int = HOURS_PER_DAY
) -> Schedule | None:
    """The schedule of least value, proven; among equal ones that with the smaller indices first.

    Args:
        values: Shape (candidates, 24): value of a candidate at a UTC hour, infinite where it is not allowed.
        switching: Shape (candidates, candidates): price of a switch from one to another, 0 or more; its diagonal is 0.
            Or shape (24, candidates, candidates), if the price depends on the UTC hour at whose start it happens.
        granularity: How many placements the day may have, one of `GRANULARITIES`; the first block begins at 0 o'clock.

    Returns:
        `None` if at some block no candidate is allowed.

    Raises:
        UsageError: There is no such granularity.
    """
    if granularity not in GRANULARITIES:
        raise UsageError(f"a day cannot have {granularity} placements; it can have {GRANULARITIES}.")
    count, length = values.shape[0], HOURS_PER_DAY // granularity
    # By block, then candidate.
    blocks = values.reshape(count, granularity, length).sum(axis=2).T
    # Of a switch into each block.
    prices = np.broadcast_to(switching, (HOURS_PER_DAY, count, count))[::length]
    # reached[first, last]: least value of a walk up to the block at hand that begins and ends with these candidates.
    reached = np.full((count, count), np.inf)
    np.fill_diagonal(reached, blocks[0])
    before: list[NDArray[np.intp]] = []
    for block, price in zip(blocks[1:], prices[1:], strict=True):
        # Axes: where the walk began, where it was, where it goes.
        steps = reached[:, :, np.newaxis] + price[np.newaxis, :, :]
        before.append(steps.argmin(axis=1))
        reached = steps.min(axis=1) + block
    closed = reached + prices[0].T
    first, last = np.unravel_index(int(closed.argmin()), closed.shape)
    if not np.isfinite(closed[first, last]):
        return None
    walk = [int(last)]
    for step in reversed(before):
        walk.append(int(step[first, walk[-1]]))
    walk.reverse()
    changes = [(at, walk[at - 1], walk[at]) for at in range(granularity) if walk[at - 1] != walk[at]]
    return Schedule(
        candidates=tuple(candidate for candidate in walk for _ in range(length)),
        value=float(closed[first, last]),
        switching=float(sum(prices[at, one, other] for at, one, other in changes)),
        switches=len(changes),
    )
