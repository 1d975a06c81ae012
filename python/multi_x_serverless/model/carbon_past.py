"""The carbon intensities that were given for a region's past hours: by a live source or by a file of the user's.

A free plan of a live source tells of one day; what every collection gave is kept here, so that the week that a forecast
needs comes together. The embedded trace is never kept: it is of another year. Beside the hours are the forecasts of the
last days, which are judged by them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import Fields
from multi_x_serverless.model.units import HOURS_PER_DAY, SECONDS_PER_HOUR

CARBON_PAST_SCHEMA = "multi-x-serverless/carbon-past"
CARBON_PAST_VERSION = 2
"""Version 2 knows forecasts; version 1 is still read."""

T = TypeVar("T")

LEAST_MEDIAN_GCO2EQ_PER_KWH = 1.0
"""No grid is so clean with its life cycle (wind alone has 11, IPCC AR5, working group III, table A.III.2): a zone whose
median is below is given in kg per kWh or t per MWh, whose values lie within the range of possible ones."""

MAXIMUM_GCO2EQ_PER_KWH = 1500.0
"""Coal without capture is the dirtiest there is, up to 1,095 (UNECE 2021, "Life Cycle Assessment of Electricity
Generation Options"); the rest is room for old plants and losses. What is above is of another unit."""


def is_possible_intensity(gco2eq_per_kwh: float) -> bool:
    """Whether a grid can have that intensity: above 0 and at most `MAXIMUM_GCO2EQ_PER_KWH`."""
    return math.isfinite(gco2eq_per_kwh) and 0.0 < gco2eq_per_kwh <= MAXIMUM_GCO2EQ_PER_KWH


@dataclass(frozen=True)
class PastHour:
    """What somebody gave for an hour that has passed.

    Attributes:
        gco2eq_per_kwh: Average, life-cycle.
        is_estimated: Whoever gave it did not measure it.
        source: Who gave it, for people.
        vintage: The time that the value describes, as the source says it.
        is_of_file: The user's file gave it, and not a live source.
        collected_at: When it was given, seconds since the epoch.
    """

    gco2eq_per_kwh: float
    is_estimated: bool
    source: str
    vintage: str
    is_of_file: bool
    collected_at: float

    def __post_init__(self) -> None:
        if not is_possible_intensity(self.gco2eq_per_kwh):
            raise InvalidDocumentError(
                "carbon-past",
                "gco2eq_per_kwh",
                f"is {self.gco2eq_per_kwh}, expected more than 0 and at most {MAXIMUM_GCO2EQ_PER_KWH:g}",
            )


@dataclass(frozen=True)
class MadeForecast:
    """What was expected of a day.

    Attributes:
        first_hour: Start of the first hour, seconds since the epoch, on the hour.
        gco2eq_per_kwh: 24 values in order of time.
    """

    first_hour: float
    gco2eq_per_kwh: tuple[float, ...]

    def __post_init__(self) -> None:
        count = len(self.gco2eq_per_kwh)
        if count != HOURS_PER_DAY:
            raise InvalidDocumentError("carbon-past", "forecasts", f"has {count} hours, expected {HOURS_PER_DAY}")

    def hours(self) -> Iterator[tuple[float, float]]:
        """Start of each hour (seconds since the epoch), and its intensity."""
        for offset, value in enumerate(self.gco2eq_per_kwh):
            yield self.first_hour + offset * SECONDS_PER_HOUR, value


@dataclass(frozen=True)
class CarbonPast:
    """The hours given for one region, and the forecasts made of it.

    Attributes:
        region: Code of the region.
        hours: Start of an hour (seconds since the epoch, on the hour) -> what was given for it; in order of time.
        forecasts: Those of the last days, one a day, oldest first.
    """

    region: str
    hours: Mapping[float, PastHour]
    forecasts: tuple[MadeForecast, ...] = ()

    def to_document(self) -> bytes:
        """The hours as a JSON document: a column per quantity, and what repeats is named once."""
        starts = sorted(self.hours)
        hours = [self.hours[start] for start in starts]
        givers = sorted({_giver(hour) for hour in hours})
        collections = sorted({hour.collected_at for hour in hours})
        giver_index = {giver: index for index, giver in enumerate(givers)}
        collection_index = {moment: index for index, moment in enumerate(collections)}
        first = starts[0] if starts else 0.0
        return documents.write(
            CARBON_PAST_SCHEMA,
            CARBON_PAST_VERSION,
            {
                "region": self.region,
                "first_hour": first,
                "givers": [
                    {"source": source, "vintage": vintage, "is_of_file": is_of_file}
                    for source, vintage, is_of_file in givers
                ],
                "collections": collections,
                "hours_after_first": [round((start - first) / SECONDS_PER_HOUR) for start in starts],
                "gco2eq_per_kwh": [hour.gco2eq_per_kwh for hour in hours],
                "is_estimated": [int(hour.is_estimated) for hour in hours],
                "giver": [giver_index[_giver(hour)] for hour in hours],
                "collection": [collection_index[hour.collected_at] for hour in hours],
                "forecasts": [
                    {"first_hour": forecast.first_hour, "gco2eq_per_kwh": list(forecast.gco2eq_per_kwh)}
                    for forecast in self.forecasts
                ],
            },
        )

    @classmethod
    def from_document(cls, text: bytes | str) -> CarbonPast:
        """Read what `to_document` wrote.

        Raises:
            InvalidDocumentError: The text is no such document; the message names the field.
        """
        members = documents.read(text, CARBON_PAST_SCHEMA, CARBON_PAST_VERSION)
        first = members.number("first_hour")
        givers = [
            (giver.text("source"), giver.text("vintage"), giver.truth("is_of_file"))
            for giver in members.sections("givers")
        ]
        collections = members.sequence("collections", documents.as_number)
        columns = {
            name: members.sequence(name, documents.as_number)
            for name in ("hours_after_first", "gco2eq_per_kwh", "is_estimated", "giver", "collection")
        }
        for name, column in columns.items():
            if len(column) != len(columns["hours_after_first"]):
                raise InvalidDocumentError("carbon-past", name, "has another number of hours than hours_after_first")
        hours = {}
        for offset, intensity, is_estimated, giver, collection in zip(*columns.values(), strict=True):
            source, vintage, is_of_file = _entry(givers, giver, "giver")
            hours[first + offset * SECONDS_PER_HOUR] = PastHour(
                gco2eq_per_kwh=intensity,
                is_estimated=bool(is_estimated),
                source=source,
                vintage=vintage,
                is_of_file=is_of_file,
                collected_at=_entry(collections, collection, "collection"),
            )
        is_first_version = members.integer("version") == 1
        forecasts = () if is_first_version else tuple(map(_read_forecast, members.sections("forecasts")))
        return cls(members.text("region"), hours, forecasts)


def _read_forecast(members: Fields) -> MadeForecast:
    return MadeForecast(members.number("first_hour"), members.sequence("gco2eq_per_kwh", documents.as_number))


def _giver(hour: PastHour) -> tuple[str, str, bool]:
    return (hour.source, hour.vintage, hour.is_of_file)


def _entry(entries: Sequence[T], index: float, name: str) -> T:
    if not (index.is_integer() and 0 <= index < len(entries)):
        raise InvalidDocumentError("carbon-past", name, f"names entry {index:g} of {len(entries)}")
    return entries[int(index)]
