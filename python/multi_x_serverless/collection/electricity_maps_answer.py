"""What Electricity Maps answers: hours of one zone, checked before anything is made of them.

An answer about another zone, in another unit, by another method or of another form is refused as a whole. A single
value that no grid can have is left out, and the answer says so; one that is mostly such values is refused, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from statistics import median
from typing import TYPE_CHECKING

from multi_x_serverless.collection.carbon_source import HourlyIntensity
from multi_x_serverless.collection.http import reading
from multi_x_serverless.collection.http_transport import one_line
from multi_x_serverless.errors import SignalSourceError
from multi_x_serverless.model.carbon_past import (
    LEAST_MEDIAN_GCO2EQ_PER_KWH,
    MAXIMUM_GCO2EQ_PER_KWH,
    is_possible_intensity,
)
from multi_x_serverless.model.documents import Fields

if TYPE_CHECKING:
    from multi_x_serverless.collection.http import Json

MOST_ABSURD = 0.5
"""An answer with a larger part of absurd values is not in the unit that we take it for."""

_UNITS = frozenset({"gco2eq/kwh", "gco₂eq/kwh", "gco2e/kwh"})
_LISTS = ("history", "data", "forecast")
"""Where the hours are: v3 of the API names the list after the endpoint, v4 mostly ``data``."""


@dataclass(frozen=True)
class ZoneHours:
    """Hours of a zone.

    Attributes:
        hours: Start of an hour (seconds since the epoch) -> its intensity.
        left_out: What no grid can have: start of the hour -> value.
        disclaimer: What the service wants to be known of its values; empty if nothing.
    """

    hours: dict[float, HourlyIntensity]
    left_out: dict[float, float]
    disclaimer: str = ""


def read_hours(answer: Json, zone: str, *, source: str, are_expected: bool) -> ZoneHours:
    """Check an answer about a zone and take its hours.

    Args:
        answer: As it was received.
        zone: What was asked for.
        source: What becomes the source of each hour.
        are_expected: The hours are forecasts, so none of them is a measurement.

    Raises:
        SignalSourceError: ``unreadable`` or ``absurd``: nothing of it can be used.
    """
    with reading(f"the carbon intensity of {zone}"):
        return _read(_object(answer, zone), zone, source, are_expected)


def _read(answer: Fields, zone: str, source: str, are_expected: bool) -> ZoneHours:
    lists = [name for name in _LISTS if name in answer.values]
    rows = answer.sections(lists[0]) if lists else (answer,)  # `latest` is its only hour itself
    if "zone" not in answer.values:
        raise _refused(zone, "does not say which zone it is about")
    for part in (answer, *rows):
        _check_what_it_is(part, zone)
    hours: dict[float, HourlyIntensity] = {}
    left_out: dict[float, float] = {}
    values: dict[float, float] = {}
    for row in rows:
        start, value = _start_of(row, zone), row.optional_number("carbonIntensity")
        if value is None:
            continue  # An hour that the service has no value for.
        if values.setdefault(start, value) != value:
            raise _refused(zone, f"contradicts itself about {_in_words(start)}")
        if not is_possible_intensity(value):
            left_out[start] = value
            continue
        hours[start] = HourlyIntensity(
            gco2eq_per_kwh=value,
            is_estimated=are_expected or "isEstimated" not in row.values or row.truth("isEstimated"),
            source=source,
            vintage=datetime.fromtimestamp(start, timezone.utc).date().isoformat(),
        )
    if len(left_out) > MOST_ABSURD * len(values):
        start, value = next(iter(left_out.items()))
        raise SignalSourceError(
            f"Electricity Maps gives absurd carbon intensities for {zone}, for example {value:g} gCO2eq/kWh at "
            f"{_in_words(start)}; more than 0 and at most {MAXIMUM_GCO2EQ_PER_KWH:g} are possible.",
            reason="absurd",
        )
    if hours and median(hour.gco2eq_per_kwh for hour in hours.values()) < LEAST_MEDIAN_GCO2EQ_PER_KWH:
        raise _refused(zone, "has values of another unit: half of them are below 1, as kg per kWh are")
    return ZoneHours(hours, left_out, one_line(str(answer.values.get("_disclaimer") or "")))


def _check_what_it_is(part: Fields, zone: str) -> None:
    """What an answer or an hour of it says of itself must be what was asked for."""
    expected = {"zone": zone, "emissionFactorType": "lifecycle", "temporalGranularity": "hourly"}
    for name, value in expected.items():
        if name in part.values and part.text(name) != value:
            raise _refused(zone, f"has {name} '{one_line(part.text(name))}', expected '{value}'")
    if "unit" in part.values and part.text("unit").strip().lower() not in _UNITS:
        raise _refused(zone, f"is in '{one_line(part.text('unit'))}', expected gCO2eq/kWh")


def _start_of(row: Fields, zone: str) -> float:
    text = row.text("datetime")
    try:
        # Python 3.10 does not read the Z.
        moment = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith(("Z", "z")) else text)
        # In UTC it must be a time, too: an offset may carry it out of the calendar.
        start = None if moment.tzinfo is None else moment.astimezone(timezone.utc).timestamp()
    except (ValueError, OverflowError):
        start = None
    if start is None or start % 3600 != 0:
        raise _refused(zone, f"has the time '{one_line(text)}', expected a whole hour with its zone of time")
    return start


def _object(answer: Json, zone: str) -> Fields:
    if not isinstance(answer, dict):
        raise _refused(zone, "is no JSON object")
    return Fields("electricity-maps", "", answer)


def _refused(zone: str, what: str) -> SignalSourceError:
    return SignalSourceError(f"the answer of Electricity Maps about {zone} {what}.", reason="unreadable")


def _in_words(start: float) -> str:
    return datetime.fromtimestamp(start, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
