"""`deploy_framework` and `remove_framework`: the loop on a schedule, as functions in the system region.

::

    wheel -> package -> what there is to be -> difference to what is there -> roles, package, functions
                                                                           -> probe each -> schedules -> record

There are four functions, one per job, each under a role of its own, and a fifth role by which the schedules invoke
them. All names are fixed and begin with `FRAMEWORK_PREFIX`, so that what is there is found without any record; the
record keeps what a cloud does not tell: the policies of the roles, and the names that an earlier version had. Deploying
again mends what is missing or different.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, TypeAlias

from multi_x_serverless.cloud.documents import DocumentTable
from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.ports import Cloud, FunctionSpecification, Key, ScheduleSpecification, TrustedService
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.deployment.framework_policy import job_policy, scheduler_policy
from multi_x_serverless.deployment.names import (
    FRAMEWORK_PACKAGE_PREFIX,
    FRAMEWORK_PREFIX,
    framework_name,
    framework_package_key,
)
from multi_x_serverless.deployment.progress import SILENT, Progress
from multi_x_serverless.deployment.state import ensure_tables, has_system_tables
from multi_x_serverless.errors import CloudError, DeploymentError, MultiXServerlessError
from multi_x_serverless.model.framework import (
    COLLECTING_JOBS,
    DISTRIBUTION,
    JOBS,
    PROBE_MEMBER,
    FrameworkEnvironment,
    FrameworkEvent,
    FrameworkRecord,
    Job,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from multi_x_serverless.deployment.packaging import Package
    from multi_x_serverless.model.config_types import Architecture

PYTHON_MINOR = 13
"""Python 3.13 of Lambda runs on Amazon Linux 2023, for which numpy has wheels."""

HANDLER = "multi_x_serverless.adaptation.framework_handler.handler"

TIMEOUT_S = 900
"""The longest that Lambda offers; jobs stop by themselves before it."""

SOLVER_MEMORY_MB = 1769
"""One whole processor (AWS Lambda developer guide, "Configure Lambda function memory")."""

MEMORY_MB = 512
"""For what mostly waits for AWS: Python with numpy takes some 120 MB."""

CONCURRENCY = 5
"""Workflows that one job handles at once; the rest is queued."""

INTERVALS_MINUTES: Mapping[Job, int] = {
    "data_sync": 15,
    "data_collect": 60,
    "update_check_solver": 60,
    "update_check_deployment": 10,
}

LONGEST_WINDOW_MINUTES = 15
PROBE_TIMEOUT_S = 120.0
_UNRESERVED = "UnreservedConcurrentExecution"  # in Lambda's sentence when too little would be left for the rest

_LOCK = "framework"
_RECORD = Key("framework", "record")
_SCHEDULER = "scheduler"

Verb: TypeAlias = Literal["create", "update", "delete"]
Kind: TypeAlias = Literal["role", "package", "function", "schedule", "log"]


@dataclass(frozen=True)
class FrameworkOptions:
    """How to deploy.

    Attributes:
        intervals_minutes: From one start of a job to the next.
        concurrency: Workflows that one job handles at once, reserved from what the account has; `None`: as many as the
            account allows.
        live_variables: Keys and addresses of live sources for the two jobs that collect. They are in the functions'
            environment, which Lambda encrypts at rest and shows to whoever may read the functions' configuration.
    """

    architecture: Architecture = "x86_64"
    intervals_minutes: Mapping[Job, int] = field(default_factory=lambda: dict(INTERVALS_MINUTES))
    concurrency: int | None = CONCURRENCY
    live_variables: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Change:
    """One thing to make, change or delete. `region` is `None` for roles."""

    verb: Verb
    kind: Kind
    region: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.verb} {self.kind} {self.name}" + (f" in {self.region}" if self.region else "")


@dataclass(frozen=True)
class FrameworkResult:
    """What was done, or with `dry_run` would be.

    Attributes:
        changes: In the order of doing.
        left: What could not be deleted, with the reason.
    """

    changes: tuple[Change, ...]
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Desired:
    """What there is to be; roles, which have ids only once they are made, are left out of specifications.

    Attributes:
        roles: Name -> policy and who uses it.
        functions: By job, as `schedules`.
    """

    roles: Mapping[str, tuple[str, TrustedService]]
    package_key: str
    functions: Mapping[Job, FunctionSpecification]
    schedules: Mapping[Job, ScheduleSpecification]

    @property
    def fingerprints(self) -> dict[str, str]:
        return {
            name: hashlib.sha256(f"{trusted} {policy}".encode()).hexdigest()[:16]
            for name, (policy, trusted) in self.roles.items()
        }


def deploy_framework(
    cloud: Cloud,
    package: Callable[[], Package],
    options: FrameworkOptions,
    *,
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> FrameworkResult:
    """Put the loop on a schedule, or bring what is there up to date.

    Args:
        cloud: Where.
        package: Builds the package; not asked on a cloud that has no schedules.
        options: How.
        dry_run: Only say what would be done; nothing in the cloud is changed.
        progress: Told of every step.

    Raises:
        UnsupportedError: The cloud has no schedules.
        ConflictError: Another command works on the framework; nothing was changed.
        DeploymentError: It failed; the message says in which state things are.
    """
    cloud.schedules.list_schedules(cloud.system_region, FRAMEWORK_PREFIX)
    progress.start("packaging the framework", 0)
    built = package()
    progress.finish()
    desired = _desired(cloud, built, options)
    if dry_run:
        return FrameworkResult(_changes(cloud, desired, _look(cloud)))
    ensure_tables(cloud, ())
    with lock(cloud, _LOCK):
        present = _look(cloud)
        changes = _changes(cloud, desired, present)
        if not changes:
            return FrameworkResult(())
        is_first = not _deletions(cloud, present, with_logs=False)
        progress.start("deploying the framework", len(changes))
        try:
            _apply(cloud, desired, present, built, changes, progress)
        except MultiXServerlessError as error:
            raise _undone(cloud, error, is_first=is_first) from error
        finally:
            progress.finish()
        done, left = _delete(cloud, tuple(change for change in changes if change.verb == "delete"), SILENT)
        return FrameworkResult((*(change for change in changes if change.verb != "delete"), *done), left)


def remove_framework(
    cloud: Cloud, *, keep_logs: bool = False, dry_run: bool = False, progress: Progress = SILENT
) -> FrameworkResult:
    """Delete all that `deploy_framework` made, of this version or of others; tables and workflows stay.

    Raises:
        UnsupportedError: The cloud has no schedules.
        ConflictError: Another command works on the framework; nothing was changed.
    """
    cloud.schedules.list_schedules(cloud.system_region, FRAMEWORK_PREFIX)
    has_tables = has_system_tables(cloud)
    with lock(cloud, _LOCK) if has_tables and not dry_run else nullcontext():
        changes = _deletions(cloud, _look(cloud), with_logs=not keep_logs)
        if dry_run:
            return FrameworkResult(changes)
        progress.start("removing the framework", len(changes))
        done, left = _delete(cloud, changes, progress)
        progress.finish()
        if has_tables and not left:
            _record_table(cloud).delete(_RECORD)
    return FrameworkResult(done, left)


def is_framework_deployed(cloud: Cloud) -> bool:
    """Whether a `deploy_framework` reached its end and was not undone by a `remove_framework`."""
    return has_system_tables(cloud) and _record_table(cloud).get(_RECORD) is not None


def _desired(cloud: Cloud, package: Package, options: FrameworkOptions) -> _Desired:
    account, region = cloud.identity.account_id(), cloud.system_region
    key = framework_package_key(package.sha256)
    environment = FrameworkEnvironment(region, cloud.regions, cloud.installation).to_variables()
    functions = {
        job: FunctionSpecification(
            name=framework_name(job),
            handler=HANDLER,
            runtime=f"python3.{PYTHON_MINOR}",
            architecture=options.architecture,
            memory_mb=SOLVER_MEMORY_MB if job == "update_check_solver" else MEMORY_MB,
            timeout_s=TIMEOUT_S,
            code_key=key,
            code_sha256=package.sha256,
            role="",
            environment={**environment, **(options.live_variables if job in COLLECTING_JOBS else {})},
            reserved_concurrency=options.concurrency,
        )
        for job in JOBS
    }
    schedules = {
        job: ScheduleSpecification(
            name=framework_name(job),
            every_minutes=options.intervals_minutes[job],
            window_minutes=max(1, min(options.intervals_minutes[job] // 3, LONGEST_WINDOW_MINUTES)),
            function=framework_name(job),
            payload=FrameworkEvent(job).to_json().decode(),
            role="",
        )
        for job in JOBS
    }
    roles: dict[str, tuple[str, TrustedService]] = {
        framework_name(job): (job_policy(job, account, region), "functions") for job in JOBS
    }
    roles[framework_name(_SCHEDULER)] = (scheduler_policy(account, region), "schedules")
    return _Desired(roles, key, functions, schedules)


_ORDER_OF_DELETION: tuple[Kind, ...] = ("schedule", "function", "log", "role", "package")


@dataclass(frozen=True)
class _Present:
    """What is there of the framework, of this version or of the one that was deployed last.

    Attributes:
        fingerprints: Of the roles, as the record has them.
        functions: By name, without their roles, as `schedules`.
    """

    fingerprints: Mapping[str, str]
    schedules: Mapping[str, ScheduleSpecification]
    functions: Mapping[str, FunctionSpecification]
    roles: tuple[str, ...]
    packages: tuple[str, ...]


def _look(cloud: Cloud) -> _Present:
    """Look functions and roles up by their exact names; schedules and packages are in places of our own."""
    region = cloud.system_region
    stored = _record_table(cloud).get(_RECORD) if has_system_tables(cloud) else None
    fingerprints = {} if stored is None else stored.value.fingerprints
    names = sorted({*fingerprints, *(framework_name(part) for part in (*JOBS, _SCHEDULER))})
    found = [cloud.functions.get_function(region, name) for name in names]
    return _Present(
        fingerprints=fingerprints,
        schedules={
            schedule.name: replace(schedule, role="")
            for schedule in cloud.schedules.list_schedules(region, FRAMEWORK_PREFIX)
        },
        functions={
            function.specification.name: replace(function.specification, role="")
            for function in found
            if function is not None
        },
        roles=tuple(name for name in names if cloud.identity.has_role(name)),
        packages=cloud.objects.list_objects(region, FRAMEWORK_PACKAGE_PREFIX),
    )


def _deletions(cloud: Cloud, present: _Present, *, with_logs: bool) -> tuple[Change, ...]:
    """Deletions of all that is there, in an order in which nothing is missed by what is still there."""
    region = cloud.system_region
    names: dict[Kind, tuple[str, ...]] = {
        "schedule": tuple(present.schedules),
        "function": tuple(present.functions),
        "log": cloud.logs.list_logs(region, FRAMEWORK_PREFIX) if with_logs else (),
        "role": present.roles,
        "package": present.packages,
    }
    return tuple(
        Change("delete", kind, None if kind == "role" else region, name)
        for kind in _ORDER_OF_DELETION
        for name in names[kind]
    )


def _changes(cloud: Cloud, desired: _Desired, present: _Present) -> tuple[Change, ...]:
    """What is missing or different, and what of an earlier version is there for nothing."""
    deletions = _deletions(cloud, present, with_logs=False)
    are_there = {(change.kind, change.name) for change in deletions}
    wanted: list[tuple[Kind, str, bool]] = [
        *(("role", name, present.fingerprints.get(name) == digest) for name, digest in desired.fingerprints.items()),
        ("package", desired.package_key, True),
        *(("function", made.name, present.functions.get(made.name) == made) for made in desired.functions.values()),
        *(("schedule", made.name, present.schedules.get(made.name) == made) for made in desired.schedules.values()),
    ]
    region = cloud.system_region
    changes = [
        Change("update" if (kind, name) in are_there else "create", kind, None if kind == "role" else region, name)
        for kind, name, is_as_wanted in wanted
        if (kind, name) not in are_there or not is_as_wanted
    ]
    known = {(kind, name) for kind, name, _ in wanted}
    return (*changes, *(change for change in deletions if (change.kind, change.name) not in known))


def _apply(
    cloud: Cloud,
    desired: _Desired,
    present: _Present,
    package: Package,
    changes: tuple[Change, ...],
    progress: Progress,
) -> None:
    region = cloud.system_region
    touched = {(change.kind, change.name): change for change in changes if change.verb != "delete"}
    roles: dict[str, str] = {}
    for name, (policy, trusted) in desired.roles.items():
        # Also where nothing is to be changed: this is how the id of a role is found.
        roles[name] = cloud.identity.create_role(name, policy, trusted=trusted)
        _advance(progress, touched.get(("role", name)))
    if ("package", desired.package_key) in touched:
        cloud.objects.put_object(region, desired.package_key, package.body)
        progress.advance(str(touched["package", desired.package_key]))
    for function in desired.functions.values():
        change = touched.get(("function", function.name))
        if change is not None:
            _put_function(cloud, replace(function, role=roles[function.name]))
            _probe(cloud, function.name)
            progress.advance(str(change))
    for schedule in desired.schedules.values():
        change = touched.get(("schedule", schedule.name))
        if change is not None:
            role = roles[framework_name(_SCHEDULER)]
            cloud.schedules.put_schedule(region, replace(schedule, role=role))
            progress.advance(str(change))
    # Names of earlier versions stay, so that what could not be deleted of them is still found.
    fingerprints = {**dict.fromkeys(present.fingerprints, ""), **desired.fingerprints}
    record = FrameworkRecord(version(DISTRIBUTION), desired.package_key, fingerprints, cloud.now())
    _record_table(cloud).put(_RECORD, record)


def _put_function(cloud: Cloud, function: FunctionSpecification) -> None:
    try:
        cloud.functions.put_function(cloud.system_region, function)
    except CloudError as error:
        if _UNRESERVED not in str(error):
            raise
        raise DeploymentError(
            f"the account has too little concurrency to reserve {function.reserved_concurrency} invocations for "
            f"'{function.name}' ({error}): deploy with '--concurrency 0', or have the account's quota raised."
        ) from error


def _advance(progress: Progress, change: Change | None) -> None:
    if change is not None:
        progress.advance(str(change))


def _probe(cloud: Cloud, name: str) -> None:
    """Make sure that a function starts, engine included, before anything invokes it.

    Raises:
        DeploymentError: It does not; the message holds what it said.
    """
    nonce = secrets.token_hex(8)
    payload = json.dumps({PROBE_MEMBER: nonce}).encode()
    result = cloud.functions.invoke(cloud.system_region, name, payload, timeout_s=PROBE_TIMEOUT_S)
    if result.error is not None:
        raise DeploymentError(f"the function '{name}' does not start: {result.error}")
    try:
        answer = json.loads(result.payload)
    except ValueError:
        answer = None
    expected = {"probe": nonce, "program": version(DISTRIBUTION)}
    if not isinstance(answer, dict) or {key: answer.get(key) for key in expected} != expected:
        raise DeploymentError(f"the function '{name}' answered a probe with {result.payload[:200]!r}.")


def _undone(cloud: Cloud, error: MultiXServerlessError, *, is_first: bool) -> DeploymentError:
    """The error to raise, once a first deployment is undone."""
    reason = str(error).rstrip()
    reason += "" if reason.endswith((".", "!", "?")) else "."
    if not is_first:
        return DeploymentError(
            f"{reason} The framework is partly updated: run 'multi_x_serverless deploy_framework' again."
        )
    try:
        left = _delete(cloud, _deletions(cloud, _look(cloud), with_logs=True), SILENT)[1]
    except MultiXServerlessError as problem:
        left = (str(problem),)
    if left:
        return DeploymentError(
            f"{reason} Undoing it did not succeed either ({'; '.join(left)}): 'multi_x_serverless "
            "remove_framework' tries again."
        )
    return DeploymentError(f"{reason} Nothing was left behind.")


def _delete(
    cloud: Cloud, changes: tuple[Change, ...], progress: Progress
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Delete as far as possible; returns what was deleted, and what could not be with the reason."""
    deleted: list[Change] = []
    left: list[str] = []
    for change in changes:
        try:
            _delete_one(cloud, change)
        except CloudError as error:
            left.append(f"{change.kind} {change.name}: {error}")
        else:
            deleted.append(change)
            progress.advance(str(change))
    return tuple(deleted), tuple(left)


def _delete_one(cloud: Cloud, change: Change) -> None:
    region, name = cloud.system_region, change.name
    match change.kind:
        case "schedule":
            cloud.schedules.delete_schedule(region, name)
        case "function":
            cloud.functions.delete_function(region, name)
        case "log":
            cloud.logs.delete_logs(region, name)
        case "role":
            cloud.identity.delete_role(name)
        case "package":
            cloud.objects.delete_object(region, name)


def _record_table(cloud: Cloud) -> DocumentTable[FrameworkRecord]:
    """In the table of the journal, under a name that no workflow can have."""
    return DocumentTable(
        cloud.key_value,
        cloud.system_region,
        physical_name("journal"),
        FrameworkRecord.to_document,
        FrameworkRecord.from_document,
    )
