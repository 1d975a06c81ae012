"""Carbon intensities of today's grids from Electricity Maps, for whoever has a token.

    past:      past-range (where the plan has it)  ->  history (the last 24 hours)  ->  latest
               each only for hours that those before it did not give
    forecast:  forecast (where the plan has it)

Zones are asked one by one, so that one that is refused or broken takes no other with it. Only a token that the service
does not know at all, or whose quota is used up, ends the asking. See the reference at
https://app.electricitymaps.com/developer-hub.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from multi_x_serverless.collection.electricity_maps_answer import ZoneHours, read_hours
from multi_x_serverless.collection.http import RefusedError
from multi_x_serverless.errors import SignalSourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from multi_x_serverless.collection.carbon_source import HourlyIntensity
    from multi_x_serverless.collection.http import HttpClient
    from multi_x_serverless.model.regions import Region

TOKEN_VARIABLE = "ELECTRICITY_MAPS_AUTH_TOKEN"  # noqa: S105  # the name of a variable, not a token
BASE_URL_VARIABLE = "ELECTRICITY_MAPS_BASE_URL"
BASE_URL = "https://api.electricitymaps.com/v4"
"""Version 3 answers in the same way as far as we ask."""

NAME = "Electricity Maps"
ATTRIBUTION = "Carbon intensities from Electricity Maps (https://www.electricitymaps.com), life-cycle, flow-traced."

RANGE_HOURS = 240
"""As long a stretch as past-range answers for in one go, hour by hour."""

HORIZONS_HOURS = (6, 24, 48, 72)
"""What a forecast can be asked for."""

QUOTA_REFUSALS = 2
"""So many requests that the token's quota did not allow, waiting included, end the asking: a quota is one of the token
and not of a zone, and each further one would wait as long."""

_HOUR_S = 3600
_USED_UP = (
    f"Electricity Maps said {QUOTA_REFUSALS} times that the quota of the token in {TOKEN_VARIABLE} is used up (status "
    "429), and is not asked any more."
)
_UNKNOWN_TOKEN = "invalid auth-token"  # noqa: S105  # what the service says of a token that it does not know


class ElectricityMapsSource:
    """A `CarbonSource` that asks Electricity Maps.

    It lives as long as one collection: what it was told, or refused, or what failed is not asked for again.

    Args:
        token: Of the user's account.
        client: Asks.
        base_url: With the version of the API.
    """

    name = NAME

    def __init__(self, token: str, client: HttpClient, base_url: str = BASE_URL) -> None:
        self._token = token
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._answers: dict[tuple[str, str, str], ZoneHours] = {}
        self._failures: dict[tuple[str, str, str], SignalSourceError] = {}
        self._refused: dict[str, dict[str, RefusedError]] = {}
        self._unknown_token: str | None = None
        self._quota_refusals = 0
        self._told: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """After it was asked: whose values these are, if there are any, and what it did not give."""
        credit = (ATTRIBUTION,) if any(answer.hours for answer in self._answers.values()) else ()
        refused = (
            f"The plan of the Electricity Maps token has no {endpoint} for {', '.join(sorted(zones))}."
            for endpoint, zones in self._refused.items()
        )
        cache = self._client.cache
        failure = () if cache is None or cache.failure is None else (f"{NAME}: {cache.failure}.",)
        return (*credit, *refused, *self._told, *failure)

    def past(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        """Return what it knows of past hours; see `CarbonSource.past`.

        Raises:
            SignalSourceError: Nothing is known of them, since the zone is refused or asking failed.
        """
        zone = region.grid_zone
        wanted = [first_hour + offset * _HOUR_S for offset in range(hours)]
        known: dict[float, HourlyIntensity] = {}
        try:
            # Past-range has the last word on an hour, then history.
            self._add_past_range(known, zone, wanted)
            if any(start not in known for start in wanted):
                known = {**self._required("history", zone), **known}
            if wanted[-1] not in known:
                known = {**self._required("latest", zone), **known}
        except SignalSourceError as error:
            if not any(start in known for start in wanted):
                raise
            self._tell(f"{zone}: {error}")
        return {start: known[start] for start in wanted if start in known}

    def forecast(self, region: Region, first_hour: float, hours: int) -> Mapping[float, HourlyIntensity]:
        """Return what it expects of coming hours; empty where the plan has no forecasts. See `CarbonSource.forecast`.

        Raises:
            SignalSourceError: The plan may have them, but asking failed.
        """
        horizon = next((horizon for horizon in HORIZONS_HOURS if horizon >= hours), HORIZONS_HOURS[-1])
        expected = self._ask("forecast", region.grid_zone, {"horizonHours": str(horizon)})
        if expected is None:
            return {}
        wanted = (first_hour + offset * _HOUR_S for offset in range(hours))
        return {start: expected[start] for start in wanted if start in expected}

    def _add_past_range(self, known: dict[float, HourlyIntensity], zone: str, wanted: list[float]) -> None:
        """Hours of any age: none where the plan does not have them, nor of stretches of which nothing is known."""
        # The newest first: if one fails, they are worth more.
        for last in range(len(wanted), 0, -RANGE_HOURS):
            first = max(0, last - RANGE_HOURS)
            stretch = {"start": _in_iso(wanted[first]), "end": _in_iso(wanted[last - 1] + _HOUR_S)}
            try:
                given = self._ask("past-range", zone, stretch)
            except SignalSourceError as error:
                if error.reason != "unknown":
                    raise
                continue
            if given is None:
                return
            known.update(given)

    def _required(self, endpoint: str, zone: str) -> Mapping[float, HourlyIntensity]:
        given = self._ask(endpoint, zone, {})
        if given is None:
            raise SignalSourceError(str(self._refused[endpoint][zone]), reason="unauthorized")
        return given

    def _ask(self, endpoint: str, zone: str, parameters: Mapping[str, str]) -> Mapping[float, HourlyIntensity] | None:
        """Hours of a zone; None if the token may not ask for them, which is asked only once."""
        if self._unknown_token is not None:
            raise SignalSourceError(self._unknown_token, reason="unauthorized")
        if zone in self._refused.get(endpoint, {}):
            return None
        key = (endpoint, zone, repr(sorted(parameters.items())))
        if key in self._failures:
            raise SignalSourceError(str(self._failures[key]), reason=self._failures[key].reason)
        if key not in self._answers:
            if self._quota_refusals >= QUOTA_REFUSALS:
                raise SignalSourceError(_USED_UP, reason="quota")
            try:
                self._answers[key] = self._fetch(endpoint, zone, parameters)
            except SignalSourceError as error:
                if not isinstance(error, RefusedError) or error.reason != "unauthorized":
                    self._failures[key] = error
                    self._count_quota(error)
                    raise
                if _UNKNOWN_TOKEN in error.said.lower():
                    self._unknown_token = f"Electricity Maps does not know the token in {TOKEN_VARIABLE}."
                    raise SignalSourceError(self._unknown_token, reason="unauthorized") from None
                self._refused.setdefault(endpoint, {})[zone] = error
                return None
            self._tell_of(self._answers[key], zone)
        return self._answers[key].hours

    def _count_quota(self, error: SignalSourceError) -> None:
        if error.reason != "quota":
            return
        self._quota_refusals += 1
        if self._quota_refusals == QUOTA_REFUSALS:
            self._tell(_USED_UP)

    def _fetch(self, endpoint: str, zone: str, parameters: Mapping[str, str]) -> ZoneHours:
        answer = self._client.get_json(
            f"{self._base_url}/carbon-intensity/{endpoint}",
            headers={"auth-token": self._token},
            parameters={
                "zone": zone,
                **parameters,
                "emissionFactorType": "lifecycle",
                "temporalGranularity": "hourly",
                # Else an unknown zone is taken for that of our address.
                "disableCallerLookup": "true",
            },
        )
        is_forecast = endpoint == "forecast"
        return read_hours(answer, zone, source=f"{NAME} forecast" if is_forecast else NAME, are_expected=is_forecast)

    def _tell_of(self, given: ZoneHours, zone: str) -> None:
        if given.left_out:
            start, value = next(iter(given.left_out.items()))
            self._tell(
                f"Electricity Maps gave {len(given.left_out)} absurd value(s) for {zone}, which were left out, for "
                f"example {value:g} gCO2eq/kWh at {_in_iso(start)}."
            )
        if given.disclaimer:
            self._tell(f"Electricity Maps says: {given.disclaimer}")

    def _tell(self, note: str) -> None:
        self._told[note] = None


def electricity_maps_source(
    environment: Mapping[str, str], client: Callable[[], HttpClient]
) -> ElectricityMapsSource | None:
    """Return the source for the token in `environment`, if there is one.

    Args:
        environment: Variables: `TOKEN_VARIABLE`, `BASE_URL_VARIABLE`.
        client: Makes the client when there is something to ask.
    """
    token = environment.get(TOKEN_VARIABLE, "").strip()
    if not token:
        return None
    return ElectricityMapsSource(token, client(), environment.get(BASE_URL_VARIABLE, "").strip() or BASE_URL)


def _in_iso(start: float) -> str:
    return datetime.fromtimestamp(start, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
