"""Running one benchmark on the embedded cloud: deploy, store its sample input, run, and read what the logs say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.suite.discovery import Benchmark
from multi_x_serverless.adaptation.objects import put_object
from multi_x_serverless.adaptation.runs import run_and_wait
from multi_x_serverless.adaptation.upkeep import sync_workflow
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cli.session import DEFAULT_SYSTEM_REGION, Settings
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.errors import MultiXServerlessError
from multi_x_serverless.observation.trace import RunTrace

RUN_TIMEOUT_S = 300.0
"""For one run, in seconds; those of the benchmarks take a few."""


@dataclass(frozen=True)
class Measured:
    """What came of a benchmark's runs; times are measured on this machine, round trips between regions simulated.

    Attributes:
        nodes: Of the graph.
        failures: Runs that failed or did not end.
        mean_s: Mean time of the runs that ended well, in seconds; `None` if none did.
        cold_starts: Invocations that started a new worker.
        problem: Why it failed first, empty if nothing did.
    """

    name: str
    runs: int
    failures: int
    nodes: int
    mean_s: float | None
    cold_starts: int
    problem: str


@contextmanager
def open_embedded_cloud(state_dir: Path, *, exclusive: bool = True) -> Iterator[Cloud]:
    """The embedded cloud in a directory, as commands open it.

    Args:
        exclusive: Something will be changed; without it nothing is, and no directory made.

    Raises:
        StateDirectoryBusyError: Another command holds it.
    """
    settings = Settings(
        cloud="local",
        system_region=DEFAULT_SYSTEM_REGION,
        state_dir=state_dir,
        time_scale=1.0,
        profile=None,
        project_dir=Path(),
        output="table",
        verbosity=0,
        assume_yes=True,
        color=False,
    )
    with settings.open_cloud(exclusive=exclusive) as cloud:
        yield cloud


def measure(state_dir: Path, benchmark: Benchmark, runs: int) -> Measured:
    """Deploy a benchmark and run it, one run after the other; what goes wrong is told in the result."""
    try:
        return run_benchmark(state_dir, benchmark, runs)
    except (MultiXServerlessError, OSError) as error:
        return Measured(benchmark.name, runs, runs, 0, None, 0, str(error))


def run_benchmark(state_dir: Path, benchmark: Benchmark, runs: int) -> Measured:
    """The same, but what stops it is raised.

    Raises:
        MultiXServerlessError: It cannot be deployed or run, or its sample input cannot be read.
        OSError: A file of its sample input cannot be read.
    """
    sample = benchmark.sample()
    with open_embedded_cloud(state_dir) as cloud:
        workflow_id = deploy(cloud, benchmark.project).workflow_id
        record = deployed_workflow(cloud, workflow_id)
        for key, file in sample.objects.items():
            put_object(cloud, workflow_id, key, file.read_bytes())
    # Opened again, because the deployment's probes have started workers, and no first run would be a cold one.
    with open_embedded_cloud(state_dir) as cloud:
        traces = run_and_wait(cloud, workflow_id, sample.inputs(runs), concurrency=1, timeout_s=RUN_TIMEOUT_S * runs)
        sync_workflow(cloud, record)  # into the history, from which plans are made
    ended = [trace for trace in traces if trace.status == "complete"]
    return Measured(
        name=benchmark.name,
        runs=len(traces),
        failures=len(traces) - len(ended),
        nodes=len(record.graph.nodes),
        mean_s=sum(trace.duration_s for trace in ended) / len(ended) if ended else None,
        cold_starts=sum(node.is_cold for trace in traces for node in trace.nodes),
        problem=next((problem_of(trace) for trace in traces if trace.status != "complete"), ""),
    )


def problem_of(trace: RunTrace) -> str:
    """Why a run did not end well."""
    if not trace.failures:
        return f"run {trace.run_id} is {trace.status} after {trace.duration_s:.1f} s, and no node says why"
    failure = trace.failures[-1]
    return f"{failure.node}: {failure.error}: {failure.message}"
