"""Collecting signals for the regions that matter, and reading them back for the solver."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multi_x_serverless.adaptation.statistics import read_statistics
from multi_x_serverless.adaptation.workflows import UnreadableWorkflow, each_deployed_workflow, require_tables
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.collection import cloudping, electricity_maps, geocoding
from multi_x_serverless.collection.carbon_past import KnownPast
from multi_x_serverless.collection.carbon_source import CarbonSource
from multi_x_serverless.collection.collector import Collector, CollectorReport, SignalOutcome
from multi_x_serverless.collection.performance import PerformanceCollector, performance_collector
from multi_x_serverless.collection.provider import provider_collector
from multi_x_serverless.collection.store import CARBON, CARBON_PAST, PERFORMANCE, PRICE, SignalStore
from multi_x_serverless.errors import MultiXServerlessError, NotEnoughDataError, UsageError
from multi_x_serverless.model.signals import known_at
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.solving.problem import Signals

if TYPE_CHECKING:
    from multi_x_serverless.collection.http import HttpClient

COLLECTORS = ("carbon", "provider", "performance")

KEEP_LEARNED_S = DAY_S
"""Learning from runs reads the statistics of all workflows. Whoever checks thousands, one by one, would read millions:
once a day is enough, as distances do not change."""

KEEP_PRICES_S = DAY_S
"""Whoever collects every hour asks for prices and names of regions once a day: AWS changes them a few times a year. As
it may collect for many workflows within the hour, it asks for intensities, which change with the hour, once an hour."""

LIVE_VARIABLES = (
    electricity_maps.TOKEN_VARIABLE,
    electricity_maps.BASE_URL_VARIABLE,
    cloudping.BASE_URL_VARIABLE,
    geocoding.KEY_VARIABLE,
    geocoding.BASE_URL_VARIABLE,
)
"""Environment variables by which live sources are chosen."""


def live_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Those variables that choose live sources and are set."""
    return {name: environment[name] for name in LIVE_VARIABLES if environment.get(name)}


def regions_in_use(cloud: Cloud) -> tuple[str, ...]:
    """Every region that a deployed workflow may use; all of the cloud's when nothing is deployed."""
    deployed = each_deployed_workflow(cloud)
    used = {region for record in deployed if not isinstance(record, UnreadableWorkflow) for region in record.regions}
    return tuple(sorted(used)) if used else cloud.regions


def collect_signals(
    cloud: Cloud,
    names: Sequence[str],
    regions: Sequence[str],
    *,
    kept_s: float = 0.0,
    learned_kept_s: float = 0.0,
) -> tuple[CollectorReport, ...]:
    """Run collectors by name for some regions.

    Round trips and speeds are learned from the statistics of all workflows as they were stored last
    (`adaptation.statistics`).

    Args:
        cloud: Where signals are kept, and whose provider is asked.
        names: Names of the collectors.
        regions: Codes of the regions.
        kept_s: What the provider said of its regions and prices within so many seconds is not asked for again, nor what
            a live source gave for the current hour of a grid within as many.
        learned_kept_s: What was learned of the speeds of all the regions and the distances between them within so many
            seconds is not learned again.

    Raises:
        NotEnoughDataError: `setup_tables` was not run.
    """
    require_tables(cloud)
    store = SignalStore(cloud.key_value, cloud.system_region)
    with _shared_client(os.environ) as client:
        reports = []
        for name in names:
            now = cloud.now()
            kept = _kept_performance(regions, store, now, learned_kept_s) if name == "performance" else None
            reports.append(kept or _collector(cloud, name, kept_s, client).collect(regions, now, store))
    return tuple(reports)


def _kept_performance(regions: Sequence[str], store: SignalStore, now: float, kept_s: float) -> CollectorReport | None:
    """What was learned of all these regions and the round trips among them lately, if it was."""
    if kept_s <= 0.0:
        return None
    try:
        signals = [store.get(PERFORMANCE, region) for region in regions]
    except MultiXServerlessError:
        return None  # collecting says what is wrong, or repairs it
    found = [signal for signal in signals if signal is not None and now - kept_s < signal.collected_at <= now]
    for signal in found:
        known = {signal.region, *(trip.to_region for trip in signal.round_trips)}
        if not known.issuperset(regions):
            return None
    if len(found) < len(regions):
        return None
    outcomes = tuple(
        SignalOutcome(PERFORMANCE.name, signal.region, signal.source, signal.vintage, now - known_at(signal))
        for signal in found
    )
    return CollectorReport("performance", now, outcomes)


