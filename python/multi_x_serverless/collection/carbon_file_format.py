"""Reading a file of carbon intensities: every line is checked, and one of no use is named with its number and why."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeGuard

from multi_x_serverless.collection.carbon_source import HourlyIntensity
from multi_x_serverless.errors import SignalSourceError
from multi_x_serverless.model.carbon_past import (
    LEAST_MEDIAN_GCO2EQ_PER_KWH,
    MAXIMUM_GCO2EQ_PER_KWH,
    is_possible_intensity,
)
from multi_x_serverless.model.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ZONE, TIME, INTENSITY, ESTIMATED = "zone_or_region", "datetime_utc", "gco2eq_per_kwh", "estimated"
NEEDED = (ZONE, TIME, INTENSITY)
FORMS = f"'{','.join(NEEDED)}' (and '{ESTIMATED}' if there is such a column) or '{TIME}' and a column per zone"

TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}

EARLIEST_YEAR, LATEST_YEAR = 1990, 2199
"""Others are slips of the pen, and the first and last years of the calendar cannot be moved to UTC."""


@dataclass(frozen=True)
class FileProblem:
    """A line that is of no use, or not as it should be.

    Attributes:
        line: Its number, from 1.
        zone: Which zone or region loses by it; None if it does not say.
        message: What is wrong with it.
    """

    line: int
    zone: str | None
    message: str


@dataclass(frozen=True)
class FileContent:
    """What a file says.

    Attributes:
        zones: Zone or region as the file names it -> start of an hour (seconds since the epoch) -> its intensity.
        problems: In the order of the lines.
    """

    zones: Mapping[str, Mapping[float, HourlyIntensity]]
    problems: tuple[FileProblem, ...]


@dataclass(frozen=True)
class _Entry:
    """What a line says of one zone, not checked yet; CSV gives text where JSON gives values."""

    line: int
    zone: str
    time: str
    intensity: str | float
    is_estimated: str | bool


@dataclass
class _Collected:
    """What was read up to some line."""

    source: str
    zones: dict[str, dict[float, HourlyIntensity]] = field(default_factory=dict)
    first_line: dict[str, int] = field(default_factory=dict)
    newest: dict[str, float] = field(default_factory=dict)
    is_unsorted: set[str] = field(default_factory=set)
    problems: list[FileProblem] = field(default_factory=list)

    def add(self, entry: _Entry) -> None:
        hours = self.zones.setdefault(entry.zone, {})
        try:
            start = _start_of(entry.time)
            intensity = _intensity_of(entry.intensity)
            is_estimated = _truth_of(entry.is_estimated)
        except ValueError as error:
            self.problems.append(FileProblem(entry.line, entry.zone, str(error)))
            return
        if start in hours:
            message = f"{entry.time} is there twice for {entry.zone}; the first value counts"
            self.problems.append(FileProblem(entry.line, entry.zone, message))
            return
        if start < self.newest.get(entry.zone, start) and entry.zone not in self.is_unsorted:
            self.is_unsorted.add(entry.zone)
            self.problems.append(
                FileProblem(
                    entry.line, entry.zone, f"{entry.time} comes after a later hour of {entry.zone}; it is used"
                )
            )
        self.newest[entry.zone] = max(start, self.newest.get(entry.zone, start))
        self.first_line.setdefault(entry.zone, entry.line)
        hours[start] = HourlyIntensity(intensity, is_estimated, self.source, vintage=_day_of(start))

    def content(self) -> FileContent:
        for zone, hours in self.zones.items():
            if hours and median(hour.gco2eq_per_kwh for hour in hours.values()) < LEAST_MEDIAN_GCO2EQ_PER_KWH:
                message = f"the values of {zone} seem to be in kg per kWh or t per MWh; expected are gCO2eq per kWh"
                self.problems.append(FileProblem(self.first_line[zone], zone, message))
                hours.clear()
        return FileContent(self.zones, tuple(sorted(self.problems, key=lambda problem: problem.line)))


def read_content(path: Path, source: str) -> FileContent:
    """Read a file; ``.json`` is JSON, any other name CSV.

    Args:
        path: The file.
        source: What its hours name as their source.

    Raises:
        SignalSourceError: The file is not there, cannot be read, or is of another form as a whole.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SignalSourceError(f"there is no file {path}.", reason="unavailable") from None
    except OSError as error:
        raise SignalSourceError(f"{path} cannot be read ({error.strerror}).", reason="unavailable") from error
    except UnicodeDecodeError as error:
        raise SignalSourceError(f"{path} is not in UTF-8 ({error.reason}).", reason="unreadable") from error
    collected = _Collected(source)
    entries = _json_entries(text, path) if path.suffix.lower() == ".json" else _csv_entries(text, path)
    for entry in entries:
        if isinstance(entry, FileProblem):
            collected.problems.append(entry)
        else:
            collected.add(entry)
    return collected.content()


