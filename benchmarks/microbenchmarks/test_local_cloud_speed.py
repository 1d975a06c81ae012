"""The embedded cloud: runs of `small_sync_example` by worker processes that are warm.

Three functions, two of them joins, all at home, so no latency between regions is waited for. What is measured is the
dispatcher, the database (each commit reaches the disk), the loopback endpoints, and the SDK in the workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from multi_x_serverless.adaptation.runs import StartedRuns, start_runs
from multi_x_serverless.adaptation.workflows import log_sources
from multi_x_serverless.cloud.local import LocalCloud
from multi_x_serverless.cloud.ports import Host
from multi_x_serverless.cloud.tables import create_tables
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.observation.trace import trace_runs

PROJECT = Path(__file__).parent.parent / "small_sync_example"
HOME = "us-east-1"
ALL_CALLS = {"execute_1": True, "execute_2": True, "execute_3": True}
RESULT = ["third", {"sync_function": ["first", "second"]}]

RUNS = 50
"""Triggered at once: the dispatcher keeps as many at work as it may."""
TIMEOUT_S = 120.0


@dataclass
class Deployed:
    """The example on a cloud that moves its messages."""

    cloud: LocalCloud
    host: Host
    workflow_id: str

    def run(self, count: int) -> StartedRuns:
        """Start so many runs and wait until no message is under way."""
        started = start_runs(self.cloud, self.workflow_id, [ALL_CALLS] * count)
        assert self.host.wait_until_idle(TIMEOUT_S)
        return started

    def check(self, started: StartedRuns) -> None:
        """Each run ended with what its calls say; looked up after the measurement."""
        record = started.record
        sources = log_sources(self.cloud, record)
        traces = trace_runs(self.cloud, record.workflow_id, record.graph, sources, started.run_ids, started.started_at)
        assert [trace.status for trace in traces] == ["complete"] * len(started.run_ids)
        assert all(trace.result == RESULT for trace in traces)


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    with LocalCloud(tmp_path / "state") as cloud:
        create_tables(cloud, (HOME,))
        workflow_id = deploy(cloud, PROJECT).workflow_id
        with cloud.host() as host:
            example = Deployed(cloud, host, workflow_id)
            example.run(RUNS)
            yield example


def test_throughput(benchmark: BenchmarkFixture, deployed: Deployed) -> None:
    """A round is `RUNS` runs at once; runs per second are in `extra_info`."""
    started = benchmark.pedantic(deployed.run, args=(RUNS,), rounds=10)  # type: ignore[no-untyped-call]  # pytest-benchmark leaves it untyped
    deployed.check(started)
    assert benchmark.stats is not None
    benchmark.extra_info["runs_per_s"] = round(RUNS / benchmark.stats.stats.median, 1)


def test_one_run_at_a_time(benchmark: BenchmarkFixture, deployed: Deployed) -> None:
    """From the trigger to the end of the last join."""
    started = benchmark.pedantic(deployed.run, args=(1,), rounds=50)  # type: ignore[no-untyped-call]  # pytest-benchmark leaves it untyped
    deployed.check(started)
