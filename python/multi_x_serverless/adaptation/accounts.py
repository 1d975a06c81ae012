"""What accounts the runs of a workflow that happened: its model, prices, and the grid in each run's own hour."""

from __future__ import annotations

from collections.abc import Sequence

from multi_x_serverless.adaptation.intensity import intensity_history
from multi_x_serverless.adaptation.signals import carbon_source
from multi_x_serverless.adaptation.workflows import model_of
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.solving.accounting import Accounting
from multi_x_serverless.solving.model_constants import TransmissionPreset
from multi_x_serverless.solving.problem import Signals, regions_of

MISSING_NAMED = 3
"""So many regions without prices are named; of more only their number."""


def accounting_of(
    cloud: Cloud,
    record: WorkflowRecord,
    runs: Sequence[ObservedRun],
    signals: Signals,
    preset: TransmissionPreset,
) -> Accounting:
    """Account some runs of the deployed graph.

    Raises:
        NotEnoughDataError: Prices or intensities of a region are not known.
    """
    model = model_of(record)
    used = {node.region for run in runs for node in run.nodes.values()}
    tried = {attempt.region for run in runs for attempt in run.failed_attempts}
    regions = sorted({*regions_of(model), *used, *tried})
    missing = [region for region in regions if region not in signals.prices]
    if missing:
        few = len(missing) <= MISSING_NAMED
        options = "".join(f" --region {region}" for region in missing) if few else ""
        of = ", ".join(missing) if few else f"{len(missing)} regions, {missing[0]} among them,"
        raise NotEnoughDataError(
            f"there are no prices of {of} yet: run 'multi_x_serverless data_collect provider{options}' first."
        )
    times = [run.started_at for run in runs] or [cloud.now()]
    intensities = intensity_history(carbon_source(cloud), signals, regions, min(times), max(times))
    return Accounting(model, {region: signals.prices[region] for region in regions}, intensities, preset)
