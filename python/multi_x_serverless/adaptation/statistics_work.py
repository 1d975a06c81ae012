"""The `workflow` part of `data_collect`: histories are summarised, and what that takes is noted in the ledgers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from multi_x_serverless.adaptation.failure import sentence_and_code
from multi_x_serverless.adaptation.noting import note
from multi_x_serverless.adaptation.overhead import cpu_spending
from multi_x_serverless.adaptation.statistics import store_statistics
from multi_x_serverless.adaptation.workflows import UnreadableWorkflow, deployed_workflow, each_deployed_workflow
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.model.statistics import WorkflowStatistics
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import KEEP_DAYS, History


@dataclass(frozen=True)
class RefreshedStatistics:
    """Statistics of a workflow that were computed and stored.

    Attributes:
        warning: A sentence if what that took could not be noted; else empty.
    """

    statistics: WorkflowStatistics
    warning: str


@dataclass(frozen=True)
class CollectedStatistics:
    """What became of the statistics of some workflows.

    Attributes:
        refreshed: Statistics that were computed and stored.
        failures: Workflow id -> why its were not, in a sentence; what was stored of it before stays.
        warnings: Sentences about what could not be noted in the ledger.
    """

    refreshed: tuple[WorkflowStatistics, ...]
    failures: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def collect_statistics(cloud: Cloud, workflow_ids: Sequence[str] = (), *, is_part: bool = False) -> CollectedStatistics:
    """Compute and store the statistics of some or all deployed workflows; one that fails loses no other.

    Args:
        is_part: Whether this is the beginning of a collection that notes itself (`upkeep.collect_for_workflows`): what
            it takes is noted, and counts as no collection of its own.

    Raises:
        UnknownWorkflowError: A named workflow is not deployed.
    """
    named = [deployed_workflow(cloud, workflow_id) for workflow_id in workflow_ids]
    refreshed: list[RefreshedStatistics] = []
    failures: dict[str, str] = {}
    for record in named or each_deployed_workflow(cloud):
        if isinstance(record, UnreadableWorkflow):
            failures[record.workflow_id] = record.why
            continue
        try:
            refreshed.append(refresh_statistics(cloud, record, is_part=is_part))
        except Exception as error:  # noqa: BLE001  # also a defect that the data of one workflow meets stops no other
            failures[record.workflow_id] = sentence_and_code(error)[0]
    warnings = dict.fromkeys(entry.warning for entry in refreshed if entry.warning)
    return CollectedStatistics(tuple(entry.statistics for entry in refreshed), failures, tuple(warnings))


def refresh_statistics(cloud: Cloud, record: WorkflowRecord, *, is_part: bool = False) -> RefreshedStatistics:
    """Compute the statistics of one workflow from its history, store them, and note what that took.

    Args:
        is_part: See `collect_statistics`.

    Raises:
        InvalidDocumentError: Something in its history is no run.
        CloudError: The tables cannot be read or written.
    """
    before_s = time.process_time()
    history = History(cloud).runs(record.workflow_id, since=cloud.now() - KEEP_DAYS * DAY_S)
    statistics = store_statistics(cloud, record, history)
    cpu_s, now = time.process_time() - before_s, cloud.now()
    return RefreshedStatistics(
        statistics,
        note(
            cloud,
            f"summarising '{record.workflow_id}'",
            lambda signals: replace(cpu_spending(record, "collect", cpu_s, signals, at=now), count=0 if is_part else 1),
            in_day=True,
        ),
    )
