"""What every collector does: refresh one signal per region, so that a bad region never loses the others.

    for each region:  read the last good signal  ->  make the new one  ->  store it
                      on an error of any step: keep the last good one and say so in the report

A collector is a frozen dataclass with a source; `collect` takes the time as an argument and asks no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol

from multi_x_serverless.collection.store import AnySignal
from multi_x_serverless.errors import (
    CorruptedStateError,
    InvalidDocumentError,
    MultiXServerlessError,
    NewerSchemaError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from multi_x_serverless.collection.store import SignalKind, SignalStore


@dataclass(frozen=True)
class SignalOutcome:
    """What became of one signal of one region.

    Attributes:
        kind: Kind of the signal, for example ``carbon``.
        region: Code of the region.
        source: Where the value now stored comes from; empty if none is.
        vintage: The time that value describes; empty if none is.
        age_s: Seconds since that value was collected: 0 if it was refreshed now, None if there is none.
        error: Why it was not refreshed; None if it was.
        error_code: Stable code of that error.
        warnings: What failed on the way although a value was found: sources that were asked before in vain.
    """

    kind: str
    region: str
    source: str
    vintage: str
    age_s: float | None
    error: str | None = None
    error_code: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_refreshed(self) -> bool:
        """Whether a new value was stored."""
        return self.error is None


@dataclass(frozen=True)
class Made(Generic[AnySignal]):
    """A new signal, and what failed on the way to it."""

    signal: AnySignal
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class CollectorReport:
    """What a collector did.

    Attributes:
        collector: Its name.
        collected_at: When it ran, seconds since the epoch.
        outcomes: One entry per kind of signal and region, in the order collected.
        notes: What whoever reads figures made of these signals has to be told.
    """

    collector: str
    collected_at: float
    outcomes: tuple[SignalOutcome, ...]
    notes: tuple[str, ...] = ()

    @property
    def refreshed(self) -> tuple[SignalOutcome, ...]:
        """Outcomes with a new value."""
        return tuple(outcome for outcome in self.outcomes if outcome.is_refreshed)

    @property
    def failures(self) -> tuple[SignalOutcome, ...]:
        """Outcomes without a new value."""
        return tuple(outcome for outcome in self.outcomes if not outcome.is_refreshed)


class Collector(Protocol):
    """Refreshes the signals of one subject."""

    @property
    def name(self) -> str:
        """Name of the subject, as the command line knows it."""

    def collect(self, regions: Sequence[str], now: float, store: SignalStore) -> CollectorReport:
        """Refresh the signals of `regions` at the time `now` (seconds since the epoch)."""


def refresh(
    kind: SignalKind[AnySignal],
    regions: Sequence[str],
    now: float,
    store: SignalStore,
    make: Callable[[str, AnySignal | None], AnySignal | Made[AnySignal]],
) -> tuple[SignalOutcome, ...]:
    """Make and store one signal per region; an error of one region is an outcome, not an exception.

    Args:
        kind: Kind of signal.
        regions: Codes of the regions; one named twice is refreshed once.
        now: Seconds since the epoch.
        store: Where signals are kept.
        make: Region and its last good signal -> its new signal, with warnings if there are any.
    """
    return tuple(_refresh_region(kind, region, now, store, make) for region in dict.fromkeys(regions))


def _refresh_region(
    kind: SignalKind[AnySignal],
    region: str,
    now: float,
    store: SignalStore,
    make: Callable[[str, AnySignal | None], AnySignal | Made[AnySignal]],
) -> SignalOutcome:
    previous: AnySignal | None = None
    try:
        previous = _last_good(kind, region, store)
        made = make(region, previous)
        signal, warnings = (made.signal, made.warnings) if isinstance(made, Made) else (made, ())
        store.put(kind, signal)
    except MultiXServerlessError as error:
        return SignalOutcome(
            kind=kind.name,
            region=region,
            source="" if previous is None else previous.source,
            vintage="" if previous is None else previous.vintage,
            age_s=None if previous is None else now - previous.collected_at,
            error=str(error),
            error_code=error.code,
        )
    age_s = now - signal.collected_at
    return SignalOutcome(kind.name, region, signal.source, signal.vintage, age_s, warnings=warnings)


def _last_good(kind: SignalKind[AnySignal], region: str, store: SignalStore) -> AnySignal | None:
    try:
        return store.get(kind, region)
    except NewerSchemaError:
        raise  # A newer program's signal is not overwritten with an older one's.
    except (InvalidDocumentError, CorruptedStateError):
        return None  # Unreadable for good: refreshing it is the repair.
