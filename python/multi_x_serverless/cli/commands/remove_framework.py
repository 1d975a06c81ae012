"""``remove_framework``."""

from __future__ import annotations

import click

from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.output import counted, write_json, write_text
from multi_x_serverless.cli.progress import terminal_progress
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_NOTHING_TO_DO, EXIT_OK


@click.command("remove_framework")
@click.option("--keep-logs", is_flag=True, help="Leave the functions' logs.")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted and do nothing; exit 3 if anything would.")
@pass_settings
@says_what_is_left("what is left of it is deleted by 'multi_x_serverless remove_framework'.")
def command(settings: Settings, keep_logs: bool, dry_run: bool) -> int:
    """Delete what deploy_framework made: schedules, functions, logs, roles and package.

    Workflows, their history and the tables stay; without the framework the commands do its work.
    """
    with settings.open_cloud() as cloud:
        from multi_x_serverless.cli.framework_table import framework_members, write_changes
        from multi_x_serverless.deployment.framework import remove_framework

        if not dry_run:
            settings.confirm("Delete the framework's functions and schedules?")
        with terminal_progress(settings) as progress:
            result = remove_framework(cloud, keep_logs=keep_logs, dry_run=dry_run, progress=progress)
    if settings.is_json:
        write_json("remove_framework", framework_members(result, dry_run=dry_run))
    else:
        write_changes(settings, result, dry_run=dry_run)
        if not dry_run:
            done = f"Removed the framework: {counted(len(result.changes), 'resource')} deleted."
            write_text(done if result.changes or result.left else "The framework is not deployed; nothing was removed.")
    if result.left:
        return EXIT_FAILURE
    return EXIT_NOTHING_TO_DO if dry_run and result.changes else EXIT_OK
