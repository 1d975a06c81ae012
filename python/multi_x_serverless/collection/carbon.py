"""Carbon intensity per region for the next 24 hours.

    the user's file ─┐                  ┌─ hours enough, not too old ──> forecast ─┐
    live source ─────┼─> past, stored ──┤                                          ├─> signal
    stored hours ────┘                  └─ else the embedded trace ────> forecast ─┤
    what the file and the live source themselves expect of the coming hours ───────┘

A source that fails is a warning and no error as long as another one serves, and each region stands on its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from multi_x_serverless import data
from multi_x_serverless.collection.carbon_file import FILE_VARIABLE, CarbonFileSource
from multi_x_serverless.collection.carbon_past import KEEP_DAYS, in_words, kept, merged
from multi_x_serverless.collection.carbon_signal import Given, make_carbon_signal
from multi_x_serverless.collection.collector import CollectorReport, Made, refresh
from multi_x_serverless.collection.electricity_maps import electricity_maps_source
from multi_x_serverless.collection.embedded_carbon import EmbeddedCarbonSource
from multi_x_serverless.collection.forecast import DEFAULT_FORECASTER, CarbonForecaster
from multi_x_serverless.collection.forecast_error import remembered
from multi_x_serverless.collection.hours import DAYS_IN_WEEK, start_of_hour
from multi_x_serverless.collection.store import CARBON, CARBON_PAST, SignalStore
from multi_x_serverless.errors import (
    CorruptedStateError,
    InvalidDocumentError,
    MultiXServerlessError,
    NewerSchemaError,
)
from multi_x_serverless.model.carbon_past import (
    MAXIMUM_GCO2EQ_PER_KWH,
    CarbonPast,
    PastHour,
    is_possible_intensity,
)
from multi_x_serverless.model.units import HOURS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from multi_x_serverless.collection.carbon_source import CarbonSource, HourlyIntensity, StandInSource
    from multi_x_serverless.collection.http import HttpClient
    from multi_x_serverless.model.carbon_signal import CarbonSignal
    from multi_x_serverless.model.regions import Region

LIVE_HOURS = DAYS_IN_WEEK * HOURS_PER_DAY
"""Past hours asked of a live source every time: what a collection that failed did not get, a later one gets."""

FILE_HOURS = KEEP_DAYS * HOURS_PER_DAY
"""Past hours asked of the file: all that are kept."""

SHOWN_REGIONS = 4
"""So many regions are named in a note; of more, how many they are."""


@dataclass(frozen=True)
class CarbonCollector:
    """Refreshes the carbon signals.

    Attributes:
        file: The user's file, asked first.
        live: A live source, asked unless the file knows a week and the coming day.
        embedded: Serves a region of which neither gave enough, now or before.
        forecaster: Continues the past.
        kept_s: A signal of the current hour for which the live source gave hours within so many seconds stays as it is;
            0 asks each time.
    """

    file: CarbonFileSource | None = None
    live: CarbonSource | None = None
    embedded: StandInSource = field(default_factory=EmbeddedCarbonSource)
    forecaster: CarbonForecaster = DEFAULT_FORECASTER
    kept_s: float = 0.0
    name: str = "carbon"

    def collect(self, regions: Sequence[str], now: float, store: SignalStore) -> CollectorReport:
        """Refresh the carbon signals of `regions`, and store what was given of their past; see `Collector.collect`."""
        served: dict[str, _Served] = {}
        kept_regions: list[str] = []

        def make(code: str, previous: CarbonSignal | None) -> Made[CarbonSignal]:
            region = data.find_region(code)
            stored, unreadable = _stored(code, store)
            if previous is not None and self._is_kept(previous, stored, now):
                kept_regions.append(code)
                served[code] = _served_before(previous, stored)
                return Made(previous, ())
            forecasts = remembered(stored.forecasts, previous, start_of_hour(now))
            collected = self._ask(region, now, replace(stored, forecasts=forecasts))
            if collected.by_file.past or collected.by_live.past or forecasts != stored.forecasts:
                # Two collections at once may each lose what the other got; the next one gets it again.
                store.put(CARBON_PAST, CarbonPast(code, collected.given.past, forecasts))
            made = make_carbon_signal(region, collected.given, self.embedded, self.forecaster, now)
            served[code] = collected.served(made.signal)
            return Made(
                made.signal, (*unreadable, *collected.by_file.warnings, *collected.by_live.warnings, *made.warnings)
            )

        outcomes = refresh(CARBON, regions, now, store, make)
        refreshed = [outcome.region for outcome in outcomes if outcome.is_refreshed]
        notes = self._notes({region: served[region] for region in refreshed})
        if self.live is not None and kept_regions:
            asked = _named(kept_regions, served)
            notes = (*notes, f"{self.live.name} was asked for {asked} within this hour, and is not asked again.")
        return CollectorReport(self.name, now, outcomes, notes)

    def _is_kept(self, previous: CarbonSignal, stored: CarbonPast, now: float) -> bool:
        """Whether the live source was asked for this very hour, with success."""
        return (
            self.live is not None
            and previous.valid_from == start_of_hour(now)
            and now - self.kept_s < previous.collected_at <= now
            and any(not hour.is_of_file for hour in _collected_with(previous, stored))
        )

    def _ask(self, region: Region, now: float, stored: CarbonPast) -> _Collected:
        current_hour = start_of_hour(now)
        by_file = _Answer() if self.file is None else _answer_of_file(self.file, region, current_hour)
        by_live = _Answer()
        if self.live is not None and not by_file.is_complete(current_hour):
            by_live = _answer(self.live, region, current_hour, LIVE_HOURS)
        past = merged(stored.hours, by_live.past_hours(now, is_of_file=False))
        past = merged(past, by_file.past_hours(now, is_of_file=True))
        given = Given(kept(past, now), {**by_live.expected, **by_file.expected}, stored.forecasts)
        return _Collected(given, by_file, by_live)

    def _notes(self, served: Mapping[str, _Served]) -> tuple[str, ...]:
        """On what data the signals of the refreshed regions rest."""

        def those(serves: Callable[[_Served], bool]) -> list[str]:
            return [region for region, sources in served.items() if serves(sources)]

        notes: list[str] = []
        if self.file is not None:
            notes += [f"{self.file.name} serves {_named(those(lambda found: found.file), served)}.", *self.file.notes]
        if self.live is not None:
            by_live = those(lambda found: found.live)
            # Its own notes too where it serves none: they may say why, and whose the stored hours are.
            notes += [f"{self.live.name} serves {_named(by_live, served)}.", *self.live.notes]
        by_store = those(lambda found: found.stored)
        if by_store:
            notes.append(f"Hours stored by earlier collections serve {_named(by_store, served)}.")
        by_trace = those(lambda found: found.embedded)
        if by_trace:
            if notes:
                notes.append(f"The embedded data serves {_named(by_trace, served)}.")
            notes += self.embedded.notes
        return tuple(notes)


@dataclass(frozen=True)
class _Served:
    """What a region's signal rests on."""

    file: bool
    live: bool
    stored: bool
    embedded: bool


