"""Closing a check: what it took goes into the ledger, and the time of the next check follows from the balance.

After one that failed, or that cannot be closed, the next is put off instead: for an hour, and for twice as long each
time in a row, up to a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from multi_x_serverless.adaptation.balance import (
    balance,
    next_check,
    next_count,
    next_try,
    readable_check_state,
    write_check_state,
)
from multi_x_serverless.adaptation.check_work import CheckWork
from multi_x_serverless.adaptation.decision import Decision
from multi_x_serverless.adaptation.failure import sentence_and_code
from multi_x_serverless.adaptation.homes import homes_of
from multi_x_serverless.adaptation.overhead import Overhead
from multi_x_serverless.adaptation.renewal import renewal_at
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.spent import cold_starts_on, spent_with
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.errors import ConflictError, OutOfTimeError, UnknownWorkflowError
from multi_x_serverless.model.check_state import CheckState
from multi_x_serverless.model.run import ObservedRun, number_of_runs
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.solving.model_constants import TransmissionPreset

NO_FAILURES = (ConflictError, OutOfTimeError, UnknownWorkflowError)
"""Errors after which the next check is not put off: somebody else is at work, or it goes on from there, or the workflow
is gone."""


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
        """The decision with the balance and the time of the next check, which are noted unless nothing is to change.

        What was decided stays so, and a plan that was staged is, whatever goes wrong here: that is a warning.
        """
        try:
            return self._with_next_check(decision, runs)
        except Exception as error:  # noqa: BLE001  # also a defect here leaves the decision what it is
            return self._put_off(_warned(_warned(decision, self._work.note()), _unclosed(error)))

    def failed(self, error: Exception, runs: int, warnings: tuple[str, ...]) -> Decision:
        """The decision of a check that failed; what it took is noted all the same."""
        reason, code = sentence_and_code(error)
        unnoted = self._work.note()
        if unnoted:
            reason += f" {unnoted}"
        decision = Decision(self._record.workflow_id, "failed", reason, runs, warnings=warnings, error_code=code)
        return decision if isinstance(error, NO_FAILURES) else self._put_off(decision)

    def _with_next_check(self, decision: Decision, runs: SeenRuns) -> Decision:
        cloud, record, now = self._cloud, self._record, self._cloud.now()
        plans = PlanStore(cloud)
        versions = plans.versions(record.workflow_id)
        follows = plans.staged(record.workflow_id) or plans.active(record.workflow_id)
        # Where everything is home anyway, nothing changes when a plan ends.
        needs_renewal = follows is not None and follows.regions != {record.home_region}
        ends_at = renewal_at(follows) if follows is not None and needs_renewal else None
        before = self._state_before()
        seen_at = _seen_at(before, now)
        signals = read_signals(cloud)
        # What grows with the history comes before the check is noted, so that it is in what is noted.
        cold_starts = cold_starts_on(cloud, record, runs.recent, signals)
        earned = balance(runs.recent, versions, homes_of(record), Overhead(0.0, 0.0))
        decision = _warned(decision, self._work.note())
        found = earned.with_spent(spent_with(cloud, record, cold_starts, self._preset).total)
        if decision.verdict == "wait":
            lately = number_of_runs(
                run for run in runs.of_graph if run.status == "complete" and run.started_at > now - DAY_S
            )
            then, why = next_count(runs.missing, lately, now, seen_at)
        else:
            then, why = next_check(found, self._work.carbon_gco2eq(signals), now, ends_at)
        decision = replace(decision, balance=found, next_check_at=then, why_then=why)
        if not self._is_dry_run:
            self._note(decision, then, why, seen_at, failures=0)
        return decision

    def _put_off(self, decision: Decision) -> Decision:
        """Try again later, each time after a longer wait: what goes wrong every time must not be solved every time."""
        if self._is_dry_run:
            return decision
        now = self._cloud.now()
        try:
            before = self._state_before()
            failures = 1 if before is None else before.failures + 1
            then, why = next_try(failures, now)
            self._note(decision, then, why, _seen_at(before, now), failures=failures)
        except Exception as error:  # noqa: BLE001  # as above
            return _warned(decision, _unclosed(error))
        return replace(decision, next_check_at=then, why_then=why)

    def _note(self, decision: Decision, then: float, why: str, seen_at: float, *, failures: int) -> None:
        state = CheckState(
            checked_at=self._cloud.now(),
            next_check_at=then,
            why_then=why,
            verdict=decision.verdict,
            reason=decision.reason,
            deployment=self._record.deployment,
            deployment_seen_at=seen_at,
            failures=failures,
        )
        write_check_state(self._cloud, self._record.workflow_id, state)

    def _state_before(self) -> CheckState | None:
        """The state after the check before, if that was of what is deployed now.

        Raises:
            NewerSchemaError: A newer program wrote it; it is not overwritten with an older one's.
            CloudError: The table cannot be read.
        """
        before = readable_check_state(self._cloud, self._record.workflow_id)
        return before if before is not None and before.deployment == self._record.deployment else None


def _seen_at(before: CheckState | None, now: float) -> float:
    """When what is deployed was checked for the first time, in seconds since the epoch."""
    return now if before is None or before.deployment_seen_at is None else min(now, before.deployment_seen_at)


def _warned(decision: Decision, sentence: str) -> Decision:
    """The decision with one warning more; an empty one, and one that is there, say nothing."""
    if not sentence or sentence in decision.warnings:
        return decision
    return replace(decision, warnings=(*decision.warnings, sentence))


def _unclosed(error: Exception) -> str:
    return f"The check could not be closed as it should be: {sentence_and_code(error)[0]}"
