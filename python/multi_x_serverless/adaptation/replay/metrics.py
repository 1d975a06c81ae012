"""What placements cost, once per placement instead of once per hour.

Cost and run time do not depend on intensities. Mean carbon is a constant plus one coefficient per region times that
region's intensity (docs/problem-document.md, "Carbon of a scenario": every term is a rate times an intensity, or times
a mean of two). The engine is asked for each placement with one region's intensity at a time, and a year is then a
product of two matrices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from multi_x_serverless.model.units import HOURS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from multi_x_serverless.model.plan import Placement
    from multi_x_serverless.solving.engine import LoadedProblem
    from multi_x_serverless.solving.simulation import Simulator

PROBE_GCO2EQ_PER_KWH = 1000.0
REGIONS_PER_PROBE = HOURS_PER_DAY - 1
"""Each hour of a probing problem lights up one region; in the last hour all are dark."""

DARK_HOUR = REGIONS_PER_PROBE


@dataclass(frozen=True, eq=False)
class PlacementMetrics:
    """Per run, over the planning scenarios.

    Attributes:
        carbon_gco2eq: What does not depend on the regions' intensities (transfers to and from outside).
        carbon_kwh: Shape (regions,): gCO2eq for each gCO2eq/kWh of a region.
        cost_usd: Mean.
        runtime_s: Mean.
        run_times_s: Of every scenario, ascending.
    """

    carbon_gco2eq: float
    carbon_kwh: NDArray[np.float64]
    cost_usd: float
    runtime_s: float
    run_times_s: NDArray[np.float32]


class PlacementBook:
    """Numbers placements in the order in which they turn up, and measures each one once.

    Args:
        simulator: The problem, without an interval around intensities.
    """

    def __init__(self, simulator: Simulator) -> None:
        problem = simulator.problem
        self._problem = problem
        self.regions = tuple(problem.regions)
        self.nodes = tuple(problem.nodes)
        self._place = {region: place for place, region in enumerate(self.regions)}
        self._numbers: dict[tuple[int, ...], int] = {}
        self._placements: list[Placement] = []
        self._metrics: list[PlacementMetrics] = []
        self._probes = [
            self._probe(self.regions[first : first + REGIONS_PER_PROBE])
            for first in range(0, len(self.regions), REGIONS_PER_PROBE)
        ]
        self.home = self.number(simulator.home)

    def number(self, placement: Placement) -> int:
        """The number of a placement."""
        key = tuple(self._place[placement[node]] for node in self.nodes)
        if key not in self._numbers:
            self._numbers[key] = len(self._placements)
            self._placements.append(dict(placement))
            self._metrics.append(self._measure(placement))
        return self._numbers[key]

    @property
    def placements(self) -> tuple[Placement, ...]:
        """All that turned up, by number."""
        return tuple(self._placements)

    def placement(self, number: int) -> Placement:
        """The placement of a number."""
        return self._placements[number]

    def metrics(self, number: int) -> PlacementMetrics:
        """The metrics of a placement."""
        return self._metrics[number]

    def regions_of(self, number: int) -> NDArray[np.intp]:
        """Index of the region of each node, shape (nodes,)."""
        placement = self._placements[number]
        return np.array([self._place[placement[node]] for node in self.nodes])

    def shares(self, number: int) -> NDArray[np.float64]:
        """Share of the nodes that are in each region, shape (regions,)."""
        return np.bincount(self.regions_of(number), minlength=len(self.regions)) / len(self.nodes)

    def carbon(
        self, numbers: Sequence[int] | NDArray[np.intp], intensities: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Mean gCO2eq of a run in each hour.

        Args:
            numbers: Placement of each hour, shape (hours,).
            intensities: gCO2eq/kWh, shape (regions, hours).
        """
        constants = np.array([entry.carbon_gco2eq for entry in self._metrics])
        rates = np.array([entry.carbon_kwh for entry in self._metrics])
        return np.asarray(constants[numbers] + np.einsum("hr,rh->h", rates[numbers], intensities))

    def cost(self, numbers: NDArray[np.intp]) -> NDArray[np.float64]:
        """Mean USD of a run in each hour."""
        return np.array([entry.cost_usd for entry in self._metrics])[numbers]

    def runtime(self, numbers: NDArray[np.intp]) -> NDArray[np.float64]:
        """Mean run time of a run in each hour, in seconds."""
        return np.array([entry.runtime_s for entry in self._metrics])[numbers]

    def run_time_tail(self, runs: Mapping[int, float], tail: float) -> float:
        """Percentile of the run times of runs that are spread over placements, in seconds.

        The smallest run time that at least the share `tail` of all runs does not exceed; of one placement this is the
        percentile that the engine gives.

        Args:
            runs: Placement -> how many runs.
            tail: The percentile as a fraction.
        """
        used = [number for number, count in runs.items() if count > 0]
        times = np.concatenate([self._metrics[number].run_times_s for number in used])
        scenarios = len(times) // len(used)
        weights = np.repeat([runs[number] / scenarios for number in used], scenarios)
        order = np.argsort(times, kind="stable")
        reached = np.cumsum(weights[order])
        # As many rounding errors as there are terms may lie between the sum and what it should be.
        enough = tail * reached[-1] * (1.0 - 1e-12 * len(times))
        return float(times[order][int(np.searchsorted(reached, enough))])

    def _probe(self, lit: Sequence[str]) -> tuple[Sequence[str], LoadedProblem]:
        intensity = {region: [0.0] * HOURS_PER_DAY for region in self.regions}
        for hour, region in enumerate(lit):
            intensity[region][hour] = PROBE_GCO2EQ_PER_KWH
        return lit, self._problem.with_intensity(intensity)

    def _measure(self, placement: Placement) -> PlacementMetrics:
        dark = self._probes[0][1].evaluate(placement, DARK_HOUR)
        rates = [
            (problem.evaluate(placement, hour).carbon.mean - dark.carbon.mean) / PROBE_GCO2EQ_PER_KWH
            for lit, problem in self._probes
            for hour in range(len(lit))
        ]
        return PlacementMetrics(
            carbon_gco2eq=dark.carbon.mean,
            carbon_kwh=np.array(rates),
            cost_usd=dark.cost.mean,
            runtime_s=dark.runtime.mean,
            run_times_s=np.sort(self._problem.run_times(placement)),
        )
