"""The ledger: what planning for a workflow spent, so that savings can be held against it.

Solves and migrations have an entry each. Syncs and collections, which may come every few minutes, have one a day that
grows: a workflow's ledger stays short however often it is looked after.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from multi_x_serverless.cloud.documents import DocumentTable
from multi_x_serverless.cloud.ports import ABSENT, Cloud, Condition, Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.errors import ConflictError
from multi_x_serverless.model.ledger import LedgerEntry
from multi_x_serverless.observation.history import KEEP_DAYS

DAY_S = 86_400.0

_ATTEMPTS = 10
"""How often a write that somebody else came before is tried anew."""


@dataclass(frozen=True)
class Spending:
    """What planning a workflow spent in the last 30 days; carbon and cost are modelled."""

    solves: int
    migrations: int
    cpu_s: float
    carbon_gco2eq: float
    cost_usd: float
    syncs: int = 0
    collections: int = 0


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
        self._forget(entry)

    def add_to_day(self, entry: LedgerEntry) -> None:
        """Add what is frequent to the entry of its kind and day.

        Raises:
            ConflictError: Somebody else kept writing it.
        """
        key = Key(entry.workflow_id, f"{entry.at // DAY_S * DAY_S:017.6f}#{entry.kind}")
        for _ in range(_ATTEMPTS):
            stored = self._table.get(key)
            if stored is None:
                # Once a day, and not with every entry.
                self._forget(entry)
            total = entry if stored is None else stored.value.plus(entry)
            condition = ABSENT if stored is None else Condition(stored.version)
            if self._table.put(key, total, condition=condition) is not None:
                return
        raise ConflictError(f"the ledger of '{entry.workflow_id}' is being written by somebody else; try again.")

    def _forget(self, entry: LedgerEntry) -> None:
        """Forget what is older than the history."""
        for stored in list(self._table.query(entry.workflow_id)):
            if stored.value.at >= entry.at - KEEP_DAYS * DAY_S:
                break
            self._table.delete(stored.key)

    def spending(self, workflow_id: str) -> Spending:
        """Sums over the last 30 days."""
        since = self._cloud.now() - KEEP_DAYS * DAY_S
        entries = [stored.value for stored in self._table.query(workflow_id) if stored.value.at >= since]
        return Spending(
            solves=sum(entry.count for entry in entries if entry.kind == "solve"),
            migrations=sum(entry.count for entry in entries if entry.kind == "migration"),
            syncs=sum(entry.count for entry in entries if entry.kind == "sync"),
            collections=sum(entry.count for entry in entries if entry.kind == "collect"),
            # Many small numbers and few large ones: exactly, and not by the order in which they came.
            cpu_s=math.fsum(entry.cpu_s for entry in entries),
            carbon_gco2eq=math.fsum(entry.carbon_gco2eq for entry in entries),
            cost_usd=math.fsum(entry.cost_usd for entry in entries),
        )

    def remove(self, workflow_id: str) -> None:
        """Forget a workflow."""
        for stored in list(self._table.query(workflow_id)):
            self._table.delete(stored.key)
