"""``update_check_deployment``."""

from __future__ import annotations

from dataclasses import asdict

import click

from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.numbers import seconds_range
from multi_x_serverless.cli.options import workflow_argument
from multi_x_serverless.cli.output import write_json, write_text, write_wrapped
from multi_x_serverless.cli.progress import terminal_progress
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_NOTHING_TO_DO, EXIT_OK


@click.command("update_check_deployment")
@workflow_argument("workflow_ids", required=False, nargs=-1)
@click.option("--dry-run", is_flag=True, help="Say what would be done and do nothing; exit 3 if anything would.")
@click.option(
    "--grace",
    type=seconds_range(),
    default=3600.0,
    show_default=True,
    help="Seconds after which functions that no plan uses any more are deleted.",
)
@pass_settings
@says_what_is_left("what was done so far stands; 'multi_x_serverless update_check_deployment' handles the rest.")
def command(settings: Settings, workflow_ids: tuple[str, ...], dry_run: bool, grace: float) -> int:
    """Migrate all workflows, or WORKFLOW_IDS, to their staged plans, and clean up.

    A plan takes effect only after every function that it needs has answered; until then the old one stays in force.
    Exit code 3 when nothing was changed, or, with --dry-run, when something would be.
    """
    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.check_deployment import check_deployment

        with terminal_progress(settings) as progress:
            outcomes = check_deployment(
                cloud, progress=progress, workflow_ids=workflow_ids, dry_run=dry_run, grace_s=grace
            )
    if settings.is_json:
        write_json("update_check_deployment", {"workflows": [asdict(outcome) for outcome in outcomes]})
    else:
        if not outcomes:
            write_text("No workflow is deployed.")
        for outcome in outcomes:
            write_wrapped(f"{outcome.workflow_id}: {outcome.outcome}: {outcome.message}", hanging="  ")
            for created in outcome.created:
                write_text(f"  created {created}")
            for deleted in outcome.deleted:
                write_text(f"  {'would delete' if dry_run else 'deleted'} {deleted}")
    if any(outcome.outcome == "failed" for outcome in outcomes):
        return EXIT_FAILURE
    is_idle = all(outcome.outcome == "unchanged" and not outcome.deleted for outcome in outcomes)
    # With --dry-run the exit code 3 says that something would change, without it that nothing did.
    return EXIT_OK if is_idle == dry_run else EXIT_NOTHING_TO_DO
