"""What a check takes of the processor: all of it is in the ledger, also when the check declines or fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from multi_x_serverless.adaptation.noting import note
from multi_x_serverless.adaptation.overhead import cpu_spending
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.solving.problem import Signals


class CheckWork:
    """The work of one check of one workflow, from now on."""

    def __init__(self, cloud: Cloud, record: WorkflowRecord) -> None:
        self._cloud = cloud
        self._record = record
        self._began_s = time.process_time()
        self._noted_s = 0.0
        self._cpu_s = 0.0
        self._unnoted: str | None = None

    @contextmanager
    def noted_elsewhere(self) -> Iterator[None]:
        """For what has entries of its own in the ledger: syncs, collections, solves. One that raises came to none."""
        before_s = time.process_time()
        yield
        self._noted_s += time.process_time() - before_s

    def note(self) -> str:
        """Put the rest into the ledger, the first time; returns a sentence if that could not be done, else nothing."""
        if self._unnoted is None:
            self._cpu_s = time.process_time() - self._began_s
            rest_s, now = self._cpu_s - self._noted_s, self._cloud.now()
            self._unnoted = note(
                self._cloud,
                "the check",
                lambda signals: cpu_spending(self._record, "check", rest_s, signals, at=now),
                in_day=True,
            )
        return self._unnoted

    def carbon_gco2eq(self, signals: Signals) -> float:
        """Of all of it, up to when it was noted, in gCO2eq."""
        return cpu_spending(self._record, "check", self._cpu_s, signals, at=self._cloud.now()).carbon_gco2eq
