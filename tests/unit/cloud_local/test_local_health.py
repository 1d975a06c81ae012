"""What the embedded cloud finds wrong with itself, with one thing broken at a time."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from multi_x_serverless.cloud.local import DeliveryFaults, FaultPlan, LocalCloud, Outage
from multi_x_serverless.cloud.local.schema import SCHEMA_VERSION
from multi_x_serverless.cloud.ports import Finding
from multi_x_serverless.errors import CloudError, UnknownRegionError

REGIONS = ("us-east-1", "us-west-2")


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A directory that an embedded cloud was made in."""
    path = tmp_path / "state"
    with LocalCloud(path, regions=REGIONS):
        pass
    yield path
    path.chmod(0o755)


def open_beside(directory: Path, plan: FaultPlan | None = None) -> LocalCloud:
    return LocalCloud(directory, regions=REGIONS, exclusive=False, fault_plan=plan)


def find(directory: Path, check: str, plan: FaultPlan | None = None) -> Finding:
    with open_beside(directory, plan) as cloud:
        checks = {entry.name: entry for entry in cloud.health.checks()}
        (finding,) = checks[check].look()
    assert finding.check == check
    return finding


def test_nothing_is_wrong(directory: Path) -> None:
    with open_beside(directory) as cloud:
        findings = [finding for check in cloud.health.checks() for finding in check.look()]
        assert cloud.health.access() == ()
        assert cloud.health.reach("us-west-2").status == "ok"
        assert cloud.health.region_checks("us-west-2", in_use=True) == ()

    assert {finding.status for finding in findings} == {"ok"}
    assert len(findings) == 6


def test_looking_makes_no_directory(tmp_path: Path) -> None:
    finding = find(tmp_path / "none" / "yet", "state")
    disk = find(tmp_path / "none" / "yet", "disk")

    assert finding.status == "note"
    assert str(tmp_path) in disk.message
    assert find(tmp_path / "none" / "yet", "database").message == "there is none yet"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_somebody_else(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: not mode & os.W_OK)  # root may write everywhere

    finding = find(directory, "state")

    assert finding.status == "problem"
    assert finding.remedy.splitlines()[0] == f"chmod u+rwx {directory}"


@pytest.mark.parametrize(
    ("free", "status"), [(2**30, "ok"), (2**30 - 1, "note"), (64 * 2**20, "note"), (64 * 2**20 - 1, "problem")]
)
def test_a_disk_that_fills_up(directory: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=free))

    finding = find(directory, "disk")

    assert finding.status == status
    assert f"{free // 2**20:,} MiB" in finding.message
    assert ("--state-dir" in finding.remedy) == (status != "ok")


def test_another_command_owns_the_directory(directory: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from multi_x_serverless.cloud.local import LocalCloud\n"
        "cloud = LocalCloud(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "open\n"
            while_held = find(directory, "owner")
            with open_beside(directory) as cloud:
                assert not cloud.health.is_alone()
        finally:
            other.kill()
    after_its_death = find(directory, "owner")
    with open_beside(directory) as cloud:
        assert cloud.health.is_alone()

    assert while_held.status == "note"
    assert f"process {other.pid} holds" in while_held.message
    assert while_held.remedy.endswith(f"ps -p {other.pid} -o pid,etime,args")
    assert (directory / "lock").read_text(encoding="ascii") == f"{other.pid}\n", "it could not tidy up"
    assert after_its_death.status == "ok"


def test_a_database_of_an_older_version(directory: Path) -> None:
    with closing(sqlite3.connect(directory / "cloud.db")) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")

    finding = find(directory, "database")

    assert finding.status == "note"
    assert f"version {SCHEMA_VERSION - 1}" in finding.message
    assert find(directory, "database") == finding, "looking does not migrate it"


def test_faults_in_a_file(directory: Path) -> None:
    (directory / "faults.yml").write_text("delivery: {drop: 0.1}\noperations: {publish: {throttle: 0.1}}\n")

    finding = find(directory, "faults")

    assert finding.status == "note"
    assert "deliveries; operations" in finding.message
    assert finding.remedy == f"rm {directory / 'faults.yml'}"


def test_faults_by_code_have_no_file_to_delete(directory: Path) -> None:
    plan = FaultPlan(delivery=DeliveryFaults(crash=0.1))

    assert find(directory, "faults", plan).remedy == ""


def test_a_region_that_is_out(directory: Path) -> None:
    plan = FaultPlan(outages=(Outage("us-west-2", 0.0, 1e9),))
    assert "outages of us-west-2" in find(directory, "faults", plan).message
    with open_beside(directory, plan) as cloud:
        assert cloud.health.reach("us-east-1").status == "ok"
        with pytest.raises(CloudError, match="not available"):
            cloud.health.reach("us-west-2")


def test_a_region_that_does_not_exist(directory: Path) -> None:
    with open_beside(directory) as cloud, pytest.raises(UnknownRegionError):
        cloud.health.reach("us-west-9")


@pytest.mark.parametrize("module", ["awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py"])
def test_a_runtime_client_that_does_not_load(directory: Path, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    finding = find(directory, "runtime")

    assert finding.status == "problem"
    assert module in finding.message
    assert "awslambdaric" in finding.remedy


def test_letters_are_counted_by_region(directory: Path) -> None:
    with closing(sqlite3.connect(directory / "cloud.db")) as connection, connection:
        connection.executemany(
            "INSERT INTO dead_letter VALUES (?, 'm', 'us-west-2', 't', 'f', x'00', 1.0, 'boom', 2.0)", [("a",), ("b",)]
        )
    with open_beside(directory) as cloud:
        assert [cloud.health.waiting_letters(region) for region in REGIONS] == [0, 2]
