"""``list``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import click

from multi_x_serverless.cli.output import Column, write_json, write_table, write_text
from multi_x_serverless.cli.session import Settings, pass_settings


@click.command("list")
@pass_settings
def command(settings: Settings) -> None:
    """List the deployed workflows."""
    with settings.open_cloud(exclusive=False) as cloud:
        from multi_x_serverless.adaptation.workflows import deployed_workflows
        from multi_x_serverless.cloud.tables import PlanStore

        plans = PlanStore(cloud)
        rows: list[dict[str, Any]] = []
        for record in deployed_workflows(cloud):
            active = plans.active(record.workflow_id)
            staged = plans.staged(record.workflow_id)
            rows.append(
                {
                    "workflow_id": record.workflow_id,
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
                    ", ".join(row["plan_regions"]),
                    str(row["staged_plan_version"] or "-"),
                ]
                for row in rows
            ],
        )
