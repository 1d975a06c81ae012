"""The framework's jobs as functions on a schedule: what an invocation does.

::

    schedule --> {"job": "data_sync"} --> which workflows are there?   (ids only: no record is read)
                                            |        |        |
                                            v        v        v          one queued invocation of the same function each
                                          {"job": "data_sync", "workflow": "text-0.0.1", ...}
                                            |
                                            +-- done, or left to the next schedule, or failed: retried, dead-lettered

* How many run at once is the function's reserved concurrency; what is queued waits. What waited for longer than
  `EVENT_LIFE_S` is dropped: by then a newer invocation is queued for the same workflow.
* A failure is logged as one line of JSON and raised, so that the cloud retries it and then keeps it as a dead letter.
  It is that workflow's alone: no other workflow is in the invocation.
* Invocations may come twice. What changes a workflow holds its lock; a lock that is held by another is no failure, the
  next schedule does the work. A workflow that was handled in a tick is not handled in it again.
* An invocation stops before the time limit of its function: logs are read up to some moment, the solver returns the
  best plan that it has, a migration keeps what it made. The log says so and the next schedule goes on from there.

An invocation starts others one after the other, and, when its time is nearly over, one more that goes on from there.
That chain has few links: one starts some ten thousand. (AWS ends a chain of about 16 as a runaway loop.)
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

import orjson

from multi_x_serverless.adaptation.balance import readable_check_state
from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import CheckSettings, check_solver
from multi_x_serverless.adaptation.collection_warnings import warning_lines
from multi_x_serverless.adaptation.framework_bill import Machine, note_invocation
from multi_x_serverless.adaptation.signals import COLLECTORS, KEEP_PRICES_S
from multi_x_serverless.adaptation.statistics_work import refresh_statistics
from multi_x_serverless.adaptation.upkeep import collect_for_workflows, sync_workflow
from multi_x_serverless.adaptation.workflows import deployed_workflow, deployed_workflows, require_tables
from multi_x_serverless.adaptation.workplace import Workplace, working_at
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.errors import (
    ConflictError,
    JobFailedError,
    MultiXServerlessError,
    OutOfTimeError,
    UnknownWorkflowError,
)
from multi_x_serverless.model.framework import FrameworkEvent, Job
from multi_x_serverless.observation.sync import unread_log_warning

STOP_BEFORE_S = 60.0
"""Work stops when less than this is left of an invocation: its longest single step, making a function, takes less."""

EVENT_LIFE_S = 3_600.0
"""How long an invocation for a workflow may wait for its turn."""

REMEMBER_TICK_S = 6 * 3_600.0
"""How long it is remembered that a workflow was handled: an event is delivered for so long at most (Lambda)."""

LOG_SCHEMA = "multi-x-serverless/framework-log"
LOG_VERSION = 1

Outcome: TypeAlias = Literal[
    "started", "done", "repeated", "busy", "gone", "superseded", "not due", "out of time", "failed"
]
"""What became of an invocation.