@contextmanager
def _shared_client(environment: Mapping[str, str]) -> Iterator[Callable[[], HttpClient]]:
    """Makes the client of all sources that speak HTTP when the first one asks for it: most installations have none."""
    made: list[HttpClient] = []

    def client() -> HttpClient:
        # Here and not above: few commands ask anybody.
        from multi_x_serverless.collection.http import default_client  # noqa: PLC0415

        made.extend(() if made else (default_client(environment),))
        return made[0]

    try:
        yield client
    finally:
        for entry in made:
            entry.close()


def forget_carbon_past(cloud: Cloud, regions: Sequence[str]) -> None:
    """Forget the hours of carbon intensity that earlier collections stored, of a file that was wrong for example.

    Raises:
        NotEnoughDataError: `setup_tables` was not run.
    """
    require_tables(cloud)
    store = SignalStore(cloud.key_value, cloud.system_region)
    for region in regions:
        store.forget(CARBON_PAST, region)


def read_signals(cloud: Cloud) -> Signals:
    """The last good signals of all regions."""
    store = SignalStore(cloud.key_value, cloud.system_region)
    return Signals(carbon=store.all(CARBON), prices=store.all(PRICE), performance=store.all(PERFORMANCE))


@dataclass(frozen=True)
class SignalAge:
    """How old a kind of signal may be, in seconds since what it rests on was known (see `known_at`).

    Attributes:
        warn_s: From here on whoever uses it is told.
        refuse_s: From here on it is not used.
    """

    warn_s: float
    refuse_s: float


OLDEST = {
    # A forecast of a grid is worth little after a day or two; prices and distances hardly change.
    "carbon": SignalAge(2 * DAY_S, 14 * DAY_S),
    "provider": SignalAge(90 * DAY_S, 365 * DAY_S),
    "performance": SignalAge(90 * DAY_S, 365 * DAY_S),
}


def check_ages(signals: Signals, regions: Sequence[str], now: float) -> tuple[str, ...]:
    """A sentence for each kind of signal that is old in one of the regions.

    Raises:
        NotEnoughDataError: One is too old to be used.
    """
    warnings = []
    for kind, known in (
        ("carbon", signals.carbon),
        ("provider", signals.prices),
        ("performance", signals.performance),
    ):
        collected = {region: known_at(known[region]) for region in regions if region in known}
        if not collected:
            continue
        region = min(collected, key=lambda region: collected[region])
        age_s = now - collected[region]
        if age_s < OLDEST[kind].warn_s:
            continue
        described = f"the {kind} data of {region} is {age_s / DAY_S:.0f} days old"
        if age_s >= OLDEST[kind].refuse_s:
            raise NotEnoughDataError(
                f"{described}, too old to plan with: run 'multi_x_serverless data_collect {kind}', then solve."
            )
        warnings.append(f"{described}; 'multi_x_serverless data_collect {kind}' refreshes it.")
    return tuple(warnings)


def carbon_source(cloud: Cloud) -> CarbonSource:
    """What knows the intensities of past hours without asking anybody: the hours collected, else the embedded trace."""
    return KnownPast(SignalStore(cloud.key_value, cloud.system_region))


def _collector(cloud: Cloud, name: str, kept_s: float, client: Callable[[], HttpClient]) -> Collector:
    match name:
        case "carbon":
            # Here and not above: numpy is half of a command's start-up time, and few commands forecast.
            from multi_x_serverless.collection.carbon import carbon_collector  # noqa: PLC0415

            return carbon_collector(os.environ, client, kept_s=kept_s)
        case "provider":
            return provider_collector(cloud, kept_s=kept_s, geocoder=geocoding.geocoder(os.environ, client))
        case "performance":
            return _performance_collector(cloud, client)
        case _:
            raise UsageError(f"there is no collector '{name}'; there are {', '.join(COLLECTORS)}.")


def _performance_collector(cloud: Cloud, client: Callable[[], HttpClient]) -> PerformanceCollector:
    """The collector that knows the runs of all workflows; one whose statistics cannot be read loses no other's."""
    known, notes = [], []
    for record in each_deployed_workflow(cloud):
        if isinstance(record, UnreadableWorkflow):
            continue  # whoever looks after it says so
        try:
            statistics = read_statistics(cloud, record.workflow_id)
        except MultiXServerlessError as error:
            notes.append(f"Nothing is learned from the runs of '{record.workflow_id}': {error}")
            continue
        known += [] if statistics is None else [statistics]
    service = cloudping.cloudping_source(os.environ, client)
    further = () if service is None else (service,)
    return performance_collector(
        known, cloud.now(), further=further, notes=tuple(notes), is_one_machine=cloud.name == "local"
    )
