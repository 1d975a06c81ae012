"""Removing a workflow with all that the floors below keep of it."""

from __future__ import annotations

from multi_x_serverless.adaptation.ledger import Ledger
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.deployment.progress import Progress
from multi_x_serverless.deployment.remove import RemoveResult, remove
from multi_x_serverless.observation.history import History
from multi_x_serverless.observation.sync import forget_sync


def remove_workflow(
    cloud: Cloud, workflow_id: str, *, keep_logs: bool, progress: Progress, delete_objects: bool = False
) -> RemoveResult:
    """Delete a workflow's resources, plans and history, and its objects if that is asked for.

    The history goes last and only when every resource is gone, so that a removal that was interrupted is repeated
    by running the command again.

    Raises:
        UnknownWorkflowError: There is none of that id.
    """
    result = remove(cloud, workflow_id, keep_logs=keep_logs, delete_objects=delete_objects, progress=progress)
    if not result.left:
        History(cloud).remove(workflow_id)
        forget_sync(cloud, workflow_id)
        Ledger(cloud).remove(workflow_id)
    return result
