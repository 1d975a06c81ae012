"""What planning itself spent: an entry for every solve and migration, and one a day for what is frequent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from multi_x_serverless.model import documents
from multi_x_serverless.model.config_types import read_choice

LEDGER_SCHEMA = "multi-x-serverless/ledger-entry"
LEDGER_VERSION = 2
"""2: syncs and collections, and entries that stand for several; others are written as version 1."""

SpendingKind: TypeAlias = Literal["solve", "migration", "sync", "collect"]
SPENDING_KINDS: tuple[SpendingKind, ...] = get_args(SpendingKind)
_FIRST_KINDS = frozenset({"solve", "migration"})


@dataclass(frozen=True)
class LedgerEntry:
    """One solve or one migration, or the syncs or the collections of a day.

    Processor time, bytes and probes are what was measured or done; carbon and cost are modelled from them.

    Attributes:
        at: When it (the last of them) ended, seconds since the epoch, UTC.
        cpu_s: Processor time, in seconds; of a collection for several workflows this one's share.
        copied_bytes: Bytes of packages copied to other regions.
        probes: New functions that were invoked to see that they answer.
        carbon_gco2eq: By the intensities of the hour.
        cost_usd: By the prices of the regions.
        count: How many it stands for.
    """

    workflow_id: str
    kind: SpendingKind
    at: float
    cpu_s: float
    copied_bytes: float
    probes: int
    carbon_gco2eq: float
    cost_usd: float
    count: int = 1

    def plus(self, other: LedgerEntry) -> LedgerEntry:
        """Both together, as of the later one."""
        return replace(
            self,
            at=max(self.at, other.at),
            cpu_s=self.cpu_s + other.cpu_s,
            copied_bytes=self.copied_bytes + other.copied_bytes,
            probes=self.probes + other.probes,
            carbon_gco2eq=self.carbon_gco2eq + other.carbon_gco2eq,
            cost_usd=self.cost_usd + other.cost_usd,
            count=self.count + other.count,
        )

    def to_document(self) -> bytes:
        """The entry as a JSON document."""
        is_of_version_1 = self.count == 1 and self.kind in _FIRST_KINDS
        return documents.write(LEDGER_SCHEMA, 1 if is_of_version_1 else LEDGER_VERSION, vars(self))

    @classmethod
    def from_document(cls, text: bytes | str) -> LedgerEntry:
        """Read an entry."""
        fields = documents.read(text, LEDGER_SCHEMA, LEDGER_VERSION)
        return cls(
            workflow_id=fields.text("workflow_id"),
            kind=read_choice(fields, "kind", SPENDING_KINDS),
            at=fields.number("at"),
            cpu_s=fields.number("cpu_s"),
            copied_bytes=fields.number("copied_bytes"),
            probes=fields.integer("probes"),
            carbon_gco2eq=fields.number("carbon_gco2eq"),
            cost_usd=fields.number("cost_usd"),
            count=fields.integer("count") if "count" in fields.values else 1,
        )
