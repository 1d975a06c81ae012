"""Run the integration tests: the product as users run it, in processes of their own, on the embedded cloud.

    python integration_tests/run_integration_tests.py [pytest options]

Needs the package to be installed (``make integration`` does it). Ends non-zero if any test fails.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


def main(options: list[str]) -> int:
    """Run all tests of this directory."""
    return int(pytest.main([str(Path(__file__).parent), "--durations=5", *options]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
