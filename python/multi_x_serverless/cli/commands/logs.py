"""``logs``."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from multi_x_serverless.cli.moments import parse_moment
from multi_x_serverless.cli.options import run_of_option, workflow_argument
from multi_x_serverless.cli.output import counted, write_json, write_text
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multi_x_serverless.adaptation.function_logs import FunctionLogs, LogQuery
    from multi_x_serverless.cli.log_lines import LogPrinter
    from multi_x_serverless.cloud.ports import Cloud
    from multi_x_serverless.observation.sync import UnreadLog


@click.command("logs")
@workflow_argument("identifier", metavar="WORKFLOW_ID|RUN_ID")
@run_of_option
@click.option("--node", metavar="NODE", help="Only texts of this node, or of all nodes of this function.")
@click.option(
    "--since",
    metavar="TIME",
    help="Only texts from this time on: how long ago (90s, 15m, 1h, 2d), or a UTC time (2026-01-31T12:00).  "
    "[default: 1h; of a run, all of it]",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Show the newest texts, so many at most.",
)
@click.option(
    "--records",
    "with_records",
    is_flag=True,
    help="Also show the records that data_sync reads and what the platform says of every invocation, and tracebacks "
    "whole.",
)
@click.option("--follow", is_flag=True, help="Go on with texts that come, until Ctrl-C.")
@pass_settings
def command(
    settings: Settings,
    identifier: str,
    workflow_id: str | None,
    node: str | None,
    since: str | None,
    limit: int,
    with_records: bool,
    follow: bool,
) -> int:
    """Show what the functions of a workflow, or of one of its runs, have logged.

    That is what the developer's code prints, tracebacks, and what the platform says of invocations that it ended, each
    with its time, region, node and run ('no run': what a module prints when it is loaded). A traceback is shown without
    the framework's frames, and once for all attempts that failed alike; -v shows all of it. Of a run's id the first 16
    characters will do. The embedded cloud's functions write while a command such as 'run' is at work.
    """
    if follow and settings.is_json:
        raise click.UsageError("--follow never ends, and --output json is one document: give one of them.")
    with settings.open_cloud(exclusive=False) as cloud:
        from multi_x_serverless.adaptation.function_logs import LogQuery, function_logs

        query = LogQuery(
            identifier=identifier,
            workflow_id=workflow_id,
            node=node,
            since=None if since is None else parse_moment(since, cloud.now()),
            with_records=with_records,
            limit=limit,
        )
        if follow:
            return _follow(settings, cloud, query)
        with terminal_status(settings, "reading the logs"):
            found = function_logs(cloud, query)
    if settings.is_json:
        from multi_x_serverless.cli.log_lines import text_members

        write_json(
            "logs",
            {
                "workflow_id": found.record.workflow_id,
                "run_id": found.run_id,
                "since": found.since,
                "until": found.until,
                "left_out": found.left_out,
                "texts": [text_members(found, text) for text in found.texts],
                "unread": [_unread(log) for log in found.unread],
            },
        )
    elif found.texts:
        _printer(settings, query).show(found)
    else:
        write_text("Nothing was logged." + ("" if with_records else " (--records shows the system's own records.)"))
    _warn(settings, found, found.unread)
    return EXIT_FAILURE if found.unread else EXIT_OK


def _follow(settings: Settings, cloud: Cloud, query: LogQuery) -> int:
    """Print what comes until Ctrl-C, which is how this ends well."""
    from multi_x_serverless.adaptation.function_logs import follow_function_logs

    printer = _printer(settings, query)
    behind: set[tuple[str, str]] = set()  # region, function
    with suppress(KeyboardInterrupt):
        for found in follow_function_logs(cloud, query):
            printer.show(found)
            sys.stdout.flush()
            now_behind = {(log.region, log.function) for log in found.unread}
            # Once for as long as it lasts, and not at each look.
            _warn(settings, found, tuple(log for log in found.unread if (log.region, log.function) not in behind))
            for region, function in sorted(behind - now_behind):
                settings.say(f"the log of {function} in {region} can be read again, from where it broke off.")
            behind = now_behind
    return EXIT_OK


def _printer(settings: Settings, query: LogQuery) -> LogPrinter:
    from multi_x_serverless.cli.log_lines import LogPrinter

    return LogPrinter(settings, is_whole=query.with_records or settings.verbosity > 0)


def _warn(settings: Settings, found: FunctionLogs, unread: Sequence[UnreadLog]) -> None:
    if found.left_out:
        settings.say(f"{counted(found.left_out, 'older text')} left out; --limit shows more.")
    for log in unread:
        settings.say_error(f"the log of {log.function} in {log.region} could not be read: {log.error}")


def _unread(log: UnreadLog) -> dict[str, str | float]:
    return {"region": log.region, "function": log.function, "read_until": log.read_until, "error": log.error}