def _csv_entries(text: str, path: Path) -> Iterator[_Entry | FileProblem]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        repeated = sorted({name for name in header if header.count(name) > 1})
        if repeated:
            raise _unreadable(path, 1, f"the column {', '.join(repeated)} is there twice")
        if set(NEEDED) <= set(header) <= {*NEEDED, ESTIMATED}:
            is_wide = False
        elif header[:1] == [TIME] and len(header) > 1 and not {ZONE, ESTIMATED} & set(header) and all(header):
            is_wide = True
        else:
            raise _unreadable(path, 1, f"the columns are '{','.join(header)}'; expected are {FORMS}")
        for cells in reader:
            row = [cell.strip() for cell in cells]
            if not any(row):
                continue
            if len(row) != len(header):
                zone = dict(zip(header, row, strict=False)).get(ZONE) or None
                yield FileProblem(reader.line_num, zone, f"has {len(row)} fields, expected {len(header)}")
                continue
            fields = dict(zip(header, row, strict=True))
            if is_wide:
                # An empty cell is an hour that the file does not know.
                cells_of_zones = [(zone, cell) for zone, cell in fields.items() if zone != TIME and cell]
                yield from (_Entry(reader.line_num, zone, fields[TIME], cell, False) for zone, cell in cells_of_zones)
            elif fields[ZONE]:
                estimated = fields.get(ESTIMATED, "")
                yield _Entry(reader.line_num, fields[ZONE], fields[TIME], fields[INTENSITY], estimated)
            else:
                yield FileProblem(reader.line_num, None, f"{ZONE} is empty")
    except csv.Error as error:
        raise _unreadable(path, reader.line_num, f"is not CSV ({error})") from error


def _json_entries(text: str, path: Path) -> Iterator[_Entry | FileProblem]:
    try:
        places = list(_json_objects(text))
    except json.JSONDecodeError as error:
        raise _unreadable(path, error.lineno, f"is not a JSON list of objects ({error.msg})") from error
    except ValueError as error:
        raise _unreadable(path, 1, f"has a number that cannot be read ({error})") from error
    except RecursionError:
        raise _unreadable(path, 1, "is nested too deeply; expected is a list of plain objects") from None
    for line, found in places:
        yield _json_entry(line, found)


def _json_objects(text: str) -> Iterator[tuple[int, object]]:
    """The entries of a list with the line at which each begins: the decoder by itself does not tell lines."""
    decoder = json.JSONDecoder()
    place = _skip_blanks(text, 0)
    if text[place : place + 1] != "[":
        raise json.JSONDecodeError("expected '['", text, place)
    place = _skip_blanks(text, place + 1)
    line, counted = 1, 0
    while text[place : place + 1] != "]":
        line, counted = line + text.count("\n", counted, place), place
        found, place = decoder.raw_decode(text, place)
        yield line, found
        place = _skip_blanks(text, place)
        if text[place : place + 1] == ",":
            place = _skip_blanks(text, place + 1)
        elif text[place : place + 1] != "]":
            raise json.JSONDecodeError("expected ',' or ']'", text, place)
    place = _skip_blanks(text, place + 1)
    if place < len(text):
        raise json.JSONDecodeError("expected the end of the file", text, place)


def _skip_blanks(text: str, place: int) -> int:
    while text[place : place + 1] in {" ", "\t", "\r", "\n"}:
        place += 1
    return place


def _json_entry(line: int, found: object) -> _Entry | FileProblem:
    if not isinstance(found, dict):
        return FileProblem(line, None, f"is {found!r}, expected an object")
    zone, time, estimated = found.get(ZONE), found.get(TIME), found.get(ESTIMATED, False)
    if not isinstance(zone, str) or not zone:
        return FileProblem(line, None, f"{ZONE} is {zone!r}, expected the name of a zone or region")
    unknown = sorted(set(found) - {*NEEDED, ESTIMATED})
    if unknown:
        return FileProblem(
            line, zone, f"{', '.join(unknown)} is no known field; there are {', '.join(NEEDED)}, {ESTIMATED}"
        )
    if not isinstance(time, str):
        return FileProblem(line, zone, f"{TIME} is {time!r}, expected a text as '2026-11-26T10:00Z'")
    if not _is_number(found.get(INTENSITY)):
        return FileProblem(line, zone, f"{INTENSITY} is {found.get(INTENSITY)!r}, expected a number")
    if not isinstance(estimated, bool):
        return FileProblem(line, zone, f"{ESTIMATED} is {estimated!r}, expected true or false")
    return _Entry(line, zone, time, found[INTENSITY], estimated)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _start_of(time: str) -> float:
    # Before Python 3.11 `fromisoformat` does not know the Z.
    text = f"{time[:-1]}+00:00" if time[-1:] in {"Z", "z"} else time
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{TIME} is '{time}', expected a time as '2026-11-26T10:00Z'") from None
    if moment.tzinfo is None:
        raise ValueError(f"{TIME} is '{time}' without a time zone; write '{time}Z' if it is UTC")
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise ValueError(f"{TIME} is '{time}', expected a year from {EARLIEST_YEAR} to {LATEST_YEAR}")
    start = moment.timestamp()
    if start % SECONDS_PER_HOUR:
        raise ValueError(f"{TIME} is '{time}', which is not the start of an hour in UTC")
    return start


def _day_of(start: float) -> str:
    return datetime.fromtimestamp(start, tz=timezone.utc).strftime("%Y-%m-%d")


def _intensity_of(written: str | float) -> float:
    try:
        intensity = float(written)
    except ValueError:
        raise ValueError(f"{INTENSITY} is '{written}', expected a number") from None
    except OverflowError:
        intensity = float("inf")
    if not is_possible_intensity(intensity):
        raise ValueError(f"{INTENSITY} is {written}, expected more than 0 and at most {MAXIMUM_GCO2EQ_PER_KWH:g}")
    return intensity


def _truth_of(written: str | bool) -> bool:
    if isinstance(written, bool):
        return written
    try:
        return TRUTHS[written.lower()]
    except KeyError:
        raise ValueError(f"{ESTIMATED} is '{written}', expected true or false") from None


def _unreadable(path: Path, line: int, message: str) -> SignalSourceError:
    return SignalSourceError(f"{path}:{line}: {message}.", reason="unreadable")
