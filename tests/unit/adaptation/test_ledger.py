"""What planning spent is written down, summed over 30 days, and shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.check_solver import CheckSettings, check_solver
from multi_x_serverless.adaptation.ledger import Ledger, Spending
from multi_x_serverless.adaptation.overhead import estimate_overhead, migration_spending, solve_spending
from multi_x_serverless.adaptation.removal import remove_workflow
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.upkeep import collect_for_workflows, sync_workflow
from multi_x_serverless.cli.output import describe_spending
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model.ledger import LedgerEntry
from multi_x_serverless.solving.model_constants import PUE_DEFAULT, VCPU_MAXIMUM_KW
from multi_x_serverless.solving.problem import SolveSettings
from tests.fakes import Call
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.deployment.projects import WORKFLOW_ID, record_of, stage

SETTINGS = CheckSettings(solve=SolveSettings(hours=(0, 12), scenarios=100, validation_scenarios=100))
NOTHING = Spending(0, 0, 0.0, 0.0, 0.0)


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


def test_overhead_counts_copies_by_region_and_probes_by_function(tmp_path: Path) -> None:
    cloud = deployed_example(tmp_path)
    record, signals, now = record_of(cloud), read_signals(cloud), cloud.now()
    assert record is not None
    one = migration_spending(record, [("left", "ca-central-1")], signals, "best", at=now)
    two = migration_spending(record, [("left", "ca-central-1"), ("join", "ca-central-1")], signals, "best", at=now)
    assert (one.probes, two.probes) == (1, 2)
    assert one.copied_bytes == two.copied_bytes == record.package.size_bytes
    assert two.carbon_gco2eq > one.carbon_gco2eq
    away = migration_spending(record, [("left", "ca-central-1"), ("join", "us-west-1")], signals, "best", at=now)
    assert away.copied_bytes == 2 * record.package.size_bytes
    assert solve_spending(record, 2.0, signals, at=now).carbon_gco2eq == pytest.approx(
        2.0 * solve_spending(record, 1.0, signals, at=now).carbon_gco2eq
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


def test_damaged_entries_are_named() -> None:
    entry = LedgerEntry(WORKFLOW_ID, "solve", 1.0, 1.0, 0.0, 0, 0.1, 0.0)
    assert LedgerEntry.from_document(entry.to_document()) == entry
    with pytest.raises(InvalidDocumentError, match="kind"):
        LedgerEntry.from_document(entry.to_document().replace(b'"solve"', b'"party"'))


def test_spending_is_described() -> None:
    assert describe_spending(NOTHING) == "Planning spent nothing in the last 30 days."
    assert describe_spending(Spending(1, 2, 0.5, 0.0015, 0.00002)) == (
        "Planning spent 1.5 mg CO2eq and 2e-05 USD in the last 30 days (modelled: 1 solve, 2 migrations)."
    )


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
    others = [replace(record, workflow_id=f"other{number}-0.0.1") for number in range(2)]
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
