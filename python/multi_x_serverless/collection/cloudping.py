"""Round trips between regions from an HTTP service in the manner of CloudPing (https://www.cloudping.co).

It answers ``<base>/latencies?percentile=p_50&timeframe=1W`` with milliseconds from region to region, all pairs at once.
Nobody is asked unless `BASE_URL_VARIABLE` is set: the program works without a network, what it knows of round trips
serves most users, and a service that others pay for is asked only by who decided to. For the public one the variable is
``https://www.cloudping.co/api``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multi_x_serverless import data
from multi_x_serverless.collection.http import reading
from multi_x_serverless.collection.http_transport import one_line
from multi_x_serverless.collection.possible_round_trips import why_impossible
from multi_x_serverless.errors import SignalSourceError
from multi_x_serverless.model.documents import Fields
from multi_x_serverless.model.performance_signal import RoundTrip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from multi_x_serverless.collection.http import HttpClient, Json

BASE_URL_VARIABLE = "CLOUDPING_BASE_URL"

NAME = "CloudPing"
PERCENTILE = "p_50"
"""The median: a mean would be one of rare outliers, and tails come from own runs."""

TIMEFRAME = "1W"
"""Long enough for days and nights, short enough to follow changed routes."""

VINTAGE = "median of the last week"

_UNITS = {"milliseconds": 1e-3, "ms": 1e-3, "seconds": 1.0, "s": 1.0}


@dataclass(frozen=True)
class RoundTripTable:
    """Round trips as a service gave them.

    Attributes:
        name: Who gave them, for people.
        vintage: The time they describe.
        seconds: Region and region to which -> round trip in seconds.
        refused: Region and region to which -> why its value was refused.
    """

    name: str
    vintage: str
    seconds: Mapping[tuple[str, str], float]
    refused: Mapping[tuple[str, str], str]

    def round_trip(self, region: str, to_region: str) -> RoundTrip | None:
        """Return a measured round trip; None if the service does not have it.

        Raises:
            SignalSourceError: The service has a value for it that cannot be true.
        """
        pair = (region, to_region)
        if pair in self.refused:
            raise SignalSourceError(self.refused[pair], reason="absurd")
        return RoundTrip(to_region, self.seconds[pair], is_measured=True) if pair in self.seconds else None


class CloudPingSource:
    """Asks the service once, when the first round trip is wanted; a failure stays one for as long as this lives.

    Args:
        client: Asks.
        base_url: Of the API.
    """

    name = NAME
    vintage = VINTAGE

    def __init__(self, client: HttpClient, base_url: str) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._found: RoundTripTable | SignalSourceError | None = None

    def round_trip(self, region: str, to_region: str) -> RoundTrip | None:
        """Return a measured round trip; None if the service does not have it.

        Raises:
            SignalSourceError: It cannot be asked, its answer cannot be used, or this value cannot be true.
        """
        return self.table().round_trip(region, to_region)

    def table(self) -> RoundTripTable:
        """Return all that it knows of the regions that the embedded data knows.

        Raises:
            SignalSourceError: It cannot be asked, or its answer cannot be used.
        """
        if self._found is None:
            try:
                self._found = fetch_round_trips(self._client, self._base_url, data.regions())
            except SignalSourceError as error:
                self._found = error
        if isinstance(self._found, SignalSourceError):
            raise SignalSourceError(str(self._found), reason=self._found.reason)
        return self._found


def cloudping_source(environment: Mapping[str, str], client: Callable[[], HttpClient]) -> CloudPingSource | None:
    """Return the source that `environment` names in `BASE_URL_VARIABLE`; None if it names none.

    Args:
        environment: Variables.
        client: Makes the client when there is something to ask.
    """
    base_url = environment.get(BASE_URL_VARIABLE, "").strip()
    return CloudPingSource(client(), base_url) if base_url else None


def fetch_round_trips(client: HttpClient, base_url: str, regions: Iterable[str]) -> RoundTripTable:
    """Ask for the round trips among some regions, all in one request.

    Args:
        client: Asks.
        base_url: Of the API.
        regions: Codes of regions that the embedded data knows; others that the service has are not looked at.

    Raises:
        SignalSourceError: It cannot be asked, or its answer cannot be used.
    """
    answer = client.get_json(f"{base_url}/latencies", parameters={"percentile": PERCENTILE, "timeframe": TIMEFRAME})
    with reading("round trips"):
        return _read(answer, tuple(dict.fromkeys(regions)))


def _read(answer: Json, regions: tuple[str, ...]) -> RoundTripTable:
    if not isinstance(answer, dict):
        raise SignalSourceError("the answer about round trips is no JSON object.", reason="unreadable")
    document = Fields("cloudping", "", answer)
    seconds_per_unit = _seconds_per_unit(document)
    seconds: dict[tuple[str, str], float] = {}
    refused: dict[tuple[str, str], str] = {}
    rows = document.section("data")
    for region in regions:
        if region not in rows.values:
            continue
        row = rows.section(region)
        for to_region in regions:
            value = row.optional_number(to_region)
            if value is None:
                continue
            measured_s = value * seconds_per_unit
            why = why_impossible(region, to_region, measured_s)
            if why is None:
                seconds[region, to_region] = measured_s
            else:
                shown = f"a round trip of {measured_s * 1e3:g} ms from {region} to {to_region}"
                refused[region, to_region] = f"{shown} is not possible: {why}"
    if not seconds:
        first = next(iter(refused.values()), "none of the regions is in it")
        raise SignalSourceError(
            f"the answer about round trips has none that can be used: {first}",
            reason="absurd" if refused else "unknown",
        )
    return RoundTripTable(NAME, VINTAGE, seconds, refused)


def _seconds_per_unit(document: Fields) -> float:
    """The unit of an answer; milliseconds if it does not say, as CloudPing has always answered."""
    described = document.optional_section("metadata")
    if described is None:
        return _UNITS["milliseconds"]
    for name, expected in (("percentile", PERCENTILE), ("timeframe", TIMEFRAME)):
        if name in described.values and described.text(name) != expected:
            raise SignalSourceError(
                f"the answer about round trips has {name} '{one_line(described.text(name))}', expected '{expected}'.",
                reason="unreadable",
            )
    unit = described.text("unit") if "unit" in described.values else "milliseconds"
    if unit.strip().lower() not in _UNITS:
        raise SignalSourceError(
            f"the answer about round trips is in '{one_line(unit)}', expected milliseconds.", reason="unreadable"
        )
    return _UNITS[unit.strip().lower()]
