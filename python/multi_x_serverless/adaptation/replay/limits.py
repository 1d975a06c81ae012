"""How placements stand to the limits of the problem in the hours as they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multi_x_serverless.model.units import HOURS_PER_DAY

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.replay.intensities import Intensities
    from multi_x_serverless.adaptation.replay.metrics import PlacementBook
    from multi_x_serverless.solving.simulation import Simulator


@dataclass(frozen=True)
class Broken:
    """How many limits of each kind a placement breaks in an hour."""

    hard: int
    soft: int


UNBROKEN = Broken(0, 0)


class LimitBook:
    """Holds placements against the limits, each pair of placement and hour once.

    Args:
        simulator: The problem, without an interval around intensities.
        intensities: What came true.
        book: Numbers of placements.
    """

    def __init__(self, simulator: Simulator, intensities: Intensities, book: PlacementBook) -> None:
        self._simulator = simulator
        self._intensities = intensities
        self._book = book
        limits = simulator.frame.limits
        self.has_limits = bool(limits)
        # Time and cost are the same in all hours, and so are limits on them.
        self._depends_on_the_hour = any(metric == "carbon" for _, metric in limits)
        self._days: dict[int, Simulator] = {}
        self._known: dict[tuple[int, int], Broken] = {}

    def broken(self, number: int, hour: int) -> Broken:
        """What a placement breaks in an hour of the stretch."""
        if not self.has_limits:
            return UNBROKEN
        key = (number, hour if self._depends_on_the_hour else 0)
        if key not in self._known:
            day = self._day(key[1] // HOURS_PER_DAY)
            checks = day.at(self._book.placement(number), key[1] % HOURS_PER_DAY).limits
            kinds = [check.kind for check in checks if check.is_violated]
            self._known[key] = Broken(kinds.count("hard"), kinds.count("soft"))
        return self._known[key]

    def _day(self, day: int) -> Simulator:
        if day not in self._days:
            self._days[day] = self._simulator.with_intensity(self._intensities.day(day * HOURS_PER_DAY))
        return self._days[day]
