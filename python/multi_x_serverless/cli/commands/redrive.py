"""``redrive``."""

from __future__ import annotations

import click

from multi_x_serverless.cli.failures import failure_lines, failure_members
from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.letter_table import letter_members
from multi_x_serverless.cli.numbers import seconds_range
from multi_x_serverless.cli.options import workflow_argument
from multi_x_serverless.cli.output import write_json, write_text
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import PROGRAM, Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK


@click.command("redrive")
@workflow_argument()
@click.argument("letter_ids", metavar="[LETTER_ID]...", nargs=-1)
@click.option("--run", "run_id", metavar="RUN_ID", help="Only messages of this run.")
@click.option("--wait/--no-wait", default=None, help="Wait for the runs.  [default: --wait on the embedded cloud]")
@click.option("--timeout", type=seconds_range(0.1), default=600.0, show_default=True, help="Seconds to wait at most.")
@pass_settings
@says_what_is_left("what was put back stays so, 'multi_x_serverless dead_letters {workflow_id}' lists the rest.")
def command(
    settings: Settings,
    workflow_id: str,
    letter_ids: tuple[str, ...],
    run_id: str | None,
    wait: bool | None,
    timeout: float,
) -> int:
    """Put back messages of WORKFLOW_ID that were given up: those named, or all.

    Their runs go on from where they stopped; what was done is not done again. A run that data_sync has counted as
    failed stays so in 'status WORKFLOW_ID' even if it completes now; 'status RUN_ID' shows it as it is.
    """
    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.dead_letters import redrive

        with terminal_status(settings, "putting messages back"):
            result = redrive(
                cloud,
                workflow_id,
                letter_ids,
                run_id=run_id,
                wait=wait if wait is not None else cloud.name == "local",
                timeout_s=timeout,
            )
    if settings.is_json:
        members = {
            "redriven": [letter_members(message) for message in result.messages],
            "held": [letter_members(message) for message in result.held],
            "stuck": [{**letter_members(message), "why": why} for message, why in result.stuck],
            "runs": [
                {
                    "run_id": run.run_id,
                    "status": run.status,
                    "failures": [failure_members(failure) for failure in run.failures],
                }
                for run in result.runs
            ],
        }
        write_json("redrive", {"workflow_id": workflow_id, **members})
    else:
        write_text(f"Messages put back: {len(result.messages)}.")
        for run in result.runs:
            write_text(f"run {run.run_id}: {run.status}")
            if run.status == "failed":
                # What it raised before is told too, and how often in all.
                for line in failure_lines(run.failures):
                    settings.say_error(line)
        failed = [run.run_id for run in result.runs if run.status == "failed"]
        if failed:
            settings.say(f"To see more of it:\n  {PROGRAM} status {failed[0]}")
    if result.held:
        settings.say_error(
            f"messages left: {len(result.held)}; killed attempts still hold their nodes' claims. Try again later."
        )
    for message, why in result.stuck:
        settings.say_error(
            f"the message for {message.node or 'nobody knows whom'} was left: {why} To delete it:\n"
            f"  {PROGRAM} dead_letters --discard {message.letter.id}"
        )
    return (
        EXIT_OK
        if not result.held and not result.stuck and all(run.status == "complete" for run in result.runs)
        else EXIT_FAILURE
    )
