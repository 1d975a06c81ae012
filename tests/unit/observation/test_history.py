"""The history keeps distinct runs, a bounded number of them, in items that fit."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multi_x_serverless.cloud.documents import MAXIMUM_STORED_BYTES
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.errors import CloudError, CorruptedStateError, InvalidDocumentError
from multi_x_serverless.model.run import HistoryChunk, NodeObservation, ObservedRun
from multi_x_serverless.observation import history as history_module
from multi_x_serverless.observation.history import CHUNK_RUNS, History, HistoryWriter
from tests.fakes import Call, FakeKeyValueStore, refuse_call

WORKFLOW_ID = "text-0.0.1"
REGION, TABLE = "us-east-1", "multi-x-serverless-history"
DAY_S = 86_400.0
EPOCH = 1_699_920_000.0  # midnight, UTC


def empty_store() -> FakeKeyValueStore:
    return FakeKeyValueStore.of(REGION, "history", "statistics")


def history_in(store: FakeKeyValueStore) -> History:
    return History(cast(Cloud, SimpleNamespace(key_value=store, system_region=REGION)))


def writer_in(store: FakeKeyValueStore) -> HistoryWriter:
    return HistoryWriter(cast(Cloud, SimpleNamespace(key_value=store, system_region=REGION)), WORKFLOW_ID)


def run(number: int, started_at: float, nodes: int = 1) -> ObservedRun:
    return ObservedRun(
        run_id=f"{number:032x}",
        manifest_id="m1",
        status="complete",
        started_at=started_at,
        finished_at=started_at + 1.0,
        plan_version=1,
        placement_key="home",
        reason="plan",
        trigger_bytes=0.0,
        nodes={
            index: NodeObservation(
                region=REGION,
                # Digits that do not repeat, as clocks give them.
                duration_s=((number * 7919 + index * 104729) % 1_000_003) / 999_983.0,
                cpu_s=((number * 6271 + index * 15485863) % 1_000_003) / 999_979.0,
                cold=False,
                sent_bytes={},
                received_bytes={},
                other_sent_bytes=float((number * 31 + index * 17) % 9973),
                other_received_bytes=float((number * 37 + index * 19) % 9967),
            )
            for index in range(nodes)
        },
        edges={},
    )


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(1, 40), st.floats(0.0, 3.0)),
            st.tuples(st.just("expire"), st.just(0), st.floats(0.0, 34.0)),
        ),
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_sequence_keeps_a_bounded_number_of_distinct_runs(steps: list[tuple[str, int, float]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history_module, "CHUNK_RUNS", 7)
        patch.setattr(history_module, "KEEP_RUNS", 50)
        store = empty_store()
        history = history_in(store)
        model: dict[str, ObservedRun] = {}
        number, was_full = 0, False
        for kind, count, days in steps:
            if kind == "add":
                fresh = [run(number + index, EPOCH + days * DAY_S + index) for index in range(count)]
                number += count
                repeated = [] if was_full else [*model.values()][:3]
                added = history.add(WORKFLOW_ID, [*fresh, *repeated])
                assert sorted(entry.run_id for entry in added) == [entry.run_id for entry in fresh]
                model |= {entry.run_id: entry for entry in fresh}
            else:
                writer_in(store).expire(EPOCH + days * DAY_S)
                first_day = EPOCH + (days // 1 - 30) * DAY_S
                model = {key: entry for key, entry in model.items() if entry.started_at >= first_day}
            was_full |= len(model) > 50
            found = history.runs(WORKFLOW_ID)
            assert len({entry.run_id for entry in found}) == len(found) <= 50
            assert all(replace(entry, weight=1.0) == model[entry.run_id] for entry in found)
            if not was_full:
                assert {entry.run_id: entry for entry in found} == model


def test_expired_days_are_dropped_and_days_left_are_not() -> None:
    store = empty_store()
    history = history_in(store)
    history.add(WORKFLOW_ID, [run(number, EPOCH + number * DAY_S) for number in range(33)])
    assert writer_in(store).expire(EPOCH + 32 * DAY_S + 5.0) == 2
    assert history.runs(WORKFLOW_ID)[0].started_at == EPOCH + 2 * DAY_S


def test_runs_added_after_days_expired_replace_nothing() -> None:
    store = empty_store()
    history = history_in(store)
    history.add(WORKFLOW_ID, [run(number, EPOCH + number) for number in range(3 * CHUNK_RUNS)])
    first = next(iter(store.query(REGION, TABLE, WORKFLOW_ID)))
    store.delete(REGION, TABLE, first.key)
    history.add(WORKFLOW_ID, [run(9_999, EPOCH + 9_999)])
    assert len(history.runs(WORKFLOW_ID)) == 2 * CHUNK_RUNS + 1


def test_a_full_history_estimates_what_it_left_out() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history_module, "KEEP_RUNS", 500)
        history = history_in(empty_store())
        for start in range(0, 6_000, 400):
            history.add(WORKFLOW_ID, [run(number, EPOCH + number) for number in range(start, start + 400)])
        kept = history.runs(WORKFLOW_ID)
    assert 400 <= len(kept) <= 500
    # Weights of a sample of 450 of 6,000 sum up to 6,000 but for chance: its standard deviation is about 5 %.
    assert sum(entry.weight for entry in kept) == pytest.approx(6_000, rel=0.25)


def test_a_history_that_emptied_takes_every_run_again() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history_module, "KEEP_RUNS", 100)
        store = empty_store()
        history = history_in(store)
        for start in range(0, 2_000, 100):
            history.add(WORKFLOW_ID, [run(number, EPOCH + number) for number in range(start, start + 100)])
        writer_in(store).expire(EPOCH + 40 * DAY_S)
        assert history.runs(WORKFLOW_ID) == ()
        late = [run(number, EPOCH + 40 * DAY_S) for number in range(5_000, 5_050)]
        history.add(WORKFLOW_ID, late)
        assert history.runs(WORKFLOW_ID) == tuple(late)


def test_a_writer_that_dies_refuses_again_what_it_refused() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history_module, "KEEP_RUNS", 100)
        patch.setattr(history_module, "CHUNK_RUNS", 20)
        runs = [run(number, EPOCH + number) for number in range(400)]
        smooth = empty_store()
        for start in range(0, 400, 80):
            history_in(smooth).add(WORKFLOW_ID, runs[start : start + 80])
        expected = history_in(smooth).runs(WORKFLOW_ID)
        for number in range(12):
            store = empty_store()
            history = history_in(store)
            for start in range(0, 320, 80):
                history.add(WORKFLOW_ID, runs[start : start + 80])
            store.faults.reset()
            store.faults.after = refuse_call(number)
            with suppress(CloudError):
                history.add(WORKFLOW_ID, runs[320:])
            store.faults.reset()
            history.add(WORKFLOW_ID, runs[320:])
            assert history.runs(WORKFLOW_ID) == expected, f"died after call {number}"


def test_large_runs_make_small_chunks() -> None:
    store = empty_store()
    history = history_in(store)
    runs = [run(number, EPOCH + number, nodes=60) for number in range(CHUNK_RUNS)]
    assert len(history.add(WORKFLOW_ID, runs)) == CHUNK_RUNS
    items = list(store.query(REGION, TABLE, WORKFLOW_ID))
    sizes = [len(value) for item in items for value in item.attributes.values() if isinstance(value, bytes)]
    assert len(items) == 2, "not the one that a full count would make"
    assert max(sizes) <= MAXIMUM_STORED_BYTES
    assert history.runs(WORKFLOW_ID) == tuple(runs)


def test_writer_that_comes_between_loses_nothing() -> None:
    store = empty_store()
    history = history_in(store)
    history.add(WORKFLOW_ID, [run(0, EPOCH)])
    intruders = iter([[run(1, EPOCH + 1)], [run(2, EPOCH + 2)]])

    def intrude(call: Call) -> None:
        if call.operation == "put" and (runs := next(intruders, None)) is not None:
            history.add(WORKFLOW_ID, runs)

    store.faults.before = intrude
    added = history.add(WORKFLOW_ID, [run(3, EPOCH + 3), run(1, EPOCH + 1)])
    assert {entry.run_id for entry in history.runs(WORKFLOW_ID)} == {f"{number:032x}" for number in range(4)}
    assert {entry.run_id for entry in added} >= {f"{3:032x}"}


def test_large_runs_and_small_ones_are_all_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the history is thinned out, chunks that have room again come before those that are too large."""
    monkeypatch.setattr(history_module, "KEEP_RUNS", 440)
    for seed in range(4):
        small = [run(1_000 * seed + number, EPOCH + number) for number in range(250)]
        large = [run(1_000 * seed + 500 + number, EPOCH + 300 + number, nodes=60) for number in range(191)]
        store = empty_store()
        history_in(store).add(WORKFLOW_ID, [*small, *large])
        kept = history_in(store).runs(WORKFLOW_ID)
        assert len(kept) == 396
        assert sum(entry.weight for entry in kept) == pytest.approx(441, rel=0.2)


