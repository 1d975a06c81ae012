"""Starting the command line, in a process of its own as a shell does it.

What is measured is the processor time of the process, which others on the machine disturb less; the wall time is in
`extra_info`, beside the budget of `--help`: 0.3 s (the modules of a command are imported when it runs).
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.microbenchmarks.child_processes import children_processor_s

HELP_BUDGET_S = 0.3

ROUNDS = 15

COMMANDS = {
    "bare interpreter": ["-c", "pass"],
    "help": ["-m", "multi_x_serverless", "--help"],
    "help of a command": ["-m", "multi_x_serverless", "solve", "--help"],
    "version": ["-m", "multi_x_serverless", "version"],
}
COUNT_MODULES = """
import sys
before = set(sys.modules)
from multi_x_serverless.cli.main import main
sys.argv = ["multi_x_serverless", "--help"]
try:
    main()
except SystemExit:
    pass
print(len(set(sys.modules) - before))
"""


@pytest.mark.benchmark(timer=children_processor_s)
@pytest.mark.parametrize("name", COMMANDS)
def test_start(benchmark: BenchmarkFixture, name: str) -> None:
    seconds: list[float] = []

    def work() -> int:
        began = time.perf_counter()
        code = subprocess.run([sys.executable, *COMMANDS[name]], capture_output=True, check=True).returncode
        seconds.append(time.perf_counter() - began)
        return code

    assert benchmark.pedantic(work, rounds=ROUNDS, warmup_rounds=1) == 0  # type: ignore[no-untyped-call]  # pytest-benchmark leaves it untyped
    benchmark.extra_info["wall_ms_min"] = round(1000 * min(seconds), 1)
    benchmark.extra_info["wall_ms_median"] = round(1000 * median(seconds), 1)
    if name == "help":
        counted = subprocess.run([sys.executable, "-c", COUNT_MODULES], capture_output=True, text=True, check=True)
        benchmark.extra_info["budget_ms"] = 1000 * HELP_BUDGET_S
        benchmark.extra_info["modules"] = int(counted.stdout.split()[-1])
