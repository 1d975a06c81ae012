"""What a check takes of the processor: all of it is in the ledger, also when the check declines or fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from multi_x_serverless.adaptation.ledger import Ledger
from multi_x_serverless.adaptation.overhead import cpu_spending
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.model.workflow import WorkflowRecord


class CheckWork:
    """The work of one check of one workflow, from now on.

    Attributes:
        is_noted: Whether it is in the ledger.
    """

    def __init__(self, cloud: Cloud, record: WorkflowRecord) -> None:
        self.is_noted = False
        self._cloud = cloud
        self._record = record
        self._began_s = time.process_time()
        self._noted_s = 0.0

    @contextmanager
    def noted_elsewhere(self) -> Iterator[None]:
        """For what has entries of its own in the ledger: syncs, collections, solves. One that raises came to none."""
        before_s = time.process_time()
        yield
        self._noted_s += time.process_time() - before_s

    def note(self) -> float:
        """Put the rest into the ledger; returns the carbon of all of it, in gCO2eq.

        Raises:
            CloudError: The ledger or the signals cannot be read or written.
        """
        record, now = self._record, self._cloud.now()
        signals = read_signals(self._cloud)
        cpu_s = time.process_time() - self._began_s
        Ledger(self._cloud).add_to_day(cpu_spending(record, "check", cpu_s - self._noted_s, signals, at=now))
        self.is_noted = True
        return cpu_spending(record, "check", cpu_s, signals, at=now).carbon_gco2eq
