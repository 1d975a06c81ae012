"""What holds for all tests, wherever they are."""

from __future__ import annotations

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Take back the size of a terminal that processes of pytest-xdist are given: commands would wrap what they say."""
    if hasattr(config, "workerinput"):
        for name in ("COLUMNS", "LINES"):
            os.environ.pop(name, None)
