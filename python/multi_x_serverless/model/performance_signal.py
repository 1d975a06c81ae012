"""How fast a region computes and how far it is from the others, and what each figure rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import Fields
from multi_x_serverless.model.signal_parts import origin_members, require, require_not_negative

PERFORMANCE_SCHEMA = "multi-x-serverless/performance-signal"
PERFORMANCE_VERSION = 2
"""Version 2 knows source and vintage of each round trip; before, one stood for all of them."""


@dataclass(frozen=True)
class Interval:
    """Where a measured value lies with 95 % confidence."""

    low: float
    high: float

    def __post_init__(self) -> None:
        is_interval = math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high
        require(is_interval, "interval", "", f"is {self.low} to {self.high}, expected finite numbers in order")

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
        require_not_negative(self.seconds, "performance-signal", f"round trip to {self.to_region}")

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
        require(is_speed, "performance-signal", "relative_speed", f"is {self.relative_speed}, expected > 0")

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
                **origin_members(self),
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
