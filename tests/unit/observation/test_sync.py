"""Syncing logs: every run counted once, whatever the cut between two syncs and however often lines are read."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.ports import Cloud, Key, LogEvent
from multi_x_serverless.errors import CloudError, ConflictError
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.sync_state import SyncCursor
from multi_x_serverless.observation import history, sync
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
    """Logs of functions in regions.

    Attributes:
        broken: Region -> how many of its lines can be read before the cloud fails.
        read: Times of the lines that were read.
    """

    events: dict[str, list[LogEvent]] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    read: list[float] = field(default_factory=list)

    def write(self, timestamp: float, message: str, region: str = "us-east-1") -> None:
        events = self.events.setdefault(region, [])
        events.append(LogEvent(f"{len(events):08d}", timestamp, message))

    def read_logs(self, region: str, _function: str, start: float, end: float) -> Iterator[LogEvent]:
        inside = sorted(
            (event for event in self.events.get(region, []) if start <= event.timestamp < end),
            key=lambda event: (event.timestamp, event.id),
        )
        for number, event in enumerate(inside):
            if number == self.broken.get(region):
                break
            self.read.append(event.timestamp)
            yield event
        if region in self.broken:
            raise CloudError(f"{region} is on fire.", operation="read_logs", region=region)


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

    def write_by_region(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            self.logs.write(record["ts"], as_line(record), record["region"])

    def sync(self, time: float, *, sources: tuple[LogSource, ...] = (SOURCE,), **arguments: Any) -> Any:
        self.time = time
        return sync_logs(self.cloud, WORKFLOW_ID, diamond(), sources, **arguments)

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


def shorter() -> Graph:
    """The diamond without its join: another graph, whose runs end where the diamond's go on."""
    whole = diamond()
    return Graph(whole.nodes[:2], whole.edges[:1])


def of_shorter(run_id: str) -> list[dict[str, Any]]:
    records = [record for record in RunLog(run_id).complete() if record["node"] < 2 and record.get("edge", 0) == 0]
    return [record | ({"manifest": "short"} if record["t"] == "run_started" else {}) for record in records]


def test_a_run_is_read_by_the_graph_that_it_started_under() -> None:
    setting = Setting()
    setting.write([*of_shorter("old"), *RunLog("new").complete()])
    known = {"short": shorter(), "m1": diamond()}
    report = setting.sync(EPOCH + 100.0, earlier=known)
    assert (report.completed, report.failed, report.open) == (2, 0, 0)
    runs = {run.run_id: run for run in History(setting.cloud).runs(WORKFLOW_ID)}
    assert (runs["old"].manifest_id, set(runs["old"].nodes), set(runs["old"].edges)) == ("short", {0, 1}, {0})
    assert set(runs["new"].edges) == {0, 1, 2}
    # The other way round: what is left of a longer graph's run is not taken for a whole one.
    setting = Setting()
    setting.write([record for record in RunLog("cut").complete() if record["node"] < 2])
    arguments = (setting.cloud, WORKFLOW_ID, shorter(), (SOURCE,))
    setting.time = EPOCH + 100.0
    assert sync_logs(*arguments, earlier=known).open == 1
    setting.time = EPOCH + 2 * GIVE_UP_AFTER_S
    assert sync_logs(*arguments, earlier=known).failed == 1


def test_runs_of_unknown_manifests_are_read_by_the_deployed_graph() -> None:
    setting = Setting()
    setting.write(RunLog("run").complete())
    assert setting.sync(EPOCH + 100.0, earlier={"short": shorter()}).completed == 1


def test_a_first_sync_begins_where_the_workflow_does_and_a_later_one_where_that_ended() -> None:
    setting = Setting()
    setting.write([*RunLog("old", EPOCH).complete(), *RunLog("edge", EPOCH + 1_000.0 - OVERLAP_S).complete()])
    setting.write(RunLog("own", EPOCH + 1_010.0).complete())
    assert setting.sync(EPOCH + 1_100.0, begun_at=EPOCH + 1_000.0).completed == 2
    assert setting.run_ids() == ["edge", "own"]
    setting.write(RunLog("more", EPOCH + 1_200.0).complete())
    assert setting.sync(EPOCH + 1_300.0, begun_at=EPOCH + 9_000.0).completed == 1, "there is a cursor"


