"""A deployed example workflow with a history, on the fake cloud."""

from __future__ import annotations

from pathlib import Path

from multi_x_serverless.adaptation.signals import COLLECTORS, collect_signals
from multi_x_serverless.cloud.tables import create_tables
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.model.run import EdgeObservation, NodeObservation, ObservedRun, RunStatus
from multi_x_serverless.observation.history import History
from tests.fakes import FakeCloud
from tests.unit.deployment.projects import CONFIGURATION, WORKFLOW_ID, make_project, record_of

HOME = "us-east-1"


def deployed_example(directory: Path, *, runs: int = 0, configuration: str = CONFIGURATION) -> FakeCloud:
    """The example, deployed, with signals and so many runs at home in the last hour."""
    cloud = FakeCloud()
    create_tables(cloud, cloud.regions)
    deploy(cloud, make_project(directory, configuration=configuration))
    record = record_of(cloud)
    assert record is not None
    collect_signals(cloud, COLLECTORS, record.regions)
    add_runs(cloud, runs)
    return cloud


def add_runs(
    cloud: FakeCloud,
    count: int,
    *,
    region: str = HOME,
    plan_version: int = 1,
    reason: str = "plan",
    started_at: float | None = None,
    status: RunStatus = "complete",
) -> None:
    """Runs of the example whose nodes all ran in one region, a second apart from `started_at` (an hour ago) on."""
    first = cloud.now() - 3_600.0 if started_at is None else started_at
    record = record_of(cloud)
    assert record is not None
    runs = []
    for number in range(count):
        begun = first + number
        duration = 0.5 + 0.01 * (number % 7)
        node = NodeObservation(
            region=region,
            duration_s=duration,
            cpu_s=0.1,
            cold=number == 0,
            sent_bytes={},
            received_bytes={},
            other_sent_bytes=0.0,
            other_received_bytes=1_000.0,
        )
        runs.append(
            ObservedRun(
                run_id=f"{region}-{plan_version}-{reason[0]}{status[0]}{first:.0f}-{number}",
                manifest_id=record.manifest_id,
                status=status,
                started_at=begun,
                finished_at=begun + 3 * duration,
                plan_version=plan_version,
                placement_key="0",
                reason=reason,
                trigger_bytes=200.0,
                nodes=dict.fromkeys(range(3), node),
                edges={index: EdgeObservation(True, 500.0, 0.1, 0.01) for index in range(3)},
            )
        )
    History(cloud).add(WORKFLOW_ID, runs)
