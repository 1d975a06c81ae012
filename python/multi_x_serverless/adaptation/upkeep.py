"""Syncs, collections and deployments, with what they take in the ledgers of the workflows that they are for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from multi_x_serverless.adaptation.noting import note
from multi_x_serverless.adaptation.overhead import cpu_spending, effort_spending
from multi_x_serverless.adaptation.signals import collect_signals, read_signals
from multi_x_serverless.adaptation.workflows import deployed_workflow, log_sources
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.collection.collector import CollectorReport
from multi_x_serverless.deployment.effort import EffortLog
from multi_x_serverless.deployment.progress import SILENT, Progress
from multi_x_serverless.model.ledger import LedgerEntry, SpendingKind
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.sync import SyncReport, sync_logs
from multi_x_serverless.solving.problem import Signals

if TYPE_CHECKING:
    from pathlib import Path

    from multi_x_serverless.deployment.build import CheckedProject
    from multi_x_serverless.deployment.deploy import DeployResult
    from multi_x_serverless.model.workflow import PackageFormat


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Synced:
    """A sync.

    Attributes:
        warning: A sentence if what it took could not be noted; else empty.
    """

    report: SyncReport
    warning: str


def sync_workflow(cloud: Cloud, record: WorkflowRecord, *, should_stop: Callable[[], bool] = _never) -> Synced:
    """Read what is new in the logs of a workflow into its history; see `sync_logs`.

    Raises:
        UnknownWorkflowError: It was removed meanwhile.
        ConflictError: Another sync of the workflow, or its removal, is under way.
    """
    before_s = time.process_time()
    report = sync_logs(
        cloud,
        record.workflow_id,
        record.graph,
        log_sources(cloud, record),
        earlier=record.graphs,
        begun_at=record.deployments.begun_at,
        should_stop=should_stop,
        confirm=lambda: deployed_workflow(cloud, record.workflow_id),
    )
    cpu_s, now = time.process_time() - before_s, cloud.now()
    return Synced(
        report,
        note(cloud, "the sync", lambda signals: cpu_spending(record, "sync", cpu_s, signals, at=now), in_day=True),
    )


@dataclass(frozen=True)
class Collected:
    """A collection.

    Attributes:
        warnings: Sentences about what it took that could not be noted.
    """

    reports: tuple[CollectorReport, ...]
    warnings: tuple[str, ...] = ()


MOST_UNNOTED = 3
"""A ledger that refuses so many workflows in a row refuses all: a collection for thousands does not try each one."""


def collect_for_workflows(
    cloud: Cloud,
    names: Sequence[str],
    regions: Sequence[str],
    records: Sequence[WorkflowRecord],
    *,
    kept_s: float = 0.0,
    learned_kept_s: float = 0.0,
) -> Collected:
    """Run collectors for some workflows, which share what it takes; see `collect_signals`."""
    before_s = time.process_time()
    reports = collect_signals(cloud, names, regions, kept_s=kept_s, learned_kept_s=learned_kept_s)
    cpu_s = time.process_time() - before_s
    return Collected(reports, _note_shares(cloud, records, cpu_s))


def _note_shares(cloud: Cloud, records: Sequence[WorkflowRecord], cpu_s: float) -> tuple[str, ...]:
    """Note for each workflow its share of a collection; what cannot be noted for one is noted for the others."""
    now, read, in_a_row = cloud.now(), cache(lambda: read_signals(cloud)), 0
    warnings: list[str] = []
    for number, record in enumerate(records, 1):
        price = partial(_share, record, cpu_s / len(records), now)
        unnoted = note(cloud, f"the collection for '{record.workflow_id}'", price, in_day=True, read=read)
        if not unnoted:
            in_a_row = 0
            continue
        in_a_row += 1
        warnings.append(unnoted)
        if in_a_row == MOST_UNNOTED and number < len(records):
            warnings.append(f"Nor was that of {len(records) - number} more workflows, for which it was not tried.")
            break
    return tuple(warnings)


def _share(record: WorkflowRecord, cpu_s: float, at: float, signals: Signals) -> LedgerEntry:
    return cpu_spending(record, "collect", cpu_s, signals, at=at)


@dataclass(frozen=True)
class Deployed:
    """A deployment.

    Attributes:
        warning: A sentence if what it took could not be noted; else empty.
    """

    result: DeployResult
    warning: str


def deploy_workflow(
    cloud: Cloud,
    project: Path,
    *,
    package_format: PackageFormat | None = None,
    checked: CheckedProject | None = None,
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> Deployed:
    """Deploy a project (see `deployment.deploy.deploy`) and note what its plan made dearer.

    Where a plan in force needs functions away from home, new code is copied there and probed there: that is overhead of
    the plan. What happens at home happens without plans, too, and is not noted; nor is a deployment that failed.

    Raises:
        WorkInterruptedError: Ctrl-C; it says what is left.
    """
    # Here and not above: jobs that only sync need none of it.
    from multi_x_serverless.adaptation.interruption import (  # noqa: PLC0415
        left_of_deployment,
        telling_what_is_left,
    )
    from multi_x_serverless.deployment.deploy import deploy  # noqa: PLC0415

    effort = EffortLog()
    left = partial(left_of_deployment, cloud, project, since=cloud.now())
    with nullcontext() if dry_run else telling_what_is_left(left):
        result = deploy(
            cloud,
            project,
            package_format=package_format,
            checked=checked,
            dry_run=dry_run,
            progress=progress,
            effort=effort,
        )
        if effort.is_empty:
            return Deployed(result, "")
        record = deployed_workflow(cloud, result.workflow_id)
        away = EffortLog(effort.copies, [probe for probe in effort.probes if probe.region != record.home_region])
        return Deployed(result, note_effort(cloud, record, "deployment", away).strip())


def note_effort(
    cloud: Cloud,
    record: WorkflowRecord,
    kind: SpendingKind,
    effort: EffortLog,
    *,
    cpu_s: float = 0.0,
    failed: bool = False,
) -> str:
    """Put what an operation took into the ledger, if it copied or probed anything.

    Args:
        cpu_s: Its processor time, in seconds.
        failed: Whether the operation did not reach its end; what it took was taken all the same.

    Returns:
        A sentence, after a space, if it could not be noted, for whoever tells of the operation.
    """
    if effort.is_empty:
        return ""
    now = cloud.now()
    unnoted = note(
        cloud,
        f"the {kind}",
        lambda signals: effort_spending(record, kind, effort, signals, at=now, cpu_s=cpu_s, failed=failed),
    )
    return f" {unnoted}" if unnoted else ""
