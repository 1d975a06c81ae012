"""`update_check_deployment`: migrate workflows to their staged plans, then delete what no live plan uses.

Every workflow is handled on its own: what goes wrong with one is in its outcome and stops no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from multi_x_serverless.adaptation.workflows import deployed_workflow, deployed_workflows
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.migrate import migrate, sweep
from multi_x_serverless.deployment.progress import Progress
from multi_x_serverless.errors import MultiXServerlessError
from multi_x_serverless.model.workflow import WorkflowRecord

GRACE_S = 3_600.0
"""Runs under way keep their placement; after an hour none of the old plan is left (invocations last 900 s at most)."""

Outcome: TypeAlias = Literal["migrated", "would migrate", "unchanged", "failed"]


@dataclass(frozen=True)
class MigrationOutcome:
    """What happened to one workflow.

    Attributes:
        plan_version: The plan in force afterwards; 0 if there is none.
        created: Functions created, as ``function in region``.
        deleted: Functions deleted that no live plan uses.
        message: In a sentence.
    """

    workflow_id: str
    outcome: Outcome
    plan_version: int
    created: tuple[str, ...]
    deleted: tuple[str, ...]
    message: str


def check_deployment(
    cloud: Cloud,
    *,
    progress: Progress,
    workflow_ids: Sequence[str] = (),
    dry_run: bool = False,
    grace_s: float = GRACE_S,
) -> tuple[MigrationOutcome, ...]:
    """Handle some or all deployed workflows.

    Raises:
        UnknownWorkflowError: A named workflow is not deployed.
    """
    records = [deployed_workflow(cloud, workflow_id) for workflow_id in workflow_ids] or deployed_workflows(cloud)
    return tuple(_handle(cloud, record, progress, dry_run=dry_run, grace_s=grace_s) for record in records)


def _handle(
    cloud: Cloud, record: WorkflowRecord, progress: Progress, *, dry_run: bool, grace_s: float
) -> MigrationOutcome:
    plans = PlanStore(cloud)
    workflow_id = record.workflow_id
    active = plans.active(workflow_id)
    active_version = 0 if active is None else active.version
    try:
        staged = plans.staged(workflow_id)
        created: tuple[str, ...] = ()
        if staged is not None:
            if dry_run:
                return MigrationOutcome(
                    workflow_id, "would migrate", active_version, (), (), f"plan {staged.version} is staged."
                )
            created = migrate(cloud, workflow_id, progress=progress).created
        elif dry_run:
            return MigrationOutcome(workflow_id, "unchanged", active_version, (), (), "no plan is staged.")
        deleted = sweep(cloud, workflow_id, now=cloud.now(), grace_s=grace_s)
    except MultiXServerlessError as error:
        return MigrationOutcome(workflow_id, "failed", active_version, (), (), str(error))
    if staged is None:
        return MigrationOutcome(workflow_id, "unchanged", active_version, (), deleted, "no plan is staged.")
    return MigrationOutcome(
        workflow_id, "migrated", staged.version, created, deleted, f"plan {staged.version} is in force."
    )
