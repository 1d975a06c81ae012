"""Where hours of carbon intensity come from, in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from multi_x_serverless.collection.carbon_source import HourlyIntensity
    from multi_x_serverless.model.carbon_signal import HourOrigin


def sources_of(hours: Iterable[HourlyIntensity | HourOrigin]) -> str:
    """The sources of hours, that of most hours first."""
    return " and ".join(_by_source(hours))


def vintages_of(hours: Iterable[HourlyIntensity | HourOrigin]) -> str:
    """The time that hours describe: one vintage, or the first and the last."""
    return _range({hour.vintage for hour in hours})


def origin_of(hours: Sequence[HourlyIntensity]) -> str:
    """Sources and vintages of hours; where there are several sources, each with the number of its hours."""
    by_source = _by_source(hours)
    if len(by_source) == 1:
        (source,) = by_source
        return f"{source}, {vintages_of(hours)}"
    return " and ".join(
        f"{source}, {_range({hour.vintage for hour in hours if hour.source == source})} ({count} h)"
        for source, count in by_source.items()
    )


def are_mostly_estimated(hours: Sequence[HourlyIntensity | HourOrigin]) -> bool:
    """Whether more than half of the hours were not measured."""
    return 2 * sum(hour.is_estimated for hour in hours) > len(hours)


def _by_source(hours: Iterable[HourlyIntensity | HourOrigin]) -> Mapping[str, int]:
    counts = Counter(hour.source for hour in hours)
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


TO = " to "


def _range(vintages: Iterable[str]) -> str:
    """From the first to the last; a vintage may itself be a range."""
    ends = [end for vintage in vintages for end in vintage.split(TO)]
    first, last = min(ends), max(ends)
    return first if first == last else f"{first}{TO}{last}"
