"""Syncs and collections, with what they take in the ledgers of the workflows that they are for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from multi_x_serverless.adaptation.ledger import Ledger
from multi_x_serverless.adaptation.overhead import cpu_spending
from multi_x_serverless.adaptation.signals import collect_signals, read_signals
from multi_x_serverless.adaptation.workflows import log_sources
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.collection.collector import CollectorReport
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.sync import SyncReport, sync_logs


def _never() -> bool:
    return False


def sync_workflow(cloud: Cloud, record: WorkflowRecord, *, should_stop: Callable[[], bool] = _never) -> SyncReport:
    """Read what is new in the logs of a workflow into its history; see `sync_logs`."""
    before_s = time.process_time()
    report = sync_logs(cloud, record.workflow_id, record.graph, log_sources(cloud, record), should_stop=should_stop)
    cpu_s = time.process_time() - before_s
    Ledger(cloud).add_to_day(cpu_spending(record, "sync", cpu_s, read_signals(cloud), at=cloud.now()))
    return report


def collect_for_workflows(
    cloud: Cloud,
    names: Sequence[str],
    regions: Sequence[str],
    records: Sequence[WorkflowRecord],
    *,
    kept_s: float = 0.0,
    learned_kept_s: float = 0.0,
) -> tuple[CollectorReport, ...]:
    """Run collectors for some workflows, which share what it takes; see `collect_signals`."""
    before_s = time.process_time()
    reports = collect_signals(cloud, names, regions, kept_s=kept_s, learned_kept_s=learned_kept_s)
    if records:
        share_s = (time.process_time() - before_s) / len(records)
        signals, now, ledger = read_signals(cloud), cloud.now(), Ledger(cloud)
        for record in records:
            ledger.add_to_day(cpu_spending(record, "collect", share_s, signals, at=now))
    return reports