@dataclass(frozen=True)
class _Answer:
    """What a source gave for a region, and what was wrong with it."""

    past: Mapping[float, HourlyIntensity] = field(default_factory=dict)
    expected: Mapping[float, HourlyIntensity] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def is_complete(self, current_hour: float) -> bool:
        """Whether nobody else has to be asked."""
        first = current_hour - LIVE_HOURS * SECONDS_PER_HOUR
        recent = sum(start >= first for start in self.past)
        return recent == LIVE_HOURS and len(self.expected) == HOURS_PER_DAY

    def past_hours(self, now: float, *, is_of_file: bool) -> dict[float, PastHour]:
        return {
            start: PastHour(
                gco2eq_per_kwh=hour.gco2eq_per_kwh,
                is_estimated=hour.is_estimated,
                source=hour.source,
                vintage=hour.vintage,
                is_of_file=is_of_file,
                collected_at=now,
            )
            for start, hour in self.past.items()
        }


@dataclass(frozen=True)
class _Collected:
    """What all sources gave for a region."""

    given: Given
    by_file: _Answer
    by_live: _Answer

    def served(self, signal: CarbonSignal) -> _Served:
        is_of_own_past = signal.measured_until is not None
        return _Served(
            file=bool(self.by_file.expected) or (is_of_own_past and bool(self.by_file.past)),
            live=bool(self.by_live.expected) or (is_of_own_past and bool(self.by_live.past)),
            stored=is_of_own_past and not self.by_file.past and not self.by_live.past,
            embedded=not is_of_own_past and len(self.given.expected) < HOURS_PER_DAY,
        )


