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
from multi_x_serverless.model.prices import PRICE_NAMES, PriceOrigin, RegionPrices

REGION_SCHEMA = "multi-x-serverless/region-signal"
CARBON_SCHEMA = "multi-x-serverless/carbon-signal"
PRICE_SCHEMA = "multi-x-serverless/price-signal"
PERFORMANCE_SCHEMA = "multi-x-serverless/performance-signal"
SIGNAL_VERSION = 1

REGION_VERSION = 2
"""Version 2 knows the country."""

PRICE_VERSION = 2
"""Version 2 knows tiers, and source and vintage of each price."""

HOURS_IN_DAY = 24


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
class CarbonSignal:
    """Carbon intensity expected of a region's grid over the 24 hours from `valid_from` on.

    Attributes:
        region: Code of the region.
        grid_zone: Zone of the power grid.
        intensity_gco2eq_per_kwh: 24 values; element `h` is for the hour that starts at `h` o'clock UTC. Which
            day that is follows from `valid_from`: each hour of the day occurs once in the 24 hours after it.
        valid_from: Start of the first hour covered, seconds since the epoch.
        method: How the values were made from what was known, for people.
        is_estimated: No hourly measurement of that zone stands behind the values.
        forecast_error: Mean absolute error of the latest forecast some of whose hours have passed, over these
            hours, as a fraction of the mean that came true; None if there is no such forecast yet.
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
    forecast_error: float | None = None

    def __post_init__(self) -> None:
        path = "intensity_gco2eq_per_kwh"
        _require(
            len(self.intensity_gco2eq_per_kwh) == HOURS_IN_DAY,
            "carbon-signal",
            path,
            f"has {len(self.intensity_gco2eq_per_kwh)} hours, expected {HOURS_IN_DAY}",
        )
        for hour, intensity in enumerate(self.intensity_gco2eq_per_kwh):
            _require_not_negative(intensity, "carbon-signal", f"{path}[{hour}]")

    def to_document(self) -> bytes:
        """The signal as a JSON document."""
        return documents.write(
            CARBON_SCHEMA,
            SIGNAL_VERSION,
            {
                "region": self.region,
                "grid_zone": self.grid_zone,
                "intensity_gco2eq_per_kwh": list(self.intensity_gco2eq_per_kwh),
                "valid_from": self.valid_from,
                "method": self.method,
                "is_estimated": self.is_estimated,
                "forecast_error": self.forecast_error,
                **_origin_members(self),
            },
        )

    @classmethod
    def from_document(cls, text: bytes | str) -> CarbonSignal:
        """Read a signal.

        Raises:
            InvalidDocumentError: The text is no such signal; the message names the field.
        """
        members = documents.read(text, CARBON_SCHEMA, SIGNAL_VERSION)
        return cls(
            region=members.text("region"),
            grid_zone=members.text("grid_zone"),
            intensity_gco2eq_per_kwh=members.sequence("intensity_gco2eq_per_kwh", documents.as_number),
            valid_from=members.number("valid_from"),
            method=members.text("method"),
            is_estimated=members.truth("is_estimated"),
            forecast_error=members.optional_number("forecast_error"),
            source=members.text("source"),
            vintage=members.text("vintage"),
            collected_at=members.number("collected_at"),
        )


@dataclass(frozen=True)
class PriceSignal:
    """The prices in a region and where they come from.

    Attributes:
        source: Where they come from on the whole, for people.
        vintage: The times that they describe on the whole.
        collected_at: When some of them were last asked for with success, or read from the embedded data.
        origins: Source and vintage of each price by its name; empty in a signal of version 1, which did not tell.
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
class RoundTrip:
    """Mean network round trip to a region in seconds, and whether somebody measured it."""

    to_region: str
    seconds: float
    is_measured: bool

    def __post_init__(self) -> None:
        _require_not_negative(self.seconds, "performance-signal", f"round trip to {self.to_region}")


@dataclass(frozen=True)
class PerformanceSignal:
    """How fast a region computes and how far it is from the others.

    Attributes:
        region: Code of the region.
        relative_speed: Speed of its processors as a multiple of the common one; 2.0 halves run times.
        relative_speed_is_assumed: Nobody measured that speed.
        round_trips: Round trips to all regions that were collected with it, itself among them.
    """

    region: str
    relative_speed: float
    relative_speed_is_assumed: bool
    round_trips: tuple[RoundTrip, ...]
    source: str
    vintage: str
    collected_at: float

    def __post_init__(self) -> None:
        is_speed = math.isfinite(self.relative_speed) and self.relative_speed > 0
        _require(is_speed, "performance-signal", "relative_speed", f"is {self.relative_speed}, expected > 0")

    def round_trip_to(self, region: str) -> RoundTrip | None:
        """The round trip to a region; None if it was not collected."""
        return next((trip for trip in self.round_trips if trip.to_region == region), None)

    def to_document(self) -> bytes:
        """The signal as a JSON document."""
        return documents.write(
            PERFORMANCE_SCHEMA,
            SIGNAL_VERSION,
            {
                "region": self.region,
                "relative_speed": self.relative_speed,
                "relative_speed_is_assumed": self.relative_speed_is_assumed,
                "round_trips": [
                    {"to_region": trip.to_region, "seconds": trip.seconds, "is_measured": trip.is_measured}
                    for trip in self.round_trips
                ],
                **_origin_members(self),
            },
        )

    @classmethod
    def from_document(cls, text: bytes | str) -> PerformanceSignal:
        """Read a signal.

        Raises:
            InvalidDocumentError: The text is no such signal; the message names the field.
        """
        members = documents.read(text, PERFORMANCE_SCHEMA, SIGNAL_VERSION)
        return cls(
            region=members.text("region"),
            relative_speed=members.number("relative_speed"),
            relative_speed_is_assumed=members.truth("relative_speed_is_assumed"),
            round_trips=tuple(
                RoundTrip(trip.text("to_region"), trip.number("seconds"), trip.truth("is_measured"))
                for trip in members.sections("round_trips")
            ),
            source=members.text("source"),
            vintage=members.text("vintage"),
            collected_at=members.number("collected_at"),
        )


Signal: TypeAlias = RegionSignal | CarbonSignal | PriceSignal | PerformanceSignal


def _origin_members(signal: Signal) -> dict[str, Any]:
    return {"source": signal.source, "vintage": signal.vintage, "collected_at": signal.collected_at}


def _require(condition: bool, document: str, path: str, message: str) -> None:
    if not condition:
        raise InvalidDocumentError(document, path, message)


def _require_not_negative(value: float, document: str, path: str) -> None:
    _require(math.isfinite(value) and value >= 0, document, path, f"is {value}, expected 0 or more")
