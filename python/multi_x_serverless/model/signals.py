"""What the outside world is like in a region: carbon intensity, prices, speed and distances.

A collector makes one signal per region and stores it as a document; `solving` reads it back. Every signal
says where its values come from (`source`), which time they describe (`vintage`) and when they were fetched
(`collected_at`, seconds since the epoch, UTC), so that a plan can say what it rests on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import Fields
from multi_x_serverless.model.prices import PRICE_NAMES, PriceOrigin, RegionPrices
from multi_x_serverless.model.units import HOURS_PER_DAY

REGION_SCHEMA = "multi-x-serverless/region-signal"
CARBON_SCHEMA = "multi-x-serverless/carbon-signal"
PRICE_SCHEMA = "multi-x-serverless/price-signal"
PERFORMANCE_SCHEMA = "multi-x-serverless/performance-signal"
SIGNAL_VERSION = 1
PERFORMANCE_VERSION = 2
SOURCE_SEPARATOR = "; "
"""Between several sources of a signal, and between the times that they describe."""
"""Newest version of performance signals that is read. Version 1 had one source and vintage for all round trips."""
CARBON_VERSION = 3
"""Version 2 knows of each hour where it comes from, and until when the past is known; version 3 over how many hours the
error of the forecast is. Older ones are read, but for their error: it was of any horizon, mostly of one hour."""

REGION_VERSION = 2
"""Version 2 knows the country."""

PRICE_VERSION = 2
"""Version 2 knows tiers, and source and vintage of each price."""


@dataclass(frozen=True)
class Region:
    """A place where functions can run.

    Attributes:
        code: AWS's name of it, for example ``eu-north-1``.
        name: AWS's name for people, for example ``Europe (Stockholm)``.
        latitude: Degrees north, of the metropolitan area.
        longitude: Degrees east, of the metropolitan area.
        grid_zone: Zone of the power grid as Electricity Maps names it, for example ``SE-SE3``.
        has_hourly_trace: Whether the embedded data knows the zone's intensity hour by hour.
        country: Its ISO 3166 code, for example ``SE``; empty if it is not known.
    """

    code: str
    name: str
    latitude: float
    longitude: float
    grid_zone: str
    has_hourly_trace: bool
    country: str = ""

    def __post_init__(self) -> None:
        _require(bool(self.code), "region", "code", "is empty")
        _require(-90 <= self.latitude <= 90, "region", "latitude", f"is {self.latitude}, expected -90 to 90")
        _require(-180 <= self.longitude <= 180, "region", "longitude", f"is {self.longitude}, expected +-180")


@dataclass(frozen=True)
class RegionSignal:
    """A region and where the knowledge of it comes from."""

    details: Region
    source: str
    vintage: str
    collected_at: float

    @property
    def region(self) -> str:
        """Code of the region."""
        return self.details.code

    def to_document(self) -> bytes:
        """The signal as a JSON document."""
        details = {member.name: getattr(self.details, member.name) for member in fields(Region)}
        return documents.write(REGION_SCHEMA, REGION_VERSION, {"details": details, **_origin_members(self)})

    @classmethod
    def from_document(cls, text: bytes | str) -> RegionSignal:
        """Read a signal of version 1 or 2.

        Raises:
            InvalidDocumentError: The text is no such signal; the message names the field.
        """
        members = documents.read(text, REGION_SCHEMA, REGION_VERSION)
        details = members.section("details")
        return cls(
            details=Region(
                code=details.text("code"),
                name=details.text("name"),
                latitude=details.number("latitude"),
                longitude=details.number("longitude"),
                grid_zone=details.text("grid_zone"),
                has_hourly_trace=details.truth("has_hourly_trace"),
                country="" if members.integer("version") == 1 else details.text("country"),
            ),
            source=members.text("source"),
            vintage=members.text("vintage"),
            collected_at=members.number("collected_at"),
        )


@dataclass(frozen=True)
class HourOrigin:
    """Where the intensity of an hour comes from.

    Attributes:
        source: Who knows it, or knows the past that it was made of, for people.
        vintage: The time that the source's values describe.
        is_estimated: No measurement of that zone stands behind it, for the most part.
        forecast_by: Who expects it: a source by its name, or how this program made it of what the source knows.
    """

    source: str
    vintage: str
    is_estimated: bool
    forecast_by: str


@dataclass(frozen=True)
class ForecastError:
    """How wrong the first 24 hours of the forecasts of the last 7 days were, as far as they came true.

    Attributes:
        relative: Mean absolute error as a fraction of the mean that came true.
        hours: Over how many predicted hours.
    """

    relative: float
    hours: int


@dataclass(frozen=True)
class CarbonSignal:
    """Carbon intensity expected of a region's grid over the 24 hours from `valid_from` on.

    Attributes:
        region: Code of the region.
        grid_zone: Zone of the power grid.
        intensity_gco2eq_per_kwh: 24 values; element `h` is for the hour that starts at `h` o'clock UTC. Which
            day that is follows from `valid_from`: each hour of the day occurs once in the 24 hours after it.
        valid_from: Start of the first hour covered, seconds since the epoch.
        method: How the values were made from what was known, for people.
        is_estimated: No hourly measurement of that zone stands behind the values, for the most part.
        source: Who knows them, or the past that they were made of; all of them where hours differ.
        vintage: The time that the sources' values describe.
        collected_at: When the signal was made, seconds since the epoch.
        forecast_error: Of earlier forecasts, judged by what was measured; where the values are those of another year,
            of forecasts of that year's hours. None if nothing came true yet that was measured.
        origins: Where each hour comes from, in the order of the intensities; empty in documents of version 1, in
            which all hours are of one source. `origin_at` knows both.
        measured_until: End of the newest hour of this grid and its own time that a source had given, seconds since the
            epoch; None where the values are those of another year.
    """

    region: str
    grid_zone: str
    intensity_gco2eq_per_kwh: tuple[float, ...]
    valid_from: float
    method: str
    is_estimated: bool
    source: str
    vintage: str
    collected_at: float
    forecast_error: ForecastError | None = None
    origins: tuple[HourOrigin, ...] = ()
    measured_until: float | None = None

    def __post_init__(self) -> None:
        path = "intensity_gco2eq_per_kwh"
        _require(
            len(self.intensity_gco2eq_per_kwh) == HOURS_PER_DAY,
            "carbon-signal",
            path,
            f"has {len(self.intensity_gco2eq_per_kwh)} hours, expected {HOURS_PER_DAY}",
        )
        for hour, intensity in enumerate(self.intensity_gco2eq_per_kwh):
            _require_not_negative(intensity, "carbon-signal", f"{path}[{hour}]")
        _require(
            len(self.origins) in (0, HOURS_PER_DAY),
            "carbon-signal",
            "origins",
            f"has {len(self.origins)} hours, expected {HOURS_PER_DAY}",
        )

    @property
    def is_of_its_own_time(self) -> bool:
        """Whether it rests on hours of this grid and time, or on what sources expect, and not on another year's."""
        is_by_sources = bool(self.origins) and all(origin.forecast_by == origin.source for origin in self.origins)
        return self.measured_until is not None or is_by_sources

    def origin_at(self, hour: int) -> HourOrigin:
        """Where the intensity of an hour of the day (0-23, UTC) comes from."""
        if self.origins:
            return self.origins[hour]
        return HourOrigin(self.source, self.vintage, self.is_estimated, self.method)

    def to_document(self) -> bytes:
        """The signal as a JSON document; each origin is written once, and of each hour which one it has."""
        origins = list(dict.fromkeys(self.origins))
        return documents.write(
            CARBON_SCHEMA,
            CARBON_VERSION,
            {
                "region": self.region,
                "grid_zone": self.grid_zone,
                "intensity_gco2eq_per_kwh": list(self.intensity_gco2eq_per_kwh),
                "valid_from": self.valid_from,
                "method": self.method,
                "is_estimated": self.is_estimated,
                "forecast_error": None
                if self.forecast_error is None
                else {"relative": self.forecast_error.relative, "hours": self.forecast_error.hours},
                "origins": [
                    {field.name: getattr(origin, field.name) for field in fields(HourOrigin)} for origin in origins
                ],
                "origin_of_hour": [origins.index(origin) for origin in self.origins],
                "measured_until": self.measured_until,
                **_origin_members(self),
            },
        )

    @classmethod
    def from_document(cls, text: bytes | str) -> CarbonSignal:
        """Read a signal.

        Raises:
            InvalidDocumentError: The text is no such signal; the message names the field.
        """
        members = documents.read(text, CARBON_SCHEMA, CARBON_VERSION)
        version = members.integer("version")
        is_first_version = version == 1
        error = members.optional_section("forecast_error") if version >= 3 else None
        return cls(
            region=members.text("region"),
            grid_zone=members.text("grid_zone"),
            intensity_gco2eq_per_kwh=members.sequence("intensity_gco2eq_per_kwh", documents.as_number),
            valid_from=members.number("valid_from"),
            method=members.text("method"),
            is_estimated=members.truth("is_estimated"),
            forecast_error=None if error is None else ForecastError(error.number("relative"), error.integer("hours")),
            origins=() if is_first_version else _read_origins(members),
            measured_until=None if is_first_version else members.optional_number("measured_until"),
            source=members.text("source"),
            vintage=members.text("vintage"),
            collected_at=members.number("collected_at"),
        )


