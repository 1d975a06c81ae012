"""Syncing logs: every run counted once, whatever the cut between two syncs and however often lines are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.ports import Cloud, Key, LogEvent
from multi_x_serverless.errors import CloudError, ConflictError
from multi_x_serverless.observation import sync
from multi_x_serverless.observation.history import History
from multi_x_serverless.observation.sync import (
    GIVE_UP_AFTER_S,
    OVERLAP_S,
    REMEMBER_S,
    LogSource,
    forget_sync,
    sync_logs,
)
from tests.fakes import FakeKeyValueStore, refuse_call
from tests.unit.observation.records import WORKFLOW_ID, RunLog, as_line, diamond

SOURCE = LogSource("us-east-1", "function")
EPOCH = 1_700_000_000.0


@dataclass
class FakeLogs:
    """One function's log."""

    events: list[LogEvent] = field(default_factory=list)

    def write(self, timestamp: float, message: str) -> None:
        self.events.append(LogEvent(f"{len(self.events):08d}", timestamp, message))

    def read_logs(self, _region: str, _function: str, start: float, end: float) -> Iterator[LogEvent]:
        yield from sorted(
            (event for event in self.events if start <= event.timestamp < end),
            key=lambda event: (event.timestamp, event.id),
        )


class Setting:
    """A cloud with one log and a clock."""

    def __init__(self) -> None:
        self.time = EPOCH
        self.logs = FakeLogs()
        self.store = FakeKeyValueStore.of("us-east-1", "history", "statistics", "locks")
        self.faults = self.store.faults
        self.cloud = cast(
            Cloud,
            SimpleNamespace(key_value=self.store, logs=self.logs, system_region="us-east-1", now=lambda: self.time),
        )

    def write(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            self.logs.write(record["ts"], as_line(record))

    def sync(self, time: float) -> Any:
        self.time = time
        return sync_logs(self.cloud, WORKFLOW_ID, diamond(), (SOURCE,))

    def run_ids(self) -> list[str]:
        return [run.run_id for run in History(self.cloud).runs(WORKFLOW_ID)]


@given(
    starts=st.lists(st.floats(0.0, 600.0), min_size=1, max_size=6),
    cuts=st.lists(st.floats(0.0, 700.0), max_size=5),
    shapes=st.lists(st.booleans(), min_size=6, max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_any_split_into_syncs_gives_the_same_history(
    starts: list[float], cuts: list[float], shapes: list[bool]
) -> None:
    logs = [RunLog(f"run{index}", EPOCH + start) for index, start in enumerate(starts)]
    records = [
        record
        for log, is_full in zip(logs, shapes, strict=False)
        for record in (log.complete() if is_full else log.declining())
    ]
    once, split = Setting(), Setting()
    once.write(records)
    once.sync(EPOCH + 1_000.0)
    split.write(records)
    completed = sum(split.sync(EPOCH + cut).completed for cut in sorted(cuts))
    completed += split.sync(EPOCH + 1_000.0).completed
    assert completed == len(logs)
    assert History(split.cloud).runs(WORKFLOW_ID) == History(once.cloud).runs(WORKFLOW_ID)


def test_run_that_straddles_two_syncs_is_counted_once() -> None:
    setting = Setting()
    setting.write(RunLog("r").complete())
    first = setting.sync(EPOCH + 0.6)
    assert (first.completed, first.open) == (0, 1)
    second = setting.sync(EPOCH + 10.0)
    assert (second.completed, second.open) == (1, 0)
    third = setting.sync(EPOCH + 20.0)
    assert (third.completed, third.lines, third.late) == (0, 0, 0)
    assert setting.run_ids() == ["r"]


def test_dying_between_history_and_progress_repeats_harmlessly() -> None:
    setting = Setting()
    setting.write(RunLog("r").complete())
    setting.sync(EPOCH + 10.0)
    forget_sync(setting.cloud, WORKFLOW_ID)
    setting.sync(EPOCH + 20.0)
    assert setting.run_ids() == ["r"]


def test_lines_that_arrive_late_within_the_overlap_are_taken() -> None:
    setting = Setting()
    records = RunLog("r").complete()
    setting.write(records[:4])
    setting.sync(EPOCH + 5.0)
    setting.write(records[4:])
    assert setting.sync(EPOCH + 6.0).completed == 1


def test_user_output_and_damage_are_told_apart() -> None:
    setting = Setting()
    for line in ("Traceback (most recent call last):", '  File "app.py", line 1', '{"mxs":1,"t":"node_fin', "{}", ""):
        setting.logs.write(EPOCH + 0.1, line)
    setting.logs.write(EPOCH + 0.1, as_line(RunLog("other").started() | {"wf": "other-0.0.1"}))
    unfinished_line = "progress: 10 % " + as_line(RunLog("r").started())
    setting.logs.write(EPOCH + 0.2, unfinished_line)
    setting.write(RunLog("r").complete()[1:])
    report = setting.sync(EPOCH + 10.0)
    assert (report.malformed, report.completed) == (1, 1)
    assert setting.sync(EPOCH + 11.0).malformed == 0, "the overlap does not count the same line again"


def test_run_without_an_end_is_given_up() -> None:
    setting = Setting()
    setting.write(RunLog("r").complete()[:5])
    assert setting.sync(EPOCH + GIVE_UP_AFTER_S).open == 1
    report = setting.sync(EPOCH + GIVE_UP_AFTER_S + 2.0)
    assert (report.failed, report.open) == (1, 0)
    assert History(setting.cloud).runs(WORKFLOW_ID)[0].status == "failed"


def test_late_records_of_a_counted_run_are_counted_as_late() -> None:
    setting = Setting()
    log = RunLog("r")
    setting.write(log.complete())
    setting.sync(EPOCH + 10.0)
    setting.logs.write(EPOCH + 11.0, as_line(log.finished(1, 11.0)))
    assert setting.sync(EPOCH + 20.0).late == 1
    assert setting.run_ids() == ["r"]
    assert OVERLAP_S > 10.0


def _interleaved(count: int) -> list[dict[str, Any]]:
    """Records of runs that overlap in time, of either shape."""
    logs = [RunLog(f"run{index:03d}", EPOCH + index * 0.3) for index in range(count)]
    return [record for index, log in enumerate(logs) for record in (log.complete() if index % 3 else log.declining())]


def test_sync_that_dies_anywhere_counts_every_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "STRETCH_LINES", 25)
    records = [*_interleaved(12), *RunLog("unfinished", EPOCH + 1.0).complete()[:4]]
    smooth = Setting()
    smooth.write(records)
    smooth.sync(EPOCH + 60.0)
    calls = len(smooth.faults.calls)
    expected = smooth.sync(EPOCH + 61.0)
    for when in ("before", "after"):
        for number in range(calls):
            setting = Setting()
            setting.write(records)
            setting.faults.reset()
            setattr(setting.faults, when, refuse_call(number))
            with suppress(CloudError):
                setting.sync(EPOCH + 60.0)
            setting.faults.reset()
            # Its lock would end by itself.
            setting.store.delete("us-east-1", "multi-x-serverless-locks", Key(f"{WORKFLOW_ID} (data_sync)"))
            setting.sync(EPOCH + 60.0)
            report = setting.sync(EPOCH + 61.0)
            assert report == expected
            assert History(setting.cloud).runs(WORKFLOW_ID) == History(smooth.cloud).runs(WORKFLOW_ID)
            assert _cursor(setting) == _cursor(smooth), f"{when} call {number}"


def _cursor(setting: Setting) -> object:
    item = setting.store.get("us-east-1", "multi-x-serverless-statistics", Key(WORKFLOW_ID, "sync"))
    assert item is not None
    return item.attributes


def test_five_thousand_open_runs_are_many_small_items() -> None:
    setting = Setting()
    logs = [RunLog(f"{index:032x}", EPOCH + index * 0.01) for index in range(5_000)]
    setting.write([record for log in logs for record in log.complete()[:4]])
    assert setting.sync(EPOCH + 60.0).open == 5_000
    setting.write([record for log in logs for record in log.complete()[4:]])
    report = setting.sync(EPOCH + 70.0)
    assert (report.completed, report.open) == (5_000, 0)
    items = list(setting.store.query("us-east-1", "multi-x-serverless-statistics", WORKFLOW_ID))
    assert len(items) < 10
    assert len(setting.run_ids()) == 5_000
    assert setting.sync(EPOCH + 80.0).late == 0
    assert setting.sync(EPOCH + 70.0 + 2 * REMEMBER_S).open == 0
    assert len(list(setting.store.query("us-east-1", "multi-x-serverless-statistics", WORKFLOW_ID))) == 1


def test_run_whose_lines_never_end_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "RUN_RECORDS", 10)
    setting = Setting()
    log = RunLog("r")
    setting.write([log.called(0, 0, 0.01 * index, 0.01 * index) for index in range(30)])
    report = setting.sync(EPOCH + 10.0)
    assert (report.lines, report.malformed, report.open) == (10, 20, 1)


def test_two_syncs_of_one_workflow_do_not_meet() -> None:
    setting = Setting()
    setting.write(RunLog("r").complete())
    with lock(setting.cloud, f"{WORKFLOW_ID} (data_sync)"), pytest.raises(ConflictError, match="data_sync"):
        setting.sync(EPOCH + 10.0)
    assert setting.sync(EPOCH + 10.0).completed == 1


def test_sync_that_outlived_its_lock_does_not_turn_the_cursor_back(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting()
    setting.write(RunLog("r").complete())
    read_logs = setting.logs.read_logs

    def overtaken(*arguments: Any) -> Iterator[LogEvent]:
        monkeypatch.setattr(setting.logs, "read_logs", read_logs)
        setting.store.delete("us-east-1", "multi-x-serverless-locks", Key(f"{WORKFLOW_ID} (data_sync)"))
        setting.sync(EPOCH + 20.0)
        yield from read_logs(*arguments)

    monkeypatch.setattr(setting.logs, "read_logs", overtaken)
    with pytest.raises(ConflictError, match="taken over"):
        setting.sync(EPOCH + 10.0)
    assert setting.sync(EPOCH + 30.0).lines == 0
    assert setting.run_ids() == ["r"]


@pytest.mark.parametrize("since", [EPOCH + 0.5, EPOCH + 86_400.0])
def test_history_since(since: float) -> None:
    setting = Setting()
    setting.write(RunLog("old").complete())
    setting.write(RunLog("new", EPOCH + 86_400.0).complete())
    setting.sync(EPOCH + 90_000.0)
    assert [run.run_id for run in History(setting.cloud).runs(WORKFLOW_ID, since=since)] == ["new"]
