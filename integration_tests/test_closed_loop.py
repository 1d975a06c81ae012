"""The closed loop: deploy, run, learn, solve, migrate, run again, measure, remove."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.prediction import predict
from benchmarks.suite.execution import open_embedded_cloud
from integration_tests.conftest import CommandLine
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.deployment.scaffold import example_inputs
from multi_x_serverless.observation.history import History
from multi_x_serverless.solving.waiting import waits_of

WORKFLOW_ID = "loop-0.0.1"
HOME = "us-east-1"
ALLOWED = {"us-east-1", "us-west-1", "us-west-2", "ca-central-1"}
RUNS = 120
HOME_SHARE = 0.25

NODES = {
    "receive:entry_point:0",
    "count_words:receive_0_0:1",
    "find_similar_words:receive_0_1:2",
    "find_repeated_phrases:receive_0_2:3",
    "summarise:sync:4",
}


@pytest.fixture
def project(command_line: CommandLine, tmp_path: Path) -> Path:
    command_line.succeed("new_workflow", "loop", cwd=tmp_path)
    configuration = tmp_path / "loop" / ".multi-x-serverless" / "config.yml"
    text = configuration.read_text(encoding="utf-8")
    assert text.count("home_share: 0.2\n") == 1
    configuration.write_text(text.replace("home_share: 0.2\n", f"home_share: {HOME_SHARE}\n"), encoding="utf-8")
    return tmp_path / "loop"


def function_of(node: str) -> str:
    return node.split(":", maxsplit=1)[0]


def check_runs(runs: list[dict[str, Any]]) -> None:
    """Each run finished once, with the nodes and the result that its input asks for."""
    assert len({run["run_id"] for run in runs}) == len(runs) == RUNS
    for run, line in zip(runs, example_inputs(RUNS), strict=True):
        event = json.loads(line)
        assert run["status"] == "complete", run
        assert run["failures"] == []
        ran = Counter(function_of(node["node"]) for node in run["nodes"])
        expected = {"receive", "count_words", "find_similar_words", "summarise"}
        expected |= {"find_repeated_phrases"} if event["deep"] else set()
        assert ran == Counter(expected)
        result = run["result"]
        assert ("repeated" in result) == event["deep"]
        assert result["words"] >= result["distinct"] > 0
        assert all(len(first) - len(second) in (-1, 0, 1) for first, second in result["similar"])


def placement_at(plan: dict[str, Any], hour: int) -> dict[str, str]:
    earlier = [entry for entry in plan["hours"] if entry["hour"] <= hour]
    placement: dict[str, str] = (earlier or plan["hours"])[-1]["placement"]
    return placement


def test_closed_loop(command_line: CommandLine, project: Path) -> None:
    command_line.succeed("setup_tables")
    deployed = command_line.succeed("deploy", cwd=project)
    assert deployed["workflow_id"] == WORKFLOW_ID
    again = command_line.succeed("deploy", cwd=project)
    assert again["actions"] == [], "deploying the same again changes nothing"

    inputs = str(project / "inputs.jsonl")
    before = command_line.succeed("run", WORKFLOW_ID, "--arguments-file", inputs)["runs"]
    check_runs(before)
    assert {node["region"] for run in before for node in run["nodes"]} == {HOME}

    synced = command_line.succeed("data_sync")["workflows"][0]
    assert (synced["completed"], synced["failed"], synced["open"], synced["malformed"]) == (RUNS, 0, 0, 0)
    assert command_line.succeed("data_sync")["workflows"][0]["completed"] == 0
    collected = command_line.succeed("data_collect", "all")
    assert {report["collector"] for report in collected["collectors"]} == {"carbon", "provider", "performance"}
    assert collected["workflows"][0]["runs"] == RUNS

    solved = command_line.succeed("solve", WORKFLOW_ID)
    check_solution(solved["solution"])
    status = command_line.succeed("status", WORKFLOW_ID)
    assert set(status["nodes"]) == NODES
    assert status["staged_plan"]["plan_version"] == solved["staged_plan_version"]

    assert command_line.run("update_check_deployment", "--dry-run").exit_code == 3
    migrated = command_line.succeed("update_check_deployment")["workflows"][0]
    assert migrated["outcome"] == "migrated"
    assert migrated["plan_version"] == solved["staged_plan_version"]
    assert migrated["created"], "the plan leaves home, so functions had to be made elsewhere"
    assert command_line.run("update_check_deployment").exit_code == 3, "nothing is left to do"

    after = command_line.succeed("run", WORKFLOW_ID, "--arguments-file", inputs)["runs"]
    check_runs(after)
    check_routing(after, command_line.succeed("status", WORKFLOW_ID)["active_plan"])

    command_line.succeed("data_sync")
    check_savings(command_line.succeed("report", WORKFLOW_ID), after)
    check_prediction(command_line.state)

    decision = command_line.run("update_check_solver").document["workflows"][0]
    assert decision["verdict"] in {"keep", "staged"}
    assert decision["runs"] == 2 * RUNS

    removed = command_line.succeed("remove", WORKFLOW_ID)
    assert removed["left"] == []
    assert command_line.succeed("list")["workflows"] == []
    command_line.succeed("teardown")


def check_solution(solution: dict[str, Any]) -> None:
    """Valid, proven, and by the model at least as good as home and as the best single region."""
    assert [entry["hour"] for entry in solution["hours"]] == list(range(24))
    for entry in solution["hours"]:
        assert entry["status"] == "optimal"
        assert set(entry["placement"]) == NODES
        assert set(entry["placement"].values()) <= ALLOWED
        assert entry["placement"]["receive:entry_point:0"] == HOME, "receive is pinned"
        assert not any(limit["violated"] for limit in entry["constraints"] if limit["kind"] == "hard")
        planned = entry["metrics"]["carbon"]["mean"]
        assert planned <= entry["home_metrics"]["carbon"]["mean"] * (1 + 1e-6)
        feasible = [
            candidate["metrics"]["carbon"]["mean"] for candidate in entry["candidates"] if candidate["feasible"]
        ]
        assert planned <= min(feasible) * (1 + 1e-6)
        assert entry["objective"]["lower_bound"] <= entry["objective"]["value"] * (1 + 1e-6)
    assert "2023" in solution["provenance"]["carbon"]


def check_routing(runs: list[dict[str, Any]], plan: dict[str, Any]) -> None:
    """Runs by the plan ran where the plan says, the others at home, and about one in four was one of the others."""
    by_plan = [run for run in runs if run["reason"] == "plan"]
    at_home = [run for run in runs if run["reason"] == "home_share"]
    assert len(by_plan) + len(at_home) == len(runs)
    for run in by_plan:
        placement = placement_at(plan, int(run["placement"]))
        for node in run["nodes"]:
            assert node["region"] == placement[node["node"]], run
    for run in at_home:
        assert {node["region"] for node in run["nodes"]} == {HOME}
    # Five standard deviations of a binomial: a correct router fails this once in two million times.
    deviation = 5.0 * math.sqrt(len(runs) * HOME_SHARE * (1 - HOME_SHARE))
    assert abs(len(at_home) - len(runs) * HOME_SHARE) <= deviation


def check_savings(report: dict[str, Any], after: list[dict[str, Any]]) -> None:
    expected, observed = report["expected"], report["observed"]
    assert expected["plan"]["carbon_gco2eq"] <= expected["best_single"]["carbon_gco2eq"] * (1 + 1e-6)
    assert expected["plan"]["carbon_gco2eq"] < expected["home"]["carbon_gco2eq"]
    by_reason = Counter(run["reason"] for run in after)
    assert observed["plan_runs"] == by_reason["plan"]
    assert observed["control_runs"] == by_reason["home_share"]
    # With a quarter of the runs as controls, fewer than ten come about once in a million times.
    assert observed["obstacle"] == ""
    assert observed["other_home"]["runs"] == RUNS
    saving = observed["carbon"]
    assert 0.0 < saving["low"] < saving["fraction"] < saving["high"] < 1.0
    # The same functions on the same inputs: what was expected and what was observed are of one size.
    expected_fraction = 1.0 - expected["plan"]["carbon_gco2eq"] / expected["home"]["carbon_gco2eq"]
    assert abs(saving["fraction"] - expected_fraction) < 0.25
    spending = report["spending"]
    assert (spending["solves"], spending["migrations"]) == (1, 1)
    assert spending["carbon_gco2eq"] > 0
    migration = spending["by_kind"]["migration"]
    assert migration["copied_bytes"] > 0
    assert 0 < migration["cold_probes"] <= migration["probes"]
    assert migration["billed_s"] > 0
    assert migration["assumed"] == []
    check_net(report["net"], by_reason["plan"])


def check_prediction(state: Path) -> None:
    """Runs at home foretell those elsewhere, with what `receive`, which stays, waits for the regions that it calls.

    How near depends on how busy the machine was while each of them ran, so only their order is held here;
    `python -m benchmarks.prediction` shows the figures.
    """
    with open_embedded_cloud(state) as cloud:
        prediction = predict(cloud, deployed_workflow(cloud, WORKFLOW_ID))
        record, signals = deployed_workflow(cloud, WORKFLOW_ID), read_signals(cloud)
        runs = [run for run in History(cloud).runs(WORKFLOW_ID) if run.reason == "plan"]
    for observed, predicted, without in zip(
        prediction.observed, prediction.predicted, prediction.without_waiting, strict=True
    ):
        assert 0.0 < without < predicted < 5.0 * observed
    waits = [waits_of(record.graph, signals.performance, 0.3, run) for run in runs]
    far = [(run.nodes[0], waited) for run, waited in zip(runs, waits, strict=True) if len(run.nodes) > 1]
    assert all(node.returned_s is not None and waited.own_duration_s[0] >= node.returned_s for node, waited in far)
    # The embedded cloud really waits: `receive` returns, and what is logged after that is not its own. A busy machine
    # may let answers arrive before a function returns, but not in every run.
    assert any(waited.own_duration_s[0] < node.duration_s for node, waited in far)


def check_net(net: dict[str, Any], plan_runs: int) -> None:
    """Gross less overhead is net; what was expected and what was observed are of the same runs."""
    assert net["obstacle"] == ""
    assert net["expected"]["runs"] == net["compared"]["runs"] == plan_runs
    for quantity in ("carbon_gco2eq", "cost_usd"):
        overhead = net["overhead_total"][quantity]
        assert overhead == pytest.approx(sum(item[quantity] for item in net["overhead"]))
        assert net["expected_net"][quantity] == pytest.approx(net["expected"]["gross"][quantity] - overhead)
        gross, left = net["observed_gross"][quantity], net["observed_net"][quantity]
        assert gross["low"] <= gross["value"] <= gross["high"]
        assert left["value"] == pytest.approx(gross["value"] - overhead)
    assert net["observed_gross"]["carbon_gco2eq"]["low"] > 0
    cold = [item for item in net["overhead"] if item["kind"] == "cold_starts"]
    assert cold, "the first execution in each region starts a container"
    assert cold[0]["assumed"] == [], "the functions measured their starts"


def finished_nodes(state: Path) -> int:
    """How many nodes have logged their end so far."""
    (database,) = state.glob("*.db")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30.0)) as connection:
        (count,) = connection.execute(
            "SELECT COUNT(*) FROM log_event WHERE message LIKE '%\"node_finished\"%'"
        ).fetchone()
    return int(count)


def test_interrupted_commands_lose_nothing(command_line: CommandLine, project: Path) -> None:
    """Kill the host of the runs in the middle; the next command finishes every run, each once."""
    command_line.succeed("deploy", cwd=project)
    queued = command_line.succeed("run", WORKFLOW_ID, "--no-wait", "--arguments-file", str(project / "inputs.jsonl"))
    assert len(queued["run_ids"]) == RUNS
    for share in (1, 2):
        host = command_line.start("run", WORKFLOW_ID, "-a", '{"text": "one more"}')
        # In the middle of its work, however fast the machine is.
        while finished_nodes(command_line.state) < share * RUNS and host.poll() is None:
            time.sleep(0.01)
        host.kill()
        host.communicate()
        assert host.returncode == -9, "the host ended before it could be killed"
    command_line.succeed("run", WORKFLOW_ID, "-a", '{"text": "the last one"}')
    synced = command_line.succeed("data_sync")["workflows"][0]
    assert synced["open"] == 0
    assert synced["failed"] == 0
    assert RUNS + 1 <= synced["completed"] <= RUNS + 3
