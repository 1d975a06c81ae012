"""Parsing and folding log lines: the work of `data_sync`."""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from multi_x_serverless.observation.fold import examine, fold
from multi_x_serverless.sdk.records import parse_line
from tests.unit.observation.records import RunLog, as_line, diamond

RUNS = 200


def test_parse_and_fold(benchmark: BenchmarkFixture) -> None:
    graph = diamond()
    lines = [as_line(record) for number in range(RUNS) for record in RunLog(f"run{number}").complete()]

    def work() -> int:
        runs: dict[str, list[dict[str, object]]] = {}
        for line in lines:
            record = parse_line(line)
            if record is not None:
                runs.setdefault(str(record["run"]), []).append(record)
        complete = 0
        for run_id, records in runs.items():
            if examine(records, graph).is_complete and fold(run_id, records, graph, "complete") is not None:
                complete += 1
        return complete

    assert benchmark(work) == RUNS
    benchmark.extra_info["lines"] = len(lines)
