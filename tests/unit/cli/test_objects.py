"""`objects` as a user types it: put, get, list, delete, and what `remove` and `teardown` say of what is left."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.objects import WorkflowObject
from multi_x_serverless.cli.commands.objects import show_objects
from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.deployment.deploy import deploy
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import HOME, deployed_example
from tests.unit.cli.golden import check_golden, table_settings
from tests.unit.deployment.projects import CONFIGURATION, WORKFLOW_ID, make_project

AWAY = "us-west-2"
PREFIX = f"objects/{WORKFLOW_ID}/"


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """A deployed workflow with two objects, and another of an id that begins so."""
    cloud = deployed_example(tmp_path)
    cloud.objects.objects |= {
        (HOME, f"{PREFIX}in/a.png"): b"\x89\x00",
        (HOME, f"{PREFIX}out"): b"text",
        (HOME, f"objects/{WORKFLOW_ID}0/in/a.png"): b"other",
    }

    @contextmanager
    def open_cloud(_settings: Settings, *, exclusive: bool = True) -> Iterator[FakeCloud]:
        yield cloud

    monkeypatch.setattr(Settings, "open_cloud", open_cloud)
    return cloud


def keys(cloud: FakeCloud, region: str = HOME) -> list[str]:
    return [key.removeprefix(PREFIX) for key in cloud.objects.list_objects(region, PREFIX)]


def test_a_file_is_stored_under_its_name_or_a_key(
    cloud: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "b.bin"
    file.write_bytes(b"\x00\xff" * 1000)
    assert run(["objects", "put", WORKFLOW_ID, str(file)]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "Stored b.bin (2 kB) in us-east-1.\n")
    assert run(["-q", "--output", "json", "objects", "put", WORKFLOW_ID, str(file), "--key", "in/b"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out) == {
        "schema": "multi-x-serverless/cli/objects_put",
        "version": 1,
        "workflow_id": WORKFLOW_ID,
        "key": "in/b",
        "size_bytes": 2000,
        "region": HOME,
    }
    assert keys(cloud) == ["b.bin", "in/a.png", "in/b", "out"]
    assert cloud.objects.objects[HOME, f"{PREFIX}in/b"] == b"\x00\xff" * 1000


def test_standard_input_is_stored_under_a_key(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    assert run(["objects", "put", WORKFLOW_ID, "-", "--key", "p"]) == 0
    assert cloud.objects.objects[HOME, f"{PREFIX}p"] == b"piped"


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["put", WORKFLOW_ID, "-"], 2, "give one with --key"),
        (["put", WORKFLOW_ID, "/missing/file"], 2, "cannot read /missing/file: No such file"),
        (["put", WORKFLOW_ID, __file__, "--key", "/a"], 2, "'/a' cannot be the key of an object"),
        (["put", "nobody-0.0.1", __file__], 1, "there is no workflow 'nobody-0.0.1'"),
        (["get", WORKFLOW_ID, "missing"], 1, "has no object 'missing' in us-east-1"),
        (["get", WORKFLOW_ID, "../x"], 2, "'..' between slashes"),
        (["get", "nobody-0.0.1", "a"], 1, "there is no workflow 'nobody-0.0.1'"),
        (["get", WORKFLOW_ID, "out", "-o", "/missing/directory/file"], 2, "there is no directory /missing/directory"),
        (["list", "nobody-0.0.1"], 1, "there is no workflow 'nobody-0.0.1'"),
        (["list", WORKFLOW_ID, "--region", "us-wset-2"], 2, "did you mean us-west-2"),
        (["delete", WORKFLOW_ID], 2, "Give the keys of the objects, or --prefix, or --all."),
        (["delete", WORKFLOW_ID, "out", "--all"], 2, "Give the keys of the objects, or --prefix, or --all."),
        (["delete", WORKFLOW_ID, "--prefix", ""], 2, "Give the keys of the objects, or --prefix, or --all."),
        (["delete", WORKFLOW_ID, "--prefix", "no/"], 3, "no object whose key begins with 'no/' in us-east-1; there is"),
        (["delete", WORKFLOW_ID, "out", "x", "y"], 1, "has no object 'x', 'y' in us-east-1"),
        (["delete", WORKFLOW_ID, "out"], 2, "add --yes before the command"),
        (["delete", WORKFLOW_ID, "--all", "--region", AWAY], 3, "there is nothing to delete"),
        (["drop"], 2, "No such command 'drop'"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    cloud: FakeCloud, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, complaint: str
) -> None:
    before = dict(cloud.objects.objects)
    assert run(["objects", *arguments]) == code
    captured = capsys.readouterr()
    assert complaint in " ".join(captured.err.split())
    assert captured.out == ""
    assert cloud.objects.objects == before


def test_errors_have_codes(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--output", "json", "objects", "get", WORKFLOW_ID, "missing", "-o", "x"]) == 1
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "object-not-found"


def test_an_object_goes_to_standard_output_alone(cloud: FakeCloud, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["objects", "get", WORKFLOW_ID, "in/a.png"]) == 0
    captured = capfdbinary.readouterr()
    assert (captured.out, captured.err) == (b"\x89\x00", b"")


def test_an_object_goes_to_a_file(cloud: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "copy"
    assert run(["objects", "get", WORKFLOW_ID, "in/a.png", "-o", str(file)]) == 0
    assert file.read_bytes() == b"\x89\x00"
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"Wrote {file} (2 B).\n")
    assert run(["-q", "--output", "json", "objects", "get", WORKFLOW_ID, "out", "-o", str(file)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["key"], answer["size_bytes"], answer["file"]) == ("out", 4, str(file))
    assert run(["--output", "json", "objects", "get", WORKFLOW_ID, "out"]) == 2


def test_objects_are_listed(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--output", "json", "objects", "list", WORKFLOW_ID]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["region"] == HOME
    assert answer["objects"] == [
        {"key": "in/a.png", "size_bytes": 2, "stored_at": "1970-01-01T00:00:00+00:00"},
        {"key": "out", "size_bytes": 4, "stored_at": "1970-01-01T00:00:00+00:00"},
    ]
    assert run(["objects", "list", WORKFLOW_ID, "--prefix", "in/"]) == 0
    text = capsys.readouterr().out
    assert "in/a.png" in text
    assert "1 object, 2 B, in us-east-1" in text
    assert run(["objects", "list", WORKFLOW_ID, "--prefix", "none"]) == 0
    assert capsys.readouterr().out == f"{WORKFLOW_ID} has no object whose key begins with 'none' in us-east-1.\n"
    assert run(["objects", "list", WORKFLOW_ID, "--region", AWAY]) == 0
    assert capsys.readouterr().out == f"{WORKFLOW_ID} has no object in {AWAY}.\n"


def test_the_list_reads_well(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    objects = (
        WorkflowObject("input/a-picture-with-quite-a-long-name.png", 1_234_567, 1_700_000_000.0),
        WorkflowObject("output/[bold]x[/bold].txt", 12, 1_700_086_400.0),
    )
    show_objects(table_settings(monkeypatch), HOME, objects)
    check_golden("objects", capsys.readouterr().out)


def test_long_keys_are_listed_whole_a_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "input/" + "a-long-name/" * 12 + "x.png"
    objects = (WorkflowObject(key, 1_234_567, 1_700_000_000.0), WorkflowObject("out", 12, 1_700_086_400.0))
    show_objects(table_settings(monkeypatch), HOME, objects)
    assert capsys.readouterr().out == (
        f"1.23 MB  2023-11-14 22:13:20  {key}\n   12 B  2023-11-15 22:13:20  out\n\n2 objects, 1.23 MB, in us-east-1\n"
    )


def test_objects_are_deleted(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--yes", "--output", "json", "objects", "delete", WORKFLOW_ID, "out", "out"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["deleted"] == ["out"]
    assert captured.err == "Deleted 1 object in us-east-1.\n"
    assert keys(cloud) == ["in/a.png"]
    assert run(["--yes", "objects", "delete", WORKFLOW_ID, "--all"]) == 0
    assert [key for _, key in cloud.objects.objects if key.startswith("objects/")] == [
        f"objects/{WORKFLOW_ID}0/in/a.png"
    ]
    assert run(["--yes", "objects", "delete", WORKFLOW_ID, "--all"]) == 3


def test_objects_are_deleted_by_the_beginning_of_their_keys(cloud: FakeCloud) -> None:
    cloud.objects.objects[HOME, f"{PREFIX}in/b"] = b""
    assert run(["--yes", "objects", "delete", WORKFLOW_ID, "--prefix", "in/"]) == 0
    assert keys(cloud) == ["out"]


def test_what_code_has_written_under_any_key_is_deleted_with_the_others(
    cloud: FakeCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its role permits boto3 every key under the workflow's prefix, also the prefix itself."""
    for key in ("b/../c", "/d", "", "e\n"):
        cloud.objects.objects[HOME, PREFIX + key] = b"x"
    assert run(["--yes", "objects", "delete", WORKFLOW_ID, "--prefix", "b/"]) == 0
    assert "b/../c" not in keys(cloud)
    assert run(["--yes", "--output", "json", "objects", "delete", WORKFLOW_ID, "--all"]) == 0
    assert json.loads(capsys.readouterr().out)["deleted"] == ["", "/d", "e\n", "in/a.png", "out"]
    assert keys(cloud) == []
    assert (HOME, f"objects/{WORKFLOW_ID}0/in/a.png") in cloud.objects.objects


