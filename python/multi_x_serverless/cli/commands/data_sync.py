"""``data_sync``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.options import workflow_argument
from multi_x_serverless.cli.output import Column, write_json, write_table, write_text
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK, MultiXServerlessError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multi_x_serverless.observation.sync import SyncReport

ALWAYS_SHOWN = ("lines", "completed", "failed", "open")
"""Columns that are shown whatever is in them; the others are left out where nothing is."""


@click.command("data_sync")
@workflow_argument("workflow_ids", required=False, nargs=-1)
@pass_settings
@says_what_is_left("what was read so far is kept, the next 'multi_x_serverless data_sync' goes on there.")
def command(settings: Settings, workflow_ids: tuple[str, ...]) -> int:
    """Read new function logs of all workflows, or of WORKFLOW_IDS, into the history of runs.

    \b
    lines      records that were new
    completed  runs that ended well
    failed     runs that were given up
    open       runs that have not ended yet
    malformed  damaged records
    newer      records that only a newer version of this program can read
    rejected   messages that functions refused
    late       records of runs that were counted before
    lost       runs given up whose start nobody logged; no history has them

    The last five are left out where they are 0.

    What goes wrong with one workflow, or with one log, stops no other.
    """  # noqa: D301  # a backspace, which tells click to leave a paragraph as it is
    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.upkeep import sync_workflow
        from multi_x_serverless.adaptation.workflows import deployed_workflow, find_workflows
        from multi_x_serverless.observation.sync import unread_log_warning

        failures: dict[str, str] = {}
        if workflow_ids:
            records = [deployed_workflow(cloud, workflow_id) for workflow_id in workflow_ids]
        else:
            found = find_workflows(cloud)
            records = [record for record in found.readable if record.status == "deployed"]
            failures.update(found.unreadable)
        reports, warnings = [], []
        for record in records:
            try:
                with terminal_status(settings, f"reading the logs of {record.workflow_id}"):
                    synced = sync_workflow(cloud, record)
            except MultiXServerlessError as error:
                failures[record.workflow_id] = str(error)
                continue
            reports.append(synced.report)
            if synced.warning:
                warnings.append(f"{record.workflow_id}: {synced.warning}")
    if settings.is_json:
        write_json("data_sync", {"workflows": [asdict(report) for report in reports], "failures": failures})
    elif not reports and not failures:
        write_text("No workflow is deployed.")
    elif reports:
        show_synced(settings, reports)
    for warning in warnings:
        settings.say(f"warning: {warning}")
    for workflow_id, why in failures.items():
        settings.say_error(f"{workflow_id}: {why}")
    unread = [(report.workflow_id, log) for report in reports for log in report.unread]
    for workflow_id, log in unread:
        settings.say_error(f"{workflow_id}: {unread_log_warning(log)}")
    return EXIT_FAILURE if failures or unread else EXIT_OK


def show_synced(settings: Settings, reports: Sequence[SyncReport]) -> None:
    """What was new of each workflow, as a table."""
    rare = ("malformed", "newer", "rejected", "late", "lost")
    names = (*ALWAYS_SHOWN, *(name for name in rare if any(getattr(report, name) for report in reports)))
    write_table(
        settings,
        "New in the logs",
        [Column("workflow", is_whole=True), *(Column(name, is_number=True) for name in names)],
        [[report.workflow_id, *(str(getattr(report, name)) for name in names)] for report in reports],
    )
