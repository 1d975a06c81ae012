"""``update_check_solver``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone

import click

from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.numbers import FiniteRange
from multi_x_serverless.cli.options import workflow_argument
from multi_x_serverless.cli.output import (
    counted,
    grams,
    write_json,
    write_text,
    write_warning,
    write_wrapped,
)
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_NOTHING_TO_DO, EXIT_OK


@click.command("update_check_solver")
@workflow_argument("workflow_ids", required=False, nargs=-1)
@click.option("--dry-run", is_flag=True, help="Stage nothing; exit 3 if a plan would be staged.")
@click.option(
    "--minimum-runs",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Runs in the last 30 days below which nothing is solved.",
)
@click.option(
    "--hysteresis",
    type=FiniteRange(min=0.0, max=1.0),
    default=0.01,
    show_default=True,
    help="Relative gain (0.01 is 1 %) below which the plan in force stays.",
)
@pass_settings
@says_what_is_left(
    "what was read, collected and decided so far stands; 'multi_x_serverless update_check_solver' handles the rest.",
    changes=lambda _options: True,  # --dry-run stages nothing, but syncs and collects
)
def command(
    settings: Settings, workflow_ids: tuple[str, ...], dry_run: bool, minimum_runs: int, hysteresis: float
) -> int:
    """Sync, collect and solve for all workflows, or WORKFLOW_IDS, and stage a plan where it pays.

    Exit code 3 when no plan is staged, or, with --dry-run, when one would be.
    """
    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.check_solver import CheckSettings, check_solver

        with terminal_status(settings, "checking"):
            decisions = check_solver(
                cloud,
                CheckSettings(minimum_runs=minimum_runs, hysteresis=hysteresis),
                workflow_ids=workflow_ids,
                dry_run=dry_run,
            )
    if settings.is_json:
        write_json("update_check_solver", {"workflows": [asdict(decision) for decision in decisions]})
    else:
        if not decisions:
            write_text("No workflow is deployed.")
        for decision in decisions:
            write_wrapped(f"{decision.workflow_id}: {decision.verdict}: {decision.reason}", hanging="  ")
            if decision.granularity is not None and decision.switches is not None:
                write_wrapped(
                    f"The new plan has {counted(decision.granularity, 'placement')} a day and changes "
                    f"{counted(decision.switches, 'time')}.",
                    indent="  ",
                )
            if decision.balance is not None:
                earned, spent = decision.balance.earned_carbon_gco2eq, decision.balance.spent_carbon_gco2eq
                write_wrapped(
                    f"Last 30 days: plans saved {grams(earned)} of CO2eq (expected), planning took {grams(spent)}.",
                    indent="  ",
                )
            if decision.next_check_at is not None:
                then = datetime.fromtimestamp(decision.next_check_at, timezone.utc)
                write_wrapped(f"Next check: {then:%Y-%m-%d %H:%M} UTC: {decision.why_then}", indent="  ")
            for warning in decision.warnings:
                write_warning(warning, indent="  ")
    if any(decision.verdict == "failed" for decision in decisions):
        return EXIT_FAILURE
    changes = any(decision.verdict in ("staged", "would stage") for decision in decisions)
    # With --dry-run the exit code 3 says that something would change, without it that nothing did.
    return EXIT_OK if changes != dry_run else EXIT_NOTHING_TO_DO
