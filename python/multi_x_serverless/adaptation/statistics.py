"""What the history says of each workflow: the `workflow` part of `data_collect`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multi_x_serverless.adaptation.workflows import deployed_workflow, deployed_workflows
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.observation.history import KEEP_DAYS, History


@dataclass(frozen=True)
class WorkflowStatistics:
    """The last 30 days of a workflow.

    Attributes:
        runs: Complete runs of the deployed graph.
        failed: Failed runs of the deployed graph.
        mean_runtime_s: Mean time from the start of the entry node to the end of the last node; 0 without runs.
        regions: Regions in which some node ran.
    """

    workflow_id: str
    runs: int
    failed: int
    mean_runtime_s: float
    regions: tuple[str, ...]


def workflow_statistics(cloud: Cloud, workflow_ids: Sequence[str] = ()) -> tuple[WorkflowStatistics, ...]:
    """Statistics of some or all deployed workflows, straight from their history.

    Raises:
        UnknownWorkflowError: A named workflow is not deployed.
    """
    history = History(cloud)
    since = cloud.now() - KEEP_DAYS * 86_400.0
    result = []
    named = [deployed_workflow(cloud, workflow_id) for workflow_id in workflow_ids]
    for record in named or deployed_workflows(cloud):
        runs = [run for run in history.runs(record.workflow_id, since=since) if run.manifest_id == record.manifest_id]
        complete = [run for run in runs if run.status == "complete"]
        result.append(
            WorkflowStatistics(
                workflow_id=record.workflow_id,
                runs=len(complete),
                failed=len(runs) - len(complete),
                mean_runtime_s=sum(run.duration_s for run in complete) / len(complete) if complete else 0.0,
                regions=tuple(sorted({node.region for run in runs for node in run.nodes.values()})),
            )
        )
    return tuple(result)
