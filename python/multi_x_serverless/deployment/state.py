"""The recorded state of a workflow, and the steps that deploy, migrate and remove share."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from multi_x_serverless.cloud.documents import is_small_enough
from multi_x_serverless.cloud.locks import LEASE_S
from multi_x_serverless.cloud.ports import ABSENT, Cloud, Condition, Key
from multi_x_serverless.cloud.tables import (
    SYSTEM_TABLES,
    PlanStore,
    create_region_tables,
    create_tables,
    physical_name,
    workflow_table,
)
from multi_x_serverless.deployment.actions import existing_resources, without_fingerprint
from multi_x_serverless.deployment.journal import Journal, open_journals
from multi_x_serverless.errors import ConflictError, UnknownWorkflowError
from multi_x_serverless.sdk.tables import REGION_TABLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from multi_x_serverless.cloud.documents import Stored
    from multi_x_serverless.model.plan import Plan
    from multi_x_serverless.model.workflow import PackageFormat, Resource, WorkflowRecord


IMAGE_LEASE_S = 7200.0
"""Images have gigabytes where zips have megabytes: half of this is longer than a push or a copy by crane may take."""


DROPPED_SHARE = 0.05
"""Part of the past deployments that is dropped at once from a record that is too large."""


@dataclass(frozen=True)
class WorkflowState:
    """What is known of a workflow.

    Attributes:
        stored: Its record, `None` before its first deployment has reached the end.
        journal: What an operation that did not reach its end may have made or changed.
        plan: The plan in force; `None` without a record, whatever is left of a workflow that was removed.
        staged: The plan that waits for a migration; as above.
        read_at: When it was read, seconds since the epoch.
    """

    stored: Stored[WorkflowRecord] | None
    journal: tuple[Resource, ...]
    plan: Plan | None
    staged: Plan | None
    read_at: float

    @property
    def record(self) -> WorkflowRecord | None:
        """The record without its item."""
        return None if self.stored is None else self.stored.value

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What is recorded."""
        return () if self.stored is None else self.stored.value.resources


EMPTY_STATE = WorkflowState(None, (), None, None, 0.0)


def read_state(cloud: Cloud, workflow_id: str) -> WorkflowState:
    """Read all that is known of a workflow."""
    plans = PlanStore(cloud)
    stored = workflow_table(cloud).get(Key(workflow_id))
    return WorkflowState(
        stored=stored,
        journal=Journal(cloud, workflow_id).read(),
        plan=None if stored is None else plans.active(workflow_id),
        staged=None if stored is None else plans.staged(workflow_id),
        read_at=cloud.now(),
    )


def write_record(cloud: Cloud, record: WorkflowRecord, replaces: Stored[WorkflowRecord] | None) -> int:
    """Write a workflow's record over the one that was read; returns the version of its item.

    Past deployments that have no room beside the rest are left out, the oldest first: without them fewer runs are
    learned from, but the record must be written.

    Raises:
        DocumentTooLargeError: It has no room even without them.
        ConflictError: Another command wrote it meanwhile.
    """
    condition = ABSENT if replaces is None else Condition(replaces.version)
    version = workflow_table(cloud).put(Key(record.workflow_id), _that_fits(record), condition=condition)
    if version is None:
        raise ConflictError(f"another command changed '{record.workflow_id}' meanwhile; run the command again.")
    return version


def _that_fits(record: WorkflowRecord) -> WorkflowRecord:
    """The record with as many past deployments as an item has room for, or a few less: each try packs all of it."""
    while not is_small_enough(record.to_document()):
        kept = len(record.deployments.entries)
        if kept <= 1:
            break
        step = math.ceil(kept * DROPPED_SHARE)
        record = replace(record, deployments=record.deployments.without_oldest(step))
    return record


def trusted_resources(cloud: Cloud, state: WorkflowState) -> tuple[Resource, ...]:
    """Recorded resources that are there and, as far as is known, as they were recorded."""
    existing = existing_resources(cloud, state.resources)
    return without_fingerprint(existing, state.journal)


def known_resources(state: WorkflowState) -> dict[tuple[str, str, str], Resource]:
    """Recorded resources and those in the journal, by key."""
    return {resource.key: resource for resource in (*state.journal, *state.resources)}


def image_digests(state: WorkflowState) -> dict[str, str]:
    """Digests of the recorded images at home, by name."""
    home = "" if state.record is None else state.record.home_region
    return {item.name: item.id for item in state.resources if item.kind == "image" and item.region == home}


def lease_s(package_format: PackageFormat) -> float:
    """For how long a command that makes resources holds a workflow's lock at most, in seconds."""
    return IMAGE_LEASE_S if package_format == "image" else LEASE_S


def ensure_tables(cloud: Cloud, regions: Iterable[str]) -> None:
    """Make the tables that are missing in the system region and some regions.

    Tables belong to the installation and not to a workflow: nothing of a workflow's failure removes them.
    """
    wanted = sorted(set(regions))
    places = dict.fromkeys((cloud.system_region, *wanted))
    tables = {region: set(cloud.key_value.list_tables(region)) for region in places}
    run_time = {physical_name(table) for table in REGION_TABLES}
    incomplete = [region for region in wanted if not run_time <= tables[region]]
    if not {physical_name(table) for table in SYSTEM_TABLES} <= tables[cloud.system_region]:
        create_tables(cloud, tuple(incomplete))
    elif incomplete:
        create_region_tables(cloud, tuple(incomplete))


def has_system_tables(cloud: Cloud) -> bool:
    """Whether there is any recorded state to read."""
    tables = set(cloud.key_value.list_tables(cloud.system_region))
    return {physical_name(table) for table in SYSTEM_TABLES} <= tables


def plan_fits(plan: Plan, record: WorkflowRecord) -> bool:
    """Whether a plan places exactly the nodes of a workflow, each in a region it is allowed in."""
    nodes = {node.name: node.function for node in record.graph.nodes}
    return all(
        set(hour.placement) == set(nodes)
        and all(region in record.functions[nodes[node]].allowed_regions for node, region in hour.placement.items())
        for hour in plan.hours
    )


def require_record(cloud: Cloud, workflow_id: str) -> Stored[WorkflowRecord]:
    """A workflow's record.

    Raises:
        UnknownWorkflowError: There is none.
    """
    stored = workflow_table(cloud).get(Key(workflow_id)) if has_system_tables(cloud) else None
    if stored is None:
        raise unknown_workflow(cloud, workflow_id)
    return stored


def unknown_workflow(cloud: Cloud, workflow_id: str) -> UnknownWorkflowError:
    """The error for an id that nothing is deployed under; it lists what is, and what has begun to be."""
    known = [stored.value.workflow_id for stored in workflow_table(cloud).scan()] if has_system_tables(cloud) else []
    return UnknownWorkflowError(workflow_id, tuple(known), unfinished_deployments(cloud))


def unfinished_deployments(cloud: Cloud) -> tuple[str, ...]:
    """Ids of the workflows whose first deployment is under way or did not reach its end: they have no record yet."""
    if not has_system_tables(cloud):
        return ()
    begun = open_journals(cloud)
    # By keys: a record that cannot be read is one all the same.
    recorded = {key.partition for key in workflow_table(cloud).all_keys()} if begun else set()
    return tuple(workflow_id for workflow_id in begun if workflow_id not in recorded)


def regions_of(resources: Collection[Resource]) -> set[str]:
    """Regions in which there is a function."""
    return {resource.region for resource in resources if resource.kind == "function" and resource.region}