``started``: other invocations were queued. ``repeated``: the workflow was handled in this tick before. ``busy``:
somebody else works on it. ``gone``: it is not deployed any more. ``superseded``: it waited too long for its turn.
``out of time``: the next schedule goes on with it.
"""

_CODES: Mapping[str | None, Outcome] = {
    ConflictError.code: "busy",
    OutOfTimeError.code: "out of time",
    UnknownWorkflowError.code: "gone",
}
"""Errors that are no failures of the job."""


_UNNOTED = "not_in_the_ledger"
"""Member of the details with sentences about what could not be noted."""

_BILLED_TO_WORKFLOW: frozenset[Outcome] = frozenset({"done", "not due", "busy", "out of time", "failed"})
"""Outcomes whose invocations are noted for the workflow. The others end before they have looked whether it is still
deployed, or found that it is not: of what is gone nothing may be left."""


@dataclass(frozen=True)
class JobContext:
    """What an invocation knows of itself.

    Attributes:
        request_id: Its id; equal for all attempts at one event.
        time_left_s: Seconds until it is ended.
        invoke: Queues an invocation of the same function.
        log: Writes one line.
        machine: What it is billed by; `None` where nobody bills it.
    """

    request_id: str
    time_left_s: Callable[[], float]
    invoke: Callable[[FrameworkEvent], None]
    log: Callable[[str], None]
    machine: Machine | None = None

    @property
    def is_nearly_over(self) -> bool:
        """Whether work has to stop."""
        return self.time_left_s() < STOP_BEFORE_S


@dataclass(frozen=True)
class JobResult:
    """What an invocation did; `details` are JSON values."""

    outcome: Outcome
    details: Mapping[str, Any]


def run_job(cloud: Cloud, event: FrameworkEvent, context: JobContext) -> JobResult:
    """Do what an event asks for and log it as one line.

    Raises:
        Exception: It failed; the cloud is to try again. The line with the reason is in the log.
    """
    started = cloud.now()
    try:
        with working_at(Workplace(cloud.system_region, is_idle_power_noted=_is_noted(event, context))):
            result = _start_all(cloud, event, context) if event.workflow_id is None else _handle(cloud, event, context)
    except Exception as error:
        details: dict[str, Any] = {"error": type(error).__name__, "message": str(error)}
        if isinstance(error, MultiXServerlessError):
            details["code"] = error.code
        else:  # a defect: where it is helps whoever mends it
            details["traceback"] = traceback.format_exception(error)
        _close(cloud, event, context, JobResult("failed", details), cloud.now() - started)
        raise
    _close(cloud, event, context, result, cloud.now() - started)
    return result


def _is_noted(event: FrameworkEvent, context: JobContext) -> bool:
    """Whether what an invocation is billed is noted, if it does any work: for the workflow that it is for."""
    return context.machine is not None and event.workflow_id is not None


def _close(cloud: Cloud, event: FrameworkEvent, context: JobContext, result: JobResult, duration_s: float) -> None:
    """Note what an invocation took, and log what it did; what could not be noted is in the details."""
    if context.machine is not None and event.workflow_id is not None and result.outcome in _BILLED_TO_WORKFLOW:
        unnoted = note_invocation(cloud, event.workflow_id, context.machine, duration_s)
        if unnoted:
            before = result.details.get(_UNNOTED)
            result = replace(result, details={**result.details, _UNNOTED: f"{before} {unnoted}" if before else unnoted})
    _log(context, event, result, duration_s)


def _log(context: JobContext, event: FrameworkEvent, result: JobResult, duration_s: float) -> None:
    members = {
        "schema": LOG_SCHEMA,
        "version": LOG_VERSION,
        "job": event.job,
        "workflow": event.workflow_id,
        "request": context.request_id,
        "outcome": result.outcome,
        "duration_s": round(duration_s, 3),
        "details": result.details,
    }
    context.log(orjson.dumps(members, option=orjson.OPT_NON_STR_KEYS, default=str).decode())


# --- all workflows -------------------------------------------------------------------------------------------


def _start_all(cloud: Cloud, event: FrameworkEvent, context: JobContext) -> JobResult:
    """Queue one invocation per workflow; what fails for one is told at the end, when the others are queued."""
    require_tables(cloud)
    problems: list[str] = []
    details: dict[str, Any] = {}
    if event.job == "data_collect" and event.after is None:
        problems += _collect_shared(cloud, details)
    keys = cloud.key_value.keys(cloud.system_region, physical_name("workflows"))
    waiting = sorted({key.partition for key in keys if event.after is None or key.partition > event.after})
    tick = event.tick or context.request_id
    started = 0
    for index, workflow_id in enumerate(waiting):
        # At least one is started by each link of the chain, so that it has an end.
        if index and context.is_nearly_over:
            context.invoke(replace(event, tick=tick, after=waiting[index - 1]))
            details["continued_after"] = waiting[index - 1]
            break
        try:
            context.invoke(FrameworkEvent(event.job, workflow_id, tick=tick, valid_until=cloud.now() + EVENT_LIFE_S))
            started += 1
        except MultiXServerlessError as error:
            problems.append(f"{workflow_id}: {error}")
    details["workflows"] = started
    if problems:
        raise JobFailedError(f"{event.job} started {started} workflows, but {'; '.join(problems)}")
    return JobResult("started", details)


def _collect_shared(cloud: Cloud, details: dict[str, Any]) -> list[str]:
    """Refresh the signals that all workflows share; returns what went wrong."""
    try:
        records = deployed_workflows(cloud)
        # From the records that are read already: there may be thousands.
        regions = sorted({region for record in records for region in record.regions}) or cloud.regions
        collected = collect_for_workflows(cloud, COLLECTORS, regions, records, kept_s=KEEP_PRICES_S)
    except MultiXServerlessError as error:
        return [f"the signals were not refreshed: {error}"]
    reports = collected.reports
    if collected.warnings:
        details[_UNNOTED] = " ".join(collected.warnings)
    details["refreshed"] = {report.collector: len(report.refreshed) for report in reports}
    details["notes"] = sorted({note for report in reports for note in report.notes})
    details["warnings"] = warning_lines(reports)
    return [
        f"{outcome.kind} of {outcome.region} was not refreshed: {outcome.error}"
        for report in reports
        for outcome in report.failures
    ]


# --- one workflow --------------------------------------------------------------------------------------------


def _handle(cloud: Cloud, event: FrameworkEvent, context: JobContext) -> JobResult:
    workflow_id = event.workflow_id or ""
    if event.valid_until is not None and cloud.now() >= event.valid_until:
        return JobResult("superseded", {"message": "it waited too long for its turn; the next schedule does the work."})
    tick = event.tick or context.request_id
    if _is_handled(cloud, event.job, workflow_id, tick):
        return JobResult("repeated", {})
    if context.is_nearly_over:
        return JobResult("out of time", {"message": "there was no time to begin; the next schedule does the work."})
    try:
        result = _WORK[event.job](cloud, workflow_id, context)
    except (ConflictError, OutOfTimeError, UnknownWorkflowError) as error:
        return JobResult(_CODES[error.code], {"message": str(error)})
    if result.outcome == "done":
        _note_handled(cloud, event.job, workflow_id, tick)
    return result


def _handled_key(job: Job, workflow_id: str) -> Key:
    return Key(f"{workflow_id} (handled by {job})")


def _is_handled(cloud: Cloud, job: Job, workflow_id: str, tick: str) -> bool:
    item = cloud.key_value.get(cloud.system_region, physical_name("locks"), _handled_key(job, workflow_id))
    return item is not None and item.attributes.get("tick") == tick


def _note_handled(cloud: Cloud, job: Job, workflow_id: str, tick: str) -> None:
    cloud.key_value.put(
        cloud.system_region,
        physical_name("locks"),
        _handled_key(job, workflow_id),
        # Whoever takes it for a lock sees that its lease is over.
        {"tick": tick, "lease_ends_at": 0.0},
        expires_at=cloud.now() + REMEMBER_TICK_S,
    )


def _data_sync(cloud: Cloud, workflow_id: str, context: JobContext) -> JobResult:
    record = deployed_workflow(cloud, workflow_id)
    synced = sync_workflow(cloud, record, should_stop=lambda: context.is_nearly_over)
    report = synced.report
    if report.unread and len(report.unread) == report.logs:
        # Failing makes Lambda try again soon, and shows in its metrics. A log that fails alone is in the details: what
        # the others hold is saved, and the next tick goes on with it.
        raise JobFailedError(f"data_sync of '{workflow_id}': {unread_log_warning(report.unread[0])}")
    details = asdict(report) | ({_UNNOTED: synced.warning} if synced.warning else {})
    return JobResult("out of time" if report.is_cut_short else "done", details)


def _data_collect(cloud: Cloud, workflow_id: str, context: JobContext) -> JobResult:  # noqa: ARG001  # as the others
    # The job that started this one has collected what workflows share, and counted it for each of them.
    refreshed = refresh_statistics(cloud, deployed_workflow(cloud, workflow_id), is_part=True)
    members = refreshed.statistics.to_members()
    # Nodes and edges are in the table; a line of a log is read by people, and paid for by the byte.
    details = {name: members[name] for name in _LOGGED_STATISTICS} | {"gaps": len(refreshed.statistics.gaps)}
    return JobResult("done", details | ({_UNNOTED: refreshed.warning} if refreshed.warning else {}))


_LOGGED_STATISTICS = (
    "runs",
    "failed",
    "first_run_at",
    "last_run_at",
    "runs_per_day",
    "cold_share",
    "runtime_s",
    "regions",
)


TICK_SLACK_S = 300.0
"""A check that is due within these seconds is made now: it was timed from the end of the one before, ticks from begin
to begin, so that an hourly check would come every second hour."""


def _update_check_solver(cloud: Cloud, workflow_id: str, context: JobContext) -> JobResult:
    state = readable_check_state(cloud, workflow_id)
    # A deployment since then changes what was decided on; the migration to the plan that was staged then does not.
    is_as_it_was = state is not None and deployed_workflow(cloud, workflow_id).deployment == state.deployment
    # A state of the future is of a clock that was set back since; by it the check might not be due for years.
    if state is not None and is_as_it_was and state.checked_at <= cloud.now() < state.next_check_at - TICK_SLACK_S:
        # A check that failed is so not tried again at once: what goes wrong each time must not be solved each time.
        return JobResult("not due", {"next_check_at": state.next_check_at, "why_then": state.why_then})
    (decision,) = check_solver(cloud, CheckSettings(), workflow_ids=(workflow_id,), time_left_s=context.time_left_s)
    if decision.verdict == "failed":
        put_off = f" Next check: {decision.why_then}" if decision.why_then else ""
        return _not_done("update_check_solver", workflow_id, f"{decision.reason}{put_off}", decision.error_code)
    return JobResult("done", asdict(decision))


def _update_check_deployment(cloud: Cloud, workflow_id: str, context: JobContext) -> JobResult:
    (outcome,) = check_deployment(cloud, progress=_StopInTime(context), workflow_ids=(workflow_id,))
    if outcome.outcome == "failed":
        return _not_done("update_check_deployment", workflow_id, outcome.message, outcome.error_code)
    return JobResult("done", asdict(outcome))


def _not_done(job: Job, workflow_id: str, reason: str, code: str | None) -> JobResult:
    if code in _CODES:
        return JobResult(_CODES[code], {"message": reason})
    raise JobFailedError(f"{job} of '{workflow_id}' failed: {reason}")


_WORK: Mapping[Job, Callable[[Cloud, str, JobContext], JobResult]] = {
    "data_sync": _data_sync,
    "data_collect": _data_collect,
    "update_check_solver": _update_check_solver,
    "update_check_deployment": _update_check_deployment,
}


class _StopInTime:
    """A progress that ends a migration between two steps when the invocation is nearly over."""

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def start(self, title: str, steps: int) -> None:
        """See `multi_x_serverless.deployment.progress.Progress.start`."""

    def advance(self, step: str) -> None:
        """See `Progress.advance`; raises `OutOfTimeError`."""
        if self._context.is_nearly_over:
            raise OutOfTimeError(f"the time was over after '{step}'; the next check goes on from there.")

    def finish(self) -> None:
        """See `Progress.finish`."""
