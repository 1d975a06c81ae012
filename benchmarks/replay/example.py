"""Writes the problem documents that the guides to replays and plans use: `python -m benchmarks.replay.example`.

Three functions with a join, 40 runs, four regions in North America, or the three of them in the United States; the
first function has to stay home. The runs are made, not observed: see `tests/unit/solving/workflows.py`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson

from multi_x_serverless.model.config import Constraints, Limit, Limits
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.solving.problem import SolveSettings, build_problem
from tests.unit.solving.workflows import embedded_signals, observed_runs, workflow

_EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

FILE = _EXAMPLES / "replay.json"

PLAN_FILE = _EXAMPLES / "plan.json"
"""Of the guide to plans: without Quebec, whose grid leaves nothing to weigh, and without what callers wait for, so that
there are two kinds of hours to read about and not three."""


def example() -> bytes:
    """The document of the guide to replays."""
    return _problem(Limit("relative", 1.15), observed_runs())


def plan_example() -> bytes:
    """The document of the guide to plans."""
    silent = tuple(
        replace(run, edges={index: replace(edge, publish_s=None) for index, edge in run.edges.items()})
        for run in observed_runs()
    )
    return _problem(Limit("absolute", 1.59), silent, left_out="ca-central-1")


def _problem(runtime: Limit, runs: tuple[ObservedRun, ...], left_out: str | None = None) -> bytes:
    """A document.

    Args:
        runtime: The hard limit of run time.
        runs: What is known of runs.
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
    problem = build_problem(replace(made, functions=functions), runs, embedded_signals(), settings)
    return orjson.dumps(orjson.loads(problem)) + b"\n"


if __name__ == "__main__":
    FILE.write_bytes(example())
    PLAN_FILE.write_bytes(plan_example())