def test_a_run_more_writes_one_chunk_where_those_before_are_full() -> None:
    store = empty_store()
    history = history_in(store)
    history.add(WORKFLOW_ID, [run(number, EPOCH + number, nodes=60) for number in range(600)])
    chunks = len(list(store.query(REGION, TABLE, WORKFLOW_ID)))
    assert chunks > 3
    store.faults.reset()
    history_in(store).add(WORKFLOW_ID, [run(9_999, EPOCH + 9_999, nodes=60)])
    assert sum(call.operation == "put" for call in store.faults.calls) <= 2


def test_a_writer_that_dies_while_it_splits_a_chunk_loses_no_run() -> None:
    runs = [run(number, EPOCH + number, nodes=60) for number in range(200)]
    for number in range(8):
        for when in ("before", "after"):
            store = empty_store()
            setattr(store.faults, when, refuse_call(number))
            with suppress(CloudError):
                history_in(store).add(WORKFLOW_ID, runs)
            store.faults.reset()
            history_in(store).add(WORKFLOW_ID, runs)
            assert history_in(store).runs(WORKFLOW_ID) == tuple(runs)


def test_damaged_chunks_are_named() -> None:
    store = empty_store()
    history = history_in(store)
    store.put(REGION, TABLE, Key(WORKFLOW_ID, "2023-11-14#00000"), {"document_zlib": b"no stream"})
    with pytest.raises(CorruptedStateError, match="multi-x-serverless-history"):
        history.runs(WORKFLOW_ID)
    chunk = HistoryChunk((run(0, EPOCH),)).to_document().replace(b'"0":', b'"first":')
    with pytest.raises(InvalidDocumentError, match="first"):
        HistoryChunk.from_document(chunk)


def test_removed_workflow_has_no_history() -> None:
    history = history_in(empty_store())
    history.add(WORKFLOW_ID, [run(0, EPOCH)])
    history.add("other-0.0.1", [replace(run(0, EPOCH), run_id="other")])
    history.remove(WORKFLOW_ID)
    assert history.runs(WORKFLOW_ID) == ()
    assert [entry.run_id for entry in history.runs("other-0.0.1")] == ["other"]