def _collected_with(signal: CarbonSignal, stored: CarbonPast) -> tuple[PastHour, ...]:
    """The stored hours that were given in the collection that made a signal."""
    return tuple(hour for hour in stored.hours.values() if hour.collected_at == signal.collected_at)


def _served_before(signal: CarbonSignal, stored: CarbonPast) -> _Served:
    """What a signal rests on that an earlier collection made."""
    given = _collected_with(signal, stored)
    return _Served(
        file=signal.is_of_its_own_time and any(hour.is_of_file for hour in given),
        live=signal.is_of_its_own_time and not all(hour.is_of_file for hour in given),
        stored=False,
        embedded=not signal.is_of_its_own_time,
    )


def _answer_of_file(file: CarbonFileSource, region: Region, current_hour: float) -> _Answer:
    answer = _answer(file, region, current_hour, FILE_HOURS)
    until = file.known_until(region)
    warnings = (*file.problems(region), *answer.warnings)
    if until is not None and not answer.past and not answer.expected:
        useless = f"{file.name} knows nothing within {KEEP_DAYS} days before or {HOURS_PER_DAY} h from now there"
        warnings = (*warnings, f"{useless}: it ends at {in_words(until)}")
    return _Answer(answer.past, answer.expected, warnings)


def _answer(source: CarbonSource, region: Region, current_hour: float, hours: int) -> _Answer:
    warnings: list[str] = []
    past: Mapping[float, HourlyIntensity] = {}
    expected: Mapping[float, HourlyIntensity] = {}
    first = current_hour - hours * SECONDS_PER_HOUR
    try:
        past = _possible(source, source.past(region, first, hours), first, hours, warnings)
        found = source.forecast(region, current_hour, HOURS_PER_DAY)
        expected = _possible(source, found, current_hour, HOURS_PER_DAY, warnings)
    except MultiXServerlessError as error:
        text = str(error)
        warnings.append(text if source.name in text else f"{source.name}: {text}")
    return _Answer(past, expected, tuple(warnings))


def _possible(
    source: CarbonSource,
    found: Mapping[float, HourlyIntensity],
    first_hour: float,
    hours: int,
    warnings: list[str],
) -> dict[float, HourlyIntensity]:
    """The hours asked for whose values are possible; how many others there were is added to the warnings."""
    asked = [first_hour + offset * SECONDS_PER_HOUR for offset in range(hours)]
    given = {start: found[start] for start in asked if start in found}
    possible = {start: hour for start, hour in given.items() if is_possible_intensity(hour.gco2eq_per_kwh)}
    absurd = [given[start].gco2eq_per_kwh for start in given if start not in possible]
    if absurd:
        warnings.append(
            f"{source.name}: {len(absurd)} of {len(given)} hours are left out, not above 0 and at most "
            f"{MAXIMUM_GCO2EQ_PER_KWH:g} gCO2eq/kWh, for example {absurd[0]:g}"
        )
    return possible


def _stored(region: str, store: SignalStore) -> tuple[CarbonPast, tuple[str, ...]]:
    """The stored past of a region, and a warning if it cannot be read."""
    try:
        stored = store.get(CARBON_PAST, region)
    except NewerSchemaError:
        raise  # A newer program's past is not overwritten with an older one's.
    except (InvalidDocumentError, CorruptedStateError) as error:
        # Unreadable for good: collecting it anew is the repair.
        return CarbonPast(region, {}), (
            f"the hours stored by earlier collections are lost, as they cannot be read: {error}",
        )
    return CarbonPast(region, {}) if stored is None else stored, ()


def _named(regions: Sequence[str], all_regions: Collection[str]) -> str:
    if not regions:
        return "none of the regions"
    if len(regions) == len(all_regions) > 1:
        return "all regions"
    # Each region's outcome names its source.
    return ", ".join(regions) if len(regions) <= SHOWN_REGIONS else f"{len(regions)} of {len(all_regions)} regions"


def carbon_collector(
    environment: Mapping[str, str], client: Callable[[], HttpClient], *, kept_s: float = 0.0
) -> CarbonCollector:
    """Return the collector for the file and the key that `environment` names.

    Args:
        environment: Variables.
        client: Makes the client when there is something to ask.
        kept_s: See `CarbonCollector`.
    """
    path = environment.get(FILE_VARIABLE)
    return CarbonCollector(
        file=CarbonFileSource(Path(path)) if path else None,
        live=electricity_maps_source(environment, client),
        kept_s=kept_s,
    )
