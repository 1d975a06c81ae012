"""``remove``."""

from __future__ import annotations

import click

from multi_x_serverless.cli.output import counted, write_json, write_text
from multi_x_serverless.cli.progress import terminal_progress
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK


@click.command("remove")
@click.argument("workflow_id")
@click.option("--keep-logs", is_flag=True, help="Leave the functions' logs.")
@pass_settings
def command(settings: Settings, workflow_id: str, keep_logs: bool) -> int:
    """Delete the workflow WORKFLOW_ID with everything it made, and its history."""
    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.removal import remove_workflow
        from multi_x_serverless.deployment.remove import require_known

        require_known(cloud, workflow_id)
        settings.confirm(f"Delete {workflow_id} with its history?")
        with terminal_progress(settings) as progress:
            result = remove_workflow(cloud, workflow_id, keep_logs=keep_logs, progress=progress)
    if settings.is_json:
        write_json(
            "remove",
            {"workflow_id": workflow_id, "deleted": list(result.deleted), "left": list(result.left)},
        )
    else:
        write_text(f"Removed {workflow_id}: {counted(len(result.deleted), 'resource')} deleted.")
        for left in result.left:
            settings.say_error(f"could not delete: {left}")
    return EXIT_FAILURE if result.left else EXIT_OK
