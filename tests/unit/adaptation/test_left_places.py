"""What a deployment leaves where its workflow is no longer: logs, letters and objects that are found all the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.adaptation.dead_letters import all_dead_letters, dead_letters, redrive
from multi_x_serverless.adaptation.doctor import examine_cloud
from multi_x_serverless.adaptation.function_logs import LogQuery, function_logs
from multi_x_serverless.adaptation.removal import remove_workflow
from multi_x_serverless.adaptation.run_status import run_status
from multi_x_serverless.adaptation.upkeep import sync_workflow
from multi_x_serverless.adaptation.workflows import LEFT_LOGS_S, deployed_workflow, log_sources
from multi_x_serverless.cloud.ports import Attributes, DeadLetter, Key, LogEvent
from multi_x_serverless.cloud.tables import physical_name, workflow_table
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.migrate import migrate
from multi_x_serverless.deployment.names import function_name
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.errors import CloudError, ConflictError
from multi_x_serverless.model.deployments import Deployments
from multi_x_serverless.observation.history import History
from multi_x_serverless.observation.sync import OVERLAP_S, SyncReport
from multi_x_serverless.sdk.envelope import new_run_id
from multi_x_serverless.sdk.tables import CLAIMS
from tests.fakes import Call, FakeCloud
from tests.unit.adaptation.deployed import HOME, deployed_example
from tests.unit.deployment.projects import CONFIGURATION, SOURCE, WORKFLOW_ID, make_project, stage
from tests.unit.observation.records import RunLog, as_line

AWAY = "ca-central-1"
WITHOUT_AWAY = CONFIGURATION.replace(f", {AWAY}", "")
MOVED = CONFIGURATION.replace("home_region: us-east-1", "home_region: us-west-1").replace("us-east-1, ", "")
RENAMED = SOURCE.replace('"left"', '"right"')
SHORTER = """\
from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="example", version="0.0.1")


@workflow.serverless_function(name="first", entry_point=True)
def first(event):
    workflow.invoke_serverless_function(other, event)


@workflow.serverless_function(name="other")
def other(event):
    return event
