"""Writes the problem documents that the guides to replays and plans use: `python -m benchmarks.replay.example`.

Three functions with a join, 40 runs, four regions in North America, or the three of them in the United States; the
first function has to stay home. The runs are made, not observed: see `tests/unit/solving/workflows.py`. They do not say
when functions returned, so that nobody waits for other regions in them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson

from benchmarks.usage import take_no_arguments
from multi_x_serverless.model.config import Constraints, Limit, Limits
from multi_x_serverless.solving.problem import SolveSettings, build_problem
from tests.unit.solving.workflows import embedded_signals, observed_runs, workflow

_EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

FILE = _EXAMPLES / "replay.json"

PLAN_FILE = _EXAMPLES / "plan.json"
"""Of the guide to plans: without Quebec, whose grid leaves nothing to weigh."""


def example() -> bytes:
    """The document of the guide to replays."""
    return _problem(Limit("relative", 1.15))


def plan_example() -> bytes:
    """The document of the guide to plans."""
    return _problem(Limit("absolute", 1.59), left_out="ca-central-1")


def _problem(runtime: Limit, left_out: str | None = None) -> bytes:
    """A document.

    Args:
        runtime: The hard limit of run time.
        left_out: A region that no function may run in.
    """
    constraints = Constraints(hard=Limits(runtime=runtime))
    settings = SolveSettings(scenarios=500, validation_scenarios=500)
    made = workflow(constraints=constraints, pinned=("receive",))
    functions = {
        name: replace(
            function, allowed_regions=tuple(region for region in function.allowed_regions if region != left_out)
        )
        for name, function in made.functions.items()
    }
    problem = build_problem(replace(made, functions=functions), observed_runs(), embedded_signals(), settings)
    return orjson.dumps(orjson.loads(problem)) + b"\n"


if __name__ == "__main__":
    take_no_arguments("benchmarks.replay.example", __doc__)
    FILE.write_bytes(example())
    PLAN_FILE.write_bytes(plan_example())
