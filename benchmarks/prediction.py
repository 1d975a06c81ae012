"""How near the model comes to what happened: the runs at home of a workflow predict those that its plan routed.

    python -m benchmarks.prediction STATE_DIRECTORY WORKFLOW_ID

Reads the history of an embedded cloud in which a plan is in force, as `multi_x_serverless demo` leaves one, and changes
nothing. Predicted is what the model says of the plan's placement from the runs at home alone; observed is what the same
formulas say of the runs that the plan routed, in their own regions, times and bytes. Both are modelled, no meter is
read. The last columns leave out what callers wait until other regions have accepted their calls.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.suite.execution import open_embedded_cloud
from benchmarks.suite.tables import aligned
from multi_x_serverless.adaptation.accounts import accounting_of
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.solve import build_workflow_problem
from multi_x_serverless.adaptation.workflows import deployed_workflow, runs_of_graph
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.collection.hours import hour_of_day
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK, MultiXServerlessError, NotEnoughDataError
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import History
from multi_x_serverless.solving.engine import LoadedProblem
from multi_x_serverless.solving.problem import SolveSettings

SCENARIOS = 4000
MICRO = 1e6
HEADER = ("mean per run", "observed", "predicted", "of observed", "without waiting", "of observed")


@dataclass(frozen=True)
class Prediction:
    """Means per run of the placement that most runs of a plan had.

    Attributes:
        home_runs: Runs that the prediction is made of.
        plan_runs: Runs that it is compared with.
        observed: gCO2eq and USD of the plan's runs.
        predicted: The same by the model.
        without_waiting: The same by a model in which nobody waits for another region.
    """

    home_runs: int
    plan_runs: int
    observed: tuple[float, float]
    predicted: tuple[float, float]
    without_waiting: tuple[float, float]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.prediction", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("state_directory", type=Path, help="state directory of the embedded cloud")
    parser.add_argument("workflow_id", help="workflow with runs at home and runs by a plan")
    options = parser.parse_args(arguments)
    try:
        with open_embedded_cloud(options.state_directory, exclusive=False) as cloud:
            prediction = predict(cloud, deployed_workflow(cloud, options.workflow_id))
    except MultiXServerlessError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILURE
    print(f"{prediction.plan_runs} runs by the plan, predicted from {prediction.home_runs} runs at home")
    print(aligned(HEADER, [_row(name, index, prediction) for index, name in enumerate(("ug CO2eq", "uUSD"))]))
    return EXIT_OK


def _row(name: str, index: int, prediction: Prediction) -> tuple[str, ...]:
    observed = prediction.observed[index]
    columns = [f"{observed * MICRO:.3g}"]
    for value in (prediction.predicted[index], prediction.without_waiting[index]):
        columns += [f"{value * MICRO:.3g}", f"{value / observed:.1%}"]
    return (name, *columns)


def predict(cloud: Cloud, record: WorkflowRecord) -> Prediction:
    """Compare the runs of one hour of a plan, of the one that most runs away from home had, with what runs at home say.

    Raises:
        NotEnoughDataError: There are no runs at home, or none elsewhere.
    """
    runs = [run for run in runs_of_graph(record, History(cloud).runs(record.workflow_id)) if run.status == "complete"]
    home = [run for run in runs if all(node.region == record.home_region for node in run.nodes.values())]
    away = [run for run in runs if run.placement_key != "home" and run not in home]
    if not home or not away:
        raise NotEnoughDataError(f"'{record.workflow_id}' needs runs at home and runs that a plan routed elsewhere.")
    placement, planned = _most_frequent(record, away)
    hour = hour_of_day(planned[0].started_at)
    of_hour = [run for run in planned if hour_of_day(run.started_at) == hour]
    settings = SolveSettings(hours=(hour,), scenarios=SCENARIOS)
    document = build_workflow_problem(cloud, record, settings, runs=tuple(home)).document
    return Prediction(
        len(home),
        len(of_hour),
        _observed(cloud, record, of_hour),
        _predicted(document, placement, hour),
        _predicted(_without_waiting(document), placement, hour),
    )


def _most_frequent(record: WorkflowRecord, runs: Sequence[ObservedRun]) -> tuple[dict[str, str], list[ObservedRun]]:
    """The placement that most runs had, and the runs that had it; nodes that did not run are where others ran."""
    names = [node.name for node in record.graph.nodes]
    by_key: dict[tuple[int, str], list[ObservedRun]] = defaultdict(list)
    for run in runs:
        by_key[run.plan_version, run.placement_key].append(run)
    planned = max(by_key.values(), key=len)
    placement = dict.fromkeys(names, record.home_region)
    placement |= {names[index]: node.region for run in planned for index, node in run.nodes.items()}
    return placement, planned


def _observed(cloud: Cloud, record: WorkflowRecord, runs: Sequence[ObservedRun]) -> tuple[float, float]:
    accounting = accounting_of(cloud, record, runs, read_signals(cloud), "best")
    footprints = [(accounting.footprint(run), run.weight) for run in runs]
    total = sum(run.weight for run in runs)
    carbon = sum(one.carbon_gco2eq * weight for one, weight in footprints) / total
    return carbon, sum(one.cost_usd * weight for one, weight in footprints) / total


def _predicted(document: bytes, placement: dict[str, str], hour: int) -> tuple[float, float]:
    metrics = LoadedProblem(document).evaluate(placement, hour)
    return metrics.carbon.mean, metrics.cost.mean


def _without_waiting(document: bytes) -> bytes:
    problem: dict[str, Any] = orjson.loads(document)
    for edge in problem["observations"]["edges"]:
        edge.pop("awaited_round_trips", None)
    return orjson.dumps(problem)


if __name__ == "__main__":
    sys.exit(main())
