"""``run``."""

from __future__ import annotations

import math
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from multi_x_serverless.cli.failures import failure_lines, failure_members
from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.numbers import seconds_range
from multi_x_serverless.cli.options import workflow_argument
from multi_x_serverless.cli.output import (
    Column,
    counted,
    printable,
    seconds,
    write_error,
    write_json,
    write_table,
    write_text,
)
from multi_x_serverless.cli.progress import terminal_count
from multi_x_serverless.cli.session import PROGRAM, Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_OK, UsageError

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.runs import RunsInterruptedError
    from multi_x_serverless.observation.trace import RunTrace

SHOWN_SINGLY = 5
"""Up to so many runs are shown node by node, more as a summary."""


@click.command("run")
@workflow_argument()
@click.option("-a", "--argument", "argument", metavar="JSON", help="Input of the run, a JSON value.")
@click.option(
    "--arguments-file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Start one run per line of the file, each line a JSON value; - for standard input.",
)
@click.option("--wait/--no-wait", default=None, help="Wait for the result.  [default: --wait on the embedded cloud]")
@click.option("--timeout", type=seconds_range(0.1), default=600.0, show_default=True, help="Seconds to wait at most.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Of many runs, on the embedded cloud: start the next one only while fewer messages than this are under way.",
)
@pass_settings
@says_what_is_left(
    "runs that were started go on (on the embedded cloud with the next 'multi_x_serverless run {workflow_id}'), the "
    "others never started."
)
def command(
    settings: Settings,
    workflow_id: str,
    argument: str | None,
    arguments_file: Path | None,
    wait: bool | None,
    timeout: float,
    concurrency: int,
) -> int:
    """Run the workflow WORKFLOW_ID (shown by 'deploy' and 'list').

    Without waiting, the run's id is printed, and 'status' shows how it goes. The embedded cloud delivers messages only
    while a command runs it: with --no-wait a run is queued, durably, and goes on with the next command that waits.
    """
    inputs = _inputs(argument, arguments_file)
    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.runs import NO_INPUT, RunsInterruptedError, run_and_wait, start_runs

        values = [NO_INPUT] if inputs is None else inputs
        if not (wait if wait is not None else cloud.name == "local"):
            started = start_runs(cloud, workflow_id, values)
            if settings.is_json:
                write_json("run", {"workflow_id": workflow_id, "run_ids": list(started.run_ids)})
            else:
                for run_id in started.run_ids:
                    write_text(run_id)
            return EXIT_OK
        begun = time.monotonic()
        try:
            with terminal_count(settings, "runs", len(values)) as progress:
                traces = run_and_wait(
                    cloud, workflow_id, values, concurrency=concurrency, timeout_s=timeout, progress=progress
                )
        except RunsInterruptedError as stop:
            write_error(_interrupted(stop, is_local=cloud.name == "local"))
            return EXIT_INTERRUPTED
        waited_s = time.monotonic() - begun
    if settings.is_json:
        write_json("run", {"workflow_id": workflow_id, "runs": [_members(trace) for trace in traces]})
    elif len(traces) <= SHOWN_SINGLY:
        for trace in traces:
            _show(settings, trace)
    else:
        _summarise(settings, traces)
    unfinished = sum(trace.status not in ("complete", "failed") for trace in traces)
    if unfinished and waited_s >= timeout:
        settings.say_error(
            f"still under way after {timeout:g} s: {counted(unfinished, 'run')}; the next 'run' goes on with that."
        )
    elif unfinished:
        settings.say_error(
            f"{counted(unfinished, 'run')} without an end although no message is under way any more, after "
            f"{waited_s:.1f} s: what was waited for failed as often as it is tried, or its log is not complete yet."
        )
    failed = [trace.run_id for trace in traces if trace.status == "failed"]
    if failed and not settings.is_json:
        settings.say(
            f"To see why it failed, and what was given up:\n  {PROGRAM} status {failed[0]}\n"
            f"  {PROGRAM} dead_letters {workflow_id}"
        )
    return EXIT_OK if all(trace.status == "complete" for trace in traces) else EXIT_FAILURE


