"""One run as tables and as members of a document."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from multi_x_serverless.cli.failures import describe_failure, failure_members
from multi_x_serverless.cli.letter_table import letter_members
from multi_x_serverless.cli.output import (
    Column,
    counted,
    seconds,
    write_table,
    write_text,
    write_wrapped,
)
from multi_x_serverless.cli.session import PROGRAM
from multi_x_serverless.observation.tracebacks import developers_part

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.run_status import NodeStatus, RunStatus
    from multi_x_serverless.cli.session import Settings


def show_run(settings: Settings, run: RunStatus) -> None:
    """The state of a run: a line, a table of its nodes, what failed, what to do."""
    trace = run.trace
    has_ended = trace.status in ("complete", "failed") and run.started_at is not None
    took = f" after {seconds(trace.duration_s)}" if has_ended else ""
    write_text(f"Run {trace.run_id} of {run.workflow_id}: {trace.status}{took}")
    if run.started_at is not None:
        started = datetime.fromtimestamp(run.started_at, tz=timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        write_wrapped(f"started {started} UTC, {_placement(run)}", hanging="  ")
    if run.is_deployment_unknown:
        write_wrapped(
            "It started under a deployment that is not recorded (any more). Nodes and states are told by the graph of "
            "today, and may not be what they were."
        )
    columns = [
        Column("node", is_name=True),
        Column("state", is_whole=True),
        Column("region", is_whole=True),
        Column("attempts", is_number=True),
        Column("duration", is_number=True),
    ]
    write_table(settings, "", columns, [_row(node) for node in run.nodes])
    for node in run.nodes:
        if node.waits_for:
            write_wrapped(f"{node.node} waits for {', '.join(node.waits_for)}", hanging="  ")
    finished = {node.node for node in run.nodes if node.state == "finished"}
    # Attempts that failed alike are shown once: usually all of them did.
    for failure, attempts in Counter(trace.failures).items():
        earlier = "earlier attempts: " if failure.node in finished else ""
        write_wrapped(earlier + describe_failure(failure, attempts))
        for line in failure.traceback if settings.verbosity > 0 else developers_part(failure.traceback):
            write_text(f"    {line}".rstrip())
    for kill in run.kills:
        write_wrapped(f"ended by the platform: {kill}")
    if run.fallbacks:
        write_wrapped(f"{counted(run.fallbacks, 'call')} went home because the planned region did not take them.")
    if run.duplicates:
        write_wrapped(f"{counted(run.duplicates, 'repeated delivery')} found the node started and ran nothing.")
    for message in run.letters:
        write_wrapped(f"given up: the message to {message.node or message.letter.function} in {message.letter.region}")
    if run.letters:
        write_text(f"When the cause is removed:\n  {PROGRAM} redrive {run.workflow_id} --run {trace.run_id}")


def _placement(run: RunStatus) -> str:
    """Which plan a run was under and why it was placed as it was."""
    trace = run.trace
    if not run.plan_version:
        why = "" if trace.reason == NO_PLAN else f" ({describe_reason(trace.reason)})"
        return f"{describe_plan(run.plan_version)}, everything home{why}"
    if run.is_all_home:
        why = "" if trace.reason == "plan" else f" ({describe_reason(trace.reason)})"
        return f"plan {run.plan_version}, everything home{why}"
    if trace.placement_key == "home":
        return f"plan {run.plan_version}, placed at home ({describe_reason(trace.reason)})"
    return f"plan {run.plan_version}, placed by plan (as from {int(trace.placement_key):02}:00)"


NO_PLAN = "no_plan"
"""Reason of a placement that says no more than that there was no plan."""


def describe_plan(version: int) -> str:
    """A plan by its version; 0 is none, so that a run was at home."""
    return f"plan {version}" if version else "no plan"


_REASONS = {"expired": "plan expired", "other_manifest": "plan of another deployment"}


def describe_reason(reason: str) -> str:
    """Why a run was placed as it was (see `sdk.records`), in words."""
    return _REASONS.get(reason, reason.replace("_", " "))


def _row(node: NodeStatus) -> list[str]:
    duration = "-" if node.duration_s is None else seconds(node.duration_s) + (" cold" if node.is_cold else "")
    return [node.node, node.state, node.region or "-", str(node.attempts or "-"), duration]


def run_members(run: RunStatus) -> dict[str, Any]:
    """The run as members of a document; times in seconds."""
    trace = run.trace
    return {
        "run_id": trace.run_id,
        "workflow_id": run.workflow_id,
        "status": trace.status,
        "started_at": run.started_at,
        "duration_s": trace.duration_s,
        "plan_version": run.plan_version,
        "placement": trace.placement_key,
        "reason": trace.reason,
        "nodes": [asdict(node) for node in run.nodes],
        "failures": [failure_members(failure) for failure in trace.failures],
        "kills": list(run.kills),
        "duplicates": run.duplicates,
        "fallbacks": run.fallbacks,
        "result": trace.result,
        "dead_letters": [letter_members(message) for message in run.letters],
        "deployment_unknown": run.is_deployment_unknown,
    }
