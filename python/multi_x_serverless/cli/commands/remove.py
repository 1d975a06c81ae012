"""``remove``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.options import workflow_argument
from multi_x_serverless.cli.output import counted, write_json, write_text
from multi_x_serverless.cli.progress import terminal_progress
from multi_x_serverless.cli.session import PROGRAM, Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK, UnknownWorkflowError, UsageError

if TYPE_CHECKING:
    from multi_x_serverless.cloud.ports import Cloud


@click.command("remove")
@workflow_argument()
@click.option("--keep-logs", is_flag=True, help="Leave the functions' logs.")
@click.option("--objects", "delete_objects", is_flag=True, help="Delete the workflow's objects too.")
@pass_settings
@says_what_is_left(
    "a removal that has begun cannot be taken back: 'multi_x_serverless remove {workflow_id}', with the same options, "
    "deletes what is left."
)
def command(settings: Settings, workflow_id: str, keep_logs: bool, delete_objects: bool) -> int:
    """Delete the workflow WORKFLOW_ID with everything it made, and its history.

    Its objects are data and stay, unless --objects is given; 'objects delete WORKFLOW_ID --all' deletes them later.

    While a check, a sync or another command works on it, nothing is removed; try again when that has ended.
    """
    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.removal import remove_workflow
        from multi_x_serverless.deployment.remove import require_known

        try:
            require_known(cloud, workflow_id)
        except UnknownWorkflowError:
            if delete_objects:
                _point_to_objects(cloud, workflow_id)
            raise
        settings.confirm(f"Delete {workflow_id} with its history{' and its objects' if delete_objects else ''}?")
        with terminal_progress(settings) as progress:
            result = remove_workflow(
                cloud, workflow_id, keep_logs=keep_logs, delete_objects=delete_objects, progress=progress
            )
    if settings.is_json:
        write_json(
            "remove",
            {
                "workflow_id": workflow_id,
                "deleted": list(result.deleted),
                "left": list(result.left),
                "objects_deleted": result.objects_deleted,
                "objects_left": result.objects_left,
                "object_regions": list(result.object_regions),
            },
        )
    else:
        objects = f" and {counted(result.objects_deleted, 'object')}" if result.objects_deleted else ""
        write_text(f"Removed {workflow_id}: {counted(len(result.deleted), 'resource')}{objects} deleted.")
        if result.objects_left:
            again = f"{PROGRAM} objects delete {workflow_id} --all"
            places = result.object_regions
            commands = [again] if len(places) <= 1 else [f"{again} --region {region}" for region in places]
            told = "".join(f"\n  {settings.with_options(command)}" for command in commands)
            write_text(f"{_left(result.objects_left)}; to delete:{told}")
        for left in result.left:
            settings.say_error(f"could not delete: {left}")
    return EXIT_FAILURE if result.left else EXIT_OK


def _point_to_objects(cloud: Cloud, workflow_id: str) -> None:
    """Name the command that deletes what a removed workflow has left.

    Raises:
        UsageError: It has left objects.
        UnknownWorkflowError: It has left none, or there never was one.
    """
    from multi_x_serverless.adaptation.objects import region_of_objects

    region = region_of_objects(cloud, workflow_id)
    raise UsageError(
        f"'{workflow_id}' is deployed no longer and has left objects in {region}: '{PROGRAM} objects delete "
        f"{workflow_id} --all' deletes them."
    )


def _left(count: int) -> str:
    return "1 object of it stays" if count == 1 else f"{count} objects of it stay"
