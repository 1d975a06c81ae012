"""Which runs of a workflow can be compared with each other: those of one experiment.

What the home share sends home are controls because chance alone chose them, at each moment with the same probability.
Where `home_share` was changed under a plan, its runs and its controls are spread differently over the days, and what
the grids did between these days would be taken for the plan's doing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from multi_x_serverless.adaptation.workflows import runs_of_graph
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.workflow import WorkflowRecord


@dataclass(frozen=True)
class Experiment:
    """Runs that can be compared.

    Attributes:
        runs: Of the deployed graph and of deployments with the home share of today.
        left_out: A sentence, after a space, if others of the graph were left out; else empty.
    """

    runs: list[ObservedRun]
    left_out: str


def experiment_of(record: WorkflowRecord, runs: Iterable[ObservedRun]) -> Experiment:
    """The runs of a workflow that can be compared with each other.

    Args:
        runs: Of all graphs.
    """
    of_graph, origins = runs_of_graph(record, runs), record.origins
    share = record.configuration.home_share
    compared = [run for run in of_graph if origins[run.manifest_id].home_share == share]
    if len(compared) == len(of_graph):
        return Experiment(compared, "")
    return Experiment(compared, " Runs of before home_share was changed are not among them.")