def test_a_removed_workflows_objects_can_still_be_reached(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--yes", "remove", WORKFLOW_ID]) == 0
    out = capsys.readouterr().out
    assert f"2 objects of it stay; to delete:\n  multi_x_serverless objects delete {WORKFLOW_ID} --all\n" in out
    assert run(["--output", "json", "objects", "list", WORKFLOW_ID]) == 0
    assert json.loads(capsys.readouterr().out)["region"] == HOME
    assert run(["objects", "put", WORKFLOW_ID, __file__]) == 1
    capsys.readouterr()
    assert run(["--yes", "remove", WORKFLOW_ID, "--objects"]) == 2
    told = f"'multi_x_serverless objects delete {WORKFLOW_ID} --all' deletes them."
    assert f"is deployed no longer and has left objects in {HOME}: {told}" in capsys.readouterr().err
    assert len(keys(cloud)) == 2
    assert run(["--yes", "remove", "nobody-0.0.1", "--objects"]) == 1
    assert "there is no workflow 'nobody-0.0.1'" in capsys.readouterr().err

    cloud.objects.objects[AWAY, f"{PREFIX}old"] = b"x"
    assert run(["objects", "list", WORKFLOW_ID]) == 2
    assert "left objects in us-east-1, us-west-2: name one of these with --region" in capsys.readouterr().err
    for region in (HOME, AWAY):
        assert run(["--yes", "objects", "delete", WORKFLOW_ID, "--all", "--region", region]) == 0
    assert run(["objects", "list", WORKFLOW_ID]) == 1


def test_remove_deletes_objects_on_request(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--yes", "--output", "json", "remove", WORKFLOW_ID, "--objects"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["objects_deleted"], answer["objects_left"], answer["left"]) == (2, 0, [])
    assert keys(cloud) == []


def test_remove_names_each_region_in_which_objects_stay(
    cloud: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = CONFIGURATION.replace("home_region: us-east-1", "home_region: us-west-1")
    deploy(cloud, make_project(tmp_path / "moved", configuration=moved))
    assert run(["--yes", "remove", WORKFLOW_ID]) == 0
    command = f"multi_x_serverless objects delete {WORKFLOW_ID} --all"
    assert f"2 objects of it stay; to delete:\n  {command}\n" in capsys.readouterr().out, "they are in one region"

    deploy(cloud, make_project(tmp_path / "home"))
    cloud.objects.objects["us-west-1", f"{PREFIX}new"] = b"x"
    deploy(cloud, make_project(tmp_path / "moved", configuration=moved))
    assert run(["--yes", "remove", WORKFLOW_ID]) == 0
    each = "".join(f"  {command} --region {region}\n" for region in ("us-west-1", HOME))
    assert f"3 objects of it stay; to delete:\n{each}" in capsys.readouterr().out


def test_teardown_tells_of_objects(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--yes", "remove", WORKFLOW_ID]) == 0
    capsys.readouterr()
    assert run(["teardown"]) == 2
    asked = " ".join(capsys.readouterr().err.split())
    assert "the history of all runs, and 3 objects of workflows that were removed?" in asked
    assert run(["--yes", "--output", "json", "teardown"]) == 0
    assert json.loads(capsys.readouterr().out)["objects_deleted"] == 3
