"""What the provider says of regions, over the embedded list: names and countries. Places and grids stay embedded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from multi_x_serverless import data
from multi_x_serverless.collection.collector import Made
from multi_x_serverless.errors import SignalSourceError, UnsupportedError
from multi_x_serverless.model.regions import RegionSignal

if TYPE_CHECKING:
    from multi_x_serverless.cloud.ports import RegionDescription, RegionDirectory
    from multi_x_serverless.collection.geocoding import Geocoder

DESCRIBED = "AWS; place and grid zone embedded"
"""Source of a region whose name and country the provider gave."""


@dataclass(frozen=True)
class DescribedRegions:
    """What a directory said.

    Attributes:
        descriptions: By region.
        failures: Why there is none, by region.
        unknown: Regions that the provider has and the embedded data has not, as people call them.
        notes: Why nothing more could be asked.
    """

    descriptions: Mapping[str, RegionDescription] = field(default_factory=dict)
    failures: Mapping[str, SignalSourceError] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def ask_directory(
    directory: RegionDirectory, regions: Sequence[str], geocoder: Geocoder | None = None
) -> DescribedRegions:
    """Ask for some regions that the embedded data knows, and for those that it does not know.

    After the first refusal nothing more is asked; a region that fails alone is a failure of its own. The geocoder, if
    there is one, is asked where the unknown ones are.
    """
    notes: list[str] = []
    strangers: Sequence[str] = ()
    try:
        strangers = [code for code in directory.codes() if code not in data.regions()]
    except UnsupportedError:
        return DescribedRegions()
    except SignalSourceError as error:
        notes.append(f"whether AWS has new regions is not known: {error}")
    descriptions: dict[str, RegionDescription] = {}
    failures: dict[str, SignalSourceError] = {}
    for code in (*regions, *strangers):
        try:
            descriptions[code] = directory.describe(code)
        except SignalSourceError as error:
            if error.reason == "unauthorized":
                notes.append(f"{error} The names of regions are the embedded ones, or those that AWS gave last.")
                break
            failures[code] = error
    unknown = tuple(_introduced(code, descriptions.get(code), geocoder) for code in sorted(strangers))
    return DescribedRegions(descriptions, failures, unknown, tuple(notes))


def _introduced(code: str, description: RegionDescription | None, geocoder: Geocoder | None) -> str:
    """A region that the embedded data does not know, as far as others do."""
    if description is None:
        return code
    if geocoder is None:
        return f"{code} ({description.name})"
    try:
        place = geocoder.geocode(description.name)
    except SignalSourceError as error:
        return f"{code} ({description.name}; its place was not found: {str(error).rstrip('.')})"
    distances = {
        known.code: data.great_circle_km(place.latitude, place.longitude, known.latitude, known.longitude)
        for known in data.regions().values()
    }
    nearest = min(distances, key=lambda known: distances[known])
    return (
        f"{code} ({description.name}; {place.latitude:.1f}, {place.longitude:.1f} by Google, "
        f"{distances[nearest]:.0f} km from {nearest})"
    )


def make_region_signal(
    region: str, said: DescribedRegions, previous: RegionSignal | None, now: float
) -> Made[RegionSignal]:
    """The new signal of a region.

    Raises:
        UnknownRegionError: The embedded data does not know the region.
    """
    embedded = data.find_region(region)
    description = said.descriptions.get(region)
    if description is not None:
        details = replace(embedded, name=description.name, country=description.country or embedded.country)
        today = datetime.fromtimestamp(now, timezone.utc).date().isoformat()
        return Made(RegionSignal(details, DESCRIBED, today, now), ())
    failure = said.failures.get(region)
    warnings = () if failure is None else (str(failure),)
    if previous is not None and previous.source == DESCRIBED:
        kept = replace(embedded, name=previous.details.name, country=previous.details.country)
        return Made(replace(previous, details=kept), warnings)
    table = data.source_of("regions.csv")
    return Made(RegionSignal(embedded, f"embedded ({table.source})", table.vintage, now), warnings)


def is_described(signal: RegionSignal) -> bool:
    """Whether the provider gave a region's name."""
    return signal.source == DESCRIBED


def rename_note(region: str, name: str, previous: RegionSignal | None) -> str | None:
    """A sentence if a region has another name than it had."""
    known = data.find_region(region).name if previous is None else previous.details.name
    return None if name == known else f"AWS calls {region} '{name}' now; it was '{known}'."


def unknown_note(said: DescribedRegions) -> str | None:
    """A sentence if the provider has regions that the embedded data does not know."""
    if not said.unknown:
        return None
    return (
        f"AWS has regions that this version does not know: {', '.join(said.unknown)}. No plan uses them, because their "
        "place and power grid are not embedded."
    )
