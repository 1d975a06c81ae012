"""How long one check of many workflows takes, and how much memory.

    python -m benchmarks.microbenchmarks.many_workflows [WORKFLOWS ...]

For each number of workflows (100, 1,000 and 3,000 by default) an embedded cloud is filled with so many deployed ones:
of ten one has runs enough for a plan, the others have twenty. Then `check_solver` and `check_deployment` go over all of
them, once. Printed are milliseconds of processor time per workflow, and the largest resident memory of the process up
to then.

Functions are not made: nothing is migrated here, plans are staged and stay so.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import CheckSettings, check_solver
from multi_x_serverless.adaptation.signals import COLLECTORS, collect_signals
from multi_x_serverless.cloud.local import LocalCloud, LocalSettings
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import PlanStore, create_tables, workflow_table
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.run import EdgeObservation, NodeObservation, ObservedRun
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import History
from tests.fakes import FakeCloud
from tests.unit.deployment.projects import CONFIGURATION, WORKFLOW_ID, make_project, record_of

SOLVED_ONE_IN = 10
RUNS_OF_SOLVED, RUNS_OF_OTHERS = 150, 20
NOW = 1_700_000_000.0
HOUR_S = 3_600.0


def example() -> tuple[WorkflowRecord, Plan]:
    """A deployed workflow of three nodes and its first plan."""
    cloud = FakeCloud()
    create_tables(cloud, cloud.regions)
    with tempfile.TemporaryDirectory() as directory:
        deploy(cloud, make_project(Path(directory), configuration=CONFIGURATION))
    record, plan = record_of(cloud), PlanStore(cloud).active(WORKFLOW_ID)
    if record is None or plan is None:
        raise RuntimeError("the example was not deployed")
    return record, plan


def fill(cloud: LocalCloud, count: int) -> None:
    """Deployed workflows with their plans and runs, as if they had been deployed and run."""
    record, plan = example()
    create_tables(cloud, cloud.regions)
    plans, history, records = PlanStore(cloud), History(cloud), workflow_table(cloud)
    for number in range(count):
        workflow_id = f"workflow-{number:05d}-0.0.1"
        configuration = replace(record.configuration, workflow_name=f"workflow-{number:05d}")
        records.put(Key(workflow_id), replace(record, workflow_id=workflow_id, configuration=configuration))
        first = plans.add(replace(plan, workflow_id=workflow_id))
        plans.activate(workflow_id, first.version, replaces=None)
        runs = RUNS_OF_OTHERS if number % SOLVED_ONE_IN else RUNS_OF_SOLVED
        history.add(workflow_id, [_run(record, run) for run in range(runs)])
    collect_signals(cloud, COLLECTORS, record.regions)


def _run(record: WorkflowRecord, number: int) -> ObservedRun:
    node = NodeObservation(record.home_region, 0.5 + 0.01 * (number % 7), 0.2, number == 0, {}, {}, 0.0, 1_000.0)
    started_at = NOW - 48 * HOUR_S + number * 0.3 * HOUR_S
    return ObservedRun(
        run_id=f"{number:032x}",
        manifest_id=record.manifest_id,
        status="complete",
        started_at=started_at,
        finished_at=started_at + 2.0,
        plan_version=1,
        placement_key="0",
        reason="plan",
        trigger_bytes=200.0,
        nodes=dict.fromkeys(range(3), node),
        edges={index: EdgeObservation(True, 500.0, 0.1, 0.01) for index in range(3)},
    )


def opened(directory: Path) -> LocalCloud:
    """The embedded cloud at the time of the check."""
    return LocalCloud(directory, settings=LocalSettings(synchronous="NORMAL"), clock=lambda: NOW, time_scale=0.0)


def measure(directory: Path, count: int) -> None:
    """Check the workflows of a filled cloud in this process and print how it went."""
    with opened(directory) as cloud:
        start = time.process_time()
        decisions = check_solver(cloud, CheckSettings())
        solver_ms = (time.process_time() - start) * 1_000.0 / count
        solver_mb = _memory_mb()
        start = time.process_time()
        # Nothing is migrated: that is another measurement, and starts processes.
        outcomes = check_deployment(cloud, progress=SILENT, dry_run=True)
        deployment_ms = (time.process_time() - start) * 1_000.0 / count
    solved = -(-count // SOLVED_ONE_IN)
    verdicts = Counter(decision.verdict for decision in decisions)
    if verdicts != Counter({"staged": solved, "wait": count - solved}) or len(outcomes) != count:
        raise RuntimeError(f"unexpected: {verdicts}, {len(outcomes)} outcomes: {decisions[0].reason}")
    print(
        f"{count:>6,} workflows  check_solver {solver_ms:>6.1f} ms each, {solver_mb:>4.0f} MB   "
        f"check_deployment {deployment_ms:>5.1f} ms each, {_memory_mb():>4.0f} MB",
        flush=True,
    )


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def main() -> None:
    """Fill and measure in processes of their own: memory is given back by none."""
    parser = argparse.ArgumentParser(description="Time and memory of one check of many workflows.")
    parser.add_argument("workflows", type=int, nargs="*", default=[100, 1_000, 3_000])
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for count in arguments.workflows:
        if arguments.fill is not None:
            with opened(arguments.fill) as cloud:
                fill(cloud, count)
        elif arguments.measure is not None:
            measure(arguments.measure, count)
        else:
            with tempfile.TemporaryDirectory() as directory:
                for step in ("--fill", "--measure"):
                    command = [sys.executable, "-m", "benchmarks.microbenchmarks.many_workflows", step, directory]
                    subprocess.run([*command, str(count)], check=True)


if __name__ == "__main__":
    main()