"""
FUNCTIONS = ("first", "left", "join")
HOUR_S = 3_600.0


@pytest.fixture
def cloud(tmp_path: Path) -> FakeCloud:
    """The example with a plan in force that has `left` away, which has run and was not synced."""
    cloud = deployed_example(tmp_path)
    stage(cloud, left=AWAY)
    migrate(cloud, WORKFLOW_ID)
    return cloud


def manifest_of(cloud: FakeCloud) -> str:
    return deployed_workflow(cloud, WORKFLOW_ID).manifest_id


def write_run(cloud: FakeCloud, run_id: str, *, left_in: str = AWAY, without: int | None = None) -> None:
    """A run that is complete but for a node, in the logs of its functions where they are."""
    manifest_id = manifest_of(cloud)
    for record in RunLog(run_id, cloud.now()).complete():
        node = int(record["node"])
        region = left_in if node == 1 else HOME
        own: dict[str, Any] = {"wf": WORKFLOW_ID, "region": region}
        if record["t"] == "run_started":
            own["manifest"] = manifest_id
        if node != without:
            log = cloud.logs.logs.setdefault((region, function_name(WORKFLOW_ID, FUNCTIONS[node])), [])
            log.append(LogEvent(f"{len(log):04d}", record["ts"], as_line(record | own)))


def write_runs(cloud: FakeCloud, count: int = 12) -> None:
    for number in range(count):
        write_run(cloud, f"run{number:03d}")
        cloud.time += 1.0
    cloud.time += 60.0


def sync(cloud: FakeCloud) -> SyncReport:
    return sync_workflow(cloud, deployed_workflow(cloud, WORKFLOW_ID)).report


def letter(cloud: FakeCloud, run_id: str, *, node: int = 1, region: str = AWAY, manifest: str | None = None) -> None:
    body = {"run": run_id, "node": node, "mf": manifest_of(cloud) if manifest is None else manifest}
    function = function_name(WORKFLOW_ID, FUNCTIONS[node])
    cloud.messages.letters.append(DeadLetter(run_id, region, function, json.dumps(body).encode(), "boom", cloud.now()))


def drop_away(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, make_project(project, configuration=WITHOUT_AWAY))
    assert AWAY not in deployed_workflow(cloud, WORKFLOW_ID).regions


def refuse_away(call: Call) -> Exception | None:
    is_away = bool(call.arguments) and call.arguments[0] == AWAY
    return CloudError("it does not answer.", operation=call.operation, region=AWAY) if is_away else None


# --- logs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["region", "name", "home"])
def test_runs_of_before_a_deployment_are_complete_when_they_are_read_after_it(
    cloud: FakeCloud, tmp_path: Path, change: str
) -> None:
    write_runs(cloud)
    if change == "region":
        drop_away(cloud, tmp_path)
    elif change == "name":
        deploy(cloud, make_project(tmp_path, RENAMED))
    else:
        deploy(cloud, make_project(tmp_path, configuration=MOVED))
    report = sync(cloud)
    assert (report.completed, report.failed, report.open) == (12, 0, 0)
    cloud.time += 2 * HOUR_S
    assert sync(cloud).failed == 0
    assert {run.nodes[1].region for run in History(cloud).runs(WORKFLOW_ID)} == {AWAY}


def test_a_region_that_is_gone_from_the_cloud_breaks_no_sync(cloud: FakeCloud, tmp_path: Path) -> None:
    write_runs(cloud)
    drop_away(cloud, tmp_path)
    cloud.regions = tuple(region for region in cloud.regions if region != AWAY)
    assert {source.region for source in log_sources(cloud, deployed_workflow(cloud, WORKFLOW_ID))} == {HOME}
    assert sync(cloud).open == 12


def test_a_region_that_was_left_and_cannot_be_asked_is_told(cloud: FakeCloud, tmp_path: Path) -> None:
    write_runs(cloud)
    drop_away(cloud, tmp_path)
    cloud.faults.before = refuse_away
    report = sync(cloud)
    assert {log.region for log in report.unread} == {AWAY}
    cloud.time += 2 * HOUR_S
    assert (sync(cloud).failed, sync(cloud).open) == (0, 12), "their lines may stand there"
    cloud.faults.reset()
    assert sync(cloud).completed == 12
    cloud.time += LEFT_LOGS_S
    cloud.faults.before = refuse_away
    assert sync(cloud).unread == (), "nothing that could stand there would be taken in any more"


def test_logs_that_were_kept_are_not_runs_of_the_next_workflow_of_that_id(cloud: FakeCloud, tmp_path: Path) -> None:
    write_runs(cloud)
    assert sync(cloud).completed == 12
    assert remove_workflow(cloud, WORKFLOW_ID, keep_logs=True, progress=SILENT).left == ()
    cloud.time += 2 * OVERLAP_S
    deploy(cloud, make_project(tmp_path))
    write_run(cloud, "new", left_in=HOME)
    cloud.time += 60.0
    assert sync(cloud).completed == 1
    assert [run.run_id for run in History(cloud).runs(WORKFLOW_ID)] == ["new"]


@pytest.mark.parametrize("is_known", [False, True], ids=["no deployments", "of an older program"])
def test_a_workflow_that_an_older_program_deployed_is_read_from_the_beginning(cloud: FakeCloud, is_known: bool) -> None:
    write_runs(cloud)
    stored = workflow_table(cloud).get(Key(WORKFLOW_ID))
    assert stored is not None
    entry = replace(stored.value.deployments.entries[0], at=cloud.now() + 2 * OVERLAP_S, functions=())
    deployments = replace(stored.value.deployments, entries=(entry,)) if is_known else Deployments()
    workflow_table(cloud).put(Key(WORKFLOW_ID), replace(stored.value, deployments=deployments))
    assert sync(cloud).completed == 12


# --- one run -------------------------------------------------------------------------------------------------


def test_a_run_is_told_by_the_graph_and_home_that_it_started_under(cloud: FakeCloud, tmp_path: Path) -> None:
    run_id, stopped = new_run_id(cloud.now()), new_run_id(cloud.now() + 1.0)
    write_run(cloud, run_id)
    write_run(cloud, stopped, without=1)
    letter(cloud, stopped)
    names = [node.name for node in deployed_workflow(cloud, WORKFLOW_ID).graph.nodes]
    cloud.time += 60.0
    before = run_status(cloud, run_id)
    deploy(cloud, make_project(tmp_path, SHORTER, MOVED))
    status = run_status(cloud, run_id)
    assert (status.trace, status.nodes) == (before.trace, before.nodes)
    assert [node.node for node in status.nodes] == names
    assert (status.trace.status, status.is_deployment_unknown) == ("complete", False)
    status = run_status(cloud, stopped)
    assert [node.state for node in status.nodes] == ["finished", "failed", "finished"]
    assert [message.node for message in status.letters] == [names[1]]


def test_everything_home_is_said_of_the_home_of_then(cloud: FakeCloud, tmp_path: Path) -> None:
    run_id = new_run_id(cloud.now())
    stage(cloud)  # plan 3, which the records name
    write_run(cloud, run_id, left_in=HOME)
    deploy(cloud, make_project(tmp_path, configuration=MOVED))
    cloud.time += 60.0
    status = run_status(cloud, run_id)
    assert (status.plan_version, status.is_all_home) == (3, True)


def test_a_run_of_a_deployment_that_nobody_knows_is_told_by_the_graph_of_today(
    cloud: FakeCloud, tmp_path: Path
) -> None:
    run_id, given_up = new_run_id(cloud.now()), new_run_id(cloud.now() + 1.0)
    write_run(cloud, run_id)
    letter(cloud, given_up, node=0, region=HOME, manifest="forgotten")
    deploy(cloud, make_project(tmp_path, SHORTER))
    stored = workflow_table(cloud).get(Key(WORKFLOW_ID))
    assert stored is not None
    workflow_table(cloud).put(Key(WORKFLOW_ID), replace(stored.value, deployments=Deployments()))
    cloud.time += 60.0
    names = [node.name for node in stored.value.graph.nodes]
    for identifier in (run_id, given_up):
        status = run_status(cloud, identifier)
        assert status.is_deployment_unknown
        assert [node.node for node in status.nodes] == names


def test_output_of_a_function_that_is_gone_is_not_taken_for_another_ones(cloud: FakeCloud, tmp_path: Path) -> None:
    write_run(cloud, "run")
    deploy(cloud, make_project(tmp_path, RENAMED))
    cloud.time += 60.0
    found = function_logs(cloud, LogQuery(WORKFLOW_ID, None, None, None, with_records=True, limit=100))
    of_left = [text for text in found.texts if text.source.region == AWAY]
    assert {(found.function_of(text), found.node_of(text)) for text in of_left} == {("left", None)}


# --- letters -------------------------------------------------------------------------------------------------


def test_letters_in_a_region_that_was_left_are_found_and_put_back(cloud: FakeCloud, tmp_path: Path) -> None:
    letter(cloud, "run")
    drop_away(cloud, tmp_path)
    assert [message.node[:5] for message in dead_letters(cloud, WORKFLOW_ID)] == ["left:"]
    assert [message.workflow_id for message in all_dead_letters(cloud).messages] == [WORKFLOW_ID]
    assert [finding.regions for finding in examine_cloud(cloud, tmp_path / "none") if finding.status != "ok"] == [
        (AWAY,)
    ]
    assert [message.letter.region for message in redrive(cloud, WORKFLOW_ID).messages] == [AWAY]
    assert cloud.messages.letters == []


def test_a_region_that_was_left_and_cannot_be_looked_at_hides_no_other(cloud: FakeCloud, tmp_path: Path) -> None:
    letter(cloud, "away")
    letter(cloud, "home", region=HOME)
    cloud.faults.before = refuse_away
    with pytest.raises(CloudError, match="does not answer"):
        dead_letters(cloud, WORKFLOW_ID)
    cloud.faults.before = lambda call: None
    drop_away(cloud, tmp_path)
    cloud.faults.before = refuse_away
    assert [message.letter.region for message in dead_letters(cloud, WORKFLOW_ID)] == [HOME]


def test_letters_of_a_function_that_is_gone_are_the_workflows(cloud: FakeCloud, tmp_path: Path) -> None:
    letter(cloud, "run")
    deploy(cloud, make_project(tmp_path, RENAMED))
    assert [message.node[:5] for message in dead_letters(cloud, WORKFLOW_ID)] == ["left:"]
    assert [message.workflow_id for message in all_dead_letters(cloud).messages] == [WORKFLOW_ID]


def test_a_claim_in_a_region_that_was_left_still_holds_its_letter(cloud: FakeCloud, tmp_path: Path) -> None:
    letter(cloud, "run")
    now = cloud.now()
    claim: Attributes = {"owner": "o", "attempt": "a", "started_at": now, "lease_until": now + 30.0, "done": 0}
    cloud.key_value.put(AWAY, physical_name(CLAIMS), Key(f"{WORKFLOW_ID}/run", "n1"), claim)
    # What the node's number means is said by the manifest of the message: today's graph has another node there.
    deploy(cloud, make_project(tmp_path, SHORTER, WITHOUT_AWAY))
    with pytest.raises(ConflictError, match="try again in 30 s"):
        redrive(cloud, WORKFLOW_ID)


def test_a_region_that_was_left_and_does_not_answer_is_a_note(cloud: FakeCloud, tmp_path: Path) -> None:
    drop_away(cloud, tmp_path)
    cloud.health.closed = {AWAY}
    (finding,) = [finding for finding in examine_cloud(cloud, tmp_path / "none") if finding.status != "ok"]
    assert (finding.check, finding.status, finding.regions) == ("region", "note", (AWAY,))
    assert "disallowed_regions" not in finding.remedy


def test_doctor_sees_the_letters_of_allowed_regions_although_plans_cannot_be_read(
    cloud: FakeCloud, tmp_path: Path
) -> None:
    letter(cloud, "run", region="us-west-1")
    cloud.key_value.faults.before = lambda call: (
        CloudError("throttled.", operation=call.operation)
        if call.operation == "query" and call.arguments[1] == physical_name("plans")
        else None
    )
    findings = [finding for finding in examine_cloud(cloud, tmp_path / "none") if finding.status != "ok"]
    assert {(finding.check, finding.regions) for finding in findings} == {("letters", ("us-west-1",)), ("plans", ())}


# --- removal -------------------------------------------------------------------------------------------------


def test_a_removal_deletes_what_lies_in_regions_that_were_left(cloud: FakeCloud, tmp_path: Path) -> None:
    write_runs(cloud)
    letter(cloud, "run")
    cloud.objects.objects[AWAY, f"payloads/{WORKFLOW_ID}/run/e1"] = b"large"
    drop_away(cloud, tmp_path)
    result = remove_workflow(cloud, WORKFLOW_ID, keep_logs=False, progress=SILENT)
    assert result.left == ()
    assert f"log {function_name(WORKFLOW_ID, 'left')} in {AWAY}" in result.deleted
    assert f"dead letter run in {AWAY}" in result.deleted
    assert (cloud.logs.logs, cloud.messages.letters) == ({}, [])
    assert not [place for place in cloud.objects.objects if place[0] == AWAY]


def test_a_region_that_was_left_and_closed_holds_up_no_removal(
    cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_away(cloud, tmp_path)
    monkeypatch.setattr(cloud, "usable_regions", lambda: (HOME, "us-west-1"))
    cloud.faults.before = refuse_away
    assert remove_workflow(cloud, WORKFLOW_ID, keep_logs=False, progress=SILENT).left == ()


@pytest.mark.parametrize("is_asked", [False, True])
def test_objects_of_an_earlier_home_are_counted_or_deleted(cloud: FakeCloud, tmp_path: Path, is_asked: bool) -> None:
    keys = [(HOME, f"objects/{WORKFLOW_ID}/old"), ("us-west-1", f"objects/{WORKFLOW_ID}/new")]
    cloud.objects.objects |= dict.fromkeys(keys, b"data")
    deploy(cloud, make_project(tmp_path, configuration=MOVED))
    result = remove_workflow(cloud, WORKFLOW_ID, keep_logs=False, progress=SILENT, delete_objects=is_asked)
    assert (result.objects_deleted, result.objects_left) == ((2, 0) if is_asked else (0, 2))
    assert result.object_regions == (() if is_asked else ("us-west-1", HOME))
    assert [place for place in cloud.objects.objects if place[1].startswith("objects/")] == ([] if is_asked else keys)