def _read_origins(members: Fields) -> tuple[HourOrigin, ...]:
    origins = [
        HourOrigin(
            source=origin.text("source"),
            vintage=origin.text("vintage"),
            is_estimated=origin.truth("is_estimated"),
            forecast_by=origin.text("forecast_by"),
        )
        for origin in members.sections("origins")
    ]

    def origin(index: Any) -> HourOrigin:
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(origins):
            raise ValueError(f"is {index!r}, expected the place of one of {len(origins)} origins")
        return origins[index]

    return members.sequence("origin_of_hour", origin)


@dataclass(frozen=True)
class PriceSignal:
    """The prices in a region and where they come from.

    Attributes:
        source: Where they come from on the whole, for people.
        vintage: The times that they describe on the whole.
        collected_at: When some of them were last asked for with success, or read from the embedded data.
        origins: Source, vintage and age of each price by its name; empty in a signal of version 1, which did not tell.
    """

    region: str
    prices: RegionPrices
    source: str
    vintage: str
    collected_at: float
    origins: Mapping[str, PriceOrigin] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in sorted(self.origins.keys() ^ set(PRICE_NAMES) if self.origins else ()):
            raise InvalidDocumentError("price-signal", f"origins.{name}", "is missing, or of no price")

    def origin_of(self, name: str) -> PriceOrigin:
        """Source and vintage of a price; those of all of them where they are not known one by one."""
        return self.origins.get(name, PriceOrigin(self.source, self.vintage))

    def to_document(self) -> bytes:
        """The signal as a JSON document."""
        return documents.write(
            PRICE_SCHEMA,
            PRICE_VERSION,
            {
                "region": self.region,
                "prices": self.prices.to_members(),
                "origins": {name: origin.to_members() for name, origin in self.origins.items()},
                **_origin_members(self),
            },
        )

    @classmethod
    def from_document(cls, text: bytes | str) -> PriceSignal:
        """Read a signal of version 1 or 2.

        Raises:
            InvalidDocumentError: The text is no such signal; the message names the field.
        """
        members = documents.read(text, PRICE_SCHEMA, PRICE_VERSION)
        is_first_version = members.integer("version") == 1
        origins = None if is_first_version else members.section("origins")
        return cls(
            region=members.text("region"),
            prices=RegionPrices.from_fields(members.section("prices"), has_tiers=not is_first_version),
            source=members.text("source"),
            vintage=members.text("vintage"),
            collected_at=members.number("collected_at"),
            origins={}
            if origins is None
            else {name: PriceOrigin.from_fields(origins, name) for name in origins.values},
        )


