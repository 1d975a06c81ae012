"""Staging a plan together with the problem document that it was made of, so that it can be explained later.

A plan is staged under the workflow's lock and only for what it was made for: a solve takes minutes, in which the
workflow may be removed or deployed anew. What is staged waits for `update_check_deployment`. A check that decides
otherwise meanwhile withdraws what an earlier one staged; what no check staged is left.
"""

from __future__ import annotations

from dataclasses import dataclass

from multi_x_serverless.adaptation.renewal import renewal_at
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.problems import ProblemStore
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import CloudError, ConflictError
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.units import DAY_S, HOURS_PER_DAY
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import KEEP_DAYS

KEEP_PLANS = 20
"""Plans that are kept besides the active and the staged one, however old they are."""

KEEP_PLANS_S = 2 * KEEP_DAYS * DAY_S
"""Younger plans are kept, too: they may have routed runs of the history, whose savings are counted by them."""


@dataclass(frozen=True)
class StagedPlan:
    """A plan that waits for `update_check_deployment`.

    Attributes:
        plan: With its version.
        warnings: What went wrong without keeping it from being staged.
    """

    plan: Plan
    warnings: tuple[str, ...]


def stage_plan(
    cloud: Cloud, record: WorkflowRecord, plan: Plan, problem: bytes, *, by_check: bool = False
) -> StagedPlan:
    """Stage a plan, keep its problem document and forget old plans with theirs.

    A plan is as good without its document, which only `explain` reads: where it cannot be kept, a warning says so. The
    plan is stored first: of what cannot be stored no document is left that no plan names.

    Args:
        record: Of the workflow as it was when the plan was made.
        by_check: Whether a check stages it, so that a later one may withdraw it.

    Raises:
        UnknownWorkflowError: The workflow was removed meanwhile.
        ConflictError: Another command works on it, or it was deployed anew meanwhile.
    """
    with lock(cloud, record.workflow_id):
        if deployed_workflow(cloud, record.workflow_id).deployment != record.deployment:
            raise ConflictError(
                f"'{record.workflow_id}' was deployed anew while a plan was made for it: nothing was staged; run the "
                "command again."
            )
        return _stage(cloud, plan, problem, by_check=by_check)


def _stage(cloud: Cloud, plan: Plan, problem: bytes, *, by_check: bool) -> StagedPlan:
    plans = PlanStore(cloud)
    staged = plans.stage(plan, by_check=by_check)
    warnings = []
    try:
        ProblemStore(cloud).put(plan.workflow_id, problem)
    except CloudError as error:
        warnings.append(f"what the plan was made of could not be kept: {error} 'explain' has to build it anew.")
    try:
        # Here and not after a migration: plans come with stages, also while migrations fail.
        plans.prune(plan.workflow_id, keep=KEEP_PLANS, created_before=cloud.now() - KEEP_PLANS_S)
    except CloudError as error:
        warnings.append(f"old plans could not be forgotten: {error}")
    return StagedPlan(staged, tuple(warnings))


def equal_waiting(cloud: Cloud, plan: Plan) -> Plan | None:
    """The plan that waits, if it places every node as another one does at every hour and is not about to end."""
    plans = PlanStore(cloud)
    waiting = plans.waiting(plan.workflow_id)
    if waiting is None:
        return None
    found = plans.get(plan.workflow_id, waiting.version)
    is_equal = all(found.at(hour).placement == plan.at(hour).placement for hour in range(HOURS_PER_DAY))
    return found if is_equal and cloud.now() < renewal_at(found) else None


def overruled(cloud: Cloud, workflow_id: str) -> str:
    """A sentence about the plan that waits, for a check that stages another; empty if an earlier check staged it."""
    waiting = PlanStore(cloud).waiting(workflow_id)
    if waiting is None or waiting.is_by_check:
        return ""
    return f"plan {waiting.version}, which no check staged, was waiting for 'update_check_deployment' and is replaced."


def withdraw(cloud: Cloud, workflow_id: str, *, is_dry_run: bool) -> str:
    """Withdraw the plan that an earlier check staged and that is not in force.

    Returns:
        A sentence about the plan that waits or waited; empty if none did.
    """
    plans = PlanStore(cloud)
    waiting = plans.waiting(workflow_id)
    if waiting is None:
        return ""
    if not waiting.is_by_check:
        return f"Plan {waiting.version}, which no check staged, is left and waits for 'update_check_deployment'."
    name = f"Plan {waiting.version}, which an earlier check staged,"
    if is_dry_run:
        return f"{name} would be withdrawn."
    try:
        # Not while a migration puts it in force.
        with lock(cloud, workflow_id):
            is_withdrawn = plans.unstage(workflow_id, waiting.version)
    except ConflictError as error:
        return f"{name} is left: {error}"
    return f"{name} is withdrawn." if is_withdrawn else f"{name} was replaced or put in force meanwhile."
