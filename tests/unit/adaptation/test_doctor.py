"""What doctor finds in a cloud in which one thing is broken at a time, and the command that it names for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.doctor import examine, examine_cloud, merged
from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.ports import Check, Cloud, DeadLetter, Finding, Key
from multi_x_serverless.cloud.tables import PlanStore, create_tables, physical_name, workflow_table
from multi_x_serverless.collection.store import CARBON, SignalStore
from multi_x_serverless.deployment.journal import Journal
from multi_x_serverless.errors import CloudError, CorruptedStateError, NewerSchemaError, UnknownRegionError
from multi_x_serverless.sdk.tables import CLAIMS
from tests.fakes import Call, FakeCloud, refuse_call
from tests.unit.adaptation.deployed import HOME, deployed_example
from tests.unit.deployment.projects import CONFIGURATION, WORKFLOW_ID, make_project, record_of, stage

SETUP_HOME = f"multi_x_serverless setup_tables --region {HOME}"
READING = {"list_tables", "get", "keys", "query", "scan"}
ELSEWHERE = "us-west-1"  # allowed, but without functions


@pytest.fixture
def cloud(tmp_path: Path) -> FakeCloud:
    deployed = deployed_example(tmp_path / "project")
    deployed.faults.reset()
    return deployed


@pytest.fixture
def no_project(tmp_path: Path) -> Path:
    return tmp_path / "empty"


def found(cloud: FakeCloud, project: Path, check: str) -> Finding:
    """The only finding of a check that is not ok; all others are."""
    findings = [finding for finding in examine_cloud(cloud, project) if finding.status != "ok"]
    assert [finding.check for finding in findings] == [check]
    return findings[0]


def test_nothing_is_wrong_with_what_was_just_deployed(cloud: FakeCloud, no_project: Path) -> None:
    findings = examine_cloud(cloud, no_project)

    assert {finding.status for finding in findings} == {"ok"}
    assert {finding.check for finding in findings} == {
        *("region", "tables", "letters", "workflows", "journal", "locks", "plans", "signals")
    }
    assert not any(finding.remedy for finding in findings)


def test_it_only_reads(cloud: FakeCloud, tmp_path: Path) -> None:
    before = cloud.contents()

    examine_cloud(cloud, tmp_path / "project")

    assert cloud.contents() == before
    assert {call.operation for call in cloud.faults.calls} <= READING


def test_before_the_first_deployment_nothing_is_a_problem(no_project: Path) -> None:
    finding = found(FakeCloud(), no_project, "tables")

    assert finding.status == "note"
    assert finding.remedy == "multi_x_serverless setup_tables"


def test_a_missing_system_table(cloud: FakeCloud, no_project: Path) -> None:
    del cloud.key_value.tables[HOME, physical_name("ledger")]

    finding = found(cloud, no_project, "tables")

    assert (finding.status, finding.message) == ("problem", "ledger is missing in the system region")
    assert finding.remedy == SETUP_HOME


@pytest.mark.parametrize("table", ["workflows", "plans", "plan_pointers", "signals", "locks", "journal"])
def test_checks_of_a_missing_table_add_nothing(cloud: FakeCloud, no_project: Path, table: str) -> None:
    del cloud.key_value.tables[HOME, physical_name(table)]

    problems = [finding for finding in examine_cloud(cloud, no_project) if finding.status != "ok"]

    assert problems[0].message.startswith(table)
    assert {finding.remedy for finding in problems if finding.check == "tables"} == {SETUP_HOME}


def test_a_missing_run_time_table_where_functions_are(cloud: FakeCloud, no_project: Path) -> None:
    del cloud.key_value.tables[HOME, physical_name(CLAIMS)]

    finding = found(cloud, no_project, "tables")

    assert (finding.status, finding.regions) == ("problem", (HOME,))
    assert "claims is missing" in finding.message
    assert finding.remedy == SETUP_HOME


def test_run_time_tables_where_no_function_is_may_be_missing(cloud: FakeCloud, tmp_path: Path) -> None:
    del cloud.key_value.tables[ELSEWHERE, physical_name(CLAIMS)]

    assert {finding.status for finding in examine_cloud(cloud, tmp_path / "project")} == {"ok"}


def test_run_time_tables_where_the_plan_in_force_sends_runs(cloud: FakeCloud, no_project: Path) -> None:
    plan = stage(cloud, left=ELSEWHERE)
    PlanStore(cloud).activate(WORKFLOW_ID, plan.version, replaces=1)
    PlanStore(cloud).unstage(WORKFLOW_ID, plan.version)
    del cloud.key_value.tables[ELSEWHERE, physical_name(CLAIMS)]

    assert found(cloud, no_project, "tables").regions == (ELSEWHERE,)


def test_a_table_that_cannot_be_read(cloud: FakeCloud, no_project: Path) -> None:
    def refuse(call: Call) -> Exception | None:
        is_hit = call.operation == "get" and call.arguments[1] == physical_name("history")
        return CloudError("you may not") if is_hit else None

    cloud.faults.before = refuse

    finding = found(cloud, no_project, "tables")

    assert finding.status == "problem"
    assert finding.message == "history cannot be read: you may not"


def test_a_record_that_a_newer_version_wrote(cloud: FakeCloud, no_project: Path) -> None:
    item = cloud.key_value.tables[HOME, physical_name("workflows")][Key(WORKFLOW_ID)]
    document = {**json.loads(str(item.attributes["document"])), "version": 99}
    cloud.key_value.put(HOME, physical_name("workflows"), Key("new-0.0.1"), {"document": json.dumps(document)})

    finding = found(cloud, no_project, "workflows")

    assert finding.message.startswith("the record of new-0.0.1 cannot be read: ")
    assert finding.remedy == "python -m pip install --upgrade multi-x-serverless"


@pytest.mark.parametrize("attributes", [{"document": "{"}, {"document_zlib": b"x"}, {}])
def test_a_damaged_record(cloud: FakeCloud, no_project: Path, attributes: dict[str, str | bytes]) -> None:
    cloud.key_value.put(HOME, physical_name("workflows"), Key("bad-0.0.1"), attributes)

    finding = found(cloud, no_project, "workflows")

    assert finding.message.startswith("the record of bad-0.0.1 cannot be read: ")
    assert "from a backup" in finding.remedy


def test_a_removal_that_did_not_reach_its_end(cloud: FakeCloud, no_project: Path) -> None:
    record = record_of(cloud)
    assert record is not None
    workflow_table(cloud).put(Key("gone-0.0.1"), replace(record, workflow_id="gone-0.0.1", status="removing"))
    Journal(cloud, "gone-0.0.1").add(record.resources)

    finding = found(cloud, no_project, "workflows")

    assert (finding.status, finding.message) == ("problem", "the removal of gone-0.0.1 did not reach its end")
    assert finding.remedy == "multi_x_serverless remove gone-0.0.1"


def test_a_removal_that_may_be_under_way_is_a_note(cloud: FakeCloud, no_project: Path) -> None:
    record = record_of(cloud)
    assert record is not None
    workflow_table(cloud).put(Key("gone-0.0.1"), replace(record, workflow_id="gone-0.0.1", status="removing"))
    with lock(cloud, "gone-0.0.1"):
        findings = wrong(cloud, no_project)

    assert {check: finding.status for check, finding in findings.items()} == {"workflows": "note", "locks": "note"}
    assert findings["workflows"].message.startswith("gone-0.0.1 is being removed")


def interrupt(cloud: FakeCloud, workflow_id: str) -> None:
    record = record_of(cloud)
    assert record is not None
    Journal(cloud, workflow_id).add(record.resources)


def test_an_interrupted_deployment(cloud: FakeCloud, no_project: Path) -> None:
    interrupt(cloud, WORKFLOW_ID)

    finding = found(cloud, no_project, "journal")

    assert finding.message.startswith(f"a deployment of {WORKFLOW_ID} was interrupted")
    assert finding.remedy.splitlines()[1:] == ["multi_x_serverless deploy"]


def test_an_interrupted_first_deployment_can_be_given_up(cloud: FakeCloud, no_project: Path) -> None:
    interrupt(cloud, "other-0.0.1")

    assert found(cloud, no_project, "journal").remedy.endswith("multi_x_serverless remove other-0.0.1")


def test_an_interrupted_migration(cloud: FakeCloud, no_project: Path) -> None:
    stage(cloud, left=ELSEWHERE)
    interrupt(cloud, WORKFLOW_ID)

    problem = next(finding for finding in examine_cloud(cloud, no_project) if finding.status == "problem")

    assert problem.message.startswith(f"a migration of {WORKFLOW_ID} was interrupted")
    assert problem.remedy == f"multi_x_serverless update_check_deployment {WORKFLOW_ID}"


def wrong(cloud: FakeCloud, project: Path) -> dict[str, Finding]:
    """All that is not ok, by check."""
    return {finding.check: finding for finding in examine_cloud(cloud, project) if finding.status != "ok"}


def test_an_operation_that_may_be_under_way_is_a_note(cloud: FakeCloud, no_project: Path) -> None:
    interrupt(cloud, WORKFLOW_ID)
    with lock(cloud, WORKFLOW_ID, lease_s=900.0):
        cloud.time += 300.0
        findings = wrong(cloud, no_project)

    assert {check: finding.status for check, finding in findings.items()} == {"journal": "note", "locks": "note"}
    assert findings["journal"].message.startswith(f"a deployment of {WORKFLOW_ID} is under way")
    assert findings["journal"].remedy.splitlines()[0] == "# if it died, when its lease has ended:"
    assert findings["journal"].remedy.splitlines()[-1] == "multi_x_serverless deploy"
    assert WORKFLOW_ID in findings["locks"].message
    assert "ends in 600 s" in findings["locks"].message


def test_where_nobody_else_can_be_at_work_a_lock_is_left_over(cloud: FakeCloud, no_project: Path) -> None:
    interrupt(cloud, WORKFLOW_ID)
    cloud.health.alone = True
    with lock(cloud, WORKFLOW_ID):
        findings = wrong(cloud, no_project)

    assert {check: finding.status for check, finding in findings.items()} == {"journal": "problem", "locks": "note"}
    assert "was interrupted" in findings["journal"].message
    assert "died; the next that changes something drops its lock" in findings["locks"].message


def test_a_lease_that_has_ended_holds_nothing(cloud: FakeCloud, no_project: Path) -> None:
    with lock(cloud, WORKFLOW_ID, lease_s=10.0):
        cloud.time += 11.0
        assert {finding.status for finding in examine_cloud(cloud, no_project)} == {"ok"}


REPLAN = f"multi_x_serverless solve {WORKFLOW_ID}\nmulti_x_serverless update_check_deployment {WORKFLOW_ID}"


def add_plan(cloud: FakeCloud, *, lifetime_s: float) -> int:
    """A plan like the one in force that has another lifetime; its version."""
    plans = PlanStore(cloud)
    active = plans.active(WORKFLOW_ID)
    assert active is not None
    return plans.add(replace(active, expires_at=cloud.now() + lifetime_s)).version


def test_a_plan_in_force_that_has_expired(cloud: FakeCloud, no_project: Path) -> None:
    PlanStore(cloud).activate(WORKFLOW_ID, add_plan(cloud, lifetime_s=60.0), replaces=1)
    assert {finding.status for finding in examine_cloud(cloud, no_project)} == {"ok"}
    cloud.time += 60.0

    finding = found(cloud, no_project, "plans")

    assert finding.status == "problem"
    assert finding.message.startswith(f"plan 2 of {WORKFLOW_ID} in force expired 2023-11-14")
    assert finding.remedy == REPLAN


def test_a_staged_plan_waits_and_then_expires(cloud: FakeCloud, no_project: Path) -> None:
    plans = PlanStore(cloud)
    active = plans.active(WORKFLOW_ID)
    assert active is not None
    plans.stage(replace(active, expires_at=cloud.now() + 60.0))

    waiting = found(cloud, no_project, "plans")
    cloud.time += 60.0
    expired = found(cloud, no_project, "plans")

    assert (waiting.status, waiting.remedy) == ("note", f"multi_x_serverless update_check_deployment {WORKFLOW_ID}")
    assert (expired.status, expired.remedy) == ("problem", REPLAN)
    assert "will be dropped" in expired.message


def test_no_plan_in_force(cloud: FakeCloud, no_project: Path) -> None:
    cloud.key_value.delete(HOME, physical_name("plan_pointers"), Key(WORKFLOW_ID, "active"))

    finding = found(cloud, no_project, "plans")

    assert (finding.status, finding.message) == ("problem", f"{WORKFLOW_ID} has no plan in force: runs go home")
    assert finding.remedy.endswith("multi_x_serverless deploy")


def test_a_pointer_to_no_plan_is_said_once(cloud: FakeCloud, no_project: Path) -> None:
    cloud.key_value.put(HOME, physical_name("plan_pointers"), Key(WORKFLOW_ID, "active"), {"plan_version": 77})

    assert "77" in found_merged(cloud, no_project, "plans").message


def found_merged(cloud: FakeCloud, project: Path, check: str) -> Finding:
    findings = [finding for finding in merged(examine_cloud(cloud, project)) if finding.status != "ok"]
    assert [finding.check for finding in findings] == [check]
    return findings[0]


@pytest.mark.parametrize("region", [HOME, ELSEWHERE])
def test_messages_that_were_given_up_also_where_no_function_is_left(
    cloud: FakeCloud, no_project: Path, region: str
) -> None:
    cloud.messages.letters += [DeadLetter(str(number), region, "f", b"", "boom", 0.0) for number in range(2)]

    finding = found(cloud, no_project, "letters")

    assert (finding.status, finding.regions) == ("problem", (region,))
    assert finding.message.startswith("2 messages were given up")
    commands = [line for line in finding.remedy.splitlines() if not line.startswith("#")]
    assert commands == [
        "multi_x_serverless dead_letters",
        "multi_x_serverless redrive WORKFLOW_ID",
        "multi_x_serverless dead_letters --discard LETTER_ID",
    ]


def test_one_message_that_was_given_up(cloud: FakeCloud, no_project: Path) -> None:
    cloud.messages.letters.append(DeadLetter("1", HOME, "f", b"", "boom", 0.0))

    assert found(cloud, no_project, "letters").message.startswith("1 message was given up")


DAY_S = 86_400.0


@pytest.mark.parametrize(("days", "status"), [(1.9, "ok"), (2.0, "note"), (13.9, "note"), (14.0, "problem")])
def test_the_age_of_carbon_data(cloud: FakeCloud, no_project: Path, days: float, status: str) -> None:
    cloud.time += days * DAY_S

    carbon = next(finding for finding in examine_cloud(cloud, no_project) if finding.message.startswith("carbon"))

    assert carbon.status == status
    assert f"{days} days old, from " in carbon.message
    assert carbon.remedy == ("" if status == "ok" else "multi_x_serverless data_collect carbon")


def test_carbon_data_made_anew_of_old_hours_is_as_old_as_they_are(cloud: FakeCloud, no_project: Path) -> None:
    store = SignalStore(cloud.key_value, cloud.system_region)
    signal = store.get(CARBON, HOME)
    assert signal is not None
    store.put(CARBON, replace(signal, measured_until=cloud.now() - 3 * DAY_S))

    carbon = next(finding for finding in examine_cloud(cloud, no_project) if finding.message.startswith("carbon"))

    assert (carbon.status, carbon.regions) == ("note", (HOME,))
    assert "3.0 days old, from " in carbon.message


def test_all_sources_of_carbon_data_are_named(cloud: FakeCloud, no_project: Path) -> None:
    store = SignalStore(cloud.key_value, cloud.system_region)
    signal = store.get(CARBON, ELSEWHERE)
    assert signal is not None
    regions = len(store.all(CARBON))
    common = signal.source
    store.put(CARBON, replace(signal, source="file grid.csv"))

    carbon = next(finding for finding in examine_cloud(cloud, no_project) if finding.message.startswith("carbon"))

    assert carbon.message.endswith(f"from {common} ({regions - 1} regions); file grid.csv (1 region)")


def test_data_that_was_never_collected(cloud: FakeCloud, no_project: Path) -> None:
    for key in list(cloud.key_value.tables[HOME, physical_name("signals")]):
        if (key.partition, key.sort) in {("carbon", ELSEWHERE), ("price", HOME)}:
            del cloud.key_value.tables[HOME, physical_name("signals")][key]

    finding = found(cloud, no_project, "signals")

    assert (finding.status, finding.regions) == ("note", (HOME, ELSEWHERE))
    assert finding.message.startswith("no carbon, provider data was collected")
    assert finding.remedy == "multi_x_serverless data_collect all"


def test_one_kind_of_data_that_was_never_collected(cloud: FakeCloud, no_project: Path) -> None:
    del cloud.key_value.tables[HOME, physical_name("signals")][Key("carbon", ELSEWHERE)]

    assert found(cloud, no_project, "signals").remedy == "multi_x_serverless data_collect carbon"


def test_a_configuration_that_is_refused(cloud: FakeCloud, tmp_path: Path) -> None:
    project = make_project(tmp_path / "other", configuration=CONFIGURATION.replace("us-west-1", "us-wset-1"))

    finding = found(cloud, project, "project")

    assert finding.status == "problem"
    assert "config.yml:6" in finding.message


# --- regions -------------------------------------------------------------------------------------------------


def test_a_closed_region_that_is_needed_is_looked_at_no_further(cloud: FakeCloud, no_project: Path) -> None:
    cloud.health.closed = {HOME}

    findings = [finding for finding in examine_cloud(cloud, no_project) if HOME in finding.regions]

    assert [(finding.check, finding.status, finding.remedy) for finding in findings] == [
        ("region", "problem", f"open {HOME}"),
        ("tables", "ok", ""),  # the system tables, which were read before
    ]


def test_a_closed_region_that_a_plan_may_use_is_a_note(cloud: FakeCloud, no_project: Path) -> None:
    cloud.health.closed = {ELSEWHERE, "ca-central-1"}

    finding = found_merged(cloud, no_project, "region")

    assert (finding.status, finding.regions) == ("note", ("ca-central-1", ELSEWHERE))
    assert "disallowed_regions" in finding.remedy


def test_a_closed_region_that_the_configuration_names_is_a_problem(cloud: FakeCloud, tmp_path: Path) -> None:
    cloud.health.closed = {ELSEWHERE}

    assert found(cloud, tmp_path / "project", "region").status == "problem"


def looked_at(cloud: FakeCloud, project: Path, *regions: str) -> dict[str, set[str]]:
    """Region -> what was looked at there."""
    seen: dict[str, set[str]] = {}

    def regional(region: str, in_use: bool) -> tuple[Check, ...]:
        seen.setdefault(region, set()).add("in use" if in_use else "idle")
        return ()

    cloud.health.regional = regional
    for finding in examine_cloud(cloud, project, regions):
        for region in finding.regions if finding.check == "region" else ():
            seen.setdefault(region, set())
    return seen


def test_without_anything_deployed_all_regions_are_reached(no_project: Path) -> None:
    cloud = FakeCloud()
    assert looked_at(cloud, no_project) == {**{region: set() for region in cloud.regions}, HOME: {"idle"}}


def test_a_project_names_the_regions(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    assert looked_at(FakeCloud(), project) == {region: {"idle"} for region in (HOME, ELSEWHERE, "ca-central-1")}


def test_a_project_may_leave_regions_out(tmp_path: Path) -> None:
    configuration = CONFIGURATION.replace("allowed_regions: [us-east-1, us-west-1, ca-central-1]", "")
    project = make_project(tmp_path, configuration=configuration + "  disallowed_regions: [us-west-2, eu-west-1]\n")
    assert set(looked_at(FakeCloud(), project)) == {HOME, ELSEWHERE, "ca-central-1"}


def test_what_is_deployed_names_the_regions(cloud: FakeCloud, no_project: Path) -> None:
    assert looked_at(cloud, no_project) == {HOME: {"in use"}, ELSEWHERE: set(), "ca-central-1": set()}


def test_regions_can_be_chosen(cloud: FakeCloud, no_project: Path) -> None:
    assert looked_at(cloud, no_project, "eu-west-1", HOME) == {"eu-west-1": {"idle"}, HOME: {"in use"}}


def test_an_unknown_region_is_refused(cloud: FakeCloud, no_project: Path) -> None:
    with pytest.raises(UnknownRegionError, match="eu-north-9"):
        examine_cloud(cloud, no_project, ["eu-north-9"])


# --- checks on their own -------------------------------------------------------------------------------------


def test_without_access_nothing_else_is_asked(cloud: FakeCloud, no_project: Path) -> None:
    refused = Finding("credentials", "problem", "there are none", "aws configure")
    cloud.health.entrance = (refused,)

    assert examine_cloud(cloud, no_project) == (refused,)
    assert cloud.faults.calls == []


def test_a_check_that_raises_is_a_finding_and_stops_no_other(cloud: FakeCloud, no_project: Path) -> None:
    def raising(error: Exception) -> Check:
        def look() -> tuple[Finding, ...]:
            raise error

        return Check(type(error).__name__, look)

    cloud.health.general = [raising(CloudError("no answer.")), raising(ZeroDivisionError("x"))]
    cloud.health.regional = lambda region, in_use: (raising(KeyError(region)),)
    fine = {finding for finding in examine_cloud(cloud, no_project) if finding.status == "ok"}

    found_wrong = [finding for finding in examine_cloud(cloud, no_project) if finding.status != "ok"]

    assert [(finding.check, finding.message, finding.regions) for finding in found_wrong] == [
        ("CloudError", "no answer", ()),
        ("ZeroDivisionError", "the check failed with an unexpected ZeroDivisionError: x", ()),
        ("KeyError", f"the check failed with an unexpected KeyError: '{HOME}'", (HOME,)),
    ]
    assert {finding.check for finding in fine} >= {"workflows", "journal", "plans", "signals"}


def test_no_single_failure_of_the_cloud_ends_it(cloud: FakeCloud, no_project: Path) -> None:
    examine_cloud(cloud, no_project)
    count = len(cloud.faults.calls)
    for number in range(count):
        cloud.faults.reset()
        cloud.faults.before = refuse_call(number)

        findings = examine_cloud(cloud, no_project)

        assert [finding.status for finding in findings if "injected" in finding.message] == ["problem"], number
        assert len({finding.check for finding in findings}) > 1, number
    assert count > 20


def test_regions_that_fail_alike_are_one_finding() -> None:
    alike = [Finding("region", "ok", "answers", regions=(region,)) for region in ("b", "a", "b")]
    other = Finding("region", "problem", "answers", regions=("c",))

    assert merged([alike[0], other, *alike[1:]]) == (replace(alike[0], regions=("b", "a")), other)


@contextmanager
def opening(cloud: FakeCloud, error: Exception | None = None) -> Iterator[Cloud]:
    if error is not None:
        raise error
    yield cloud
    cloud.time = -1.0  # closed


def test_the_cloud_is_closed_afterwards(cloud: FakeCloud, no_project: Path) -> None:
    findings = examine(opening(cloud), no_project, is_aws=False)

    assert cloud.time == -1.0
    assert {"python", "engine", "workflows"} <= {finding.check for finding in findings}


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (CorruptedStateError("it is damaged."), "# restore it from a backup"),
        (NewerSchemaError("embedded cloud", "version", "is 9"), "python -m pip install --upgrade multi-x-serverless"),
        (PermissionError("not yours"), ""),
    ],
)
def test_a_cloud_that_cannot_be_opened(cloud: FakeCloud, no_project: Path, error: Exception, remedy: str) -> None:
    findings = examine(opening(cloud, error), no_project, is_aws=False)

    assert (findings[-1].check, findings[-1].status) == ("cloud", "problem")
    assert str(error).rstrip(".") in findings[-1].message
    assert findings[-1].remedy.startswith(remedy)
    assert "python" in {finding.check for finding in findings}, "this machine is looked at all the same"


def test_tables_of_an_installation_that_never_deployed(no_project: Path) -> None:
    cloud = FakeCloud()
    create_tables(cloud, cloud.regions)

    assert {finding.status for finding in examine_cloud(cloud, no_project)} == {"ok"}
