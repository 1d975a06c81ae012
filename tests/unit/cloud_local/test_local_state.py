"""The state directory: one owner, readers beside it, and files that are not what they should be."""

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.cloud.local import LocalCloud, LocalSettings
from multi_x_serverless.cloud.local.schema import SCHEMA_VERSION
from multi_x_serverless.cloud.ports import ABSENT, Key
from multi_x_serverless.errors import (
    CloudError,
    CorruptedStateError,
    InvalidConfigurationError,
    NewerSchemaError,
    StateDirectoryBusyError,
    UnknownRegionError,
    UsageError,
)
from multi_x_serverless.sdk.tables import ITEM_LIFETIME_S
from tests.unit.cloud_local.local_functions import HOME, REGIONS


def snapshot(state_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in state_dir.iterdir() if path.name.startswith("cloud.db")}


def test_state_outlives_the_process_that_made_it(open_cloud: Callable[..., LocalCloud]) -> None:
    with open_cloud() as cloud:
        cloud.key_value.create_table(HOME, "t")
        cloud.key_value.put(HOME, "t", Key("p"), {"body": b"\x00"})
        cloud.objects.put_object(HOME, "k", b"body")
        cloud.messages.create_topic(HOME, "topic")
        cloud.identity.create_role("role", '{"Statement": []}')
    cloud = open_cloud()
    item = cloud.key_value.get(HOME, "t", Key("p"))
    assert item is not None
    assert item.attributes == {"body": b"\x00"}
    assert cloud.objects.get_object(HOME, "k") == b"body"
    assert cloud.messages.list_topics(HOME, "") == ("topic",)
    assert cloud.identity.list_roles("") == ("role",)


def test_a_second_owner_is_told_who_is_first(open_cloud: Callable[..., LocalCloud]) -> None:
    cloud = open_cloud()
    with pytest.raises(StateDirectoryBusyError, match=f"process {os.getpid()}"):
        open_cloud()
    cloud.close()
    open_cloud()


def test_a_reader_sees_what_the_owner_writes_and_writes_nothing(open_cloud: Callable[..., LocalCloud]) -> None:
    owner = open_cloud()
    owner.key_value.create_table(HOME, "t")
    reader = open_cloud(exclusive=False)
    owner.key_value.put(HOME, "t", Key("p"), {"n": 1})
    assert reader.key_value.get(HOME, "t", Key("p")) == owner.key_value.get(HOME, "t", Key("p"))
    assert list(reader.logs.read_logs(HOME, "nobody", 0, 1)) == []
    with pytest.raises(CloudError, match="reading only"):
        reader.key_value.put(HOME, "t", Key("p"), {"n": 2})
    with pytest.raises(CloudError, match="reading only"), reader.host():
        pass
    reader.close()
    assert owner.key_value.put(HOME, "t", Key("p"), {"n": 3}) == 2


def test_a_reader_of_nothing_sees_nothing_and_makes_nothing(
    open_cloud: Callable[..., LocalCloud], state_dir: Path
) -> None:
    reader = open_cloud(exclusive=False)
    assert reader.key_value.list_tables(HOME) == ()
    assert not state_dir.exists()


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_file_that_is_no_database_is_left_as_it_is(
    open_cloud: Callable[..., LocalCloud], state_dir: Path, exclusive: bool
) -> None:
    state_dir.mkdir()
    (state_dir / "cloud.db").write_bytes(b"certainly not a database" * 100)
    before = snapshot(state_dir)
    with pytest.raises(CorruptedStateError, match="it was left as it is"):
        open_cloud(exclusive=exclusive)
    assert snapshot(state_dir) == before


def test_the_database_of_another_program_is_left_as_it_is(
    open_cloud: Callable[..., LocalCloud], state_dir: Path
) -> None:
    state_dir.mkdir()
    with closing(sqlite3.connect(state_dir / "cloud.db")) as connection:
        connection.execute("CREATE TABLE important (data)")
    before = snapshot(state_dir)
    with pytest.raises(CorruptedStateError, match="another program"):
        open_cloud()
    assert snapshot(state_dir) == before


