"""``list``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import click

from multi_x_serverless.cli.options import regions_option
from multi_x_serverless.cli.output import (
    Column,
    counted,
    write_json,
    write_table,
    write_text,
    write_wrapped,
)
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK, unfinished_deployment


@click.command("list")
@click.option("--tagged", is_flag=True, help="List every resource that carries the installation's tag instead.")
@regions_option("With --tagged: only this region; may be given several times.  [default: all usable]")
@pass_settings
def command(settings: Settings, tagged: bool, regions: tuple[str, ...]) -> int:
    """List the deployed workflows, and those whose first deployment or removal did not reach its end.

    With --tagged: all that this installation has made in the account and that is still there, workflow or not. AWS may
    list what was just deleted for some minutes.
    """
    if tagged:
        return _list_tagged(settings, regions)
    if regions:
        raise click.UsageError("--region is for --tagged.")
    with settings.open_cloud(exclusive=False) as cloud:
        from multi_x_serverless.adaptation.workflows import find_workflows
        from multi_x_serverless.cloud.tables import PlanStore
        from multi_x_serverless.deployment.state import unfinished_deployments

        plans = PlanStore(cloud)
        rows: list[dict[str, Any]] = []
        found = find_workflows(cloud)
        unfinished = unfinished_deployments(cloud)
        for record in found.readable:
            active = plans.active(record.workflow_id)
            staged = plans.staged(record.workflow_id)
            rows.append(
                {
                    "workflow_id": record.workflow_id,
                    "status": record.status,
                    "home_region": record.configuration.home_region,
                    "functions": len(record.functions),
                    "plan_version": None if active is None else active.version,
                    "plan_regions": [] if active is None else sorted(active.regions),
                    "staged_plan_version": None if staged is None else staged.version,
                    "updated_at": datetime.fromtimestamp(record.updated_at, tz=timezone.utc).isoformat(
                        timespec="seconds"
                    ),
                }
            )
    for workflow_id, why in found.unreadable.items():
        settings.say_error(f"{workflow_id}: {why}")
    if settings.is_json:
        write_json("list", {"workflows": rows, "unfinished": list(unfinished)})
        return EXIT_FAILURE if found.unreadable else EXIT_OK
    if not rows and not unfinished:
        write_text("No workflow is deployed.")
    if rows:
        write_table(
            settings,
            "",
            [
                Column("workflow", is_whole=True),
                Column("home", is_whole=True),
                Column("functions", is_number=True),
                Column("plan", is_number=True),
                Column("regions"),
                Column("staged", is_number=True),
            ],
            [
                [
                    str(row["workflow_id"]),
                    str(row["home_region"]),
                    str(row["functions"]),
                    str(row["plan_version"] or "-"),
                    ", ".join(row["plan_regions"])
                    if row["status"] == "deployed"
                    else f"its removal did not reach its end: remove {row['workflow_id']}",
                    str(row["staged_plan_version"] or "-"),
                ]
                for row in rows
            ],
        )
    for workflow_id in unfinished:
        write_wrapped(f"{unfinished_deployment(workflow_id)}.")
    return EXIT_FAILURE if found.unreadable else EXIT_OK


def _list_tagged(settings: Settings, regions: tuple[str, ...]) -> int:
    from functools import partial

    with settings.open_cloud(exclusive=False) as cloud:
        from multi_x_serverless.cloud.parallel import run_all
        from multi_x_serverless.cloud.usable import require_usable

        chosen = require_usable(cloud, regions) if regions else cloud.usable_regions()
        with terminal_status(settings, f"looking at {counted(len(chosen), 'region')}"):
            listed = run_all([partial(cloud.tagged_resources, region) for region in chosen])
    found = [(region, resource) for region, resources in zip(chosen, listed, strict=True) for resource in resources]
    if settings.is_json:
        write_json("list", {"tagged": [{"region": region, "id": resource} for region, resource in found]})
    elif not found:
        write_text(f"Nothing carries the tag in {counted(len(chosen), 'region')}.")
    else:
        for region, resource in found:
            write_text(f"{region}  {resource}")
    return EXIT_OK
