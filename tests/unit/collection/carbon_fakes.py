"""Sources of carbon intensities for tests, and hours to fill them with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from multi_x_serverless import data
from multi_x_serverless.collection.carbon_source import HourlyIntensity
from multi_x_serverless.errors import MultiXServerlessError
from multi_x_serverless.model.carbon_past import PastHour
from multi_x_serverless.model.regions import Region

HOUR = 3600.0
DAY = 24 * HOUR
NOW = datetime(2026, 10, 15, 13, 45, tzinfo=timezone.utc).timestamp()
CURRENT = NOW // HOUR * HOUR
REGION = data.find_region("us-east-1")


def intensity(value: float, *, is_estimated: bool = False, source: str = "live", vintage: str = "") -> HourlyIntensity:
    return HourlyIntensity(value, is_estimated, source, vintage or "2026-10-15")


def past_hour(value: float, *, is_estimated: bool = False, at: float = NOW, is_of_file: bool = False) -> PastHour:
    return PastHour(value, is_estimated, "file" if is_of_file else "live", "2026-10-15", is_of_file, at)


def hours_before(
    end: float, count: int, value: Callable[[float], float] = lambda start: 100.0 + (start // HOUR) % 24
) -> dict[float, HourlyIntensity]:
    """The `count` hours up to `end`; the value of each depends on when it starts."""
    return {start: intensity(value(start)) for start in (end - (count - place) * HOUR for place in range(count))}


@dataclass
class FakeSource:
    """Knows what it is given, by region; an error is raised. Remembers what it was asked."""

    known: Mapping[str, Mapping[float, HourlyIntensity] | MultiXServerlessError] = field(default_factory=dict)
    coming: Mapping[str, Mapping[float, HourlyIntensity] | MultiXServerlessError] = field(default_factory=dict)
    name: str = "live"
    notes: tuple[str, ...] = ("a note of the source",)
    asked: list[tuple[str, float, int]] = field(default_factory=list)

    def past(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        self.asked.append((region.code, first_hour, hours))
        return _given(self.known.get(region.code, {}))

    def forecast(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        return _given(self.coming.get(region.code, {}))


def _given(found: Mapping[float, HourlyIntensity] | MultiXServerlessError) -> Mapping[float, HourlyIntensity]:
    if isinstance(found, MultiXServerlessError):
        raise found
    return found
