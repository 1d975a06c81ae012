"""Signals in the cloud's table of signals: typed reading and writing by kind and region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from multi_x_serverless.cloud.documents import DocumentTable
from multi_x_serverless.cloud.ports import Key, KeyValueStore
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.model.signals import (
    CarbonSignal,
    PerformanceSignal,
    PriceSignal,
    RegionSignal,
    Signal,
)

if TYPE_CHECKING:
    from collections.abc import Callable

AnySignal = TypeVar("AnySignal", RegionSignal, CarbonSignal, PriceSignal, PerformanceSignal)


@dataclass(frozen=True)
class SignalKind(Generic[AnySignal]):
    """One kind of signal: the partition it is kept under and how it is read back."""

    name: str
    decode: Callable[[bytes], AnySignal]


REGION = SignalKind("region", RegionSignal.from_document)
CARBON = SignalKind("carbon", CarbonSignal.from_document)
PRICE = SignalKind("price", PriceSignal.from_document)
PERFORMANCE = SignalKind("performance", PerformanceSignal.from_document)


class SignalStore:
    """The last good signal of each kind and region.

    Args:
        store: The cloud's key-value port.
        system_region: Region of the framework's own tables.
    """

    def __init__(self, store: KeyValueStore, system_region: str) -> None:
        self._store = store
        self._system_region = system_region

    def get(self, kind: SignalKind[AnySignal], region: str) -> AnySignal | None:
        """The signal of a region; None if none was ever collected.

        Raises:
            InvalidDocumentError: What is stored is no such signal.
            CloudError: The table cannot be read.
        """
        stored = self._table(kind).get(_key(kind, region))
        return None if stored is None else stored.value

    def put(self, kind: SignalKind[AnySignal], signal: AnySignal) -> None:
        """Store a signal in the place of the region's last one.

        Raises:
            CloudError: The table cannot be written.
        """
        self._table(kind).put(_key(kind, signal.region), signal)

    def all(self, kind: SignalKind[AnySignal]) -> dict[str, AnySignal]:
        """The signals of all regions by region code, in alphabetical order.

        Raises:
            InvalidDocumentError: Something stored is no such signal.
            CloudError: The table cannot be read.
        """
        return {stored.value.region: stored.value for stored in self._table(kind).query(kind.name)}

    def _table(self, kind: SignalKind[AnySignal]) -> DocumentTable[AnySignal]:
        return DocumentTable[AnySignal](
            self._store, self._system_region, physical_name("signals"), _encode, kind.decode
        )


def _encode(signal: Signal) -> bytes:
    return signal.to_document()


def _key(kind: SignalKind[AnySignal], region: str) -> Key:
    return Key(kind.name, region)
