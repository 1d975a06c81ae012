"""A month in virtual time: a deployed workflow, its load, its grids, and the framework's jobs on their schedules.

Runs are not executed but written into the history, where the SDK's own routing puts them: the router of a function at
home reads the replica that a migration wrote. What the processor takes is made up, so that the times of checks, which
follow from it, are the same everywhere.
"""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from multi_x_serverless.adaptation.framework import JobContext, JobResult, run_job
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import create_tables, physical_name
from multi_x_serverless.collection.carbon_file import FILE_VARIABLE
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.errors import JobFailedError
from multi_x_serverless.model.framework import FrameworkEvent, Job
from multi_x_serverless.model.run import EdgeObservation, NodeObservation, ObservedRun
from multi_x_serverless.observation.history import HistoryWriter
from multi_x_serverless.sdk.backend import Backend
from multi_x_serverless.sdk.manifest import MANIFEST_FILE, Manifest
from multi_x_serverless.sdk.routing import Router
from tests.fakes import FakeCloud
from tests.unit.deployment.projects import CONFIGURATION, WORKFLOW_ID, make_project

HOME, AWAY = "us-east-1", "ca-central-1"
HOUR_S, DAY_S = 3_600.0, 86_400.0
TWO_REGIONS = CONFIGURATION.replace("us-west-1, ", "")

HOURS_BETWEEN_MIGRATIONS = 2

CONTROLS = 10
"""One run in so many draws the number that keeps it home, as the default home share has it."""

Load = Callable[[int], int]
"""Hour of the month -> runs that start in it."""

Grid = Callable[[int], float]
"""Hour of the month, negative before it -> gCO2eq per kWh."""


def deployed_month(directory: Path, configuration: str = TWO_REGIONS) -> FakeCloud:
    """The example, deployed at midnight to home, without a run."""
    cloud = FakeCloud()
    cloud.time = 1_700_006_400.0  # Wednesday, 15 November 2023, 00:00 UTC
    create_tables(cloud, cloud.regions)
    deploy(cloud, make_project(directory, configuration=configuration))
    return cloud


def slow_processor(monkeypatch: pytest.MonkeyPatch, step_s: float) -> None:
    """Let whatever is measured take so many seconds of a processor, in every reading of its clock."""
    readings = itertools.count()
    clock = SimpleNamespace(process_time=lambda: next(readings) * step_s)
    for module in ("check_solver", "check_work", "upkeep"):
        monkeypatch.setattr(f"multi_x_serverless.adaptation.{module}.time", clock)


@dataclass
class Feed:
    """The hourly intensities that a provider measured, as a file that grows with time; `stops_at` an hour of the month.

    What it says of the last eight days is in the file, the forecast is the collector's own.
    """

    file: Path
    grids: Mapping[str, Grid]
    stops_at: int = 10**6

    def write(self, begin: float, hour: int) -> None:
        """Write what is known at the beginning of an hour of the month."""
        lines = ["zone_or_region,datetime_utc,gco2eq_per_kwh"]
        for past in range(min(hour, self.stops_at) - 8 * 24, min(hour, self.stops_at)):
            at = datetime.fromtimestamp(begin + past * HOUR_S, timezone.utc)
            lines += [f"{region},{at:%Y-%m-%dT%H:%MZ},{grid(past)!r}" for region, grid in self.grids.items()]
        self.file.write_text("\n".join(lines) + "\n", encoding="utf-8")


