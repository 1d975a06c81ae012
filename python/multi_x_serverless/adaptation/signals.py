"""Collecting signals for the regions that matter, and reading them back for the solver."""

from __future__ import annotations

import os
from collections.abc import Sequence

from multi_x_serverless.adaptation.workflows import deployed_workflows, require_tables
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.collection.carbon import CarbonSource, carbon_collector
from multi_x_serverless.collection.collector import Collector, CollectorReport
from multi_x_serverless.collection.performance import PerformanceCollector
from multi_x_serverless.collection.provider import ProviderCollector
from multi_x_serverless.collection.store import CARBON, PERFORMANCE, PRICE, SignalStore
from multi_x_serverless.errors import UsageError
from multi_x_serverless.solving.problem import Signals

COLLECTORS = ("carbon", "provider", "performance")


def regions_in_use(cloud: Cloud) -> tuple[str, ...]:
    """Every region that a deployed workflow may use; all of the cloud's when nothing is deployed."""
    used = {region for record in deployed_workflows(cloud) for region in record.regions}
    return tuple(sorted(used)) if used else cloud.regions


def collect_signals(cloud: Cloud, names: Sequence[str], regions: Sequence[str]) -> tuple[CollectorReport, ...]:
    """Run collectors by name for some regions.

    Raises:
        NotEnoughDataError: `setup_tables` was not run.
    """
    require_tables(cloud)
    store = SignalStore(cloud.key_value, cloud.system_region)
    return tuple(_collector(name).collect(regions, cloud.now(), store) for name in names)


def read_signals(cloud: Cloud) -> Signals:
    """The last good signals of all regions."""
    store = SignalStore(cloud.key_value, cloud.system_region)
    return Signals(carbon=store.all(CARBON), prices=store.all(PRICE), performance=store.all(PERFORMANCE))


def carbon_source() -> CarbonSource:
    """What knows the intensities of past hours: the source that the carbon collector asks."""
    return carbon_collector(os.environ).source


def _collector(name: str) -> Collector:
    match name:
        case "carbon":
            return carbon_collector(os.environ)
        case "provider":
            return ProviderCollector()
        case "performance":
            return PerformanceCollector()
        case _:
            raise UsageError(f"there is no collector '{name}'; there are {', '.join(COLLECTORS)}.")
