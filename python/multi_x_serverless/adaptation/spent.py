"""What plans of a workflow took in the last 30 days, all of it: the ledger, and the cold starts in the history.

`status`, `report` and `update_check_solver` all take it from here. Cold starts are found anew in the history each time
and never written to the ledger, so that none is counted twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from multi_x_serverless.adaptation.cold_starts import (
    NO_COLD_STARTS,
    ColdStart,
    ColdStartSpending,
    caused_cold_starts,
    price_cold_starts,
)
from multi_x_serverless.adaptation.intensity import intensity_history
from multi_x_serverless.adaptation.ledger import Ledger, Spending
from multi_x_serverless.adaptation.overhead import Overhead, Rates
from multi_x_serverless.adaptation.signals import carbon_source
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.ledger import Assumed
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.solving.intensity import RegionIntensity
from multi_x_serverless.solving.model_constants import TransmissionPreset
from multi_x_serverless.solving.problem import Signals


@dataclass(frozen=True)
class Spent:
    """What plans took in the last 30 days.

    Attributes:
        ledger: Work, copies and probes.
        cold_starts: Starts of containers that plans caused, which the ledger does not have.
    """

    ledger: Spending
    cold_starts: ColdStartSpending = NO_COLD_STARTS

    @property
    def total(self) -> Overhead:
        """All of it."""
        return Overhead(
            math.fsum((self.ledger.carbon_gco2eq, self.cold_starts.carbon_gco2eq)),
            math.fsum((self.ledger.cost_usd, self.cold_starts.cost_usd)),
        )


def spent_on(
    cloud: Cloud,
    record: WorkflowRecord,
    runs: Sequence[ObservedRun],
    signals: Signals,
    preset: TransmissionPreset,
) -> Spent:
    """Sum up what the plans of a workflow took.

    Args:
        runs: Of the last 30 days, of all graphs.
        preset: Energy per byte that copies are counted with.
    """
    return spent_with(cloud, record, cold_starts_on(cloud, record, runs, signals), preset)


def spent_with(
    cloud: Cloud, record: WorkflowRecord, cold_starts: ColdStartSpending, preset: TransmissionPreset
) -> Spent:
    """The same where the cold starts are known already: what is in the ledger by now is in it."""
    return Spent(Ledger(cloud).spending(record.workflow_id, preset), cold_starts)


def cold_starts_on(
    cloud: Cloud, record: WorkflowRecord, runs: Sequence[ObservedRun], signals: Signals
) -> ColdStartSpending:
    """What the cold starts took that plans caused, by the grids of their hours.

    What is not known of the grid of a region is assumed, of that region only, and said.
    """
    caused = caused_cold_starts(runs, record.origins, record.home_region, record.deployments.replaced_at)
    if not caused.starts:
        return NO_COLD_STARTS
    providers = {name: function.provider for name, function in record.functions.items()}
    grids = _Grids(cloud, signals, caused.starts)
    spent = price_cold_starts(caused, providers, grids.intensity, grids.rates.prices)
    return replace(spent, assumed=tuple(sorted({*spent.assumed, *grids.assumed})))


class _Grids:
    """Intensities of the hours of cold starts, region by region: what is missing of one changes no other."""

    def __init__(self, cloud: Cloud, signals: Signals, starts: Sequence[ColdStart]) -> None:
        self.rates = Rates(signals, cloud.now())
        self._has_stand_ins = False
        self._known: dict[str, RegionIntensity] = {}
        source = carbon_source(cloud)
        for region in sorted({start.region for start in starts}):
            times = [start.at for start in starts if start.region == region]
            try:
                history = intensity_history(source, signals, (region,), min(times), max(times))
            except NotEnoughDataError:
                # Not silent: `Rates` assumes the world's mean of it, and that is said with the figure.
                continue
            self._known |= history.regions

    @property
    def assumed(self) -> tuple[Assumed, ...]:
        """What had to be assumed so far, in alphabetical order."""
        hours: tuple[Assumed, ...] = ("hour",) if self._has_stand_ins else ()
        return tuple(sorted({*self.rates.assumed, *hours}))

    def intensity(self, region: str, at: float) -> float:
        """In gCO2eq/kWh, in the hour of a moment (seconds since the epoch)."""
        known = self._known.get(region)
        if known is None:
            return self.rates.intensity(region)
        hour = known.hour_of(at)
        self._has_stand_ins |= hour in known.stand_ins
        return known.hourly_gco2eq_per_kwh[hour]
