"""Writes the problem document that the guide to replays uses: `python -m benchmarks.replay.example`.

Three functions with a join, 40 runs, four regions in North America; the first function has to stay home. The runs are
made, not observed: see `tests/unit/solving/workflows.py`.
"""

from __future__ import annotations

from pathlib import Path

import orjson

from multi_x_serverless.model.config import Constraints, Limit, Limits
from multi_x_serverless.solving.problem import SolveSettings, build_problem
from tests.unit.solving.workflows import embedded_signals, observed_runs, workflow

FILE = Path(__file__).parents[2] / "docs" / "examples" / "replay.json"


def example() -> bytes:
    """The document."""
    constraints = Constraints(hard=Limits(runtime=Limit("relative", 1.13)))
    settings = SolveSettings(scenarios=500, validation_scenarios=500)
    problem = build_problem(
        workflow(constraints=constraints, pinned=("receive",)), observed_runs(), embedded_signals(), settings
    )
    return orjson.dumps(orjson.loads(problem)) + b"\n"


if __name__ == "__main__":
    FILE.write_bytes(example())
