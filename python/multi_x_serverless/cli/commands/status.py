"""``status``."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from multi_x_serverless.cli.net_table import show_net
from multi_x_serverless.cli.options import run_of_option, workflow_argument
from multi_x_serverless.cli.output import (
    Column,
    age,
    counted,
    percent,
    seconds,
    write_json,
    write_table,
    write_text,
    write_wrapped,
)
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import PROGRAM, Settings, pass_settings

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.status import PlanUse, WorkflowStatus
    from multi_x_serverless.model.plan import Plan
    from multi_x_serverless.model.run import ObservedRun
    from multi_x_serverless.model.statistics import WorkflowStatistics


_ORDINARY = ("plan", "home_share")
"""Reasons for a run's placement that make no difference where the plan has everything at home."""


@click.command("status")
@workflow_argument("identifier", metavar="WORKFLOW_ID|RUN_ID")
@run_of_option
@click.option(
    "--last", type=click.IntRange(min=0), default=5, show_default=True, help="How many of the last runs to show."
)
@pass_settings
def command(settings: Settings, identifier: str, workflow_id: str | None, last: int) -> None:
    """Show a workflow or one of its runs.

    Of a workflow: its plans, where its nodes ran, its last runs (as of data_sync), and what its plans saved and took.
    Of a run (its id is printed by 'run'; the first 16 characters will do): the state of each node, what is
    waited for, failures with their traceback, straight from the logs.
    """
    with settings.open_cloud(exclusive=False) as cloud:
        from multi_x_serverless.adaptation.run_status import begins_run_id, is_run_id, run_status

        if workflow_id is not None or is_run_id(identifier) or begins_run_id(identifier):
            from multi_x_serverless.cli.run_table import run_members, show_run

            with terminal_status(settings, "reading the logs"):
                run = run_status(cloud, identifier, workflow_id)
            if settings.is_json:
                write_json("run_status", run_members(run))
            else:
                show_run(settings, run)
            return
        from multi_x_serverless.adaptation.status import workflow_status

        with terminal_status(settings, "reading the history"):
            status, now = workflow_status(cloud, identifier, last=last), cloud.now()
    if settings.is_json:
        write_json("status", _members(status))
    else:
        show_status(settings, status, now)


def show_status(settings: Settings, status: WorkflowStatus, now: float) -> None:
    """The status as tables, at `now` (seconds since the epoch)."""
    write_text(f"{status.record.workflow_id}, home {status.record.configuration.home_region}")
    write_wrapped(f"in force: {_describe(status.active, now)}", hanging=" " * 10)
    write_wrapped(f"staged:   {_describe(status.staged, now)}", hanging=" " * 10)
    for use in status.uses:
        _show_use(settings, use)
    if status.last_runs:
        _show_last_runs(settings, status, now)
    if status.statistics is not None:
        write_wrapped(_describe_statistics(status.statistics, now))
        write_text("")
    show_net(settings, status.net)
    if status.dead_letters:
        workflow_id = status.record.workflow_id
        write_wrapped(
            f"Messages given up: {status.dead_letters}. '{PROGRAM} dead_letters {workflow_id}' lists them, with "
            f"--discard-all it deletes them, and '{PROGRAM} redrive {workflow_id}' puts them back."
        )
    if not status.uses:
        others = f"No runs of today's graph and home in the history, but {counted(status.other_runs, 'run')} of others"
        found = others if status.other_runs else "No runs in the history"
        write_wrapped(f"{found}; '{PROGRAM} data_sync' reads the logs.")


def _describe(plan: Plan | None, now: float) -> str:
    if plan is None:
        return "none"
    ends = "expires" if now < plan.expires_at else "EXPIRED (runs go home)"
    regions = ", ".join(sorted(plan.regions))
    kind = "everything home" if plan.solver == "none" else plan.solver
    kind += "" if plan.robust is None else ", robust"
    return f"plan {plan.version} ({kind}), regions {regions}, {ends} {_time(plan.expires_at, '%Y-%m-%d %H:%M')} UTC"


def _describe_statistics(statistics: WorkflowStatistics, now: float) -> str:
    collected = f"Statistics of {age(now - statistics.collected_at)} ago"
    if statistics.runtime is None:
        return f"{collected}: no complete run."
    often = "" if statistics.runs_per_day is None else f", {statistics.runs_per_day:.3g} a day"
    times = f"half of them done within {seconds(statistics.runtime.p50)}, 95 % within {seconds(statistics.runtime.p95)}"
    cold = "" if statistics.cold_share is None else f", {percent(statistics.cold_share)} of executions cold"
    return f"{collected}: {counted(statistics.runs, 'run')}{often}, {times}{cold}."


