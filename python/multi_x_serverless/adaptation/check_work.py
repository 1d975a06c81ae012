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
        solves: Whether it came to solving; set by whoever does the work.
        is_noted: Whether it is in the ledger.
    """

    def __init__(self, cloud: Cloud, record: WorkflowRecord) -> None:
        self.solves = False
        self.is_noted = False
        self._cloud = cloud
        self._record = record
        self._began_s = time.process_time()
        self._noted_s = 0.0

    @contextmanager
    def noted_elsewhere(self) -> Iterator[None]:
        """For what puts into the ledger by itself what it takes: syncs and collections."""
        before_s = time.process_time()
        try:
            yield
        finally:
            self._noted_s += time.process_time() - before_s

    def note(self) -> float:
        """Put the rest into the ledger; returns the carbon of all of it, in gCO2eq.

        Raises:
            CloudError: The ledger or the signals cannot be read or written.
        """
        record, now, ledger = self._record, self._cloud.now(), Ledger(self._cloud)
        signals = read_signals(self._cloud)
        cpu_s = time.process_time() - self._began_s
        if self.solves:
            ledger.add(cpu_spending(record, "solve", cpu_s - self._noted_s, signals, at=now))
        else:
            # It summed up the runs, which is a part of collecting, and comes often.
            ledger.add_to_day(cpu_spending(record, "collect", cpu_s - self._noted_s, signals, at=now))
        self.is_noted = True
        return cpu_spending(record, "solve", cpu_s, signals, at=now).carbon_gco2eq
