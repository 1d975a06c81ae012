"""Carbon intensity expected of a region's grid over a day, and of each hour where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import Fields
from multi_x_serverless.model.signal_parts import origin_members, require, require_not_negative
from multi_x_serverless.model.units import HOURS_PER_DAY

CARBON_SCHEMA = "multi-x-serverless/carbon-signal"
CARBON_VERSION = 3
"""Version 2 knows of each hour where it comes from, and until when the past is known; version 3 over how many hours the
error of the forecast is. Older ones are read, but for their error: it was of any horizon, mostly of one hour."""


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
        require(
            len(self.intensity_gco2eq_per_kwh) == HOURS_PER_DAY,
            "carbon-signal",
            path,
            f"has {len(self.intensity_gco2eq_per_kwh)} hours, expected {HOURS_PER_DAY}",
        )
        for hour, intensity in enumerate(self.intensity_gco2eq_per_kwh):
            require_not_negative(intensity, "carbon-signal", f"{path}[{hour}]")
        require(
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
                **origin_members(self),
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
