"""A CSV or JSON file of the user's as a source of carbon intensities.

    one row per hour      zone_or_region,datetime_utc,gco2eq_per_kwh,estimated     (the last column may be left out)
    a column per zone     datetime_utc,DE,FR,us-east-1,...
    JSON                  [{"zone_or_region": "DE", "datetime_utc": "2026-11-26T10:00Z", "gco2eq_per_kwh": 312.5}, ...]

A zone is one of a power grid (as Electricity Maps names it) or the code of a region, which goes before its zone. Hours
that have passed are its past, later ones its forecast. A line that is of no use is told with its number and loses
nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from multi_x_serverless import data
from multi_x_serverless.collection.carbon_file_format import FileContent, read_content
from multi_x_serverless.errors import SignalSourceError
from multi_x_serverless.model.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from multi_x_serverless.collection.carbon_source import HourlyIntensity
    from multi_x_serverless.model.regions import Region

FILE_VARIABLE = "MULTI_X_SERVERLESS_CARBON_FILE"

SHOWN_PROBLEMS = 5
"""More problems than these are counted: a file in a wrong unit has one in every line."""


@dataclass(frozen=True)
class CarbonFileSource:
    """The intensities in a file; it is read when they are first asked for, and once."""

    path: Path

    @property
    def name(self) -> str:
        """What it is, for people."""
        return f"file {self.path.name}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads figures made of these intensities has to be told: lines that no region misses."""
        if isinstance(self._read, SignalSourceError):
            return ()
        of_no_zone = self._problems_of(None)
        known = {region.grid_zone for region in data.regions().values()} | set(data.regions())
        unused = sorted(set(self._read.zones) - known - data.zones_with_hourly_trace())
        if unused:
            of_no_zone = (*of_no_zone, f"{self.path}: no region is in {', '.join(unused)}: these values are not used")
        return of_no_zone

    def past(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        """Return what the file says of the hours; see `CarbonSource.past`."""
        if isinstance(self._read, SignalSourceError):
            # A new one each time: one that is raised again and again collects the traces of all regions.
            raise SignalSourceError(str(self._read), reason=self._read.reason)
        found = {}
        for offset in range(hours):
            start = first_hour + offset * SECONDS_PER_HOUR
            for zone in (region.code, region.grid_zone):
                hour = self._read.zones.get(zone, {}).get(start)
                if hour is not None:
                    found[start] = hour
                    break
        return found

    def forecast(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        """Return what the file says of the hours; see `CarbonSource.forecast`."""
        return self.past(region, first_hour, hours)

    def problems(self, region: Region) -> tuple[str, ...]:
        """Lines of the file about a region that are of no use, with number and reason; none if it was not read."""
        return (*self._problems_of(region.code), *self._problems_of(region.grid_zone))

    def known_until(self, region: Region) -> float | None:
        """End of the newest hour of a region, seconds since the epoch; None if the file has none or was not read."""
        if isinstance(self._read, SignalSourceError):
            return None
        starts = [start for zone in (region.code, region.grid_zone) for start in self._read.zones.get(zone, ())]
        return max(starts) + SECONDS_PER_HOUR if starts else None

    def _problems_of(self, zone: str | None) -> tuple[str, ...]:
        if isinstance(self._read, SignalSourceError):
            return ()
        found = [problem for problem in self._read.problems if problem.zone == zone]
        lines: dict[str, list[int]] = {}
        for problem in found:
            lines.setdefault(problem.message, []).append(problem.line)
        shown = dict(list(lines.items())[:SHOWN_PROBLEMS])
        texts = tuple(f"{self.path}:{first}: {text}{_also(others)}" for text, (first, *others) in shown.items())
        rest = len(found) - sum(map(len, shown.values()))
        of_zone = f" of {zone}" if zone else ""
        return (*texts, f"{self.path}: {rest} more lines{of_zone} are of no use") if rest else texts

    @cached_property
    def _read(self) -> FileContent | SignalSourceError:
        try:
            return read_content(self.path, self.name)
        except SignalSourceError as error:
            return error  # Kept, so that a large file that cannot be read is not read for every region.


def _also(others: Sequence[int]) -> str:
    """That other lines have the same problem."""
    if not others:
        return ""
    return f" (so has line {others[0]})" if len(others) == 1 else f" (so have {len(others)} more lines)"
