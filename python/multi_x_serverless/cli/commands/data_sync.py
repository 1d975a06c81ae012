"""``data_sync``."""

from __future__ import annotations

from dataclasses import asdict

import click

from multi_x_serverless.cli.output import Column, write_json, write_table, write_text
from multi_x_serverless.cli.session import Settings, pass_settings


@click.command("data_sync")
@click.argument("workflow_ids", nargs=-1)
@pass_settings
def command(settings: Settings, workflow_ids: tuple[str, ...]) -> None:
    """Read new function logs of all workflows, or of WORKFLOW_IDS, into the history of runs."""
    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.workflows import deployed_workflow, deployed_workflows, log_sources
        from multi_x_serverless.observation.sync import sync_logs

        records = [deployed_workflow(cloud, workflow_id) for workflow_id in workflow_ids]
        reports = [
            sync_logs(cloud, record.workflow_id, record.graph, log_sources(cloud, record))
            for record in records or deployed_workflows(cloud)
        ]
    if settings.is_json:
        write_json("data_sync", {"workflows": [asdict(report) for report in reports]})
    elif not reports:
        write_text("No workflow is deployed.")
    else:
        names = ("lines", "completed", "failed", "open", "malformed", "rejected", "late")
        write_table(
            settings,
            "New in the logs",
            [Column("workflow"), *(Column(name, is_number=True) for name in names)],
            [[report.workflow_id, *(str(getattr(report, name)) for name in names)] for report in reports],
        )
