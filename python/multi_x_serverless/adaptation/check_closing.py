"""Closing a check: what it took goes into the ledger, and the time of the next check follows from the balance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from multi_x_serverless.adaptation.balance import (
    balance,
    next_check,
    next_count,
    read_check_state,
    write_check_state,
)
from multi_x_serverless.adaptation.check_work import CheckWork
from multi_x_serverless.adaptation.decision import Decision
from multi_x_serverless.adaptation.failure import sentence_and_code
from multi_x_serverless.adaptation.ledger import DAY_S
from multi_x_serverless.adaptation.renewal import renewal_at
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.spent import spent_on
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import InvalidDocumentError, NewerSchemaError
from multi_x_serverless.model.check_state import CheckState
from multi_x_serverless.model.run import ObservedRun, number_of_runs
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.solving.model_constants import TransmissionPreset


@dataclass(frozen=True)
class SeenRuns:
    """The runs that a check has seen.

    Attributes:
        recent: Of the last 30 days, of whatever graph.
        of_graph: Those of the graph that is deployed.
        missing: Complete ones that `of_graph` lacks for a solve.
    """

    recent: Sequence[ObservedRun] = ()
    of_graph: Sequence[ObservedRun] = ()
    missing: int = 0


class CheckClosing:
    """The end of one check of one workflow.

    Args:
        work: What the check takes.
        preset: Energy per byte that copies are counted with.
        is_dry_run: Whether the time of the next check stays as it is.
    """

    def __init__(
        self, cloud: Cloud, record: WorkflowRecord, work: CheckWork, preset: TransmissionPreset, *, is_dry_run: bool
    ) -> None:
        self._cloud = cloud
        self._record = record
        self._work = work
        self._preset = preset
        self._is_dry_run = is_dry_run

    def decided(self, decision: Decision, runs: SeenRuns) -> Decision:
        """The decision with the balance and the time of the next check, which are noted unless nothing is to change."""
        cloud, record, now = self._cloud, self._record, self._cloud.now()
        plans = PlanStore(cloud)
        versions = plans.versions(record.workflow_id)
        follows = plans.staged(record.workflow_id) or plans.active(record.workflow_id)
        # Where everything is home anyway, nothing changes when a plan ends.
        needs_renewal = follows is not None and follows.regions != {record.home_region}
        ends_at = renewal_at(follows) if follows is not None and needs_renewal else None
        seen_at = self._deployment_seen_at(now)
        unnoted = self._work.note()
        signals = read_signals(cloud)
        spent = spent_on(cloud, record, runs.recent, signals, self._preset)
        found = balance(runs.recent, versions, spent.total)
        if decision.verdict == "wait":
            lately = number_of_runs(
                run for run in runs.of_graph if run.status == "complete" and run.started_at > now - DAY_S
            )
            then, why = next_count(runs.missing, lately, now, seen_at)
        else:
            then, why = next_check(found, self._work.carbon_gco2eq(signals), now, ends_at)
        if not self._is_dry_run:
            state = CheckState(now, then, why, decision.verdict, decision.reason, record.deployment, seen_at)
            write_check_state(cloud, record.workflow_id, state)
        warnings = (*decision.warnings, unnoted) if unnoted else decision.warnings
        return replace(decision, balance=found, next_check_at=then, why_then=why, warnings=warnings)

    def failed(self, error: Exception, runs: int, warnings: tuple[str, ...]) -> Decision:
        """The decision of a check that failed; what it took is noted all the same."""
        reason, code = sentence_and_code(error)
        unnoted = self._work.note()
        if unnoted:
            reason += f" {unnoted}"
        return Decision(self._record.workflow_id, "failed", reason, runs, warnings=warnings, error_code=code)

    def _deployment_seen_at(self, now: float) -> float:
        """When what is deployed was checked for the first time, in seconds since the epoch."""
        try:
            before = read_check_state(self._cloud, self._record.workflow_id)
        except NewerSchemaError:
            raise  # A newer program's state is not overwritten with an older one's.
        except InvalidDocumentError:
            return now  # Unreadable for good: this check writes it anew.
        if before is None or before.deployment != self._record.deployment or before.deployment_seen_at is None:
            return now
        return min(now, before.deployment_seen_at)
