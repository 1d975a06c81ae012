"""Staging a plan together with the problem document that it was made of, so that it can be explained later."""

from __future__ import annotations

from dataclasses import dataclass

from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.problems import ProblemStore
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import CloudError
from multi_x_serverless.model.plan import Plan


@dataclass(frozen=True)
class StagedPlan:
    """A plan that waits for `update_check_deployment`.

    Attributes:
        plan: With its version.
        warnings: What went wrong without keeping it from being staged.
    """

    plan: Plan
    warnings: tuple[str, ...]


def stage_plan(cloud: Cloud, plan: Plan, problem: bytes) -> StagedPlan:
    """Keep the problem document and stage the plan.

    A plan is as good without its document, which only `explain` reads: where it cannot be kept, a warning says so.
    """
    warnings: tuple[str, ...] = ()
    try:
        ProblemStore(cloud).put(plan.workflow_id, problem)
    except CloudError as error:
        warnings = (f"what the plan was made of could not be kept: {error} 'explain' has to build it anew.",)
    return StagedPlan(PlanStore(cloud).stage(plan), warnings)
