"""`small_sync_example`: which joins run, and with what, for all eight combinations of its flags."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from integration_tests.conftest import CommandLine

PROJECT = Path(__file__).parent.parent / "benchmarks" / "small_sync_example"
WORKFLOW_ID = "small_sync_example-0.0.1"


def expected_result(first: bool, second: bool, third: bool) -> Any:
    joined = [name for name, flag in (("first", first), ("second", second)) if flag]
    parts: list[Any] = ["third"] if third else []
    if joined:
        parts.append({"sync_function": joined})
    return parts or None


def test_joins_run_exactly_when_called_and_once(command_line: CommandLine, tmp_path: Path) -> None:
    combinations = list(itertools.product([False, True], repeat=3))
    inputs = tmp_path / "inputs.jsonl"
    inputs.write_text(
        "".join(
            json.dumps({"execute_1": first, "execute_2": second, "execute_3": third}) + "\n"
            for first, second, third in combinations
        ),
        encoding="utf-8",
    )
    command_line.succeed("deploy", cwd=PROJECT)
    runs = command_line.succeed("run", WORKFLOW_ID, "--arguments-file", str(inputs))["runs"]
    assert len(runs) == len(combinations)
    for (first, second, third), run in zip(combinations, runs, strict=True):
        functions = [node["node"].split(":")[0] for node in run["nodes"]]
        expected = ["initial_function"]
        expected += ["sync_function"] if first or second else []
        expected += ["second_sync_function"] if first or second or third else []
        assert run["status"] == "complete"
        assert functions == expected
        assert run["result"] == expected_result(first, second, third)
    report = command_line.succeed("data_sync")["workflows"][0]
    assert (report["completed"], report["failed"], report["open"]) == (len(combinations), 0, 0)
