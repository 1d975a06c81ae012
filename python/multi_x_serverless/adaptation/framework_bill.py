"""What an invocation of the framework is billed, in the ledger of the workflow that it was for.

Measured is how long the invocation has worked by the time that it notes it; writing that down, starting the container
and starting the invocations of all workflows are not in it. Energy is that of memory and of an idle processor: what the
processor did has entries of its own (solves, checks, syncs, collections, migrations), which have what it drew beyond
that (`adaptation.workplace`). Together they are the energy of the invocation by the model.
"""

from __future__ import annotations

from dataclasses import dataclass

from multi_x_serverless.adaptation.noting import note
from multi_x_serverless.adaptation.overhead import Rates, invocation
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.model.config_types import Architecture
from multi_x_serverless.model.ledger import LedgerEntry
from multi_x_serverless.solving.problem import Signals


@dataclass(frozen=True)
class Machine:
    """What an invocation is billed by: the memory of its function in MB, and its architecture."""

    memory_mb: int
    architecture: Architecture


def note_invocation(cloud: Cloud, workflow_id: str, machine: Machine, duration_s: float) -> str:
    """Add an invocation to the entry of its day, by the grid and the prices of the system region.

    Args:
        workflow_id: For which it was.
        machine: On which it ran.
        duration_s: How long it has worked, in seconds.

    Returns:
        A sentence if it could not be noted; empty if it was.
    """
    at = cloud.now()

    def price(signals: Signals) -> LedgerEntry:
        rates = Rates(signals, at)
        took = invocation(duration_s, 0.0, machine.memory_mb, machine.architecture, cloud.system_region, rates)
        return LedgerEntry(
            workflow_id,
            "framework",
            at,
            cpu_s=0.0,
            copied_bytes=0.0,
            probes=0,
            carbon_gco2eq=took.carbon_gco2eq,
            cost_usd=took.cost_usd,
            billed_s=duration_s,
            assumed=rates.assumed,
        )

    return note(cloud, "the invocation", price, in_day=True)