def test_a_clock_that_was_ahead_for_a_while_loses_no_runs_and_counts_none_twice() -> None:
    setting = Setting()
    setting.write(RunLog("before", EPOCH).complete())
    assert setting.sync(EPOCH + 100.0).completed == 1
    assert setting.sync(EPOCH + 400 * 86_400.0).completed == 0
    setting.write(RunLog("after", EPOCH + 7_200.0).complete())
    report = setting.sync(EPOCH + 7_300.0)
    # By the wrong clock the first run was too old for the history; its lines bring it back.
    assert (report.completed, report.read_until) == (2, EPOCH + 7_300.0)
    setting.write(RunLog("later", EPOCH + 8_000.0).complete())
    assert setting.sync(EPOCH + 8_100.0).completed == 1
    assert setting.run_ids() == ["before", "after", "later"]


@given(cuts=st.lists(st.floats(0.0, 700.0), max_size=5), kept=st.integers(5, 60))
@settings(max_examples=25, deadline=None)
def test_any_split_gives_the_same_history_where_it_is_a_sample(cuts: list[float], kept: int) -> None:
    logs = [RunLog(f"run{index}", EPOCH + 8.0 * index) for index in range(80)]
    records = [
        record for index, log in enumerate(logs) for record in (log.complete() if index % 9 else log.declining())
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "KEEP_RUNS", kept)
        once, split = Setting(), Setting()
        for setting, times in ((once, []), (split, sorted(cuts))):
            setting.write(records)
            for time in (*times, 1_000.0):
                setting.sync(EPOCH + time)
    runs = History(once.cloud).runs(WORKFLOW_ID)
    assert 0.8 * kept <= len(runs) <= kept
    assert History(split.cloud).runs(WORKFLOW_ID) == runs


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


def stop_after(asked: int) -> Callable[[], bool]:
    """Says no so many times, then yes."""
    answers = iter([False] * asked)
    return lambda: next(answers, True)


@pytest.mark.parametrize("asked", [0, 1, 5, 11])
def test_a_sync_that_is_stopped_keeps_what_it_read_and_the_next_one_reads_on(asked: int) -> None:
    whole, cut = Setting(), Setting()
    for setting in (whole, cut):
        for number in range(4):
            setting.write(RunLog(f"run-{number}", EPOCH + 10 * number).complete())
    complete = whole.sync(EPOCH + 200)
    report = cut.sync(EPOCH + 200, should_stop=stop_after(asked))
    assert report.is_cut_short
    assert report.read_until < EPOCH + 200
    assert report.lines < complete.lines
    rest = cut.sync(EPOCH + 200)
    assert not rest.is_cut_short
    assert report.lines + rest.lines == complete.lines
    assert report.completed + rest.completed == complete.completed == 4
    assert cut.run_ids() == whole.run_ids()


OTHER = LogSource("ca-central-1", "function")
BOTH = (SOURCE, OTHER)


def two_regions(count: int) -> list[dict[str, Any]]:
    """Runs a minute apart, their second node in another region."""
    return [
        record | ({"region": "ca-central-1"} if record.get("node") == 1 else {})
        for number in range(count)
        for record in RunLog(f"run-{number}", EPOCH + 60.0 * number).complete()
    ]


@pytest.mark.parametrize("poisoned", ["us-east-1", "ca-central-1"])
@pytest.mark.parametrize("readable", [0, 1, 7])
def test_a_log_that_cannot_be_read_holds_up_no_other_and_loses_no_run(poisoned: str, readable: int) -> None:
    well, ill = Setting(), Setting()
    for setting in (well, ill):
        setting.write_by_region(two_regions(6))
    well.sync(EPOCH + 5_000.0, sources=BOTH)
    ill.logs.broken[poisoned] = readable
    for time in (400.0, 4_000.0, 5_000.0):
        report = ill.sync(EPOCH + time, sources=BOTH)
        assert [log.region for log in report.unread] == [poisoned]
        assert "is on fire" in report.unread[0].error
        assert report.failed == 0, "a run of which lines may stand in that log is not given up"
    ill.logs.broken.clear()
    report = ill.sync(EPOCH + 5_010.0, sources=BOTH)
    assert (report.unread, report.open, report.malformed) == ((), 0, 0)
    assert History(ill.cloud).runs(WORKFLOW_ID) == History(well.cloud).runs(WORKFLOW_ID)
    ill.logs.read.clear()
    assert ill.sync(EPOCH + 5_020.0, sources=BOTH).lines == 0
    assert ill.logs.read == [], "what was caught up with is not read again"


