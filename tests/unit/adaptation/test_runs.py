"""Starting runs, and what is told of them after Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import pytest

from multi_x_serverless.adaptation import runs
from multi_x_serverless.adaptation.runs import RunsInterruptedError, run_and_wait
from multi_x_serverless.errors import WorkInterruptedError
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.deployment.projects import WORKFLOW_ID


@pytest.fixture
def cloud(tmp_path: Path) -> FakeCloud:
    return deployed_example(tmp_path)


def test_progress_counts_the_runs_that_were_started(cloud: FakeCloud) -> None:
    told: list[int] = []
    traces = run_and_wait(cloud, WORKFLOW_ID, [1, 2, 3], concurrency=2, timeout_s=1.0, progress=told.append)
    assert told == [0, 1, 2, 3]
    assert [trace.status for trace in traces] == ["not started"] * 3


@pytest.mark.parametrize("begun", [0, 2, 3])
def test_ctrl_c_tells_what_was_begun(cloud: FakeCloud, begun: int) -> None:
    def stop(count: int) -> None:
        if count == begun:
            raise KeyboardInterrupt

    with pytest.raises(RunsInterruptedError) as stopped:
        run_and_wait(cloud, WORKFLOW_ID, [1, 2, 3], concurrency=2, timeout_s=1.0, progress=stop)
    assert (len(stopped.value.traces), stopped.value.never_started) == (begun, 3 - begun)
    assert len({trace.run_id for trace in stopped.value.traces}) == begun


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_ctrl_c_stays_ctrl_c_where_the_logs_cannot_be_read(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def refuse(*_: object) -> None:
        raise error

    def stop(count: int) -> None:
        if count == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(runs, "trace_runs", refuse)
    with pytest.raises(WorkInterruptedError) as stopped:
        run_and_wait(cloud, WORKFLOW_ID, [1, 2, 3], concurrency=2, timeout_s=1.0, progress=stop)
    assert stopped.value.left.startswith("runs started: 2, never started: 1. How those go that were started could not")
    assert ("OSError: disk full" in stopped.value.left) == isinstance(error, OSError)
