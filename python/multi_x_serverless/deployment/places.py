"""Where something of a workflow may be: also what an earlier deployment or plan of it has left behind.

A deployment that takes a region out of the allowed ones, renames a function or moves home deletes what is no longer
used, but not what was there: logs that were not read yet, messages that were given up, payloads, objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.names import function_name
from multi_x_serverless.errors import CloudError

if TYPE_CHECKING:
    from collections.abc import Collection

    from multi_x_serverless.cloud.ports import Cloud
    from multi_x_serverless.model.workflow import WorkflowRecord


def places_of(cloud: Cloud, record: WorkflowRecord) -> tuple[str, ...]:
    """Regions in which something of a workflow may be: those it may use, then those that it has left, sorted.

    It was where its resources are, where home was, and where a stored plan has placed something. Regions that the cloud
    does not know (any more) are left out, and of those that were left, the ones that the account has not enabled:
    there nothing can be read or deleted.
    """
    allowed = tuple(region for region in record.regions if region in cloud.regions)
    made = {resource.region for resource in record.resources if resource.region is not None}
    found = made | set(homes_of(record)) | PlanStore(cloud).regions(record.workflow_id)
    left = found.intersection(cloud.regions).difference(allowed)
    return (*allowed, *sorted(_enabled(cloud, left)))


def homes_of(record: WorkflowRecord) -> tuple[str, ...]:
    """Regions that are or were home, that of today first, the others sorted."""
    earlier = {origin.home_region for origin in record.origins.values()}
    return (record.home_region, *sorted(earlier - {record.home_region}))


def function_names_of(record: WorkflowRecord) -> frozenset[str]:
    """Names under which functions of a workflow are deployed, or were."""
    made = {resource.name for resource in record.resources if resource.kind == "function"}
    graphs = [origin.graph for origin in record.origins.values()]
    return frozenset(made).union(
        function_name(record.workflow_id, function) for graph in graphs for function in graph.functions
    )


def _enabled(cloud: Cloud, regions: Collection[str]) -> set[str]:
    if not regions:
        return set()  # the usual case, in which the account is not asked
    try:
        return set(regions).intersection(cloud.usable_regions())
    except CloudError:
        return set(regions)  # it may not be asked; whoever looks into a closed region is told so there
