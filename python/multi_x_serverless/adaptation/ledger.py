"""The ledger: what solving and migrating a workflow spent, so that savings can be held against it."""

from __future__ import annotations

from dataclasses import dataclass

from multi_x_serverless.cloud.documents import DocumentTable
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.model.ledger import LedgerEntry
from multi_x_serverless.observation.history import KEEP_DAYS

DAY_S = 86_400.0


@dataclass(frozen=True)
class Spending:
    """What planning a workflow spent in the last 30 days; carbon and cost are modelled."""

    solves: int
    migrations: int
    cpu_s: float
    carbon_gco2eq: float
    cost_usd: float


class Ledger:
    """Entries of all workflows of a cloud; those older than the history are forgotten."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._table = DocumentTable[LedgerEntry](
            cloud.key_value,
            cloud.system_region,
            physical_name("ledger"),
            LedgerEntry.to_document,
            LedgerEntry.from_document,
        )

    def add(self, entry: LedgerEntry) -> None:
        """Note a solve or a migration."""
        self._table.put(Key(entry.workflow_id, f"{entry.at:017.6f}#{entry.kind}"), entry)
        for stored in list(self._table.query(entry.workflow_id)):
            if stored.value.at >= entry.at - KEEP_DAYS * DAY_S:
                break
            self._table.delete(stored.key)

    def spending(self, workflow_id: str) -> Spending:
        """Sums over the last 30 days."""
        since = self._cloud.now() - KEEP_DAYS * DAY_S
        entries = [stored.value for stored in self._table.query(workflow_id) if stored.value.at >= since]
        return Spending(
            solves=sum(entry.kind == "solve" for entry in entries),
            migrations=sum(entry.kind == "migration" for entry in entries),
            cpu_s=sum(entry.cpu_s for entry in entries),
            carbon_gco2eq=sum(entry.carbon_gco2eq for entry in entries),
            cost_usd=sum(entry.cost_usd for entry in entries),
        )

    def remove(self, workflow_id: str) -> None:
        """Forget a workflow."""
        for stored in list(self._table.query(workflow_id)):
            self._table.delete(stored.key)
