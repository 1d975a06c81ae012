"""Which runs to learn from once functions were changed: the newer ones alone, as soon as there are enough of them.

Other code of the same nodes and calls, or more memory, makes other times and other bytes. Nobody knows them before the
functions have run, so until then all runs of the graph are learned from, as the best that there is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from multi_x_serverless.adaptation.workflows import runs_of_graph
from multi_x_serverless.model.deployments import Deployment
from multi_x_serverless.model.run import ObservedRun, number_of_runs
from multi_x_serverless.model.workflow import WorkflowRecord

ENOUGH_RUNS = 100
"""Runs since a change that are learned from alone: so many, by default, also make `update_check_solver` plan."""

NAMED_FUNCTIONS = 3
"""Of those that were changed."""


@dataclass(frozen=True)
class LearnableRuns:
    """Runs to learn from.

    Attributes:
        runs: Complete ones of the graph that is deployed, oldest first.
        remark: What has to be known of the choice, as the rest of a sentence; empty if they are all that there is.
    """

    runs: tuple[ObservedRun, ...]
    remark: str


def learnable_runs(record: WorkflowRecord, runs: Sequence[ObservedRun]) -> LearnableRuns:
    """Those since the newest change of functions that is followed by enough; all of them if none is.

    Args:
        runs: Of the last 30 days.
    """
    finished = sorted(
        (run for run in runs_of_graph(record, runs) if run.status == "complete"), key=lambda run: run.started_at
    )
    starts = [run.started_at for run in finished]
    remarks: list[str] = []
    for deployment in reversed(record.deployments.entries):
        first = bisect_left(starts, deployment.at)
        if not deployment.changed or first == 0:
            continue
        older, newer = finished[:first], finished[first:]
        change = _change(record, deployment)
        if len(newer) >= ENOUGH_RUNS:
            remarks.append(f"{number_of_runs(older)} of before {change} are left out")
            return LearnableRuns(tuple(newer), "; ".join(remarks))
        if newer and not remarks:
            remarks.append(f"{number_of_runs(newer)} of them since {change}, too few to learn from alone")
    return LearnableRuns(tuple(finished), "; ".join(remarks))


def _change(record: WorkflowRecord, deployment: Deployment) -> str:
    moment = datetime.fromtimestamp(deployment.at, tz=timezone.utc).strftime("%Y-%m-%d %H:%M")
    if set(record.graph.functions) <= set(deployment.changed):
        what = "the functions"
    else:
        shown, rest = deployment.changed[:NAMED_FUNCTIONS], len(deployment.changed) - NAMED_FUNCTIONS
        what = " and ".join((", ".join(shown), f"{rest} more")) if rest > 0 else ", ".join(shown)
    return f"{what} changed on {moment} UTC"
