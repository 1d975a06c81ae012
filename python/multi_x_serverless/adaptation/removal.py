"""Removing a workflow with all that the floors below keep of it."""

from __future__ import annotations

from functools import partial

from multi_x_serverless.adaptation.interruption import left_of_removal, telling_what_is_left
from multi_x_serverless.adaptation.ledger import Ledger
from multi_x_serverless.cloud.locks import check_lock, lock, sync_lock
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.deployment.progress import Progress
from multi_x_serverless.deployment.remove import RemoveResult, remove, require_known
from multi_x_serverless.observation.history import History
from multi_x_serverless.observation.sync import forget_sync


def remove_workflow(
    cloud: Cloud, workflow_id: str, *, keep_logs: bool, progress: Progress, delete_objects: bool = False
) -> RemoveResult:
    """Delete a workflow's resources, plans and history, and its objects if that is asked for.

    The history goes when every resource is gone and before the record, so that a removal that was interrupted is
    repeated by running the command again. No check or sync is under way meanwhile: it would write of a workflow that
    is gone, and the next one of that id would take it for its own.

    Raises:
        UnknownWorkflowError: There is none of that id.
        ConflictError: A check, a sync or another command works on the workflow; nothing was changed.
        WorkInterruptedError: Ctrl-C; it says what is left.
    """
    with telling_what_is_left(partial(left_of_removal, cloud, workflow_id)):
        require_known(cloud, workflow_id)
        with lock(cloud, check_lock(workflow_id)) as checks, lock(cloud, sync_lock(workflow_id)) as syncs:

            def forget() -> None:
                checks.keep()
                syncs.keep()
                History(cloud).remove(workflow_id)
                forget_sync(cloud, workflow_id)
                Ledger(cloud).remove(workflow_id)

            return remove(
                cloud, workflow_id, keep_logs=keep_logs, delete_objects=delete_objects, forget=forget, progress=progress
            )
