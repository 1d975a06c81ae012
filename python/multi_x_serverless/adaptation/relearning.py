"""Which runs to learn from once functions were changed: the newer ones alone, as soon as there is enough of them.

Other code of the same nodes and calls, or more memory, makes other times and other bytes. Nobody knows them before the
functions have run, so until then all runs of the graph are learned from, as the best that there is. Enough is what
loses nothing that was known: a number of runs, a day of them, and of each node and call that is rare as many as count.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from multi_x_serverless.adaptation.workflows import runs_of_graph
from multi_x_serverless.model.deployments import Deployment
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.shared_constants import SAMPLES_THAT_COUNT_FULLY
from multi_x_serverless.model.units import DAY_S
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
        missing = _missing(record, newer, older)
        if not missing:
            remarks.append(f"{len(older)} of before {change} are left out")
            return LearnableRuns(tuple(newer), "; ".join(remarks))
        if newer and not remarks:
            remarks.append(f"{len(newer)} of them since {change}, not enough to learn from alone ({missing})")
    return LearnableRuns(tuple(finished), "; ".join(remarks))


def _missing(record: WorkflowRecord, newer: Sequence[ObservedRun], older: Sequence[ObservedRun]) -> str:
    """What newer runs lack to be learned from alone; empty if they are enough."""
    if len(newer) < ENOUGH_RUNS:
        return f"{ENOUGH_RUNS} would be"
    if newer[-1].started_at - newer[0].started_at < DAY_S:
        return "those of a day would be"
    nodes, edges = record.graph.nodes, record.graph.edges
    now, before = _counts(newer), _counts(older)
    for (kind, index), count in sorted(before.items()):
        wanted, found = min(count, SAMPLES_THAT_COUNT_FULLY), now[kind, index]
        if found < wanted:
            if kind == "node":
                return f"in {wanted} {nodes[index].name} would have run, it did in {found}"
            edge = edges[index]
            return f"{wanted} would have called {nodes[edge.target].name} from {nodes[edge.source].name}, {found} did"
    return ""


def _counts(runs: Sequence[ObservedRun]) -> Counter[tuple[str, int]]:
    """In how many runs each node ran and each call was made."""
    counts: Counter[tuple[str, int]] = Counter()
    for run in runs:
        counts.update(("node", index) for index in run.nodes)
        counts.update(("edge", index) for index, edge in run.edges.items() if edge.called)
    return counts


def _change(record: WorkflowRecord, deployment: Deployment) -> str:
    moment = datetime.fromtimestamp(deployment.at, tz=timezone.utc).strftime("%Y-%m-%d %H:%M")
    if set(record.graph.functions) <= set(deployment.changed):
        what = "code or settings of the functions"
    else:
        shown, rest = deployment.changed[:NAMED_FUNCTIONS], len(deployment.changed) - NAMED_FUNCTIONS
        what = "settings of " + (" and ".join((", ".join(shown), f"{rest} more")) if rest > 0 else ", ".join(shown))
    return f"{what} changed on {moment} UTC"