@dataclass
class Month:
    """A month of one workflow.

    Attributes:
        checks: Hour of the month -> what `update_check_solver` logged of it, when one was due.
        failures: Hour of the month -> message of a check that failed.
        migrations: Hour of the month -> version of the plan that was put in force.
        swept: Functions that were deleted, as ``function in region``.
        routed: Hour of the month -> runs by the reason of their placement and the region in which they began.
    """

    cloud: FakeCloud
    load: Load
    feed: Feed | None = None
    duration_s: float = 2.0
    checks: dict[int, dict[str, Any]] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    migrations: dict[int, int] = field(default_factory=dict)
    swept: tuple[str, ...] = ()
    routed: dict[int, dict[tuple[str, str], int]] = field(default_factory=dict)
    hour: int = 0

    def __post_init__(self) -> None:
        self.begin = self.cloud.time
        self._history = HistoryWriter(self.cloud, WORKFLOW_ID)
        self._manifest = manifest_of(self.cloud)
        self._draws = itertools.cycle([(number + 0.5) / CONTROLS for number in range(CONTROLS)])

    def run(self, days: float) -> Month:
        """Let so many days go by, hour by hour."""
        for _ in range(round(days * 24)):
            if self.feed is not None:
                self.feed.write(self.begin, self.hour)
            self._check()
            if self.hour % HOURS_BETWEEN_MIGRATIONS == 0:
                self._migrate()
            self.add_runs()
            self.hour += 1
            self.cloud.time = self.begin + self.hour * HOUR_S
        return self

    def verdicts(self) -> list[str]:
        """Of all checks, in order."""
        return [check["verdict"] for check in self.checks.values()]

    def staged(self) -> list[int]:
        """Hours in which a plan was staged."""
        return [hour for hour, check in self.checks.items() if check["verdict"] == "staged"]

    def waits(self, first_day: float, last_day: float) -> list[int]:
        """Hours between checks of some days."""
        hours = [hour for hour in self.checks if first_day * 24 <= hour < last_day * 24]
        return [after - before for before, after in itertools.pairwise(hours)]

    def regions(self, hour: int, reason: str = "plan") -> set[str]:
        """Where runs of an hour began that were placed for some reason."""
        return {region for why, region in self.routed.get(hour, {}) if why == reason}

    def _check(self) -> None:
        try:
            result = self._job("update_check_solver")
        except JobFailedError as error:
            self.failures[self.hour] = str(error)
            return
        if result.outcome != "not due":
            assert result.outcome == "done", result
            self.checks[self.hour] = dict(result.details)

    def _migrate(self) -> None:
        # As in the cloud, where the jobs have schedules of their own, and not at the moment of the check.
        self.cloud.time += 600.0
        result = self._job("update_check_deployment")
        assert result.outcome == "done", result
        if result.details["outcome"] == "migrated":
            self.migrations[self.hour] = result.details["plan_version"]
        self.swept += result.details["deleted"]

    def _job(self, job: Job) -> JobResult:
        context = JobContext("request", lambda: 900.0, lambda event: None, lambda line: None)
        return run_job(self.cloud, FrameworkEvent(job, WORKFLOW_ID, tick=str(self.hour)), context)

    def add_runs(self) -> None:
        """Let the runs of this hour happen."""
        count = self.load(self.hour)
        # A function keeps what it has read of a replica for a minute; these come later than that.
        router = Router(
            self._manifest,
            HOME,
            cast(Backend, HomeTables(self.cloud)),
            clock=lambda: self.cloud.time + 60.0,
            uniform=lambda: next(self._draws),
        )
        runs = []
        counts: dict[tuple[str, str], int] = {}
        for number in range(count):
            run_id = f"{self.hour:04d}-{number:04d}"
            placement = router.choose(run_id).placement
            regions = [self._manifest.regions[index] for index in placement.regions]
            counts[placement.why, regions[0]] = counts.get((placement.why, regions[0]), 0) + 1
            begun = self.cloud.time + 60.0 + number
            runs.append(
                ObservedRun(
                    run_id=run_id,
                    manifest_id=self._manifest.id,
                    status="complete",
                    started_at=begun,
                    finished_at=begun + 3 * self.duration_s,
                    plan_version=placement.plan_version,
                    placement_key=str(placement.key),
                    reason=placement.why,
                    trigger_bytes=200.0,
                    nodes={index: self._node(region, number) for index, region in enumerate(regions)},
                    edges={index: EdgeObservation(True, 500.0, 0.1, 0.01) for index in range(3)},
                )
            )
        if runs:
            self.routed[self.hour] = counts
            self._history.add(runs)

    def _node(self, region: str, number: int) -> NodeObservation:
        return NodeObservation(
            region=region,
            duration_s=self.duration_s * (1.0 + 0.01 * (number % 7)),
            cpu_s=0.5 * self.duration_s,
            cold=number == 0,
            sent_bytes={},
            received_bytes={},
            other_sent_bytes=0.0,
            other_received_bytes=1_000.0,
        )


@dataclass(frozen=True)
class HomeTables:
    """The tables of the home region as its functions see them; claims are not kept: no run is repeated."""

    cloud: FakeCloud

    def get(self, region: str, table: str, partition: str, sort: str) -> Any:
        """See `multi_x_serverless.sdk.backend.Backend.get`."""
        return self.cloud.key_value.get(region, physical_name(table), Key(partition, sort))

    def put(self, *_arguments: object, **_named: object) -> int:
        """See `Backend.put`."""
        return 1


def manifest_of(cloud: FakeCloud) -> Manifest:
    """The manifest in the package of the example."""
    name = next(entry.name for entry in deployed_workflow(cloud, WORKFLOW_ID).resources if entry.kind == "function")
    with zipfile.ZipFile(io.BytesIO(cloud.functions.code[HOME, name])) as archive:
        return Manifest.from_json(archive.read(MANIFEST_FILE))


def feed_of(monkeypatch: pytest.MonkeyPatch, directory: Path, **grids: Grid) -> Feed:
    """A feed of the two regions that the collector reads."""
    file = directory / "carbon.csv"
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    return Feed(file, {HOME: grids["home"], AWAY: grids["away"]})


def always(value: float) -> Grid:
    """The same at every hour."""
    return lambda _hour: value
