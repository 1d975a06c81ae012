"""What placing a workflow spent: an entry for every solve and migration, and one a day for what is frequent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from multi_x_serverless.model import documents
from multi_x_serverless.model.config_types import read_choice

LEDGER_SCHEMA = "multi-x-serverless/ledger-entry"
LEDGER_VERSION = 3
"""2: syncs and collections, and entries that stand for several. 3: what copies emitted apart, billed time, failures,
what was assumed, and more kinds. Entries are written in the oldest version that says all of them."""

SpendingKind: TypeAlias = Literal["solve", "check", "migration", "deployment", "sync", "collect", "framework"]
"""``check``: what `update_check_solver` computed besides solves, syncs and collections. ``deployment``: what a
deployment copied to regions of a plan. ``framework``: invocations of the jobs that `deploy_framework` scheduled."""

SPENDING_KINDS: tuple[SpendingKind, ...] = get_args(SpendingKind)

Assumed: TypeAlias = Literal["copied_bytes", "probes", "billed_s", "hour", "intensity", "prices", "memory"]
"""What may have been assumed. Of cold starts only, so that entries never say it: ``hour``, the intensity of an hour (by
that of the same hour of another day), and ``memory``, that of functions that are gone."""

ASSUMED: tuple[Assumed, ...] = get_args(Assumed)

_KINDS_OF_VERSION = {1: frozenset({"solve", "migration"}), 2: frozenset({"solve", "migration", "sync", "collect"})}
_NEW_IN_VERSION_3: Mapping[str, object] = {
    "failed": 0,
    "billed_s": 0.0,
    "cold_probes": 0,
    "copied_best_gco2eq": 0.0,
    "copied_worst_gco2eq": 0.0,
    "assumed": (),
}
"""Name -> what an entry of before then has."""

_ASSUMED_BEFORE_VERSION_3: tuple[Assumed, ...] = ("billed_s", "copied_bytes", "probes")


@dataclass(frozen=True)
class LedgerEntry:
    """One solve or one migration, or what is frequent of a day.

    Processor time, bytes, probes and billed time were measured where they happened unless `assumed` names them. Carbon
    and cost are modelled from them: no meter was read.

    Attributes:
        at: When it (the last of them) ended, seconds since the epoch, UTC.
        cpu_s: Processor time, in seconds; of a collection for several workflows this one's share.
        copied_bytes: Bytes of packages and images that were copied to other regions.
        probes: Functions that were invoked to see that they answer.
        carbon_gco2eq: Of all but copies, by the intensities of the hour.
        cost_usd: By the prices of the regions; with copies.
        count: How many it stands for; 0 of what is a part of another, which counts.
        failed: How many of them did not reach their end; what they took is in all figures.
        billed_s: Time of invocations that Lambda bills, starts of containers included, in seconds.
        cold_probes: How many of the probes started a container.
        copied_best_gco2eq: What copies emitted with the least published energy per byte.
        copied_worst_gco2eq: The same with the greatest.
        assumed: What was not measured but assumed, in alphabetical order: quantities of this entry, or the
            ``intensity`` or the ``prices`` of some region that nobody knew, or the intensity of some ``hour``.
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
    failed: int = 0
    billed_s: float = 0.0
    cold_probes: int = 0
    copied_best_gco2eq: float = 0.0
    copied_worst_gco2eq: float = 0.0
    assumed: tuple[Assumed, ...] = ()

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
            failed=self.failed + other.failed,
            billed_s=self.billed_s + other.billed_s,
            cold_probes=self.cold_probes + other.cold_probes,
            copied_best_gco2eq=self.copied_best_gco2eq + other.copied_best_gco2eq,
            copied_worst_gco2eq=self.copied_worst_gco2eq + other.copied_worst_gco2eq,
            assumed=tuple(sorted({*self.assumed, *other.assumed})),
        )

    def to_document(self) -> bytes:
        """The entry as a JSON document."""
        members = vars(self)
        version = self._version()
        if version < LEDGER_VERSION:
            members = {name: value for name, value in members.items() if name not in _NEW_IN_VERSION_3}
        return documents.write(LEDGER_SCHEMA, version, members)

    def _version(self) -> int:
        """The oldest version that can say all of this, which older programs read."""
        has_new = any(getattr(self, name) != before for name, before in _NEW_IN_VERSION_3.items())
        if has_new or self.kind == "migration":
            # A migration of an older version is read as one whose bytes and probes were assumed.
            return LEDGER_VERSION
        if self.count == 1 and self.kind in _KINDS_OF_VERSION[1]:
            return 1
        return 2 if self.kind in _KINDS_OF_VERSION[2] else LEDGER_VERSION

    @classmethod
    def from_document(cls, text: bytes | str) -> LedgerEntry:
        """Read an entry.

        Migrations of before version 3 are read as what they were: package times new regions, probes of new functions
        of half a second each, and copies at the least energy per byte, in `carbon_gco2eq`.
        """
        fields = documents.read(text, LEDGER_SCHEMA, LEDGER_VERSION)
        kind = read_choice(fields, "kind", SPENDING_KINDS)
        entry = cls(
            workflow_id=fields.text("workflow_id"),
            kind=kind,
            at=fields.number("at"),
            cpu_s=fields.number("cpu_s"),
            copied_bytes=fields.number("copied_bytes"),
            probes=fields.integer("probes"),
            carbon_gco2eq=fields.number("carbon_gco2eq"),
            cost_usd=fields.number("cost_usd"),
            count=fields.integer("count") if "count" in fields.values else 1,
        )
        if fields.integer("version") < LEDGER_VERSION:
            return replace(entry, assumed=_ASSUMED_BEFORE_VERSION_3) if kind == "migration" else entry
        return replace(
            entry,
            failed=fields.integer("failed"),
            billed_s=fields.number("billed_s"),
            cold_probes=fields.integer("cold_probes"),
            copied_best_gco2eq=fields.number("copied_best_gco2eq"),
            copied_worst_gco2eq=fields.number("copied_worst_gco2eq"),
            assumed=fields.sequence("assumed", _as_assumed),
        )


def _as_assumed(value: Any) -> Assumed:
    for name in ASSUMED:
        if value == name:
            return name
    raise ValueError(f"is {value!r}, expected one of {', '.join(ASSUMED)}")
