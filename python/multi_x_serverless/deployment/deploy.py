"""`deploy`: from a project directory to a workflow that runs in its home region.

::

    project --build--> record and package          (no cloud is changed; an image that no registry has is built here)
    state   --------> what is recorded, what an unfinished operation left, the plan in force
        |
        v
    intent: changes to make, what is no longer wanted, the plan to keep or to begin with
        |            +--dry run--> the list of actions
        v
    journal -> create and update -> probe -> replicas of the plan -> plan pointer -> record   (commit)
        |                                                                               |
        +-- on failure: undo, back to the record or to nothing                           +-> delete the unwanted

The record is written last, so a workflow is deployed exactly when its record says so. The journal names what may
have been made before that, for the undo and for the command after a crash. A plan in force is kept as long as the
nodes are the same; functions are updated wherever it needs them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.actions import Action, Verb, plan_changes, plan_deletions
from multi_x_serverless.deployment.build import Build, build
from multi_x_serverless.deployment.clearing import remove_resources
from multi_x_serverless.deployment.desired import (
    DesiredFunction,
    desired_resources,
    function_places,
    key_of,
    resource_of,
)
from multi_x_serverless.deployment.effort import UNNOTED, Effort
from multi_x_serverless.deployment.executor import Executor
from multi_x_serverless.deployment.image import DockerBuilder, ImageBuilder, ImageContext
from multi_x_serverless.deployment.journal import Journal
from multi_x_serverless.deployment.lineage import deployments_with
from multi_x_serverless.deployment.packaging import Package
from multi_x_serverless.deployment.progress import SILENT, Progress
from multi_x_serverless.deployment.replicas import write_replicas
from multi_x_serverless.deployment.restore import undo
from multi_x_serverless.deployment.state import (
    EMPTY_STATE,
    WorkflowState,
    ensure_tables,
    has_system_tables,
    image_digests,
    known_resources,
    lease_s,
    read_state,
    regions_of,
    trusted_resources,
    write_record,
)
from multi_x_serverless.deployment.withdrawal import WithdrawnPlan, plans_after
from multi_x_serverless.errors import DeploymentError, MultiXServerlessError
from multi_x_serverless.model.deployments import Deployments
from multi_x_serverless.model.plan import Plan, home_plan
from multi_x_serverless.model.units import DAY_S

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from multi_x_serverless.cloud.locks import Lease
    from multi_x_serverless.cloud.ports import Cloud, PushTarget
    from multi_x_serverless.deployment.build import CheckedProject
    from multi_x_serverless.model.workflow import (
        PackageFormat,
        PackageReference,
        Resource,
        ResourceKind,
        WorkflowRecord,
    )

HOME_PLAN_LIFETIME_S = 10 * 365 * DAY_S
"""The home-only plan rests on no data that could grow old; what it says also holds when it has expired."""


@dataclass(frozen=True)
class DeployPreview:
    """A workflow as it is deployed and as it would be.

    Attributes:
        before: `None` if it is not deployed.
        plan_before: The plan in force; `None` if there is none.
        plan_after: The plan that would stay in force; `None` if everything would begin at home.
    """

    before: WorkflowRecord | None
    after: WorkflowRecord
    plan_before: Plan | None
    plan_after: Plan | None


@dataclass(frozen=True)
class DeployResult:
    """What a deployment did, or would do.

    Attributes:
        actions: In order; none if nothing had changed.
        left: What is no longer wanted but could not be deleted, and why; the next deployment tries again.
        preview: What it would change, of a dry run.
        withdrawn: Plans that were withdrawn, or would be.
    """

    workflow_id: str
    actions: tuple[Action, ...]
    left: tuple[str, ...] = ()
    preview: DeployPreview | None = None
    withdrawn: tuple[WithdrawnPlan, ...] = ()


def deploy(
    cloud: Cloud,
    project: Path,
    *,
    package_format: PackageFormat | None = None,
    checked: CheckedProject | None = None,
    dry_run: bool = False,
    progress: Progress = SILENT,
    image_builder: ImageBuilder | None = None,
    effort: Effort = UNNOTED,
    sleep: Callable[[float], None] = time.sleep,
) -> DeployResult:
    """Deploy the workflow of a project directory to its home region, or update it wherever it is.

    Args:
        cloud: Where.
        project: The project's directory.
        package_format: How the code is packed; by default as it is deployed, at first as a zip.
        checked: The project as `check_for` found it, if it was asked before.
        dry_run: Only say what would be done; nothing in the cloud is changed, and no image is built.
        progress: Told of every step.
        image_builder: Builds and pushes an image; by default Docker.
        effort: Told what is copied to regions of the plan in force, and probed, also by a deployment that fails.
        sleep: Waits between attempts of what may succeed later.

    Raises:
        InvalidConfigurationError: The project's configuration or source is refused; nothing was changed.
        ConflictError: Another command works on the workflow; nothing was changed.
        DeploymentError: It failed; the message says in which state things are.
    """
    progress.start("analysing and packaging", 0)
    built = build(cloud, project, package_format, checked=checked)
    progress.finish()
    workflow_id = built.record.workflow_id
    if dry_run:
        state = read_state(cloud, workflow_id) if has_system_tables(cloud) else EMPTY_STATE
        intent = _intend(cloud, built.record, state)
        preview = DeployPreview(state.record, built.record, state.plan, intent.plan)
        return DeployResult(workflow_id, intent.actions, preview=preview, withdrawn=intent.withdrawn)
    push_image = _build_image(cloud, built, image_builder or DockerBuilder(), progress)
    ensure_tables(cloud, (built.record.home_region,))
    with lock(cloud, workflow_id, lease_s=lease_s(built.record.package_format)) as lease:
        state = read_state(cloud, workflow_id)
        intent = _intend(cloud, built.record, state)
        if not intent.actions:
            return DeployResult(workflow_id, ())
        return _apply(cloud, built, state, intent, push_image, lease, progress, effort, sleep)


def _build_image(
    cloud: Cloud, built: Build, builder: ImageBuilder, progress: Progress
) -> Callable[[PushTarget, str], None] | None:
    """Build the image unless home has it, before anything is changed or locked; returns what pushes it.

    Raises:
        DeploymentError: It cannot be built, or the workflow is deployed as a zip; nothing was changed.
    """
    name = built.record.package.key
    if not isinstance(built.package, ImageContext):
        return None
    if has_system_tables(cloud):
        _require_format(built.record, read_state(cloud, built.record.workflow_id).record)
    repository, _, tag = name.rpartition(":")
    if cloud.images.find_image(built.record.home_region, repository, tag) is not None:
        return None
    progress.start("building the image", 0)
    try:
        builder.build(built.package, name)
    finally:
        progress.finish()
    return partial(builder.push, name)


@dataclass(frozen=True)
class _Intent:
    """What a deployment is to do.

    Attributes:
        changes: What to create and update.
        kept: Recorded resources that stay as they are.
        unwanted: Resources to delete once the new state is in force.
        plan: The plan in force, if it can stay so; `None` to begin with a new one at home.
        unstaged: The staged plan, if it cannot stay so.
        withdrawn: Plans that are withdrawn, as reported.
        actions: All of it, as reported.
    """

    changes: tuple[Action, ...]
    kept: tuple[Resource, ...]
    unwanted: tuple[Resource, ...]
    plan: Plan | None
    unstaged: Plan | None
    withdrawn: tuple[WithdrawnPlan, ...]
    actions: tuple[Action, ...]


def _intend(cloud: Cloud, record: WorkflowRecord, state: WorkflowState) -> _Intent:
    previous = state.record
    if previous is not None and previous.status == "removing":
        raise DeploymentError(
            f"a removal of '{record.workflow_id}' did not reach its end; run 'multi_x_serverless remove "
            f"{record.workflow_id}' first. "
            "Nothing was changed."
        )
    _require_format(record, previous)
    plans = plans_after(record, state, cloud.now())
    plan = plans.kept
    desired = desired_resources(cloud, record, function_places(record.graph, record.home_region, plan))
    trusted = trusted_resources(cloud, state)
    changes = plan_changes(desired, trusted)
    wanted = {key_of(resource) for resource in desired}
    changed = {(action.kind, action.region or "", action.name) for action in changes}
    unwanted = [resource for key, resource in known_resources(state).items() if key not in wanted]
    if plan is not None:
        useful = _useful_for_earlier_plans(cloud, record, state.resources)
        unwanted = [item for item in unwanted if item.key not in useful]
    gone = {resource.key for resource in unwanted}
    kept = tuple(resource for resource in trusted if resource.key not in changed | gone)
    reported = [*changes, *plan_deletions(unwanted)]
    if plan is None:
        reported.append(Action("create" if state.plan is None else "update", "plan", None, "home"))
    if previous is None or _content(previous) != _content(record) or reported or state.journal:
        verb: Verb = "create" if previous is None else "update"
        reported.append(Action(verb, "workflow", None, record.workflow_id))
    return _Intent(changes, kept, tuple(unwanted), plan, plans.unstaged, plans.withdrawn, tuple(reported))


def _require_format(record: WorkflowRecord, previous: WorkflowRecord | None) -> None:
    if previous is not None and previous.package_format != record.package_format:
        raise DeploymentError(
            f"'{record.workflow_id}' is deployed as {previous.package_format}, and AWS cannot turn a function into "
            f"{record.package_format}: count up workflow_version to deploy it beside, or run "
            f"'multi_x_serverless remove {record.workflow_id}' first. Nothing was changed."
        )


def _useful_for_earlier_plans(
    cloud: Cloud, record: WorkflowRecord, recorded: Collection[Resource]
) -> set[tuple[ResourceKind, str, str]]:
    """Keys of recorded resources that a plan for this very package may need, wherever it places functions.

    What only an earlier plan needs may still serve its last runs; the sweep gives it time.
    Resources with other code or of functions that no longer exist can serve no run, nor can their topics.
    """
    everywhere = dict.fromkeys(record.graph.functions, frozenset(record.regions))
    useful = {(key_of(item), item.fingerprint) for item in desired_resources(cloud, record, everywhere)}
    alike = [resource for resource in recorded if (resource.key, resource.fingerprint) in useful]
    places = {(resource.function, resource.region) for resource in alike if resource.kind == "function"}
    return {
        resource.key for resource in alike if resource.kind != "topic" or (resource.function, resource.region) in places
    }


def _apply(
    cloud: Cloud,
    built: Build,
    state: WorkflowState,
    intent: _Intent,
    push_image: Callable[[PushTarget, str], None] | None,
    lease: Lease,
    progress: Progress,
    effort: Effort,
    sleep: Callable[[float], None],
) -> DeployResult:
    workflow_id = built.record.workflow_id
    role = next((resource.id for resource in intent.kept if resource.kind == "role"), None)
    executor = Executor(
        cloud,
        built.record.home_region,
        progress,
        package=built.package.body if isinstance(built.package, Package) else None,
        role_id=role,
        push_image=push_image,
        image_digests=image_digests(state),
        lease=lease,
        effort=effort,
        sleep=sleep,
    )
    journal = Journal(cloud, workflow_id)
    progress.start(f"deploying {workflow_id}", len(intent.actions))
    try:
        touched = [resource_of(action.desired, "") for action in intent.changes if action.desired is not None]
        journal.add(touched)
        made = executor.apply(intent.changes)
        functions = [action.desired for action in intent.changes if isinstance(action.desired, DesiredFunction)]
        executor.probe(functions, built.record.manifest_id)
        now = cloud.now()
        record = replace(
            built.record,
            package=_measured(cloud, built),
            resources=_sorted((*intent.kept, *made, *intent.unwanted)),
            plan_activated_at=_activation_time(cloud, state, intent),
            updated_at=now,
            deployments=deployments_with(state.record, built.record, functions, now),
        )
        lease.keep()
        _put_plan_in_force(cloud, record, state, intent, regions_of((*intent.kept, *made)))
        lease.keep()
        write_record(cloud, record, state.stored)
    except Exception as error:  # also a defect must leave nothing half made
        raise undo(cloud, workflow_id, state, executor, lease, error) from error
    finally:
        progress.finish()
    left = _clean_up(cloud, record, intent.unwanted, executor, journal)
    return DeployResult(workflow_id, intent.actions, left, withdrawn=intent.withdrawn)


def _measured(cloud: Cloud, built: Build) -> PackageReference:
    """The package with its size; that of an image is known when it is in the registry."""
    reference = built.record.package
    if isinstance(built.package, Package):
        return reference
    repository, _, tag = reference.key.rpartition(":")
    found = cloud.images.find_image(built.record.home_region, repository, tag)
    return reference if found is None else replace(reference, size_bytes=found.size_bytes)


def _activation_time(cloud: Cloud, state: WorkflowState, intent: _Intent) -> float:
    previous = state.record
    return cloud.now() if intent.plan is None or previous is None else previous.plan_activated_at


def _put_plan_in_force(
    cloud: Cloud, record: WorkflowRecord, state: WorkflowState, intent: _Intent, regions: set[str]
) -> None:
    plans = PlanStore(cloud)
    if state.record is None:
        # Plans of a workflow of this id that was removed, or of a first deployment that did not reach its end: none of
        # them may come into force.
        plans.remove(record.workflow_id)
    if intent.unstaged is not None:
        plans.unstage(record.workflow_id, intent.unstaged.version)
    if intent.plan is not None:
        write_replicas(cloud, record, intent.plan, regions)
        return
    now = cloud.now()
    plan = plans.add(
        home_plan(
            record.workflow_id,
            record.graph,
            record.home_region,
            version=1,  # numbered by the store
            created_at=now,
            expires_at=now + HOME_PLAN_LIFETIME_S,
        )
    )
    write_replicas(cloud, record, plan, regions)
    active = plans.active(record.workflow_id)
    plans.activate(record.workflow_id, plan.version, replaces=None if active is None else active.version)


def _clean_up(
    cloud: Cloud, record: WorkflowRecord, unwanted: tuple[Resource, ...], executor: Executor, journal: Journal
) -> tuple[str, ...]:
    """Delete what is no longer wanted; the workflow is deployed, so a failure here is told and not raised."""
    problems: list[str] = []
    try:
        if unwanted:
            problems += remove_resources(cloud, record, unwanted, executor)[1]
        journal.clear()
    except MultiXServerlessError as error:
        problems.append(str(error))
    return tuple(problems)


def _content(record: WorkflowRecord) -> WorkflowRecord:
    """A record without what differs between two deployments of the same project."""
    # Both follow from its digest; the size of an image is known late, and not every record has the other.
    package = replace(record.package, size_bytes=0, own_sha256="")
    return replace(
        record,
        package=package,
        resources=(),
        status="deployed",
        plan_activated_at=0.0,
        updated_at=0.0,
        deployments=Deployments(),
    )


def _sorted(resources: tuple[Resource, ...]) -> tuple[Resource, ...]:
    return tuple(sorted(resources, key=lambda resource: resource.key))
