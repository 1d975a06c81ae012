"""The state of a workflow at a glance: plan in force, staged plan, where nodes ran lately, its last runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from multi_x_serverless.adaptation.dead_letters import dead_letters
from multi_x_serverless.adaptation.ledger import Ledger, Spending
from multi_x_serverless.adaptation.net_report import net_report
from multi_x_serverless.adaptation.net_savings import NetSaving
from multi_x_serverless.adaptation.statistics import read_statistics
from multi_x_serverless.adaptation.workflows import deployed_workflow, runs_of_graph
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.run import ObservedRun, number_of_runs
from multi_x_serverless.model.statistics import WorkflowStatistics
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import KEEP_DAYS, History
from multi_x_serverless.solving.problem import SolveSettings

PRESET = SolveSettings().transmission
"""Energy per byte, as `update_check_solver` plans with it; `report --transmission` shows the other."""


@dataclass(frozen=True)
class PlanUse:
    """Runs in the history that one plan routed.

    Attributes:
        is_all_home: Whether the plan has everything at home at all hours, so that its runs are not there by a choice;
            `None` if it is not stored any more.
        reasons: Why the runs had their placement (see `sdk.records`) -> how many.
        regions: Node -> region -> how many runs ran it there.
    """

    plan_version: int
    is_all_home: bool | None
    runs: int
    failed: int
    reasons: Mapping[str, int]
    regions: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class WorkflowStatus:
    """See the module's text.

    Attributes:
        uses: By plan version, of the deployed graph.
        last_runs: The newest runs of the deployed graph, newest first.
        spending: What planning spent.
        net: What plans saved and took in the last 30 days, with the energy per byte that plans are made with.
        dead_letters: How many messages were given up and not put back.
        statistics: Of its runs, as they were collected last; None if they never were.
        other_runs: How many runs in the history are of another graph or home, and so not among those of `uses`.
    """

    record: WorkflowRecord
    active: Plan | None
    staged: Plan | None
    uses: tuple[PlanUse, ...]
    last_runs: tuple[ObservedRun, ...]
    spending: Spending
    net: NetSaving
    dead_letters: int = 0
    statistics: WorkflowStatistics | None = None
    other_runs: int = 0


def workflow_status(cloud: Cloud, workflow_id: str, *, last: int = 5) -> WorkflowStatus:
    """Collect the state of a workflow.

    Args:
        last: How many of the last runs to name.

    Raises:
        UnknownWorkflowError: There is none of that id.
    """
    record = deployed_workflow(cloud, workflow_id)
    plans = PlanStore(cloud)
    recent = History(cloud).runs(workflow_id, since=cloud.now() - KEEP_DAYS * DAY_S)
    runs = runs_of_graph(record, recent)
    by_plan: dict[int, list[ObservedRun]] = {}
    for run in runs:
        by_plan.setdefault(run.plan_version, []).append(run)
    return WorkflowStatus(
        record=record,
        active=plans.active(workflow_id),
        staged=plans.staged(workflow_id),
        uses=tuple(
            _use(plans.find(workflow_id, version), version, entries, record)
            for version, entries in sorted(by_plan.items())
        ),
        last_runs=tuple(reversed(runs))[:last],
        spending=Ledger(cloud).spending(workflow_id, PRESET),
        net=net_report(cloud, record, recent, PRESET),
        dead_letters=len(dead_letters(cloud, workflow_id)),
        statistics=read_statistics(cloud, workflow_id),
        other_runs=number_of_runs(run for run in recent if run.manifest_id not in record.manifest_ids),
    )


def _use(plan: Plan | None, version: int, runs: list[ObservedRun], record: WorkflowRecord) -> PlanUse:
    return PlanUse(
        plan_version=version,
        is_all_home=None if plan is None else plan.is_all_in(record.configuration.home_region),
        runs=number_of_runs(runs),
        failed=number_of_runs(run for run in runs if run.status == "failed"),
        reasons=_count((run.reason, run.weight) for run in runs),
        regions={
            node.name: _count((run.nodes[index].region, run.weight) for run in runs if index in run.nodes)
            for index, node in enumerate(record.graph.nodes)
        },
    )


def _count(weighted: Iterable[tuple[str, float]]) -> dict[str, int]:
    """Word -> how many runs it is said of, in alphabetical order."""
    sums: dict[str, float] = {}
    for word, weight in weighted:
        sums[word] = sums.get(word, 0.0) + weight
    return {word: round(total) for word, total in sorted(sums.items())}
