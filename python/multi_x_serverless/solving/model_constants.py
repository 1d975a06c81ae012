"""Constants of the carbon and cost model, each with its unit and source (docs/design.md, "Model").

Those that measuring needs as well are in `model.shared_constants`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

# Power of a vCPU, between idle and full load, in kW: Cloud Carbon Footprint's averages for AWS's processors as used
# by Caribou (SOSP'24), section 7.
VCPU_MINIMUM_KW = 0.00074
VCPU_MAXIMUM_KW = 0.0035

# Power of memory in kW per GB: Cloud Carbon Footprint, Green Algorithms (Lannelongue et al. 2021), Caribou section 7.
MEMORY_KW_PER_GB = 0.0003725

# Power usage effectiveness where no value of the region is known: Caribou section 7.
PUE_DEFAULT = 1.11

# Share of a vCPU in use where it was not measured: Cloud Carbon Footprint's average.
CPU_UTILIZATION_DEFAULT = 0.5

# World average intensity in gCO2eq/kWh, for the end of a transfer that lies outside the cloud: Caribou section 7.
OUTSIDE_INTENSITY_GCO2EQ_PER_KWH = 410.0

# Writes and reads of the join protocol (`sdk.protocol`): a report updates the status item once; to close, the reporter
# marks the status as fired, the node claims its start and closes the claim, and the status is read back.
SYNC_REPORT_WRITE_UNITS = 1.0
SYNC_CLOSING_WRITE_UNITS = 3.0
SYNC_CLOSING_READ_UNITS = 1.0

# Bytes that the SDK logs per node that runs (records of `sdk.records`, with Lambda's own START/END/REPORT lines).
LOG_BYTES_PER_NODE = 1500.0

# Round trips one after the other between the end of a call and the start of the called node: one publish; into a
# join the payload, the report and the publish.
ROUND_TRIPS_PLAIN_EDGE = 1.0
ROUND_TRIPS_SYNC_EDGE = 3.0

# Of these, what the caller of a join waits for (`sdk.node_run`): the payload's item and the report. Whoever's report is
# the last publishes the join's message and marks it as fired. A payload that is too large for a message or an item
# goes to the object store first.
ROUND_TRIPS_PAYLOAD = 1.0
ROUND_TRIPS_REPORT = 1.0
ROUND_TRIPS_CLOSING_JOIN = 2.0
ROUND_TRIPS_LARGE_PAYLOAD = 1.0

# Start of a container with an import of the developer's code, in seconds, billed, where it was not measured; measured
# ones take 0.1-0.5 s.
COLD_START_S = 0.5

# Billed duration of handing a trigger on to the entry function of another region, in seconds.
FORWARD_DURATION_S = 0.002

TransmissionPreset: TypeAlias = Literal["best", "worst"]


@dataclass(frozen=True)
class Transmission:
    """Energy to move data, in kWh per GB."""

    inter_region_kwh_per_gb: float
    intra_region_kwh_per_gb: float


# Both ends of what is published: Aslan et al. 2018, Cloud Carbon Footprint; presets of Caribou, section 7.
TRANSMISSION_PRESETS: dict[TransmissionPreset, Transmission] = {
    "best": Transmission(inter_region_kwh_per_gb=0.001, intra_region_kwh_per_gb=0.001),
    "worst": Transmission(inter_region_kwh_per_gb=0.005, intra_region_kwh_per_gb=0.0),
}
