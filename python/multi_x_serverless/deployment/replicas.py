"""The plan in the regions: a replica in each, in the format of `multi_x_serverless.sdk.plan_replica`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.sdk.plan_replica import PlanReplica
from multi_x_serverless.sdk.tables import PLAN_DOCUMENT, PLAN_REPLICAS

if TYPE_CHECKING:
    from collections.abc import Collection

    from multi_x_serverless.model.plan import Plan
    from multi_x_serverless.model.workflow import WorkflowRecord


def plan_replica(record: WorkflowRecord, plan: Plan) -> PlanReplica:
    """A plan as the functions of a deployed workflow read it."""
    index = {region: position for position, region in enumerate(record.regions)}
    return PlanReplica(
        version=plan.version,
        manifest_id=record.manifest_id,
        expires_at=plan.expires_at,
        home_share=record.configuration.home_share,
        regions=record.regions,
        hours=tuple(
            (entry.hour, tuple(index[entry.placement[node.name]] for node in record.graph.nodes))
            for entry in plan.hours
        ),
    )


def write_replicas(cloud: Cloud, record: WorkflowRecord, plan: Plan, regions: Collection[str]) -> None:
    """Write a plan to some regions, home last: triggers arrive there, and find a plan that is everywhere."""
    replica = plan_replica(record, plan).to_json()
    home = record.home_region
    for region in sorted(regions, key=lambda region: (region == home, region)):
        cloud.key_value.put(region, physical_name(PLAN_REPLICAS), Key(record.workflow_id), {PLAN_DOCUMENT: replica})


def delete_replica(cloud: Cloud, workflow_id: str, region: str) -> None:
    """Delete a region's replica; that of a region without tables is gone already."""
    if physical_name(PLAN_REPLICAS) in cloud.key_value.list_tables(region):
        cloud.key_value.delete(region, physical_name(PLAN_REPLICAS), Key(workflow_id))
