"""`update_check_deployment`: migrate workflows to their staged plans, then delete what no live plan uses.

A plan that has expired without a successor is replaced by one with everything at home: its runs go home anyway, and
what it used in other regions is then of no live plan.

Every workflow is handled on its own: what goes wrong with one is in its outcome and stops no other.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from multi_x_serverless.adaptation.failure import sentence_and_code
from multi_x_serverless.adaptation.interruption import left_of_migration, telling_what_is_left
from multi_x_serverless.adaptation.upkeep import note_effort
from multi_x_serverless.adaptation.workflows import UnreadableWorkflow, deployed_workflow, each_deployed_workflow
from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.deploy import HOME_PLAN_LIFETIME_S
from multi_x_serverless.deployment.effort import EffortLog
from multi_x_serverless.deployment.migrate import migrate, sweep, sweepable
from multi_x_serverless.deployment.progress import Progress
from multi_x_serverless.deployment.withdrawal import GRACE_S
from multi_x_serverless.model.plan import Plan, home_plan
from multi_x_serverless.model.workflow import WorkflowRecord

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
        WorkInterruptedError: Ctrl-C; it says what is left.
    """

    def handle(record: WorkflowRecord, named: Sequence[str] = ()) -> MigrationOutcome:
        if dry_run:
            return _handle(cloud, record, progress, dry_run=True, grace_s=grace_s)
        with telling_what_is_left(partial(left_of_migration, cloud, record.workflow_id, named=named)):
            return _handle(cloud, record, progress, dry_run=False, grace_s=grace_s)

    if workflow_ids:
        records = [deployed_workflow(cloud, workflow_id) for workflow_id in workflow_ids]
        return tuple(handle(record, workflow_ids[number:]) for number, record in enumerate(records))
    return tuple(
        MigrationOutcome(found.workflow_id, "failed", 0, (), (), found.why)
        if isinstance(found, UnreadableWorkflow)
        else handle(found)
        for found in each_deployed_workflow(cloud)
    )


def _everything_home(record: WorkflowRecord, now: float) -> Plan:
    return home_plan(
        record.workflow_id,
        record.graph,
        record.home_region,
        version=1,  # numbered by the store
        created_at=now,
        expires_at=now + HOME_PLAN_LIFETIME_S,
    )


def _expiry(expired: Plan | None) -> str:
    return "" if expired is None else f"plan {expired.version} has expired, everything goes home: "


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
        expired = active if staged is None and active is not None and active.expires_at <= cloud.now() else None
        if dry_run:
            deleted = sweepable(cloud, workflow_id, now=cloud.now(), grace_s=grace_s)
            if staged is not None:
                message = f"plan {staged.version} is staged."
            elif expired is not None:
                message = f"plan {expired.version} has expired: everything would go home."
            else:
                return MigrationOutcome(workflow_id, "unchanged", in_force, (), deleted, message)
            return MigrationOutcome(workflow_id, "would migrate", in_force, (), deleted, message)
        if expired is not None:
            with lock(cloud, workflow_id):
                deployed_workflow(cloud, workflow_id)  # For one that was removed meanwhile nothing is staged.
                staged = plans.stage_if_none_is(_everything_home(record, cloud.now())) or plans.staged(workflow_id)
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
            message = f"{_expiry(expired)}plan {in_force} is in force."
        deleted = sweep(cloud, workflow_id, now=cloud.now(), grace_s=grace_s, progress=progress)
    except Exception as error:  # noqa: BLE001  # also a defect that the data of one workflow meets stops no other
        # What was reached before it is not undone by what failed after it.
        reached = f"{message} But " if created or message != "no plan is staged." else ""
        reason, code = sentence_and_code(error)
        return MigrationOutcome(workflow_id, "failed", in_force, created, (), f"{reached}{reason}{noted}", code)
    return MigrationOutcome(
        workflow_id, "unchanged" if staged is None else "migrated", in_force, created, deleted, f"{message}{noted}"
    )
