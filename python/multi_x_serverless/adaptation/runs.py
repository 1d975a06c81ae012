"""Starting runs of a deployed workflow and waiting for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from multi_x_serverless.adaptation.failure import why
from multi_x_serverless.adaptation.workflows import deployed_workflow, log_sources
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.deployment.manifest import manifest_of
from multi_x_serverless.errors import UsageError, WorkInterruptedError
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.trace import RunTrace, trace_runs
from multi_x_serverless.sdk.envelope import new_trigger, split_large_payload
from multi_x_serverless.sdk.errors import PayloadError
from multi_x_serverless.sdk.payload import ABSENT_PAYLOAD, Payload

FIRST_LOOK_S, LONGEST_PAUSE_S = 1.0, 5.0
"""Pauses between two looks at the logs of a cloud that keeps messages moving by itself, in seconds: they grow, because
CloudWatch Logs answers few such requests per second."""

POLL_S = 0.005
"""How often the number of messages under way is looked at, in seconds; shorter than a warm invocation."""


@dataclass(frozen=True)
class StartedRuns:
    """Runs that were triggered.

    Attributes:
        started_at: Time before the first trigger was published, seconds since the epoch.
    """

    record: WorkflowRecord
    run_ids: tuple[str, ...]
    started_at: float


class RunsInterruptedError(KeyboardInterrupt):
    """Ctrl-C while runs were started or waited for; on the embedded cloud those under way go on when messages do.

    Attributes:
        traces: What the logs say of those that were started.
        never_started: How many were not.
    """

    def __init__(self, traces: tuple[RunTrace, ...], never_started: int) -> None:
        self.traces = traces
        self.never_started = never_started
        super().__init__()


NO_INPUT: Any = object()
"""Start a run without an argument; `None` is an argument like any other."""


def start_runs(
    cloud: Cloud,
    workflow_id: str,
    inputs: Sequence[Any],
    *,
    before_each: Callable[[], None] = lambda: None,
    after_each: Callable[[str], None] = lambda _run_id: None,
) -> StartedRuns:
    """Publish one trigger per input to the entry function at home; they are durable when this returns.

    Args:
        before_each: Called before each trigger; paces them.
        after_each: Called with the id of each run that was started.

    Raises:
        UnknownWorkflowError: There is no such workflow.
        UsageError: An input is no JSON value.
    """
    record = deployed_workflow(cloud, workflow_id)
    manifest = manifest_of(record)
    home = record.configuration.home_region
    topic = manifest.function_of(0).topic
    started_at = cloud.now()
    run_ids = []
    for value in inputs:
        before_each()
        try:
            payload = ABSENT_PAYLOAD if value is NO_INPUT else Payload.of(value)
        except PayloadError as error:
            raise UsageError(str(error)) from error
        trigger = new_trigger(manifest, payload, now=cloud.now())
        message, large = split_large_payload(trigger, manifest.regions.index(home))
        if large is not None:
            cloud.objects.put_object(home, large.key, large.body)
        cloud.messages.publish(home, topic, message.encode().encode())
        run_ids.append(trigger.run_id)
        after_each(trigger.run_id)
    return StartedRuns(record, tuple(run_ids), started_at)


def run_and_wait(
    cloud: Cloud,
    workflow_id: str,
    inputs: Sequence[Any],
    *,
    concurrency: int,
    timeout_s: float,
    progress: Callable[[int], None] = lambda _started: None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[RunTrace, ...]:
    """Start runs, keep messages moving until all have ended or the time is up, and return what the logs say.

    A cloud that keeps messages moving by itself is asked for its logs again and again instead.

    Args:
        concurrency: Messages under way above which the next run waits, so that runs do not queue behind each other
            and the latencies they log are the network's.
        timeout_s: How long to wait in all, in seconds.
        progress: Called with the number of runs started so far.
        sleep: Waits between two looks at the logs.

    Raises:
        UnknownWorkflowError: There is no such workflow.
        UsageError: An input is no JSON value.
        RunsInterruptedError: Ctrl-C.
        WorkInterruptedError: Ctrl-C, and what the logs say of the runs could not be read.
    """
    begun_at, run_ids = cloud.now(), list[str]()
    deadline = begun_at + timeout_s
    try:
        with cloud.host() as host:

            def pace() -> None:
                while host.pending() >= concurrency and cloud.now() < deadline:
                    host.wait_until_idle(POLL_S)
                progress(len(run_ids))

            started = start_runs(cloud, workflow_id, inputs, before_each=pace, after_each=run_ids.append)
            progress(len(run_ids))
            while not host.wait_until_idle(1.0) and cloud.now() < deadline:
                pass
        record = started.record
        return follow_runs(
            cloud, record, run_ids, started.started_at, regions=record.regions, deadline=deadline, sleep=sleep
        )
    except KeyboardInterrupt as stop:
        never_started = len(inputs) - len(run_ids)
        try:
            record = deployed_workflow(cloud, workflow_id)
            sources = log_sources(cloud, record, record.regions)
            traces = trace_runs(cloud, workflow_id, record.graph, sources, run_ids, begun_at)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # whatever it meets, Ctrl-C stays Ctrl-C
            raise WorkInterruptedError(
                f"runs started: {len(run_ids)}, never started: {never_started}. How those go that were started could "
                f"not be read ({why(error)}): 'multi_x_serverless data_sync' reads it, 'multi_x_serverless status "
                f"{workflow_id}' shows it."
            ) from stop
        raise RunsInterruptedError(traces, never_started) from stop


def follow_runs(
    cloud: Cloud,
    record: WorkflowRecord,
    run_ids: Sequence[str],
    since: float,
    *,
    regions: Collection[str],
    deadline: float,
    failures_before: Mapping[str, int] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[RunTrace, ...]:
    """What the logs say of some runs, on AWS once all have ended or the time is up.

    Args:
        since: When the first of them began, seconds since the epoch.
        regions: Where they may have left records; of runs that begin now it is where the workflow may run.
        deadline: Until when to wait, seconds since the epoch.
        failures_before: Run id -> attempts that had failed before its messages were put back; a run that has no more
            than those has not ended again yet.
        sleep: Waits between two looks at the logs.
    """
    before = failures_before or {}
    pause_s = FIRST_LOOK_S
    while True:
        sources = log_sources(cloud, record, regions)
        traces = trace_runs(cloud, record.workflow_id, record.graph, sources, run_ids, since, earlier=record.graphs)
        ended = all(_has_ended(trace, before.get(trace.run_id, -1)) for trace in traces)
        if cloud.name == "local" or ended or cloud.now() + pause_s > deadline:
            return traces
        sleep(pause_s)
        pause_s = min(LONGEST_PAUSE_S, pause_s * 1.5)


def _has_ended(trace: RunTrace, failures_before: int) -> bool:
    return trace.status == "complete" or (trace.status == "failed" and len(trace.failures) > failures_before)