def _time(moment: float, form: str) -> str:
    return datetime.fromtimestamp(moment, tz=timezone.utc).strftime(form)


def _show_use(settings: Settings, use: PlanUse) -> None:
    regions = sorted({region for counts in use.regions.values() for region in counts})
    write_table(
        settings,
        _describe_use(use),
        [Column("node", is_name=True), *(Column(region, is_number=True) for region in regions)],
        [[node, *(str(counts.get(region, "-")) for region in regions)] for node, counts in use.regions.items()],
    )


def _describe_use(use: PlanUse) -> str:
    """How many runs a plan had and why they ran where they did, which nothing chose if it has everything at home."""
    from multi_x_serverless.cli.run_table import NO_PLAN, describe_plan, describe_reason

    is_home = use.is_all_home or not use.plan_version
    of_course = (*_ORDINARY, NO_PLAN) if is_home else ()
    reasons = {reason: count for reason, count in use.reasons.items() if reason not in of_course}
    counts = [
        f"{count} {'by ' if reason in _ORDINARY else ''}{describe_reason(reason)}" for reason, count in reasons.items()
    ]
    if use.failed:
        counts.append(f"{use.failed} failed")
    kind = " (everything home)" if is_home else ""
    return f"Runs under {describe_plan(use.plan_version)}{kind}: {use.runs}" + (
        f" ({', '.join(counts)})" if counts else ""
    )


def _regions_of(run: ObservedRun) -> list[str]:
    return sorted({node.region for node in run.nodes.values()})


def _placed_by(run: ObservedRun, home_plans: Set[int]) -> str:
    from multi_x_serverless.cli.run_table import describe_reason

    if run.reason != "plan":
        return describe_reason(run.reason)
    return f"plan {run.plan_version}{' (home)' if run.plan_version in home_plans else ''}"


def _started(run: ObservedRun, now: float) -> str:
    """To the second today, to the minute before: the table fits a terminal of 80 columns."""
    is_today = _time(run.started_at, "%Y-%m-%d") == _time(now, "%Y-%m-%d")
    return _time(run.started_at, "%H:%M:%S" if is_today else "%m-%d %H:%M")


def _show_last_runs(settings: Settings, status: WorkflowStatus, now: float) -> None:
    from multi_x_serverless.adaptation.run_status import TELLING_CHARACTERS

    home_plans = {use.plan_version for use in status.uses if use.is_all_home}
    write_table(
        settings,
        "Last runs, newest first",
        [
            Column("run", is_whole=True),
            Column("status"),
            Column("started (UTC)", is_whole=True),
            Column("placed by"),
            Column("time", is_number=True),
            Column("regions"),
        ],
        [
            [
                run.run_id[:TELLING_CHARACTERS],
                run.status
                + (f", {counted(len(run.failed_attempts), 'attempt')} failed" if run.failed_attempts else ""),
                _started(run, now),
                _placed_by(run, home_plans),
                seconds(run.duration_s),
                ", ".join(_regions_of(run)) or "-",
            ]
            for run in status.last_runs
        ],
    )


def _members(status: WorkflowStatus) -> dict[str, Any]:
    import orjson

    def plan(value: Plan | None) -> Any:
        return None if value is None else orjson.loads(value.to_document())

    return {
        "workflow_id": status.record.workflow_id,
        "home_region": status.record.configuration.home_region,
        "nodes": [node.name for node in status.record.graph.nodes],
        "active_plan": plan(status.active),
        "staged_plan": plan(status.staged),
        "plan_uses": [
            {
                "plan_version": use.plan_version,
                "everything_home": use.is_all_home,
                "runs": use.runs,
                "failed": use.failed,
                "reasons": dict(use.reasons),
                "regions": {node: dict(counts) for node, counts in use.regions.items()},
            }
            for use in status.uses
        ],
        "statistics": None if status.statistics is None else status.statistics.to_members(),
        "spending": asdict(status.spending),
        "net": asdict(status.net),
        "other_runs": status.other_runs,
        "dead_letters": status.dead_letters,
        "last_runs": [
            {
                "run_id": run.run_id,
                "started_at": run.started_at,
                "status": run.status,
                "plan_version": run.plan_version,
                "reason": run.reason,
                "duration_s": run.duration_s,
                "failed_attempts": len(run.failed_attempts),
                "regions": _regions_of(run),
            }
            for run in status.last_runs
        ],
    }
