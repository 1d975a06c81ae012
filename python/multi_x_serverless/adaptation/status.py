"""The state of a workflow at a glance: plan in force, staged plan, where nodes ran lately, what is left to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import KEEP_DAYS, History


@dataclass(frozen=True)
class PlanUse:
    """Runs in the history that one plan routed.

    Attributes:
        reasons: Why the runs had their placement (see `sdk.records`) -> how many.
        regions: Node -> region -> how many runs ran it there.
    """

    plan_version: int
    runs: int
    failed: int
    reasons: Mapping[str, int]
    regions: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class WorkflowStatus:
    """See the module's text. `uses` is ordered by plan version."""

    record: WorkflowRecord
    active: Plan | None
    staged: Plan | None
    uses: tuple[PlanUse, ...]


def workflow_status(cloud: Cloud, workflow_id: str) -> WorkflowStatus:
    """Collect the state of a workflow.

    Raises:
        UnknownWorkflowError: There is none of that id.
    """
    record = deployed_workflow(cloud, workflow_id)
    plans = PlanStore(cloud)
    runs = History(cloud).runs(workflow_id, since=cloud.now() - KEEP_DAYS * 86_400.0)
    by_plan: dict[int, list[ObservedRun]] = {}
    for run in runs:
        if run.manifest_id == record.manifest_id:
            by_plan.setdefault(run.plan_version, []).append(run)
    return WorkflowStatus(
        record=record,
        active=plans.active(workflow_id),
        staged=plans.staged(workflow_id),
        uses=tuple(_use(version, entries, record) for version, entries in sorted(by_plan.items())),
    )


def _use(version: int, runs: list[ObservedRun], record: WorkflowRecord) -> PlanUse:
    return PlanUse(
        plan_version=version,
        runs=len(runs),
        failed=sum(run.status == "failed" for run in runs),
        reasons=dict(sorted(Counter(run.reason for run in runs).items())),
        regions={
            node.name: dict(sorted(Counter(run.nodes[index].region for run in runs if index in run.nodes).items()))
            for index, node in enumerate(record.graph.nodes)
        },
    )
