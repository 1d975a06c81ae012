"""The history keeps distinct runs, the newest ones, in items that fit."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multi_x_serverless.cloud.documents import MAXIMUM_STORED_BYTES
from multi_x_serverless.cloud.ports import Cloud, Key
from multi_x_serverless.errors import CorruptedStateError, InvalidDocumentError
from multi_x_serverless.model.run import HistoryChunk, NodeObservation, ObservedRun
from multi_x_serverless.observation import history as history_module
from multi_x_serverless.observation.history import CHUNK_RUNS, History
from tests.fakes import Call, FakeKeyValueStore

WORKFLOW_ID = "text-0.0.1"
REGION, TABLE = "us-east-1", "multi-x-serverless-history"
DAY_S = 86_400.0
EPOCH = 1_699_920_000.0  # midnight, UTC


def empty_store() -> FakeKeyValueStore:
    return FakeKeyValueStore.of(REGION, "history")


def history_in(store: FakeKeyValueStore) -> History:
    return History(cast(Cloud, SimpleNamespace(key_value=store, system_region=REGION)))


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
            st.tuples(st.just("prune"), st.just(0), st.floats(0.0, 34.0)),
        ),
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_sequence_keeps_exactly_the_newest_distinct_runs(steps: list[tuple[str, int, float]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history_module, "CHUNK_RUNS", 7)
        patch.setattr(history_module, "KEEP_RUNS", 50)
        history = history_in(empty_store())
        model: dict[str, ObservedRun] = {}
        number = 0
        for kind, count, days in steps:
            if kind == "add":
                fresh = [run(number + index, EPOCH + days * DAY_S + index) for index in range(count)]
                number += count
                repeated = [*model.values()][:3]
                added = history.add(WORKFLOW_ID, [*fresh, *repeated])
                assert sorted(entry.run_id for entry in added) == [entry.run_id for entry in fresh]
                model |= {entry.run_id: entry for entry in fresh}
            else:
                now = EPOCH + days * DAY_S
                first_day = EPOCH + (days // 1 - 30) * DAY_S
                kept = sorted(
                    (entry for entry in model.values() if entry.started_at >= first_day),
                    key=lambda entry: (entry.started_at, entry.run_id),
                )[-50:]
                assert history.prune(WORKFLOW_ID, now) == len(model) - len(kept)
                model = {entry.run_id: entry for entry in kept}
            found = history.runs(WORKFLOW_ID)
            assert {entry.run_id: entry for entry in found} == model
            assert len(found) == len(model)


def test_runs_added_after_a_prune_replace_nothing() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history_module, "KEEP_RUNS", CHUNK_RUNS)
        history = history_in(empty_store())
        history.add(WORKFLOW_ID, [run(number, EPOCH + number) for number in range(3 * CHUNK_RUNS)])
        assert history.prune(WORKFLOW_ID, EPOCH) == 2 * CHUNK_RUNS
        history.add(WORKFLOW_ID, [run(9_999, EPOCH + 9_999)])
        assert len(history.runs(WORKFLOW_ID)) == CHUNK_RUNS + 1


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
