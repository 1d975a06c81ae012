"""`update_check_deployment`: migrate workflows to their staged plans, then delete what no live plan uses.

Every workflow is handled on its own: what goes wrong with one is in its outcome and stops no other.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from multi_x_serverless.adaptation.upkeep import note_effort
from multi_x_serverless.adaptation.workflows import deployed_workflow, find_workflows
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.effort import EffortLog
from multi_x_serverless.deployment.migrate import migrate, sweep, sweepable
from multi_x_serverless.deployment.progress import Progress
from multi_x_serverless.errors import MultiXServerlessError
from multi_x_serverless.model.workflow import WorkflowRecord

GRACE_S = 3_600.0
"""Runs under way keep their placement; after an hour none of the old plan is left (invocations last 900 s at most)."""

KEEP_PLANS = 20
"""Plans that are kept besides the active and the staged one: for `report` over what happened under them."""

Outcome: TypeAlias = Literal["migrated", "would migrate", "unchanged", "failed"]


@dataclass(frozen=True)
class MigrationOutcome:
    """What happened to one workflow.

    Attributes:
        plan_version: The plan in force afterwards; 0 if there is none.
        created: Functions created, as ``function in region``.
        deleted: Functions deleted that no live plan uses; with `dry_run`, that would be.
        message: In a sentence.
        error_code: Of the error that it failed with.
    """

    workflow_id: str
    outcome: Outcome
    plan_version: int
    created: tuple[str, ...]
    deleted: tuple[str, ...]
    message: str
    error_code: str | None = None


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
    if workflow_ids:
        records = tuple(deployed_workflow(cloud, workflow_id) for workflow_id in workflow_ids)
        return tuple(_handle(cloud, record, progress, dry_run=dry_run, grace_s=grace_s) for record in records)
    found = find_workflows(cloud)
    unreadable = [MigrationOutcome(key, "failed", 0, (), (), why) for key, why in found.unreadable.items()]
    deployed = [record for record in found.readable if record.status == "deployed"]
    return (*unreadable, *(_handle(cloud, record, progress, dry_run=dry_run, grace_s=grace_s) for record in deployed))


def _handle(
    cloud: Cloud, record: WorkflowRecord, progress: Progress, *, dry_run: bool, grace_s: float
) -> MigrationOutcome:
    plans = PlanStore(cloud)
    workflow_id = record.workflow_id
    in_force = 0
    created: tuple[str, ...] = ()
    message = "no plan is staged."
    noted = ""
    try:
        active = plans.active(workflow_id)
        in_force = 0 if active is None else active.version
        staged = plans.staged(workflow_id)
        if dry_run:
            deleted = sweepable(cloud, workflow_id, now=cloud.now(), grace_s=grace_s)
            if staged is None:
                return MigrationOutcome(workflow_id, "unchanged", in_force, (), deleted, message)
            message = f"plan {staged.version} is staged."
            return MigrationOutcome(workflow_id, "would migrate", in_force, (), deleted, message)
        if staged is not None:
            effort, before_s, is_done = EffortLog(), time.process_time(), False
            try:
                result = migrate(cloud, workflow_id, progress=progress, effort=effort)
                is_done = True
            finally:
                # One that failed half-way has copied and probed as well.
                cpu_s = time.process_time() - before_s
                noted = note_effort(cloud, record, "migration", effort, cpu_s=cpu_s, failed=not is_done)
            # The plan that was staged by then: another one may have been staged since it was looked at here.
            created, in_force = result.created, result.plan_version
            message = f"plan {in_force} is in force."
            plans.prune(workflow_id, keep=KEEP_PLANS)
        deleted = sweep(cloud, workflow_id, now=cloud.now(), grace_s=grace_s, progress=progress)
    except MultiXServerlessError as error:
        # What was reached before it is not undone by what failed after it.
        reached = f"{message} But " if created or message != "no plan is staged." else ""
        return MigrationOutcome(workflow_id, "failed", in_force, created, (), f"{reached}{error}{noted}", error.code)
    return MigrationOutcome(
        workflow_id, "unchanged" if staged is None else "migrated", in_force, created, deleted, f"{message}{noted}"
    )
