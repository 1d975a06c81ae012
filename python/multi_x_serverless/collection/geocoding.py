"""Where a region is, asked of Google's Geocoding API, for regions that the embedded data does not place.

It needs the user's own key in `KEY_VARIABLE`; without it nobody is asked. What is sent is the name of the region.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multi_x_serverless.collection.http import reading
from multi_x_serverless.collection.http_transport import one_line
from multi_x_serverless.errors import SignalSourceError
from multi_x_serverless.model.documents import Fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from multi_x_serverless.collection.http import HttpClient, Json

KEY_VARIABLE = "GOOGLE_API_KEY"
BASE_URL_VARIABLE = "GOOGLE_MAPS_BASE_URL"
BASE_URL = "https://maps.googleapis.com/maps/api"

_REASONS = {
    "ZERO_RESULTS": "unknown",
    "REQUEST_DENIED": "unauthorized",
    "OVER_DAILY_LIMIT": "unauthorized",  # no or a wrong key, or no billing, as often as a limit
    "OVER_QUERY_LIMIT": "quota",
    "UNKNOWN_ERROR": "unavailable",
    "INVALID_REQUEST": "unreadable",
}
_LONG_NAME = re.compile(r"(?P<area>[^()]+?)\s*\((?P<place>[^()]+)\)")


@dataclass(frozen=True)
class Place:
    """A place on the globe.

    Attributes:
        latitude: Degrees north.
        longitude: Degrees east.
        address: What the service calls it, so that a person can see whether it is the right one.
    """

    latitude: float
    longitude: float
    address: str


@dataclass(frozen=True, repr=False)
class Geocoder:
    """Finds places by the names of regions.

    Attributes:
        key: Of the user's account.
        client: Asks.
        base_url: Of the API.
    """

    key: str
    client: HttpClient
    base_url: str = BASE_URL

    def geocode(self, name: str) -> Place:
        """Return where a region is.

        Args:
            name: AWS's name of it for people, for example ``Europe (Stockholm)``.

        Raises:
            SignalSourceError: There is no such place, the key is refused, or asking failed.
        """
        answer = self.client.get_json(
            f"{self.base_url.rstrip('/')}/geocode/json",
            parameters={"address": address_of(name)},
            secret_parameters={"key": self.key},
        )
        with reading(f"the place of {name}"):
            return _read(answer, name)


def geocoder(environment: Mapping[str, str], client: Callable[[], HttpClient]) -> Geocoder | None:
    """Return the geocoder for the key in `environment`; None if there is none.

    Args:
        environment: Variables: `KEY_VARIABLE`, `BASE_URL_VARIABLE`.
        client: Makes the client when there is something to ask.
    """
    key = environment.get(KEY_VARIABLE, "").strip()
    if not key:
        return None
    return Geocoder(key, client(), environment.get(BASE_URL_VARIABLE, "").strip() or BASE_URL)


def address_of(name: str) -> str:
    """Return what to ask for: the place first, ``Stockholm, Europe`` for ``Europe (Stockholm)``."""
    found = _LONG_NAME.fullmatch(name.strip())
    return name.strip() if found is None else f"{found['place'].strip()}, {found['area'].strip()}"


def _read(answer: Json, name: str) -> Place:
    if not isinstance(answer, dict):
        raise SignalSourceError(f"the answer about the place of {name} is no JSON object.", reason="unreadable")
    document = Fields("geocoding", "", answer)
    status = document.text("status")
    if status != "OK":
        said = one_line(document.optional_text("error_message") or "")
        raise SignalSourceError(
            f"the Geocoding API does not say where {name} is: {one_line(status)}" + (f" ({said})." if said else "."),
            reason=_REASONS.get(status, "unreadable"),
        )
    results = document.sections("results")
    if not results:
        raise SignalSourceError(f"the Geocoding API knows no place for {name}.", reason="unknown")
    location = results[0].section("geometry").section("location")
    latitude, longitude = location.number("lat"), location.number("lng")
    # Zero and zero is what programs say that do not know; there is nothing but sea.
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180) or latitude == longitude == 0:
        raise SignalSourceError(
            f"the Geocoding API places {name} at {latitude:g}, {longitude:g}, where nothing can be.", reason="absurd"
        )
    return Place(latitude, longitude, one_line(results[0].optional_text("formatted_address") or ""))