def test_a_newer_database_is_left_as_it_is(open_cloud: Callable[..., LocalCloud], state_dir: Path) -> None:
    open_cloud().close()
    with closing(sqlite3.connect(state_dir / "cloud.db")) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = snapshot(state_dir)
    with pytest.raises(NewerSchemaError, match="upgrade"):
        open_cloud()
    assert snapshot(state_dir) == before


def test_a_database_of_the_first_version_is_brought_up_to_date(
    open_cloud: Callable[..., LocalCloud], state_dir: Path
) -> None:
    with open_cloud() as cloud:
        cloud.objects.put_object(HOME, "payloads/w/r/e0", b"kept")
    with closing(sqlite3.connect(state_dir / "cloud.db")) as connection:
        connection.execute("ALTER TABLE object DROP COLUMN stored_at")
        connection.execute("ALTER TABLE log_event DROP COLUMN stream")
        connection.execute("PRAGMA user_version = 1")

    with open_cloud() as cloud:
        assert cloud.objects.get_object(HOME, "payloads/w/r/e0") == b"kept"
    with closing(sqlite3.connect(state_dir / "cloud.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_logs_of_an_older_version_are_read_before_and_after_the_migration(
    open_cloud: Callable[..., LocalCloud], state_dir: Path
) -> None:
    with open_cloud() as cloud:
        cloud.logs.append(HOME, "f", 1.0, "said", "worker")
        assert [event.stream for event in cloud.logs.read_logs(HOME, "f", 0.0, 2.0)] == ["worker"]
    with closing(sqlite3.connect(state_dir / "cloud.db")) as connection:
        connection.execute("ALTER TABLE log_event DROP COLUMN stream")
        connection.execute("PRAGMA user_version = 2")

    for exclusive in (False, True, False):
        with open_cloud(exclusive=exclusive) as cloud:
            assert [(event.message, event.stream) for event in cloud.logs.read_logs(HOME, "f", 0.0, 2.0)] == [
                ("said", "")
            ]


def test_payloads_are_deleted_when_no_message_can_ask_for_them(open_cloud: Callable[..., LocalCloud]) -> None:
    now = 1_700_000_000.0
    with open_cloud(clock=lambda: now) as cloud:
        cloud.objects.put_object(HOME, "payloads/w/r/e0", b"old")
        cloud.objects.put_object(HOME, "packages/a.zip", b"old")
    now += ITEM_LIFETIME_S / 2
    with open_cloud(clock=lambda: now) as cloud:
        cloud.objects.put_object(HOME, "payloads/w/r/e1", b"new")
    now += ITEM_LIFETIME_S / 2

    with open_cloud(clock=lambda: now) as cloud:
        assert cloud.objects.list_objects(HOME, "") == ("packages/a.zip", "payloads/w/r/e1")


def test_a_refused_database_gives_the_directory_free(open_cloud: Callable[..., LocalCloud], state_dir: Path) -> None:
    state_dir.mkdir()
    (state_dir / "cloud.db").write_bytes(b"certainly not a database" * 100)
    with pytest.raises(CorruptedStateError):
        open_cloud()
    (state_dir / "cloud.db").unlink()
    assert open_cloud().key_value.list_tables(HOME) == ()


def test_damage_that_shows_later_is_told_as_such(open_cloud: Callable[..., LocalCloud], state_dir: Path) -> None:
    with open_cloud() as cloud:
        cloud.key_value.create_table(HOME, "t")
        for index in range(200):
            cloud.key_value.put(HOME, "t", Key("p", str(index)), {"body": "x" * 1000})
    path = state_dir / "cloud.db"
    body = path.read_bytes()
    path.write_bytes(body[: 30 * 4096] + b"\xff" * (len(body) - 30 * 4096))
    cloud = open_cloud()
    with pytest.raises(CorruptedStateError):
        list(cloud.key_value.scan(HOME, "t"))


def test_an_empty_file_is_a_new_database(open_cloud: Callable[..., LocalCloud], state_dir: Path) -> None:
    state_dir.mkdir()
    (state_dir / "cloud.db").touch()
    assert open_cloud().key_value.list_tables(HOME) == ()


def test_a_transaction_that_fails_leaves_nothing(cloud: LocalCloud) -> None:
    cloud.key_value.create_table(HOME, "t")
    with pytest.raises(CloudError):
        cloud.key_value.put(HOME, "t", Key("p"), {"number": float("nan")})
    assert cloud.key_value.put(HOME, "t", Key("p"), {"number": 1.0}, condition=ABSENT) == 1


@pytest.mark.parametrize("value", [float("inf"), True, None, [1], 10**38], ids=str)
def test_an_attribute_that_no_table_holds_is_refused(cloud: LocalCloud, value: Any) -> None:
    cloud.key_value.create_table(HOME, "t")
    with pytest.raises(CloudError, match="attribute"):
        cloud.key_value.put(HOME, "t", Key("p"), {"value": value})
    assert cloud.key_value.get(HOME, "t", Key("p")) is None


def test_expired_items_are_swept_when_the_cloud_is_opened(
    open_cloud: Callable[..., LocalCloud], state_dir: Path
) -> None:
    with open_cloud() as cloud:
        cloud.key_value.create_table(HOME, "t")
        cloud.key_value.put(HOME, "t", Key("old"), {"n": 1}, expires_at=1.0)
        cloud.key_value.put(HOME, "t", Key("kept"), {"n": 1})
    open_cloud().close()
    with closing(sqlite3.connect(state_dir / "cloud.db")) as connection:
        assert connection.execute("SELECT partition FROM kv_item").fetchall() == [("kept",)]


def test_bodies_that_no_object_names_are_swept(open_cloud: Callable[..., LocalCloud], state_dir: Path) -> None:
    with open_cloud() as cloud:
        cloud.objects.put_object(HOME, "a", b"kept")
        cloud.objects.put_object(HOME, "b", b"replaced")
        cloud.objects.put_object(HOME, "b", b"kept")
        assert len(list((state_dir / "objects").iterdir())) == 1
    (state_dir / "objects" / ".incoming-half").write_bytes(b"half")
    cloud = open_cloud()
    assert len(list((state_dir / "objects").iterdir())) == 1
    assert cloud.objects.get_object(HOME, "b") == b"kept"


def test_closing_twice_is_closing_once_and_then_nothing_works(cloud: LocalCloud) -> None:
    cloud.close()
    cloud.close()
    with pytest.raises(CloudError, match="closed"):
        cloud.key_value.list_tables(HOME)


def test_regions_come_from_the_embedded_data_unless_given(open_cloud: Callable[..., LocalCloud]) -> None:
    with open_cloud() as cloud:
        assert cloud.regions == REGIONS
    cloud = open_cloud(regions=None, round_trip_seconds=None)
    assert {"us-east-1", "eu-central-1", "ap-southeast-2"} <= set(cloud.regions)
    with pytest.raises(UnknownRegionError, match="did you mean us-east-1"):
        cloud.key_value.list_tables("us-east1")


def test_arguments_that_cannot_work_are_refused(open_cloud: Callable[..., LocalCloud]) -> None:
    with pytest.raises(UnknownRegionError):
        open_cloud(system_region="mars-north-1")
    for time_scale in (-1.0, math.inf, math.nan):
        with pytest.raises(UsageError, match="time_scale"):
            open_cloud(time_scale=time_scale)


@pytest.mark.parametrize(
    "setting",
    [
        {"concurrency": 0},
        {"maximum_workers": 0},
        {"retry_delays_s": (-1.0,)},
        {"retry_delays_s": (1.0, math.inf)},
        {"retry_delays_s": (math.nan,)},
        {"termination_grace_s": math.nan},
        {"initialisation_timeout_s": 0.0},
        {"synchronous": "OFF"},
        {"visible_packages": "x"},
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        LocalSettings(**setting)


def test_a_fault_plan_is_read_from_the_directory(open_cloud: Callable[..., LocalCloud], state_dir: Path) -> None:
    state_dir.mkdir()
    (state_dir / "faults.yml").write_text("seed: 7\ndelivery: {duplicate: 0.5}\n", encoding="utf-8")
    with open_cloud() as cloud:
        assert (cloud.faults.plan.seed, cloud.faults.plan.delivery.duplicate) == (7, 0.5)
    (state_dir / "faults.yml").write_text("delivery: {duplicte: 0.5}\n", encoding="utf-8")
    with pytest.raises(InvalidConfigurationError, match=r"faults\.yml: delivery\.duplicte is unknown"):
        open_cloud()
