"""The ledger: what planning for a workflow spent, so that savings can be held against it.

Solves, migrations and deployments have an entry each. What may come every few minutes (syncs, collections, checks,
invocations of the framework) has one a day that grows: a workflow's ledger stays short however often it is looked
after.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from multi_x_serverless.adaptation.overhead import copied_gco2eq
from multi_x_serverless.cloud.documents import DocumentTable
from multi_x_serverless.cloud.ports import ABSENT, Cloud, Condition, Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.errors import ConflictError
from multi_x_serverless.model.ledger import SPENDING_KINDS, Assumed, LedgerEntry, SpendingKind
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.observation.history import KEEP_DAYS
from multi_x_serverless.solving.model_constants import TransmissionPreset

_ATTEMPTS = 10
"""How often a write that somebody else came before is tried anew."""


@dataclass(frozen=True)
class KindSpending:
    """What one kind of work spent; see `LedgerEntry` for what is measured.

    Attributes:
        carbon_gco2eq: With what copies emitted.
        assumed: What was not measured but assumed in some of the entries.
    """

    count: int
    failed: int
    cpu_s: float
    copied_bytes: float
    probes: int
    cold_probes: int
    billed_s: float
    carbon_gco2eq: float
    cost_usd: float
    assumed: tuple[Assumed, ...] = ()


@dataclass(frozen=True)
class Spending:
    """What planning a workflow spent in the last 30 days; carbon and cost are modelled from what was measured.

    Attributes:
        by_kind: The same by kind of work, for the kinds that there were.
        transmission: Energy per byte that copies are counted with.
    """

    solves: int
    migrations: int
    cpu_s: float
    carbon_gco2eq: float
    cost_usd: float
    syncs: int = 0
    collections: int = 0
    by_kind: Mapping[SpendingKind, KindSpending] = field(default_factory=dict)
    transmission: TransmissionPreset = "best"


class Ledger:
    """Entries of all workflows of a cloud; those older than the history are forgotten.

    What ends when its workflow has been removed meanwhile is not noted: nothing may be left of it.
    """

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
        """Note a solve, a migration or a deployment.

        Raises:
            ConflictError: Somebody else kept writing it.
        """
        self._add(Key(entry.workflow_id, f"{entry.at:017.6f}#{entry.kind}"), entry)

    def add_to_day(self, entry: LedgerEntry) -> None:
        """Add what is frequent to the entry of its kind and day.

        Raises:
            ConflictError: Somebody else kept writing it.
        """
        self._add(Key(entry.workflow_id, f"{entry.at // DAY_S * DAY_S:017.6f}#{entry.kind}"), entry)

    def _add(self, key: Key, entry: LedgerEntry) -> None:
        """Add to what is there: two that end at the same moment are both kept."""
        for _ in range(_ATTEMPTS):
            stored = self._table.get(key)
            if stored is None:
                # With the first of a day, and not with every one; of a workflow that is gone each would be the first.
                if not self._is_recorded(entry.workflow_id):
                    return
                self._forget(entry)
            total = entry if stored is None else stored.value.plus(entry)
            condition = ABSENT if stored is None else Condition(stored.version)
            if self._table.put(key, total, condition=condition) is not None:
                return
        raise ConflictError(f"the ledger of '{entry.workflow_id}' is being written by somebody else; try again.")

    def _is_recorded(self, workflow_id: str) -> bool:
        """Whether there is a record, be it one that cannot be read: that is of a workflow all the same."""
        workflows, key = physical_name("workflows"), Key(workflow_id)
        return self._cloud.key_value.get(self._cloud.system_region, workflows, key) is not None

    def _forget(self, entry: LedgerEntry) -> None:
        """Forget what is older than the history."""
        for stored in list(self._table.query(entry.workflow_id)):
            if stored.value.at >= entry.at - KEEP_DAYS * DAY_S:
                break
            self._table.delete(stored.key)

    def entries(self, workflow_id: str) -> tuple[LedgerEntry, ...]:
        """The entries of the last 30 days, oldest first."""
        since = self._cloud.now() - KEEP_DAYS * DAY_S
        return tuple(stored.value for stored in self._table.query(workflow_id) if stored.value.at >= since)

    def spending(self, workflow_id: str, preset: TransmissionPreset = "best") -> Spending:
        """Sums over the last 30 days.

        Args:
            preset: Energy per byte that copies are counted with. Entries of programs that kept no other are counted
                with the least.
        """
        entries = self.entries(workflow_id)
        by_kind: dict[SpendingKind, KindSpending] = {}
        for kind in SPENDING_KINDS:
            found = [entry for entry in entries if entry.kind == kind]
            if found:
                by_kind[kind] = _sum(found, preset)
        return Spending(
            solves=_count(by_kind, "solve"),
            migrations=_count(by_kind, "migration"),
            syncs=_count(by_kind, "sync"),
            collections=_count(by_kind, "collect"),
            cpu_s=math.fsum(entry.cpu_s for entry in entries),
            carbon_gco2eq=math.fsum(part for entry in entries for part in _carbon(entry, preset)),
            cost_usd=math.fsum(entry.cost_usd for entry in entries),
            by_kind=by_kind,
            transmission=preset,
        )

    def remove(self, workflow_id: str) -> None:
        """Forget a workflow."""
        for stored in list(self._table.query(workflow_id)):
            self._table.delete(stored.key)


def _carbon(entry: LedgerEntry, preset: TransmissionPreset) -> tuple[float, float]:
    """What emitted: work, and copies."""
    return entry.carbon_gco2eq, copied_gco2eq(entry, preset)


def _sum(entries: Sequence[LedgerEntry], preset: TransmissionPreset) -> KindSpending:
    """Of one kind. Many small numbers and few large ones: exactly, and not by the order in which they came."""
    return KindSpending(
        count=sum(entry.count for entry in entries),
        failed=sum(entry.failed for entry in entries),
        cpu_s=math.fsum(entry.cpu_s for entry in entries),
        copied_bytes=math.fsum(entry.copied_bytes for entry in entries),
        probes=sum(entry.probes for entry in entries),
        cold_probes=sum(entry.cold_probes for entry in entries),
        billed_s=math.fsum(entry.billed_s for entry in entries),
        carbon_gco2eq=math.fsum(part for entry in entries for part in _carbon(entry, preset)),
        cost_usd=math.fsum(entry.cost_usd for entry in entries),
        assumed=tuple(sorted({name for entry in entries for name in entry.assumed})),
    )


def _count(by_kind: Mapping[SpendingKind, KindSpending], kind: SpendingKind) -> int:
    return by_kind[kind].count if kind in by_kind else 0