@dataclass(frozen=True)
class Interval:
    """Where a measured value lies with 95 % confidence."""

    low: float
    high: float

    def __post_init__(self) -> None:
        is_interval = math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high
        _require(is_interval, "interval", "", f"is {self.low} to {self.high}, expected finite numbers in order")

    def contains(self, value: float) -> bool:
        """Whether a value may be the true one."""
        return self.low <= value <= self.high

    def to_members(self) -> dict[str, float]:
        """The interval as part of a document."""
        return {"low": self.low, "high": self.high}

    @classmethod
    def from_fields(cls, fields: Fields) -> Interval:
        """Read what `to_members` wrote."""
        return cls(fields.number("low"), fields.number("high"))


@dataclass(frozen=True)
class RoundTrip:
    """Network round trip to a region in seconds, and what it rests on.

    Attributes:
        is_measured: Somebody measured it, as opposed to a formula.
        source: Who says so, for people; empty for the source of the whole signal.
        vintage: The time that it describes; empty for the vintage of the whole signal.
        samples: Observations behind it; None if nobody says.
        interval: Where it lies, in seconds; None if nobody says.
    """

    to_region: str
    seconds: float
    is_measured: bool
    source: str = ""
    vintage: str = ""
    samples: int | None = None
    interval: Interval | None = None

    def __post_init__(self) -> None:
        _require_not_negative(self.seconds, "performance-signal", f"round trip to {self.to_region}")

    def to_members(self) -> dict[str, Any]:
        """The round trip as part of a document."""
        return {
            "to_region": self.to_region,
            "seconds": self.seconds,
            "is_measured": self.is_measured,
            "source": self.source,
            "vintage": self.vintage,
            "samples": self.samples,
            "interval": None if self.interval is None else self.interval.to_members(),
        }

    @classmethod
    def from_fields(cls, fields: Fields, version: int) -> RoundTrip:
        """Read a round trip of a document of some version."""
        to_region, seconds, is_measured = (
            fields.text("to_region"),
            fields.number("seconds"),
            fields.truth("is_measured"),
        )
        if version < 2:
            return cls(to_region, seconds, is_measured)
        return cls(
            to_region,
            seconds,
            is_measured,
            source=fields.text("source"),
            vintage=fields.text("vintage"),
            samples=fields.optional_integer("samples"),
            interval=_optional_interval(fields, "interval"),
        )


