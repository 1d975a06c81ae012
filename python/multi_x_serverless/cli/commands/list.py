"""``list``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import click

from multi_x_serverless.cli.output import Column, write_json, write_table, write_text
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK


@click.command("list")
@pass_settings
def command(settings: Settings) -> int:
    """List the deployed workflows, and those whose removal did not reach its end."""
    with settings.open_cloud(exclusive=False) as cloud:
        from multi_x_serverless.adaptation.workflows import find_workflows
        from multi_x_serverless.cloud.tables import PlanStore

        plans = PlanStore(cloud)
        rows: list[dict[str, Any]] = []
        found = find_workflows(cloud)
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
        write_json("list", {"workflows": rows})
    elif not rows:
        write_text("No workflow is deployed.")
    else:
        write_table(
            settings,
            "",
            [
                Column("workflow"),
                Column("home"),
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
    return EXIT_FAILURE if found.unreadable else EXIT_OK
