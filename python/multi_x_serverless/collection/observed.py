"""What the estimators of round trips and speeds are given: the observed runs of every workflow of this installation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multi_x_serverless.model.graph import Graph
    from multi_x_serverless.model.run import ObservedRun

OBSERVED_DAYS = 30.0
"""Runs from so many days back count, as for the solver (`observation.history` keeps no older ones)."""

_DAY_S = 86_400.0


@dataclass(frozen=True)
class WorkflowRuns:
    """Runs of one workflow.

    Attributes:
        workflow_id: Whose.
        graph: The deployed graph, which the runs' node and edge indices refer to.
        memory_mb: Memory of each node's function, in MB as AWS counts them.
        runs: Runs of that graph and of no older one.
    """

    workflow_id: str
    graph: Graph
    memory_mb: tuple[int, ...]
    runs: tuple[ObservedRun, ...]


def recent_runs(workflow: WorkflowRuns, now: float) -> tuple[ObservedRun, ...]:
    """Complete runs of the last 30 days, at `now` (seconds since the epoch).

    A run that failed says little of how long its nodes take and messages travel when all is well.
    """
    oldest = now - OBSERVED_DAYS * _DAY_S
    return tuple(run for run in workflow.runs if run.status == "complete" and oldest <= run.started_at <= now)
