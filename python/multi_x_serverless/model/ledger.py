"""What planning itself spent: an entry for every solve and every migration of a workflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model import documents

LEDGER_SCHEMA = "multi-x-serverless/ledger-entry"
LEDGER_VERSION = 1

SpendingKind: TypeAlias = Literal["solve", "migration"]


@dataclass(frozen=True)
class LedgerEntry:
    """One solve or one migration.

    Processor time, bytes and probes are what was measured or done; carbon and cost are modelled from them.

    Attributes:
        at: When it ended, seconds since the epoch, UTC.
        cpu_s: Processor time of the solver, in seconds.
        copied_bytes: Bytes of packages copied to other regions.
        probes: New functions that were invoked to see that they answer.
        carbon_gco2eq: By the intensities of the hour.
        cost_usd: By the prices of the regions.
    """

    workflow_id: str
    kind: SpendingKind
    at: float
    cpu_s: float
    copied_bytes: float
    probes: int
    carbon_gco2eq: float
    cost_usd: float

    def to_document(self) -> bytes:
        """The entry as a JSON document."""
        return documents.write(LEDGER_SCHEMA, LEDGER_VERSION, vars(self))

    @classmethod
    def from_document(cls, text: bytes | str) -> LedgerEntry:
        """Read an entry."""
        fields = documents.read(text, LEDGER_SCHEMA, LEDGER_VERSION)
        kind = fields.text("kind")
        if kind not in ("solve", "migration"):
            raise InvalidDocumentError(fields.document, "kind", f"is '{kind}'")
        return cls(
            workflow_id=fields.text("workflow_id"),
            kind=kind,  # type: ignore[arg-type]  # checked above
            at=fields.number("at"),
            cpu_s=fields.number("cpu_s"),
            copied_bytes=fields.number("copied_bytes"),
            probes=fields.integer("probes"),
            carbon_gco2eq=fields.number("carbon_gco2eq"),
            cost_usd=fields.number("cost_usd"),
        )