def test_a_log_that_stays_unreadable_does_not_keep_runs_open_for_ever() -> None:
    setting = Setting()
    setting.write_by_region(two_regions(2))
    setting.logs.broken["ca-central-1"] = 0
    assert setting.sync(EPOCH + 4_000.0, sources=BOTH).open == 2
    day = 86_400.0
    assert setting.sync(EPOCH + day + GIVE_UP_AFTER_S + 100.0, sources=BOTH).failed == 2


def behind(poisoned: str, *, runs: int = 30, until: float = 2_000.0) -> tuple[Setting, tuple[ObservedRun, ...]]:
    """A workflow of which one log could not be read since before its first run, and the history that it should have."""
    well, ill = Setting(), Setting()
    for setting in (well, ill):
        setting.sync(EPOCH - 10.0, sources=BOTH)
        setting.write_by_region(two_regions(runs))
    well.sync(EPOCH + until, sources=BOTH)
    ill.logs.broken[poisoned] = 0
    ill.sync(EPOCH + until, sources=BOTH)
    ill.logs.broken.clear()
    return ill, History(well.cloud).runs(WORKFLOW_ID)


@pytest.mark.parametrize("poisoned", ["us-east-1", "ca-central-1"])
@pytest.mark.parametrize("asked", [1, 20, 45])
def test_a_sync_that_is_stopped_while_it_catches_up_goes_on_where_it_was(poisoned: str, asked: int) -> None:
    ill, expected = behind(poisoned)
    for _ in range(200 // asked + 2):
        report = ill.sync(EPOCH + 2_010.0, sources=BOTH, should_stop=stop_after(asked))
        assert report.failed == report.lost == 0
    assert ill.sync(EPOCH + 2_020.0, sources=BOTH).open == 0
    assert History(ill.cloud).runs(WORKFLOW_ID) == expected
    assert ill.sync(EPOCH + 2_030.0, sources=BOTH).lines == 0


@pytest.mark.parametrize("poisoned", ["us-east-1", "ca-central-1"])
def test_no_run_is_given_up_in_the_middle_of_a_catch_up(poisoned: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "STRETCH_LINES", 20)
    ill, expected = behind(poisoned, until=10_000.0)
    report = ill.sync(EPOCH + 10_010.0, sources=BOTH)
    assert (report.completed, report.failed, report.lost, report.open) == (30, 0, 0, 0)
    assert History(ill.cloud).runs(WORKFLOW_ID) == expected


@pytest.mark.parametrize("poisoned", ["us-east-1", "ca-central-1"])
@pytest.mark.parametrize("readable", [1, 50, 100])
def test_a_log_that_fails_again_while_it_catches_up_loses_nothing(
    poisoned: str, readable: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "STRETCH_LINES", 40)
    ill, expected = behind(poisoned)
    ill.logs.broken[poisoned] = readable
    report = ill.sync(EPOCH + 2_010.0, sources=BOTH)
    (unread,) = report.unread
    of_log = sorted(event.timestamp for event in ill.logs.events[poisoned])
    assert unread.read_until == (of_log[readable - 1] if readable < len(of_log) else of_log[-1])
    assert (report.failed, report.lost) == (0, 0)
    ill.logs.broken.clear()
    ill.sync(EPOCH + 2_020.0, sources=BOTH)
    assert History(ill.cloud).runs(WORKFLOW_ID) == expected


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_sync_that_dies_anywhere_while_it_catches_up_counts_every_run_once(
    when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "STRETCH_LINES", 25)
    smooth, expected = behind("ca-central-1", runs=8)
    smooth.faults.reset()
    smooth.sync(EPOCH + 2_010.0, sources=BOTH)
    for number in range(len(smooth.faults.calls)):
        ill, _ = behind("ca-central-1", runs=8)
        ill.faults.reset()
        setattr(ill.faults, when, refuse_call(number))
        with suppress(CloudError):
            ill.sync(EPOCH + 2_010.0, sources=BOTH)
        ill.faults.reset()
        ill.store.delete("us-east-1", "multi-x-serverless-locks", Key(f"{WORKFLOW_ID} (data_sync)"))
        ill.sync(EPOCH + 2_010.0, sources=BOTH)
        assert History(ill.cloud).runs(WORKFLOW_ID) == expected, f"{when} call {number}"


@pytest.mark.parametrize("poisoned", ["us-east-1", "ca-central-1"])
@pytest.mark.parametrize("away_s", [600.0, 3_000.0, 90_000.0])
def test_runs_that_were_given_up_do_not_come_back_in_halves(poisoned: str, away_s: float) -> None:
    """The log of the entry, or of another node, comes back after all its runs were given up."""
    ill, _ = behind(poisoned, runs=3)
    ill.logs.broken[poisoned] = 0
    given_up_at = EPOCH + 2 * 86_400.0
    report = ill.sync(given_up_at, sources=BOTH)
    assert (report.failed, report.lost) == ((0, 3) if poisoned == "us-east-1" else (3, 0))
    known = History(ill.cloud).runs(WORKFLOW_ID)
    ill.logs.broken.clear()
    for moment in (given_up_at + away_s, given_up_at + away_s + 4_000.0, given_up_at + away_s + 90_000.0):
        report = ill.sync(moment, sources=BOTH)
        assert (report.completed, report.failed, report.lost, report.open) == (0, 0, 0, 0)
    assert History(ill.cloud).runs(WORKFLOW_ID) == known


def test_one_log_of_a_region_that_fails_for_itself_leaves_the_others_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    other = LogSource("us-east-1", "other")
    setting = Setting()
    setting.write(RunLog("r").complete())
    read_logs = setting.logs.read_logs

    def refuse(region: str, function: str, start: float, end: float) -> Iterator[LogEvent]:
        if function == "other":
            raise CloudError("not yours.", operation="read_logs", region=region)
        return read_logs(region, function, start, end)

    monkeypatch.setattr(setting.logs, "read_logs", refuse)
    report = setting.sync(EPOCH + 10.0, sources=(other, SOURCE))
    assert [log.function for log in report.unread] == ["other"]
    assert report.completed == 1


def test_a_node_that_failed_for_good_is_waited_for_while_a_log_is_behind() -> None:
    setting = Setting()
    log = RunLog("r")
    records = [*log.complete()[:5], *(log.failed(1, 0.3 + attempt, attempt) for attempt in range(3))]
    setting.write_by_region(records)
    setting.logs.broken["ca-central-1"] = 0
    assert setting.sync(EPOCH + 10.0, sources=BOTH).open == 1, "an attempt that succeeded may stand in the other log"
    setting.logs.broken.clear()
    assert setting.sync(EPOCH + 20.0, sources=BOTH).failed == 1


def test_runs_that_never_end_are_carried_over_in_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "OPEN_RUNS", 5)
    setting = Setting()
    logs = [RunLog(f"run{index}", EPOCH + 10.0 * index) for index in range(8)]
    setting.write([record for log in logs for record in log.complete()[:4]])
    report = setting.sync(EPOCH + 200.0)
    assert (report.open, report.failed) == (5, 3)
    assert setting.run_ids() == ["run0", "run1", "run2"]


