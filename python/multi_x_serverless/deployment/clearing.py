"""Deleting what no plan in force uses any longer, and noting in the record what is gone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from multi_x_serverless.deployment.actions import plan_deletions
from multi_x_serverless.deployment.replicas import delete_replica
from multi_x_serverless.deployment.state import regions_of, require_record, write_record

if TYPE_CHECKING:
    from multi_x_serverless.cloud.ports import Cloud
    from multi_x_serverless.deployment.executor import Executor
    from multi_x_serverless.model.workflow import Resource, WorkflowRecord


def remove_resources(
    cloud: Cloud, record: WorkflowRecord, unwanted: tuple[Resource, ...], executor: Executor
) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
    """Delete some of a workflow's resources and note in its record which are gone.

    Returns:
        What was deleted, and what could not be with the reason.
    """
    left = executor.delete(plan_deletions(unwanted))
    kept = {(action.kind, action.region or "", action.name) for action, _ in left}
    deleted = tuple(resource for resource in unwanted if resource.key not in kept)
    gone = {resource.key for resource in deleted}
    # What another command has recorded meanwhile, after this one's lock had ended, is not written over.
    stored = require_record(cloud, record.workflow_id)
    remaining = tuple(resource for resource in stored.value.resources if resource.key not in gone)
    for region in sorted(regions_of(deleted) - regions_of(remaining)):
        delete_replica(cloud, record.workflow_id, region)
    write_record(cloud, replace(stored.value, resources=remaining, updated_at=cloud.now()), stored)
    return deleted, tuple(f"{action}: {error}" for action, error in left)