def _interrupted(stop: RunsInterruptedError, *, is_local: bool) -> str:
    """How many runs there are in each state when Ctrl-C was pressed, and what becomes of those under way."""
    statuses = Counter(trace.status for trace in stop.traces)
    is_under_way = sum(statuses.values()) - statuses["complete"] - statuses["failed"]
    parts = [f"{counted(statuses['complete'], 'run')} complete"]
    if statuses["failed"]:
        parts.append(f"{statuses['failed']} failed")
    if is_under_way:
        goes_on = "with the next 'run'" if is_local else "in the cloud"
        parts.append(f"{is_under_way} under way ({'goes' if is_under_way == 1 else 'go'} on {goes_on})")
    if stop.never_started:
        parts.append(f"the last {stop.never_started} never started")
    return f"interrupted: {', '.join(parts)}."


def _inputs(argument: str | None, arguments_file: Path | None) -> list[Any] | None:
    if argument is not None and arguments_file is not None:
        raise click.UsageError("Give either -a or --arguments-file.")
    if argument is not None:
        return [_parse(argument, "-a")]
    if arguments_file is None:
        return None
    from multi_x_serverless.cli.problem_file import read_document

    try:
        lines = read_document(arguments_file).decode().splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{arguments_file} is not UTF-8 ({error.reason} at byte {error.start}).") from None
    inputs = [_parse(line, f"{arguments_file}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]
    if not inputs:
        raise UsageError(f"{arguments_file} holds no input: one JSON value per line is expected.")
    return inputs


def _parse(text: str, where: str) -> Any:
    import json

    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except ValueError as error:
        shown = text if len(text) <= 60 else text[:57] + "..."
        raise UsageError(f"{where}: '{shown}' is not JSON ({error}); text needs quotes: '\"text\"'.") from None
    except RecursionError:
        raise UsageError(f"{where}: is nested too deeply.") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not part of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large for a number")
    return number


def _members(trace: RunTrace) -> dict[str, Any]:
    return {
        "run_id": trace.run_id,
        "status": trace.status,
        "reason": trace.reason,
        "placement": trace.placement_key,
        "duration_s": trace.duration_s,
        "result": trace.result,
        "nodes": [
            {
                "node": node.node,
                "region": node.region,
                "start_s": node.start_s,
                "duration_s": node.duration_s,
                "cold": node.is_cold,
            }
            for node in trace.nodes
        ],
        "failures": [failure_members(failure) for failure in trace.failures],
    }


def _show(settings: Settings, trace: RunTrace) -> None:
    import json

    rows = [
        [
            node.node,
            node.region,
            seconds(node.start_s),
            seconds(node.duration_s),
            "cold" if node.is_cold else "",
        ]
        for node in trace.nodes
    ]
    took = f" in {seconds(trace.duration_s)}" if trace.status in ("complete", "failed") else ""
    title = f"Run {trace.run_id}: {trace.status}{took}"
    columns = [
        Column("node", is_name=True),
        Column("region", is_whole=True),
        Column("start", True),
        Column("duration", True),
        Column(""),
    ]
    if rows:
        write_table(settings, title, columns, rows)
    else:
        write_text(f"{title}." if trace.status == "not started" else f"{title}; no node finished.")
    for line in failure_lines(trace.failures):
        settings.say_error(line)
    if trace.result is not None:
        click.echo(printable("Result: " + json.dumps(trace.result, ensure_ascii=False, indent=2)))


def _summarise(settings: Settings, traces: tuple[RunTrace, ...]) -> None:
    statuses = Counter(trace.status for trace in traces)
    where: dict[str, Counter[str]] = {}
    for trace in traces:
        for node in trace.nodes:
            where.setdefault(node.node, Counter())[node.region] += 1
    regions = sorted({region for counts in where.values() for region in counts})
    title = f"{counted(len(traces), 'run')}: " + ", ".join(
        f"{count} {status}" for status, count in sorted(statuses.items())
    )
    if where:
        write_table(
            settings,
            title,
            [Column("node", is_name=True), *(Column(region, is_number=True) for region in regions)],
            [[node, *(str(counts[region] or "-") for region in regions)] for node, counts in where.items()],
        )
    else:
        write_text(f"{title}; no node finished.")
    for trace in traces:
        for line in failure_lines(trace.failures):
            settings.say_error(f"run {trace.run_id}: {line}")