def test_a_log_that_is_not_asked_for_keeps_its_place() -> None:
    setting = Setting()
    setting.sync(EPOCH - 10.0, sources=BOTH)
    setting.write_by_region(two_regions(1))
    setting.logs.broken["ca-central-1"] = 0
    setting.sync(EPOCH + 10.0, sources=BOTH)
    setting.sync(EPOCH + 400.0, sources=(SOURCE,))
    setting.logs.broken.clear()
    assert setting.sync(EPOCH + 800.0, sources=BOTH).completed == 1


def test_cursor_of_an_older_program_is_read_and_one_with_a_log_behind_is_refused_by_it() -> None:
    old = b'{"schema":"multi-x-serverless/sync-cursor","version":1,"read_until":5.0,"lines":3,"malformed":0,'
    cursor = SyncCursor.from_document(old + b'"rejected":1,"late":2}')
    assert cursor == SyncCursor(read_until=5.0, lines=3, rejected=1, late=2)
    assert b'"version":1' in cursor.to_document()
    behind = replace(cursor, behind={"us-east-1/function": 4.0}, newer=7)
    assert b'"version":2' in behind.to_document()
    assert SyncCursor.from_document(behind.to_document()) == behind


def test_records_of_a_newer_version_are_counted_apart() -> None:
    setting = Setting()
    setting.write(RunLog("r").complete())
    setting.logs.write(EPOCH + 0.1, as_line(RunLog("new").started() | {"mxs": 2, "shape": {"unheard": "of"}}))
    report = setting.sync(EPOCH + 10.0)
    assert (report.newer, report.malformed, report.completed, report.open) == (1, 0, 1, 0)
    assert setting.sync(EPOCH + 11.0).newer == 0


