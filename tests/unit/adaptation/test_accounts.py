"""Which prices and intensities accounting needs: those of every region in which something ran, for better or worse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.accounts import accounting_of
from multi_x_serverless.adaptation.signals import COLLECTORS, collect_signals, read_signals
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.run import FailedAttempt, ObservedRun
from multi_x_serverless.observation.history import History
from multi_x_serverless.solving.accounting import Accounting
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.deployment.projects import WORKFLOW_ID, record_of

ELSEWHERE = "eu-west-1"
"""Where the example may not run, or not any more."""


def account(cloud: FakeCloud, run: ObservedRun) -> Accounting:
    record = record_of(cloud)
    assert record is not None
    assert ELSEWHERE not in record.regions
    return accounting_of(cloud, record, [run], read_signals(cloud), "best")


@pytest.mark.parametrize("kind", ["ran", "failed"])
def test_a_run_is_accounted_where_it_ran_and_where_it_failed(tmp_path: Path, kind: str) -> None:
    cloud = deployed_example(tmp_path, runs=1)
    (run,) = History(cloud).runs(WORKFLOW_ID)
    elsewhere = (
        replace(run, nodes={**run.nodes, 1: replace(run.nodes[1], region=ELSEWHERE)})
        if kind == "ran"
        else replace(run, failed_attempts=(FailedAttempt(1, ELSEWHERE, 2.0),))
    )
    with pytest.raises(NotEnoughDataError, match=f"no prices of {ELSEWHERE} yet: run 'data_collect provider --region"):
        account(cloud, elsewhere)
    collect_signals(cloud, COLLECTORS, (ELSEWHERE,))
    found = account(cloud, elsewhere).footprint(elsewhere)
    assert found.carbon_gco2eq > 0.0
    if kind == "failed":
        assert found.cost_usd > account(cloud, run).footprint(run).cost_usd
