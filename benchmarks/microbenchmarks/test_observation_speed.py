"""Reading logs into the history: the work of `data_sync`, without the cloud's own time."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

from pytest_benchmark.fixture import BenchmarkFixture

from multi_x_serverless.cloud.ports import Cloud, LogEvent
from multi_x_serverless.observation.fold import examine, fold
from multi_x_serverless.observation.sync import LogSource, decode_json, sync_logs
from multi_x_serverless.sdk.records import parse_line
from tests.fakes import FakeKeyValueStore
from tests.unit.observation.records import WORKFLOW_ID, RunLog, as_line, diamond

RUNS = 200
SYNCED_RUNS = 20_000
EPOCH = 1_700_000_000.0


def test_parse_and_fold(benchmark: BenchmarkFixture) -> None:
    graph = diamond()
    lines = [as_line(record) for number in range(RUNS) for record in RunLog(f"run{number}").complete()]

    def work() -> int:
        runs: dict[str, list[dict[str, object]]] = {}
        for line in lines:
            record = parse_line(line, decode_json)
            if record is not None:
                runs.setdefault(str(record["run"]), []).append(record)
        complete = 0
        for run_id, records in runs.items():
            if examine(records, graph).is_complete and fold(run_id, records, graph, "complete") is not None:
                complete += 1
        return complete

    assert benchmark(work) == RUNS
    benchmark.extra_info["lines"] = len(lines)


def test_sync_of_a_backlog(benchmark: BenchmarkFixture) -> None:
    """From the lines of a log to a history that is full and thinned out."""
    events = [
        LogEvent(f"{number}", record["ts"], as_line(record))
        for number in range(SYNCED_RUNS)
        for record in sorted(RunLog(f"{number:032x}", EPOCH + 2.0 * number).complete(), key=_time)
    ]

    def read_logs(_region: str, _function: str, start: float, end: float) -> Iterator[LogEvent]:
        return (event for event in events if start <= event.timestamp < end)

    def work() -> int:
        store = FakeKeyValueStore.of("us-east-1", "history", "statistics", "locks")
        cloud = SimpleNamespace(
            key_value=store,
            logs=SimpleNamespace(read_logs=read_logs),
            system_region="us-east-1",
            now=lambda: EPOCH + 2.0 * SYNCED_RUNS + 10.0,
        )
        return sync_logs(cast(Cloud, cloud), WORKFLOW_ID, diamond(), (LogSource("us-east-1", "f"),)).completed

    assert benchmark(work) == SYNCED_RUNS
    benchmark.extra_info["lines"] = len(events)


def _time(record: dict[str, Any]) -> float:
    return float(record["ts"])