def test_text_that_only_the_slower_decoder_reads_is_not_lost() -> None:
    setting = Setting()
    log = RunLog("r")
    failure = log.failed(0, 0.1, 1) | {"message": "bad \ud800 text"}
    setting.write([*log.complete(), failure])
    report = setting.sync(EPOCH + 10.0)
    assert (report.malformed, report.completed) == (0, 1)
    assert len(History(setting.cloud).runs(WORKFLOW_ID)[0].failed_attempts) == 1


@pytest.mark.parametrize(
    "damage",
    [
        {"ts": 10**400},
        {"node": 10**400},
        {"node": True},
        {"wall": -1},
        {"wall": "fast"},
        {"network": {"us-east-1": [1]}},
        {"cold": 1},
        {"mxs": True},
        {"mxs": 0},
        {"t": ["node_finished"]},
    ],
)
def test_one_poisoned_line_costs_that_line_only(damage: dict[str, Any]) -> None:
    setting = Setting()
    log = RunLog("r")
    setting.write(log.complete())
    setting.logs.write(EPOCH + 0.7, as_line(log.finished(1, 0.7) | damage))
    report = setting.sync(EPOCH + 10.0)
    assert (report.malformed, report.completed) == (1, 1)


def test_memory_does_not_grow_with_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "STRETCH_LINES", 500)
    monkeypatch.setattr(history, "KEEP_RUNS", 200)

    def peak(runs: int) -> int:
        setting = Setting()

        def lines(*_: object) -> Iterator[LogEvent]:
            for number in range(runs):
                for record in sorted(RunLog(f"{number:032x}", EPOCH + 20.0 * number).complete(), key=_time):
                    yield LogEvent(str(number), record["ts"], as_line(record))

        monkeypatch.setattr(setting.logs, "read_logs", lines)
        tracemalloc.start()
        report = setting.sync(EPOCH + 20.0 * runs + 100.0)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert report.completed == runs
        return most

    peak(300)
    assert peak(4_000) < 1.5 * peak(1_000)


def _time(record: dict[str, Any]) -> float:
    return float(record["ts"])


def test_a_sync_with_nothing_new_reads_and_writes_little() -> None:
    setting = Setting()
    setting.write([record for number in range(300) for record in RunLog(f"{number}", EPOCH + number).complete()])
    setting.sync(EPOCH + 1_000.0)
    setting.sync(EPOCH + 2_000.0)
    setting.logs.read.clear()
    setting.faults.reset()
    setting.sync(EPOCH + 3_000.0)
    assert setting.logs.read == []
    tables = {call.arguments[1] for call in setting.faults.calls}
    assert tables == {"multi-x-serverless-statistics", "multi-x-serverless-locks"}