@dataclass(frozen=True)
class PerformanceSignal:
    """How fast a region computes and how far it is from the others.

    Attributes:
        region: Code of the region.
        relative_speed: Speed of its processors as a multiple of the common one; 2.0 halves run times.
        relative_speed_is_assumed: Nobody measured that speed.
        round_trips: Round trips to all regions that were collected with it, itself among them.
        source: Where the round trips come from: all sources of theirs.
        vintage: The times that these describe, in the same order.
        relative_speed_samples: Observations in that region behind its speed; None if it is assumed.
        relative_speed_interval: Where that speed lies; None if it is assumed.
    """

    region: str
    relative_speed: float
    relative_speed_is_assumed: bool
    round_trips: tuple[RoundTrip, ...]
    source: str
    vintage: str
    collected_at: float
    relative_speed_samples: int | None = None
    relative_speed_interval: Interval | None = None

    def __post_init__(self) -> None:
        is_speed = math.isfinite(self.relative_speed) and self.relative_speed > 0
        _require(is_speed, "performance-signal", "relative_speed", f"is {self.relative_speed}, expected > 0")

    def round_trip_to(self, region: str) -> RoundTrip | None:
        """The round trip to a region; None if it was not collected."""
        return next((trip for trip in self.round_trips if trip.to_region == region), None)

    def origin_of(self, trip: RoundTrip) -> tuple[str, str]:
        """Source and vintage of one of its round trips."""
        return trip.source or self.source, trip.vintage or self.vintage

    def to_document(self) -> bytes:
        """The signal as a JSON document."""
        interval = self.relative_speed_interval
        return documents.write(
            PERFORMANCE_SCHEMA,
            PERFORMANCE_VERSION,
            {
                "region": self.region,
                "relative_speed": self.relative_speed,
                "relative_speed_is_assumed": self.relative_speed_is_assumed,
                "relative_speed_samples": self.relative_speed_samples,
                "relative_speed_interval": None if interval is None else interval.to_members(),
                "round_trips": [trip.to_members() for trip in self.round_trips],
                **_origin_members(self),
            },
        )

    @classmethod
    def from_document(cls, text: bytes | str) -> PerformanceSignal:
        """Read a signal.

        Raises:
            InvalidDocumentError: The text is no such signal; the message names the field.
        """
        members = documents.read(text, PERFORMANCE_SCHEMA, PERFORMANCE_VERSION)
        version = members.integer("version")
        is_old = version < 2
        return cls(
            region=members.text("region"),
            relative_speed=members.number("relative_speed"),
            relative_speed_is_assumed=members.truth("relative_speed_is_assumed"),
            round_trips=tuple(RoundTrip.from_fields(trip, version) for trip in members.sections("round_trips")),
            source=members.text("source"),
            vintage=members.text("vintage"),
            collected_at=members.number("collected_at"),
            relative_speed_samples=None if is_old else members.optional_integer("relative_speed_samples"),
            relative_speed_interval=None if is_old else _optional_interval(members, "relative_speed_interval"),
        )


def _optional_interval(fields: Fields, name: str) -> Interval | None:
    section = fields.optional_section(name)
    return None if section is None else Interval.from_fields(section)


Signal: TypeAlias = RegionSignal | CarbonSignal | PriceSignal | PerformanceSignal


def known_at(signal: Signal) -> float:
    """Time that what a signal rests on was known, seconds since the epoch: a signal may be made anew of old values.

    Of intensities it is the end of the newest measured hour, of prices when the one was asked for that was not for
    longest.
    """
    if isinstance(signal, CarbonSignal) and signal.measured_until is not None:
        return min(signal.measured_until, signal.collected_at)
    if isinstance(signal, PriceSignal):
        asked = (origin.collected_at for origin in signal.origins.values() if origin.collected_at is not None)
        return min((signal.collected_at, *asked))
    return signal.collected_at


def _origin_members(signal: Signal) -> dict[str, Any]:
    return {"source": signal.source, "vintage": signal.vintage, "collected_at": signal.collected_at}


def _require(condition: bool, document: str, path: str, message: str) -> None:
    if not condition:
        raise InvalidDocumentError(document, path, message)


def _require_not_negative(value: float, document: str, path: str) -> None:
    _require(math.isfinite(value) and value >= 0, document, path, f"is {value}, expected 0 or more")
