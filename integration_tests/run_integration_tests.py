"""Run the integration tests: the product as users run it, in processes of their own, on the embedded cloud.

    python integration_tests/run_integration_tests.py [pytest options]

Needs the package to be installed (``make integration`` does it). Ends non-zero if any test fails. Of the benchmark
workflows those with small requirements are run; ``make test-benchmarks`` runs all.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LIGHT_BENCHMARKS = ("image_processing", "image_processing_light", "map_reduce", "readmes", "small_sync_example")
"""What is in `benchmarks/tests` and downloads little; Pillow is among the development tools."""


def main(options: list[str]) -> int:
    """Run all tests of this directory and those of the light benchmark workflows."""
    benchmarks = [str(HERE.parent / "benchmarks" / "tests" / f"test_{name}.py") for name in LIGHT_BENCHMARKS]
    return int(pytest.main([str(HERE), *benchmarks, "--durations=5", *options]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
