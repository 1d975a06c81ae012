"""Which runs of a workflow can be compared with each other: those of one experiment.

What the home share sends home are controls because chance alone chose them, at each moment with the same probability.
Where `home_share` was changed under a plan, its runs and its controls are spread differently over the days, and what
the grids did between these days would be taken for the plan's doing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from multi_x_serverless.adaptation.workflows import runs_of_graph
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.workflow import WorkflowRecord

_OF_OTHER_GRAPH = " Runs of another graph or home, which cannot be accounted any more, are not among them."
_OF_OTHER_SHARE = " Runs of before home_share was changed are not among them."


@dataclass(frozen=True)
class Experiment:
    """Runs that can be compared, and those that cannot.

    Attributes:
        runs: Of the deployed graph and of deployments with the home share of today.
        of_other_share: Of the deployed graph, from before the home share was changed.
        of_other_graph: Of another graph or home.
    """

    runs: Sequence[ObservedRun]
    of_other_share: Sequence[ObservedRun]
    of_other_graph: Sequence[ObservedRun]

    def left_out(self, is_missed: Callable[[ObservedRun], bool]) -> str:
        """A sentence, each after a space, for either reason to leave out runs that are missed; else empty."""
        return "".join(
            sentence
            for sentence, runs in (
                (_OF_OTHER_GRAPH, self.of_other_graph),
                (_OF_OTHER_SHARE, self.of_other_share),
            )
            if any(is_missed(run) for run in runs)
        )


def experiment_of(record: WorkflowRecord, runs: Sequence[ObservedRun]) -> Experiment:
    """The runs of a workflow that can be compared with each other.

    Args:
        runs: Of all graphs.
    """
    manifest_ids, origins = record.manifest_ids, record.origins
    share = record.configuration.home_share
    of_graph = runs_of_graph(record, runs)
    return Experiment(
        [run for run in of_graph if origins[run.manifest_id].home_share == share],
        [run for run in of_graph if origins[run.manifest_id].home_share != share],
        [run for run in runs if run.manifest_id not in manifest_ids],
    )
