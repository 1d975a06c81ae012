"""``status``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from multi_x_serverless.cli.output import Column, write_json, write_table, write_text
from multi_x_serverless.cli.session import Settings, pass_settings

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.status import PlanUse, WorkflowStatus
    from multi_x_serverless.model.plan import Plan


@click.command("status")
@click.argument("workflow_id")
@pass_settings
def command(settings: Settings, workflow_id: str) -> None:
    """Show the workflow WORKFLOW_ID: its plan in force, the staged one, and where its nodes ran (as of data_sync)."""
    with settings.open_cloud(exclusive=False) as cloud:
        from multi_x_serverless.adaptation.status import workflow_status

        status, now = workflow_status(cloud, workflow_id), cloud.now()
    if settings.is_json:
        write_json("status", _members(status))
        return
    write_text(f"{workflow_id}, home {status.record.configuration.home_region}")
    write_text(f"in force: {_describe(status.active, now)}")
    write_text(f"staged:   {_describe(status.staged, now)}")
    for use in status.uses:
        _show_use(settings, use)
    if not status.uses:
        write_text("No runs in the history; 'data_sync' reads the logs.")


def _describe(plan: Plan | None, now: float) -> str:
    if plan is None:
        return "none"
    until = datetime.fromtimestamp(plan.expires_at, tz=timezone.utc)
    ends = "expires" if now < plan.expires_at else "EXPIRED (runs go home)"
    regions = ", ".join(sorted(plan.regions))
    kind = "everything home" if plan.solver == "none" else plan.solver
    return f"plan {plan.version} ({kind}), regions {regions}, {ends} {until:%Y-%m-%d %H:%M} UTC"


def _show_use(settings: Settings, use: PlanUse) -> None:
    regions = sorted({region for counts in use.regions.values() for region in counts})
    reasons = ", ".join(f"{count} by {reason}" for reason, count in use.reasons.items())
    failed = f", {use.failed} failed" if use.failed else ""
    write_table(
        settings,
        f"Runs under plan {use.plan_version}: {use.runs} ({reasons}{failed})",
        [Column("node"), *(Column(region, is_number=True) for region in regions)],
        [[node, *(str(counts.get(region, "-")) for region in regions)] for node, counts in use.regions.items()],
    )


def _members(status: WorkflowStatus) -> dict[str, Any]:
    import orjson

    def plan(value: Plan | None) -> Any:
        return None if value is None else orjson.loads(value.to_document())

    return {
        "workflow_id": status.record.workflow_id,
        "home_region": status.record.configuration.home_region,
        "nodes": [node.name for node in status.record.graph.nodes],
        "active_plan": plan(status.active),
        "staged_plan": plan(status.staged),
        "plan_uses": [
            {
                "plan_version": use.plan_version,
                "runs": use.runs,
                "failed": use.failed,
                "reasons": dict(use.reasons),
                "regions": {node: dict(counts) for node, counts in use.regions.items()},
            }
            for use in status.uses
        ],
    }
