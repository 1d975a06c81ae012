"""Starting the command line, in a process of its own as a shell does it.

The budget of `--help` is 0.3 s (the modules of a command are imported when it runs). `extra_info` has the processor
time of the processes, which others on the machine disturb less, and what the bare interpreter takes of it.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from statistics import median

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

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


def children_processor_s() -> float:
    """Processor seconds of all ended child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("name", COMMANDS)
def test_start(benchmark: BenchmarkFixture, name: str) -> None:
    seconds: list[float] = []

    def work() -> int:
        before = children_processor_s()
        code = subprocess.run([sys.executable, *COMMANDS[name]], capture_output=True, check=True).returncode
        seconds.append(children_processor_s() - before)
        return code

    assert benchmark.pedantic(work, rounds=ROUNDS, warmup_rounds=1) == 0  # type: ignore[no-untyped-call]  # pytest-benchmark leaves it untyped
    benchmark.extra_info["processor_ms_min"] = round(1000 * min(seconds), 1)
    benchmark.extra_info["processor_ms_median"] = round(1000 * median(seconds), 1)
    if name == "help":
        counted = subprocess.run([sys.executable, "-c", COUNT_MODULES], capture_output=True, text=True, check=True)
        benchmark.extra_info["budget_ms"] = 1000 * HELP_BUDGET_S
        benchmark.extra_info["modules"] = int(counted.stdout.split()[-1])
