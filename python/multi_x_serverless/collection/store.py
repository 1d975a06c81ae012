"""Signals, and what they are made of, in the cloud's table of signals: typed reading and writing by kind and region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from multi_x_serverless.cloud.documents import DocumentTable
from multi_x_serverless.cloud.ports import Key, KeyValueStore
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.model.carbon_past import CarbonPast
from multi_x_serverless.model.carbon_signal import CarbonSignal
from multi_x_serverless.model.performance_signal import PerformanceSignal
from multi_x_serverless.model.price_signal import PriceSignal
from multi_x_serverless.model.regions import RegionSignal
from multi_x_serverless.model.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Callable

AnySignal = TypeVar("AnySignal", RegionSignal, CarbonSignal, PriceSignal, PerformanceSignal)
AnyStored = TypeVar("AnyStored", RegionSignal, CarbonSignal, PriceSignal, PerformanceSignal, CarbonPast)


@dataclass(frozen=True)
class SignalKind(Generic[AnyStored]):
    """One kind of what is kept by region: the partition it is kept under and how it is read back."""

    name: str
    decode: Callable[[bytes], AnyStored]


REGION = SignalKind("region", RegionSignal.from_document)
CARBON = SignalKind("carbon", CarbonSignal.from_document)
PRICE = SignalKind("price", PriceSignal.from_document)
PERFORMANCE = SignalKind("performance", PerformanceSignal.from_document)
CARBON_PAST = SignalKind("carbon-history", CarbonPast.from_document)
"""Not a signal, but the hours that carbon signals are made of."""


class SignalStore:
    """The last good signal of each kind and region.

    Args:
        store: The cloud's key-value port.
        system_region: Region of the framework's own tables.
    """

    def __init__(self, store: KeyValueStore, system_region: str) -> None:
        self._store = store
        self._system_region = system_region

    def get(self, kind: SignalKind[AnyStored], region: str) -> AnyStored | None:
        """The signal of a region; None if none was ever collected.

        Raises:
            InvalidDocumentError: What is stored is no such signal.
            CloudError: The table cannot be read.
        """
        stored = self._table(kind).get(_key(kind, region))
        return None if stored is None else stored.value

    def put(self, kind: SignalKind[AnyStored], signal: AnyStored) -> None:
        """Store a signal in the place of the region's last one.

        Raises:
            CloudError: The table cannot be written.
        """
        self._table(kind).put(_key(kind, signal.region), signal)

    def forget(self, kind: SignalKind[AnyStored], region: str) -> None:
        """Forget what is stored of a region; nothing happens if there is nothing.

        Raises:
            CloudError: The table cannot be written.
        """
        self._table(kind).delete(_key(kind, region))

    def all(self, kind: SignalKind[AnyStored]) -> dict[str, AnyStored]:
        """The signals of all regions by region code, in alphabetical order.

        Raises:
            InvalidDocumentError: Something stored is no such signal.
            CloudError: The table cannot be read.
        """
        return {stored.value.region: stored.value for stored in self._table(kind).query(kind.name)}

    def _table(self, kind: SignalKind[AnyStored]) -> DocumentTable[AnyStored]:
        return DocumentTable[AnyStored](
            self._store, self._system_region, physical_name("signals"), _encode, kind.decode
        )


def _encode(signal: Signal | CarbonPast) -> bytes:
    return signal.to_document()


def _key(kind: SignalKind[AnyStored], region: str) -> Key:
    return Key(kind.name, region)
