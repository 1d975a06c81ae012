"""More than 2,000 runs of random workflows on the embedded cloud while all goes wrong that it can make go wrong.

Real worker processes; messages doubled, delayed, overtaken and lost; workers killed at random moments and right before
and after their operations; throttling, lost answers, and a region that is out for a while. Afterwards every run has
ended as it should have: see `random_workflows.check_run`.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from integration_tests.random_workflows import RandomWorkflow, check_run, draw_workflow, edge_order, read_log
from multi_x_serverless.adaptation.dead_letters import dead_letters, redrive
from multi_x_serverless.adaptation.runs import start_runs
from multi_x_serverless.adaptation.workflows import deployed_workflow, log_sources
from multi_x_serverless.cloud.local import LocalCloud, LocalSettings
from multi_x_serverless.cloud.local.faults import DeliveryFaults, FaultInjector, FaultPlan, OperationFaults
from multi_x_serverless.cloud.ports import Host
from multi_x_serverless.cloud.tables import PlanStore, create_tables
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.migrate import migrate
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.observation.trace import read_runs, trace_of

REGIONS = ("us-east-1", "us-west-2", "ca-central-1")
WORKFLOWS = 12
RUNS = 170
TIMEOUT_S = 300.0
FAULTS = DeliveryFaults(
    duplicate=0.05,
    delay=0.05,
    delay_s=0.2,
    reorder=0.1,
    reorder_s=0.05,
    drop=0.03,
    redelivery_s=0.1,
    crash=0.02,
    crash_within_s=0.02,
)
OPERATIONS = OperationFaults(throttle=0.01, lost_answer=0.005, crash_before=0.003, crash_after=0.003)
KINDS = ("duplicate", "delay", "reorder", "drop", "crash", "throttle", "lost_answer", "crash_before", "crash_after")


class CountedFaults:
    """Counts the faults that an injector lets happen, by kind."""

    def __init__(self, injector: FaultInjector, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts: Counter[str] = Counter()
        happens = injector.happens

        def counted(kind: str, probability: float) -> bool:
            happened = happens(kind, probability)
            self.counts[kind.rpartition(".")[2]] += happened
            return happened

        monkeypatch.setattr(injector, "happens", counted)


def deployed(state: Path, project: Path, flow: RandomWorkflow, dice: random.Random) -> str:
    """Deploy the workflow without faults, spread over the regions; returns its id."""
    (project / ".multi-x-serverless").mkdir(parents=True)
    (project / "app.py").write_text(flow.source, encoding="utf-8")
    (project / ".multi-x-serverless" / "config.yml").write_text(flow.configuration(REGIONS), encoding="utf-8")
    with LocalCloud(state, regions=REGIONS, time_scale=0.0, fault_plan=FaultPlan()) as cloud:
        create_tables(cloud, REGIONS)
        workflow_id = deploy(cloud, project).workflow_id
        plans = PlanStore(cloud)
        active = plans.active(workflow_id)
        assert active is not None
        hour = active.hours[0]
        placement = {node: dice.choice(REGIONS) for node in hour.placement}
        plans.stage(replace(active, hours=(replace(hour, placement=placement),), created_at=cloud.now()))
        migrate(cloud, workflow_id)
    return workflow_id


def run_all(cloud: LocalCloud, host: Host, workflow_id: str, inputs: list[dict[str, object]], outage: str) -> list[str]:
    """Run under faults, put back what was given up until nothing is; returns the ids of the runs."""
    run_ids = list(start_runs(cloud, workflow_id, inputs[: len(inputs) // 2]).run_ids)
    cloud.faults.begin_outage(outage)
    run_ids += start_runs(cloud, workflow_id, inputs[len(inputs) // 2 :]).run_ids
    host.wait_until_idle(1.0)
    cloud.faults.end_outage(outage)
    assert host.wait_until_idle(TIMEOUT_S)
    for _ in range(10):
        if not dead_letters(cloud, workflow_id):
            break
        redrive(cloud, workflow_id, wait=False)
        assert host.wait_until_idle(TIMEOUT_S)
    assert dead_letters(cloud, workflow_id) == ()
    return run_ids


@pytest.fixture(scope="module")
def totals() -> Counter[str]:
    return Counter()


@pytest.mark.parametrize("number", range(WORKFLOWS))
def test_every_run_ends_as_it_should(
    tmp_path: Path, number: int, totals: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(number)
    flow = draw_workflow(dice, number)
    workflow_id = deployed(tmp_path / "state", tmp_path / "project", flow, dice)
    log = tmp_path / "begun.jsonl"
    wanted = [[dice.random() < 0.7 for _ in flow.edges] for _ in range(RUNS)]
    inputs: list[dict[str, object]] = [
        {"run": str(index), "log": str(log), "calls": calls} for index, calls in enumerate(wanted)
    ]
    with LocalCloud(
        tmp_path / "state",
        regions=REGIONS,
        time_scale=0.0,
        fault_plan=FaultPlan(seed=number, delivery=FAULTS, operations={"*": OPERATIONS}),
        settings=LocalSettings(retry_delays_s=(0.05, 0.1), synchronous="NORMAL"),
    ) as cloud:
        counted = CountedFaults(cloud.faults, monkeypatch)
        started = cloud.now()
        with cloud.host() as host:
            run_ids = run_all(cloud, host, workflow_id, inputs, dice.choice(REGIONS[1:]))
        record = deployed_workflow(cloud, workflow_id)
        logged = read_runs(cloud, workflow_id, log_sources(cloud, record), run_ids, started)
    begun = read_log(log)
    order = edge_order(flow, record.graph)
    assert len(begun) == RUNS
    for index, run_id in enumerate(run_ids):
        records = logged[run_id].records
        trace = trace_of(run_id, records, record.graph)
        assert trace.status == "complete", (flow, wanted[index], trace)
        node_of = {
            entry["req"]: _own_node(record.graph, entry["node"]) for entry in records if entry["t"] == "node_started"
        }
        killed = Counter(node_of[request] for request, _ in logged[run_id].kills if request in node_of)
        killed.update(_own_node(record.graph, entry["node"]) for entry in records if entry["t"] == "node_failed")
        check_run(flow, order, wanted[index], begun[str(index)], killed)
    totals.update(counted.counts)
    totals["runs"] += RUNS


def _own_node(graph: Graph, node: int) -> int:
    """Number of the random workflow's node that a node of the analysed graph is."""
    return int(graph.nodes[node].function.removeprefix("node"))


def test_every_kind_of_fault_was_met(totals: Counter[str]) -> None:
    print(f"\n{totals['runs']} runs under " + ", ".join(f"{totals[kind]} x {kind}" for kind in KINDS))
    assert totals["runs"] >= 2_000
    assert all(totals[kind] >= 20 for kind in KINDS)
