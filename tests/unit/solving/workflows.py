"""A small workflow with observed runs and the embedded signals, for tests of what solves it."""

from __future__ import annotations

from dataclasses import replace

from multi_x_serverless.collection.carbon import carbon_collector
from multi_x_serverless.collection.performance import PerformanceCollector
from multi_x_serverless.collection.provider import ProviderCollector
from multi_x_serverless.collection.store import CARBON, PERFORMANCE, PRICE, SignalStore
from multi_x_serverless.model.config import (
    Constraints,
    FunctionConfiguration,
    ProviderSettings,
    WorkflowConfiguration,
)
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.observation.fold import fold
from multi_x_serverless.solving.problem import Signals, WorkflowModel
from tests.fakes import FakeKeyValueStore
from tests.unit.collection.http_clients import no_client
from tests.unit.observation.records import RunLog, diamond

HOME = "us-east-1"
REGIONS = ("us-east-1", "us-west-1", "us-west-2", "ca-central-1")
NOON = 1_700_049_600.0
"""2023-11-15 12:00 UTC."""


def workflow(
    *, constraints: Constraints | None = None, pinned: tuple[str, ...] = (), data_regions: dict[str, str] | None = None
) -> WorkflowModel:
    provider = ProviderSettings(timeout_s=60, memory_mb=1769, architecture="x86_64")
    graph = diamond()
    return WorkflowModel(
        configuration=WorkflowConfiguration(
            workflow_name="text",
            workflow_version="0.0.1",
            home_region=HOME,
            constraints=constraints or Constraints(),
            provider=provider,
            data_regions=data_regions or {},
        ),
        functions={
            name: FunctionConfiguration(
                name=name,
                allowed_regions=(HOME,) if name in pinned else tuple(sorted(REGIONS)),
                environment_variables={},
                provider=provider,
            )
            for name in graph.functions
        },
        graph=graph,
        manifest_id="m1",
    )


def observed_runs(count: int = 40) -> tuple[ObservedRun, ...]:
    """Every third run declines its conditional call; durations differ from run to run."""
    runs = []
    for number in range(count):
        log = RunLog(f"run{number:03d}", NOON + number)
        run = fold(log.run_id, log.declining() if number % 3 == 0 else log.complete(), diamond(), "complete")
        assert run is not None
        factor = 0.5 + number / count
        runs.append(
            replace(
                run,
                nodes={
                    index: replace(node, duration_s=node.duration_s * factor, cpu_s=node.cpu_s * factor)
                    for index, node in run.nodes.items()
                },
            )
        )
    return tuple(runs)


def embedded_signals(regions: tuple[str, ...] = REGIONS) -> Signals:
    store = SignalStore(FakeKeyValueStore.of(HOME, "signals"), HOME)
    for collector in (carbon_collector({}, no_client), ProviderCollector(), PerformanceCollector()):
        assert not collector.collect(regions, NOON, store).failures
    return Signals(carbon=store.all(CARBON), prices=store.all(PRICE), performance=store.all(PERFORMANCE))
