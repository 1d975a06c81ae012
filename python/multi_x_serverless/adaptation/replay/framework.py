"""What the jobs of `deploy_framework` take while a policy plans, the same in every hour and whatever the load.

Nothing of it is measured. Intervals are the defaults, and an invocation lasts as long as `deployment.framework_cost`
assumes (docs/guide/framework.md, "What it costs"), whatever it finds to do: a check that is not due, and logs in which
nothing is new, take less; the logs of very many runs take more. The framework serves this workflow alone, which bears
the invocations that start the others.

The share of its processor that an invocation uses is the one that counts wherever it was not measured
(`CPU_UTILIZATION_DEFAULT`). The ledger of the product takes that of an idle one and adds the processor time that was
measured; an invocation that waits for other regions uses little, one that starts in a new container all of it. Tables,
logs and schedules are billed; what they emit is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multi_x_serverless.adaptation.replay.intensities import gather_intensities
from multi_x_serverless.deployment.framework_cost import MINUTES_PER_MONTH, MonthlyCost, monthly_cost
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.shared_constants import MEMORY_MB_PER_VCPU
from multi_x_serverless.model.units import MB_PER_GB
from multi_x_serverless.solving import model_constants as constants
from multi_x_serverless.solving.accounting import execution_kwh

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from multi_x_serverless.adaptation.replay.intensities import Intensities
    from multi_x_serverless.collection.carbon_source import CarbonSource
    from multi_x_serverless.model.config_types import Architecture
    from multi_x_serverless.model.framework import Job

HOURS_PER_MONTH = MINUTES_PER_MONTH / 60

CHECKS, FRAMEWORK = "checks", "framework"

JOBS_OF_CAUSE: Mapping[str, tuple[Job, ...]] = {
    CHECKS: ("update_check_solver",),
    FRAMEWORK: ("data_sync", "data_collect", "update_check_deployment"),
}
"""Cause of overhead -> its jobs. What solves compute is counted apart besides."""


@dataclass(frozen=True, eq=False)
class FrameworkJobs:
    """The jobs on their schedules in the system region.

    Attributes:
        region: The system region.
        intensity: Of its grid in each hour of the stretch, in gCO2eq/kWh, shape (hours,).
        origin: Source and vintage of that.
        notes: What whoever reads figures made of it has to be told.
        architecture: Of the functions.
    """

    region: str
    intensity: NDArray[np.float64]
    origin: str
    notes: tuple[str, ...] = ()
    architecture: Architecture = "x86_64"

    def carbon_gco2eq(self, cause: str) -> NDArray[np.float64]:
        """What a cause emits in each hour, shape (hours,)."""
        kwh = self._month(cause).gb_seconds * KWH_PER_GB_SECOND / HOURS_PER_MONTH
        return kwh * constants.PUE_DEFAULT * self.intensity

    def usd_per_hour(self, cause: str) -> float:
        """What a cause costs in every hour."""
        return self._month(cause).total_usd / HOURS_PER_MONTH

    def _month(self, cause: str) -> MonthlyCost:
        return monthly_cost(1, self.region, self.architecture, jobs=JOBS_OF_CAUSE[cause])


_VCPUS_PER_GB = MB_PER_GB / MEMORY_MB_PER_VCPU

KWH_PER_GB_SECOND = execution_kwh(1.0, MB_PER_GB, constants.CPU_UTILIZATION_DEFAULT * _VCPUS_PER_GB)
"""Energy of a function of 1 GB in a second, without the overhead of the data centre: processors come with memory."""


def framework_jobs(region: str, intensities: Intensities, file: CarbonSource | None = None) -> FrameworkJobs:
    """The jobs in a system region, which need not be one of those that the workflow may use.

    Args:
        region: The system region.
        intensities: Those of the replay.
        file: The user's own past; `None` if there is none.

    Raises:
        UnknownRegionError: The embedded data does not know the region or its grid.
        NotEnoughDataError: Of some hour of the stretch its intensity is not known.
        SignalSourceError: The file cannot be read.
    """
    known = intensities
    if region not in known.regions:
        try:
            known = gather_intensities((region,), intensities.stretch, file)
        except NotEnoughDataError as error:
            raise NotEnoughDataError(
                f"{error} The framework runs there: name another region (--system-region, before the command) or leave "
                "its jobs out (--without-framework)."
            ) from error
    row = known.regions.index(region)
    return FrameworkJobs(region, known.replayed[row], known.origins[region], known.notes)
