"""``teardown``."""

from __future__ import annotations

import click

from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.output import counted, write_json, write_text
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import Settings, pass_settings


@click.command("teardown")
@pass_settings
@says_what_is_left("what is left is deleted by 'multi_x_serverless teardown'.")
def command(settings: Settings) -> None:
    """Delete the framework's tables, buckets and queues with all they hold: the inverse of setup_tables.

    Objects that removed workflows have left go too. Workflows that are still deployed are refused: remove them first.
    """
    from multi_x_serverless.errors import UsageError

    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.objects import count_all_objects
        from multi_x_serverless.adaptation.workflows import find_workflows
        from multi_x_serverless.cloud.tables import delete_tables
        from multi_x_serverless.deployment.framework import is_framework_deployed

        found = find_workflows(cloud)
        left = [record.workflow_id for record in found.readable]
        if left:
            raise UsageError(f"not all is removed: {', '.join(left)}; remove them first.")
        if found.unreadable:
            raise UsageError(
                f"the records of {', '.join(found.unreadable)} cannot be read, so what they made would be left behind: "
                + " ".join(found.unreadable.values())
            )
        if is_framework_deployed(cloud):
            raise UsageError(
                "the framework is deployed and works on these tables; run 'multi_x_serverless remove_framework' first."
            )
        objects = count_all_objects(cloud)
        and_objects = f", and {counted(objects, 'object')} of workflows that were removed" if objects else ""
        settings.confirm(f"Delete all tables with the history of all runs{and_objects}?")
        with terminal_status(settings, "deleting tables and stores"):
            deleted = delete_tables(cloud, cloud.usable_regions())
        if settings.is_json:
            write_json("teardown", {"deleted": list(deleted), "objects_deleted": objects})
        else:
            write_text(f"Deleted {len(deleted)} tables and stores{and_objects}.")
