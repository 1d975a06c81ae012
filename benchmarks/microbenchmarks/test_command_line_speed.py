"""Starting the command line."""

from __future__ import annotations

import subprocess
import sys

from pytest_benchmark.fixture import BenchmarkFixture


def test_help(benchmark: BenchmarkFixture) -> None:
    def work() -> int:
        command = [sys.executable, "-m", "multi_x_serverless", "--help"]
        return subprocess.run(command, capture_output=True, check=True).returncode

    assert benchmark(work) == 0
