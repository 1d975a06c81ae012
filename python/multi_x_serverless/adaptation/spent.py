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
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.workflow import WorkflowRecord
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
    return Spent(Ledger(cloud).spending(record.workflow_id, preset), _cold_starts(cloud, record, runs, signals))


def _cold_starts(
    cloud: Cloud, record: WorkflowRecord, runs: Sequence[ObservedRun], signals: Signals
) -> ColdStartSpending:
    """By the grid of the hour of each start, or as far as that is not known by what `Rates` assumes."""
    caused = caused_cold_starts(runs, record.origins, record.home_region, record.deployments.replaced_at)
    if not caused.starts:
        return NO_COLD_STARTS
    providers = {name: function.provider for name, function in record.functions.items()}
    rates = Rates(signals, cloud.now())
    regions = sorted({start.region for start in caused.starts})
    times = [start.at for start in caused.starts]
    try:
        known = intensity_history(carbon_source(cloud), signals, regions, min(times), max(times))
    except NotEnoughDataError:
        # Not silent: what `Rates` assumes is said with the figure.
        spent = price_cold_starts(caused, providers, lambda region, _at: rates.intensity(region), rates.prices)
    else:
        spent = price_cold_starts(caused, providers, lambda region, at: known.at(at)[region], rates.prices)
    return replace(spent, assumed=tuple(sorted({*spent.assumed, *rates.assumed})))
