"""What planning spent is written down, summed over 30 days, and shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import CheckSettings, check_solver
from multi_x_serverless.adaptation.ledger import Ledger, Spending
from multi_x_serverless.adaptation.overhead import (
    effort_spending,
    estimate_overhead,
    expected_effort,
    solve_spending,
)
from multi_x_serverless.adaptation.removal import remove_workflow
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.solve import solve_workflow
from multi_x_serverless.adaptation.upkeep import (
    MOST_UNNOTED,
    collect_for_workflows,
    deploy_workflow,
    sync_workflow,
)
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.ports import InvocationResult, Key
from multi_x_serverless.cloud.tables import PlanStore, physical_name, workflow_table
from multi_x_serverless.deployment.effort import Copy, EffortLog, Probe
from multi_x_serverless.deployment.migrate import migrate
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.errors import CloudError, InvalidDocumentError
from multi_x_serverless.model.ledger import LedgerEntry
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.solving.model_constants import PUE_DEFAULT, VCPU_MAXIMUM_KW
from multi_x_serverless.solving.problem import Signals, SolveSettings
from tests.fakes import Call, FakeCloud
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.deployment.projects import SOURCE, WORKFLOW_ID, make_project, record_of, stage

SETTINGS = CheckSettings(solve=SolveSettings(hours=(0, 12), scenarios=100, validation_scenarios=100))
DOCUMENTS = Path(__file__).parents[2] / "data" / "documents"
NOTHING = Spending(0, 0, 0.0, 0.0, 0.0)


def recorded(cloud: FakeCloud, *workflow_ids: str) -> tuple[WorkflowRecord, ...]:
    """Records of further workflows, which are as the example is."""
    record = record_of(cloud)
    assert record is not None
    records = tuple(replace(record, workflow_id=workflow_id) for workflow_id in workflow_ids)
    for other in records:
        workflow_table(cloud).put(Key(other.workflow_id), other)
    return records


def refuse_ledger(call: Call) -> Exception | None:
    is_ledger = call.operation == "put" and call.arguments[1] == physical_name("ledger")
    return CloudError("the table is away.", operation="put") if is_ledger else None


def test_solves_and_migrations_are_written_down(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    assert Ledger(cloud).spending(WORKFLOW_ID) == NOTHING
    check_solver(cloud, SETTINGS)
    solved = Ledger(cloud).spending(WORKFLOW_ID)
    assert (solved.solves, solved.migrations) == (1, 0)
    assert solved.cpu_s > 0
    assert solved.carbon_gco2eq > 0
    check_deployment(cloud, progress=SILENT)
    migrated = Ledger(cloud).spending(WORKFLOW_ID)
    assert (migrated.solves, migrated.migrations) == (1, 1)
    assert migrated.carbon_gco2eq > solved.carbon_gco2eq
    assert migrated.cost_usd > 0
    cloud.time += 31 * 86_400.0
    assert Ledger(cloud).spending(WORKFLOW_ID) == NOTHING
    remove_workflow(cloud, WORKFLOW_ID, keep_logs=False, progress=SILENT)
    cloud.time -= 31 * 86_400.0
    assert Ledger(cloud).spending(WORKFLOW_ID) == NOTHING


def test_entries_older_than_the_history_are_forgotten(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    entry = LedgerEntry(WORKFLOW_ID, "solve", cloud.now(), 1.0, 0.0, 0, 0.1, 0.0)
    ledger = Ledger(cloud)
    for days in (40, 35, 10):
        ledger.add(replace(entry, at=cloud.now() - days * 86_400.0))
    ledger.add(entry)
    items = list(cloud.key_value.query(cloud.system_region, "multi-x-serverless-ledger", WORKFLOW_ID))
    assert len(items) == 2
    assert ledger.spending(WORKFLOW_ID).cpu_s == 2.0


FLAT = 100.0
"""Intensity of home at every hour, in gCO2eq/kWh; ca-central-1 has 20."""

PROBED = Probe("left", "ca-central-1", 0.1, 0.3, 1769, "x86_64")


def flat_signals(cloud: FakeCloud) -> Signals:
    """The signals with intensities that are the same at all hours."""
    known = read_signals(cloud)
    carbon = {
        region: replace(signal, intensity_gco2eq_per_kwh=(20.0 if region == "ca-central-1" else FLAT,) * 24)
        for region, signal in known.carbon.items()
    }
    return replace(known, carbon=carbon)


def test_what_a_migration_took_is_priced_by_hand(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    record, signals = record_of(cloud), flat_signals(cloud)
    assert record is not None
    # 2 GB to ca-central-1; a probe there of 0.4 s on one processor, a warm one at home of 2.5 ms, billed as 3 ms.
    warm = Probe("first", "us-east-1", 0.0025, 0.0, 1769, "x86_64")
    effort = EffortLog([Copy("ca-central-1", 2 * 2**30)], [PROBED, warm])
    spent = effort_spending(record, "migration", effort, signals, at=cloud.now(), cpu_s=36.0)
    assert (spent.copied_bytes, spent.probes, spent.cold_probes, spent.failed) == (2 * 2**30, 2, 1, 0)
    assert spent.billed_s == pytest.approx(0.4025)
    assert spent.copied_best_gco2eq == pytest.approx(2 * 0.001 * 60.0)
    assert spent.copied_worst_gco2eq == pytest.approx(2 * 0.005 * 60.0)
    kw = VCPU_MAXIMUM_KW + 1769 / 1024 * 0.0003725
    probes = (0.4 * 20.0 + 0.0025 * FLAT) / 3600 * kw * PUE_DEFAULT
    command = 0.01 * VCPU_MAXIMUM_KW * PUE_DEFAULT * FLAT
    assert spent.carbon_gco2eq == pytest.approx(probes + command)
    home, away = (signals.prices[region].prices for region in ("us-east-1", "ca-central-1"))
    assert spent.cost_usd == pytest.approx(
        2 * home.egress_usd_per_gb_to("ca-central-1")
        + 1769
        / 1024
        * (0.4 * away.lambda_usd_per_gb_second("x86_64") + 0.003 * home.lambda_usd_per_gb_second("x86_64"))
        + (home.lambda_usd_per_million_requests + away.lambda_usd_per_million_requests) / 1e6
    )
    assert spent.assumed == ()
    assert LedgerEntry.from_document(spent.to_document()) == spent


def test_what_nobody_collected_is_assumed_and_said(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    record = record_of(cloud)
    assert record is not None
    nothing = Signals(carbon={}, prices={}, performance={})
    effort = EffortLog([Copy("ca-central-1", 2**30)], [PROBED])
    spent = effort_spending(record, "migration", effort, nothing, at=cloud.now())
    assert spent.assumed == ("intensity", "prices")
    assert spent.copied_best_gco2eq == pytest.approx(0.001 * 410.0)
    assert solve_spending(record, 1.0, nothing, at=cloud.now()).assumed == ("intensity",)
    assert LedgerEntry.from_document(spent.to_document()) == spent


def test_copies_are_counted_with_the_energy_per_byte_that_is_asked_for(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    record = record_of(cloud)
    assert record is not None
    effort = EffortLog([Copy("ca-central-1", 2 * 2**30)])
    Ledger(cloud).add(effort_spending(record, "migration", effort, flat_signals(cloud), at=cloud.now()))
    best, worst = (Ledger(cloud).spending(WORKFLOW_ID, preset) for preset in ("best", "worst"))
    assert best.carbon_gco2eq == pytest.approx(0.12)
    assert worst.carbon_gco2eq == pytest.approx(0.6)
    assert (best.transmission, worst.transmission) == ("best", "worst")
    assert worst.by_kind["migration"].carbon_gco2eq == worst.carbon_gco2eq


def test_the_ledger_has_the_bytes_that_moved_and_the_probes_as_they_were(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    cloud.functions.times_s = (0.01, 0.2)
    stage(cloud, left="ca-central-1")
    (outcome,) = check_deployment(cloud, progress=SILENT)
    assert outcome.message == "plan 2 is in force."
    spent = Ledger(cloud).spending(WORKFLOW_ID).by_kind["migration"]
    record = record_of(cloud)
    assert record is not None
    assert (spent.count, spent.failed) == (1, 0)
    assert spent.copied_bytes == len(cloud.objects.objects["ca-central-1", record.package.key])
    assert (spent.probes, spent.cold_probes) == (4, 4), "three at home and the new one"
    assert spent.billed_s == pytest.approx(4 * 0.21)
    assert spent.cpu_s > 0.0
    assert spent.assumed == ()


def test_a_migration_that_failed_has_spent_as_well(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    stage(cloud, left="ca-central-1")
    cloud.functions.answers = lambda region, name: (
        InvocationResult(b"", "timed out", 60.0) if region == "ca-central-1" else None
    )
    (outcome,) = check_deployment(cloud, progress=SILENT)
    assert outcome.outcome == "failed"
    spent = Ledger(cloud).spending(WORKFLOW_ID).by_kind["migration"]
    assert (spent.count, spent.failed) == (1, 1)
    assert spent.copied_bytes > 0
    assert spent.billed_s == pytest.approx(60.0)


def test_a_migration_whose_account_cannot_be_written_went_as_it_went(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    stage(cloud, left="ca-central-1")
    cloud.key_value.faults.before = refuse_ledger
    (outcome,) = check_deployment(cloud, progress=SILENT)
    assert (outcome.outcome, outcome.plan_version) == ("migrated", 2)
    assert "What the migration took is not in the ledger: the table is away." in outcome.message


def test_a_defect_in_the_account_of_a_migration_does_not_hide_why_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    stage(cloud, left="ca-central-1")
    cloud.functions.answers = lambda region, name: (
        InvocationResult(b"", "timed out", 60.0) if region == "ca-central-1" else None
    )

    def broken(*_: object, **__: object) -> None:
        raise KeyError("met by the account")

    monkeypatch.setattr("multi_x_serverless.adaptation.upkeep.effort_spending", broken)
    (outcome,) = check_deployment(cloud, progress=SILENT)
    assert (outcome.outcome, outcome.error_code) == ("failed", "deployment")
    assert "timed out" in outcome.message
    assert "What the migration took is not in the ledger: a defect" in outcome.message


def test_no_work_fails_for_the_sake_of_its_account(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=120)
    record = record_of(cloud)
    assert record is not None
    cloud.key_value.faults.before = refuse_ledger
    assert sync_workflow(cloud, record).warning == "What the sync took is not in the ledger: the table is away."
    collected = collect_for_workflows(cloud, ("carbon",), record.regions, (record,))
    assert collected.reports[0].failures == ()
    assert collected.warnings == (
        f"What the collection for '{WORKFLOW_ID}' took is not in the ledger: the table is away.",
    )
    solved = solve_workflow(cloud, WORKFLOW_ID, settings=SETTINGS.solve)
    assert solved.is_staged
    assert solved.warnings[-1] == "What the solve took is not in the ledger: the table is away."
    assert PlanStore(cloud).staged(WORKFLOW_ID) == solved.plan
    assert PlanStore(cloud).unstage(WORKFLOW_ID, solved.plan.version)
    (decision,) = check_solver(cloud, SETTINGS)
    assert decision.verdict == "staged"
    for what in ("sync", f"collection for '{WORKFLOW_ID}'", "solve", "check"):
        assert f"What the {what} took is not in the ledger: the table is away." in decision.warnings
    assert decision.next_check_at is not None


def test_a_ledger_that_cannot_be_read_for_one_is_written_for_the_others(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    record = record_of(cloud)
    assert record is not None
    first, second = recorded(cloud, "aaa-0.0.1", "zzz-0.0.1")
    collect_for_workflows(cloud, ("carbon",), record.regions, (first,))
    table = physical_name("ledger")
    (item,) = cloud.key_value.query(cloud.system_region, table, first.workflow_id)
    newer = str(item.attributes["document"]).replace('"version":2', '"version":99')
    cloud.key_value.put(cloud.system_region, table, item.key, {"document": newer})
    collected = collect_for_workflows(cloud, ("carbon",), record.regions, (first, second))
    (warning,) = collected.warnings
    assert "collection for 'aaa-0.0.1'" in warning
    assert "install a newer one" in warning
    assert Ledger(cloud).spending(second.workflow_id).collections == 1


def test_a_ledger_that_is_away_is_not_tried_for_each_of_thousands(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    record = record_of(cloud)
    assert record is not None
    records = recorded(cloud, *(f"w-{number:04d}" for number in range(1_000)))
    cloud.key_value.faults.before = refuse_ledger
    cloud.key_value.faults.calls.clear()
    collected = collect_for_workflows(cloud, ("carbon",), record.regions, records)
    assert len(collected.warnings) == MOST_UNNOTED + 1
    assert "997 more workflows" in collected.warnings[-1]
    puts = [call for call in cloud.key_value.faults.calls if call.operation == "put"]
    assert len([call for call in puts if call.arguments[1] == physical_name("ledger")]) == MOST_UNNOTED


def test_new_code_that_is_copied_to_where_a_plan_needs_it_is_overhead_of_the_plan(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    stage(cloud, left="ca-central-1")
    check_deployment(cloud, progress=SILENT)
    cloud.time += 60.0
    cloud.functions.times_s = (0.01, 0.2)
    make_project(tmp_path, SOURCE + "\n# other code\n")
    assert deploy_workflow(cloud, tmp_path).warning == ""
    spent = Ledger(cloud).spending(WORKFLOW_ID).by_kind["deployment"]
    record = record_of(cloud)
    assert record is not None
    assert (spent.copied_bytes, spent.probes) == (record.package.size_bytes, 1), "what happens at home is not noted"
    assert deploy_workflow(cloud, tmp_path).result.actions == ()
    assert Ledger(cloud).spending(WORKFLOW_ID).by_kind["deployment"].count == 1


def test_two_that_end_at_the_same_moment_are_both_kept(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    entry = LedgerEntry(WORKFLOW_ID, "solve", cloud.now(), 1.0, 0.0, 0, 0.1, 0.0)
    Ledger(cloud).add(entry)
    Ledger(cloud).add(entry)
    spent = Ledger(cloud).spending(WORKFLOW_ID)
    assert (spent.solves, spent.cpu_s) == (2, 2.0)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (
            1,
            LedgerEntry(
                "example-0.0.1",
                "migration",
                1_700_000_000.0,
                0.0,
                2_400_000.0,
                2,
                0.0031,
                0.00012,
                assumed=("billed_s", "copied_bytes", "probes"),
            ),
        ),
        (2, LedgerEntry("example-0.0.1", "sync", 1_700_000_000.0, 1.5, 0.0, 0, 0.0007, 0.0, count=7)),
    ],
)
def test_recorded_entries_of_older_versions_are_read(version: int, expected: LedgerEntry) -> None:
    assert LedgerEntry.from_document((DOCUMENTS / f"ledger_entry_{version}.json").read_bytes()) == expected


def test_entries_are_written_in_the_oldest_version_that_says_all_of_them() -> None:
    solve = LedgerEntry(WORKFLOW_ID, "solve", 1.0, 1.0, 0.0, 0, 0.1, 0.0)
    written = {
        name: json.loads(entry.to_document())["version"]
        for name, entry in {
            "solve": solve,
            "sync": replace(solve, kind="sync"),
            "migration": replace(solve, kind="migration"),
            "check": replace(solve, kind="check"),
            "assumed": replace(solve, assumed=("intensity",)),
        }.items()
    }
    assert written == {"solve": 1, "sync": 2, "migration": 3, "check": 3, "assumed": 3}
    everything = replace(solve, kind="migration", failed=1, billed_s=2.0, cold_probes=1, copied_worst_gco2eq=1.0)
    assert LedgerEntry.from_document(everything.to_document()) == everything
    with pytest.raises(InvalidDocumentError, match=r"assumed\[0\]"):
        LedgerEntry.from_document(
            replace(solve, assumed=("intensity",)).to_document().replace(b'["intensity"]', b'["luck"]')
        )


def test_functions_that_are_there_cost_nothing(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    record, signals = record_of(cloud), read_signals(cloud)
    assert record is not None
    plan = PlanStore(cloud).active(WORKFLOW_ID)
    assert plan is not None
    home = estimate_overhead(record, plan, 1.0, signals, "best")
    assert home.cost_usd == 0.0
    assert home.carbon_gco2eq == solve_spending(record, 1.0, signals, at=plan.created_at).carbon_gco2eq
    away = estimate_overhead(record, stage(cloud, left="ca-central-1"), 1.0, signals, "best")
    assert away.cost_usd > 0.0


def test_what_is_expected_of_a_migration_is_what_it_copies(tmp_path: Path) -> None:
    """A region that has the package gets none again with one function more."""
    cloud = deployed_example(tmp_path)
    cloud.functions.times_s = (0.01, 0.2)
    expected_regions: tuple[list[str], ...] = (["ca-central-1"], [], ["us-west-1"])
    plans = {"left": "ca-central-1"}, {"left": "ca-central-1", "right": "ca-central-1"}, {"left": "us-west-1"}
    for places, regions in zip(plans, expected_regions, strict=True):
        record = deployed_workflow(cloud, WORKFLOW_ID)
        plan = stage(cloud, **places)
        there = {(resource.function, resource.region) for resource in record.resources}
        made = EffortLog()
        migrate(cloud, WORKFLOW_ID, effort=made)
        expected = expected_effort(record, plan)
        assert [copy.region for copy in expected.copies] == regions
        assert expected.copies == made.copies
        new = [(probe.function, probe.region) for probe in made.probes]
        assert [(probe.function, probe.region) for probe in expected.probes] == [at for at in new if at not in there]


def test_new_code_is_expected_where_only_the_old_is(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    plan = stage(cloud, left="ca-central-1")
    check_deployment(cloud, progress=SILENT)
    record = deployed_workflow(cloud, WORKFLOW_ID)
    assert expected_effort(record, plan).copies == []
    other = replace(record, package=replace(record.package, key="packages/other.zip"))
    assert expected_effort(other, plan).copies == [Copy("ca-central-1", record.package.size_bytes)]


def test_damaged_entries_are_named() -> None:
    entry = LedgerEntry(WORKFLOW_ID, "solve", 1.0, 1.0, 0.0, 0, 0.1, 0.0)
    assert LedgerEntry.from_document(entry.to_document()) == entry
    with pytest.raises(InvalidDocumentError, match="kind"):
        LedgerEntry.from_document(entry.to_document().replace(b'"solve"', b'"party"'))


def test_syncs_and_collections_of_a_day_are_one_entry_that_grows(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path, runs=7)
    record = record_of(cloud)
    assert record is not None
    for _ in range(5):
        sync_workflow(cloud, record)
        collect_for_workflows(cloud, ("carbon",), record.regions, (record,))
    spent = Ledger(cloud).spending(WORKFLOW_ID)
    assert (spent.syncs, spent.collections, spent.solves) == (5, 5, 0)
    assert spent.cpu_s > 0
    assert spent.carbon_gco2eq > 0
    items = list(cloud.key_value.query(cloud.system_region, "multi-x-serverless-ledger", WORKFLOW_ID))
    assert len(items) == 2
    cloud.time += 86_400.0
    sync_workflow(cloud, record)
    items = list(cloud.key_value.query(cloud.system_region, "multi-x-serverless-ledger", WORKFLOW_ID))
    assert len(items) == 3
    cloud.time += 31 * 86_400.0
    sync_workflow(cloud, record)
    items = list(cloud.key_value.query(cloud.system_region, "multi-x-serverless-ledger", WORKFLOW_ID))
    assert len(items) == 1, "what is older than the history is forgotten"


def test_a_collection_for_several_is_shared_by_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = deployed_example(tmp_path)
    record = record_of(cloud)
    assert record is not None
    clock = iter([10.0, 16.0])
    monkeypatch.setattr("multi_x_serverless.adaptation.upkeep.time.process_time", lambda: next(clock))
    others = recorded(cloud, "other0-0.0.1", "other1-0.0.1")
    collect_for_workflows(cloud, ("carbon",), record.regions, (record, *others))
    spent = [Ledger(cloud).spending(entry.workflow_id) for entry in (record, *others)]
    assert [entry.cpu_s for entry in spent] == [2.0, 2.0, 2.0]
    intensity = read_signals(cloud).carbon["us-east-1"].intensity_gco2eq_per_kwh[int(cloud.now() // 3600 % 24)]
    assert spent[0].carbon_gco2eq == pytest.approx(2.0 / 3600 * VCPU_MAXIMUM_KW * PUE_DEFAULT * intensity)


def test_two_that_write_the_same_day_lose_nothing(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    entry = LedgerEntry(WORKFLOW_ID, "sync", cloud.now(), 1.0, 0.0, 0, 0.1, 0.0)
    others = iter([entry, entry])

    def intrude(call: Call) -> None:
        if call.operation == "put" and (other := next(others, None)) is not None:
            Ledger(cloud).add_to_day(other)

    cloud.key_value.faults.before = intrude
    Ledger(cloud).add_to_day(entry)
    spent = Ledger(cloud).spending(WORKFLOW_ID)
    assert (spent.syncs, spent.cpu_s) == (3, 3.0)


def test_entries_of_an_older_program_are_read_and_new_kinds_are_refused_by_it() -> None:
    solve = LedgerEntry(WORKFLOW_ID, "solve", 1.0, 1.0, 0.0, 0, 0.1, 0.0)
    document = json.loads(solve.to_document())
    assert document.pop("version") == 1
    del document["count"]
    assert LedgerEntry.from_document(json.dumps({**document, "version": 1})) == solve
    assert json.loads(replace(solve, kind="sync").to_document())["version"] == 2
    assert LedgerEntry.from_document(solve.plus(solve).to_document()) == replace(
        solve, cpu_s=2.0, carbon_gco2eq=0.2, count=2
    )
