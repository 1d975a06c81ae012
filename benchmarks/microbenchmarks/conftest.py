"""Notes how busy the machine was: `compare` says so, because times of a busy machine mean little."""

from __future__ import annotations

import os
from typing import Any

LOAD_BEFORE = os.getloadavg()[0]


def pytest_benchmark_update_json(output_json: dict[str, Any]) -> None:
    """Add the mean number of busy processes in the minute before the run, and how many processors there are."""
    output_json["load_before"] = round(LOAD_BEFORE, 2)
    output_json["processors"] = os.cpu_count() or 1
