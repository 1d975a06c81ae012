"""Deployed workflows as the loop sees them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from multi_x_serverless.cloud.parallel import run_all
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.cloud.tables import physical_name, workflow_table
from multi_x_serverless.deployment.names import workflow_prefix
from multi_x_serverless.deployment.places import function_names_of, places_of
from multi_x_serverless.deployment.state import unfinished_deployments
from multi_x_serverless.errors import CloudError, MultiXServerlessError, NotEnoughDataError, UnknownWorkflowError
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.sync import LogSource
from multi_x_serverless.solving.problem import WorkflowModel

LEFT_LOGS_S = 2 * DAY_S
"""A sync takes in runs of the last day, and the longest of them may have begun a day before that."""


def require_tables(cloud: Cloud) -> None:
    """Check that `setup_tables` was run.

    Raises:
        NotEnoughDataError: It was not.
    """
    if not _has_tables(cloud):
        raise NotEnoughDataError(
            "there are no tables yet: run 'multi_x_serverless setup_tables' (or "
            "'multi_x_serverless deploy', which does it too) first."
        )


def _has_tables(cloud: Cloud) -> bool:
    return physical_name("workflows") in cloud.key_value.list_tables(cloud.system_region)


def deployed_workflows(cloud: Cloud) -> tuple[WorkflowRecord, ...]:
    """All deployed workflows, by id; none where the framework was never set up."""
    return tuple(record for record in find_workflows(cloud).readable if record.status == "deployed")


@dataclass(frozen=True)
class FoundWorkflows:
    """All workflows that are recorded, by id.

    Attributes:
        readable: Deployed ones, and those whose removal did not reach its end.
        unreadable: Workflow id -> why its record cannot be read.
    """

    readable: tuple[WorkflowRecord, ...]
    unreadable: Mapping[str, str]


@dataclass(frozen=True)
class UnreadableWorkflow:
    """A workflow whose record cannot be read, and why."""

    workflow_id: str
    why: str


def each_workflow(cloud: Cloud) -> Iterator[WorkflowRecord | UnreadableWorkflow]:
    """All recorded workflows by id, each read when it is its turn: thousands of records are not held at once."""
    if not _has_tables(cloud):
        return
    table = workflow_table(cloud)
    for key in table.all_keys():
        try:
            stored = table.get(key)
        except MultiXServerlessError as error:
            yield UnreadableWorkflow(key.partition, str(error))
            continue
        if stored is not None:
            yield stored.value


def each_deployed_workflow(cloud: Cloud) -> Iterator[WorkflowRecord | UnreadableWorkflow]:
    """Those that take runs, and those of which that cannot be known; see `each_workflow`."""
    for found in each_workflow(cloud):
        if isinstance(found, UnreadableWorkflow) or found.status == "deployed":
            yield found


def find_workflows(cloud: Cloud) -> FoundWorkflows:
    """All recorded workflows; one whose record cannot be read hides no other."""
    found = tuple(each_workflow(cloud))
    return FoundWorkflows(
        tuple(entry for entry in found if isinstance(entry, WorkflowRecord)),
        {entry.workflow_id: entry.why for entry in found if isinstance(entry, UnreadableWorkflow)},
    )


def deployed_workflow(cloud: Cloud, workflow_id: str) -> WorkflowRecord:
    """One deployed workflow.

    Raises:
        UnknownWorkflowError: There is none of that id.
    """
    stored = workflow_table(cloud).get(Key(workflow_id)) if _has_tables(cloud) else None
    if stored is None or stored.value.status != "deployed":
        known = tuple(record.workflow_id for record in deployed_workflows(cloud))
        raise UnknownWorkflowError(workflow_id, known, unfinished_deployments(cloud))
    return stored.value


def model_of(record: WorkflowRecord) -> WorkflowModel:
    """What solving needs to know of a workflow."""
    return WorkflowModel(
        configuration=record.configuration,
        functions=record.functions,
        graph=record.graph,
        manifest_id=record.manifest_id,
        earlier_manifest_ids=record.manifest_ids - {record.manifest_id},
    )


def runs_of_graph(record: WorkflowRecord, runs: Iterable[ObservedRun]) -> list[ObservedRun]:
    """Those of the graph that is deployed, on whatever package of it, with the home of today."""
    manifest_ids = record.manifest_ids
    return [run for run in runs if run.manifest_id in manifest_ids]


def log_sources(cloud: Cloud, record: WorkflowRecord, regions: Collection[str] | None = None) -> tuple[LogSource, ...]:
    """Where the workflow's functions have logs: also in regions that they have left, and of functions that are gone.

    In a region that cannot be asked they all may; whoever reads there finds out which region it is. One that the
    workflow has left is passed over then, once no run that was there can be taken in any more.

    Args:
        regions: Only in these; by default wherever something of it may be (`places_of`).
    """
    wanted = places_of(cloud, record) if regions is None else regions
    places = tuple(region for region in wanted if region in cloud.regions)
    names = function_names_of(record)
    prefix = workflow_prefix(record.workflow_id)

    def logs_in(region: str) -> tuple[str, ...]:
        try:
            return cloud.logs.list_logs(region, prefix)
        except CloudError:
            return tuple(sorted(names)) if region in record.regions or may_have_news else ()

    deployed = record.deployments.entries
    # It was left by a deployment, the last one or one before it.
    may_have_news = not deployed or cloud.now() - deployed[-1].at < LEFT_LOGS_S
    found = run_all([partial(logs_in, region) for region in places])
    return tuple(
        LogSource(region, function)
        for region, functions in zip(places, found, strict=True)
        for function in functions
        if function in names
    )
