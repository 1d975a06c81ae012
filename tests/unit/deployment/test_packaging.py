"""The deployment package: what is in it, what is not, and that it depends on its content alone."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import multi_x_serverless
from multi_x_serverless.deployment import packaging
from multi_x_serverless.deployment.build import build
from multi_x_serverless.deployment.packaging import Package, own_digest, pack_entries, package_entries
from multi_x_serverless.deployment.requirements import Target
from multi_x_serverless.errors import DeploymentError
from multi_x_serverless.model.package_patterns import first_match
from multi_x_serverless.report.page.render import render_page
from multi_x_serverless.sdk.manifest import MANIFEST_FILE, Manifest, ManifestFunction, ManifestNode
from tests.fakes import FakeCloud
from tests.unit.deployment.projects import make_project
from tests.unit.report.page.reports import report_of

TARGET = Target(sys.version_info.minor, "x86_64", is_this_machine=True)
MANIFEST = Manifest(
    workflow_id="example-0.0.1",
    module="app",
    variable="workflow",
    home="us-east-1",
    regions=("us-east-1",),
    home_share=0.1,
    functions=(ManifestFunction("first", "first", "topic"),),
    nodes=(ManifestNode("first:entry_point:0", "first", False),),
    edges=(),
)


def pack(project: Path, **options: Callable[[str], bool]) -> Package:
    return pack_entries(package_entries(project, MANIFEST, TARGET, cache=project.parent / "cache", **options))


def names(package: Package) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(package.body)) as archive:
        return archive.namelist()


def own_names(package: Package) -> set[str]:
    return {name for name in names(package) if not name.startswith("multi_x_serverless")}


def test_package_holds_project_sdk_and_manifest_only(project: Path) -> None:
    package = pack(project)
    assert own_names(package) == {"app.py", "iam_policy.json"}
    sdk = {name for name in names(package) if name.startswith("multi_x_serverless/")}
    installed = Path(multi_x_serverless.__file__).parent
    assert sdk == {
        "multi_x_serverless/__init__.py",
        *(f"multi_x_serverless/{path.relative_to(installed).as_posix()}" for path in (installed / "sdk").glob("*.py")),
    }
    with zipfile.ZipFile(io.BytesIO(package.body)) as archive:
        assert Manifest.from_json(archive.read(MANIFEST_FILE)) == MANIFEST


def test_nothing_native_and_none_of_our_dependencies_is_packed(project: Path) -> None:
    package = build(FakeCloud(), project).package
    assert isinstance(package, Package)
    found = names(package)
    assert not [name for name in found if name.endswith((".so", ".pyd", ".dylib", ".dll", ".pyc"))]
    assert not [name for name in found if name.partition("/")[0] in ("numpy", "orjson", "boto3", "yaml", "click")]


def test_package_runs_on_its_own(project: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(pack(project).body)) as archive:
        archive.extractall(tmp_path / "unzipped")
    code = "import sys, app; print(sorted(app.workflow.functions), 'numpy' in sys.modules, 'boto3' in sys.modules)"
    process = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'unzipped')!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.strip() == "['first', 'join', 'left'] False False"


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    first = make_project(tmp_path / "one")
    (first / "data").mkdir()
    (first / "data" / "b.txt").write_text("b")
    (first / "data" / "a.txt").write_text("a")
    second = make_project(tmp_path / "two")
    (second / "data").mkdir()
    (second / "data" / "a.txt").write_text("a")
    (second / "data" / "b.txt").write_text("b")
    for path in second.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    (second / "data" / "a.txt").chmod(0o600)
    one, two = pack(first), pack(second)
    assert one == two
    assert one.sha256 == hashlib.sha256(one.body).hexdigest()
    (second / "data" / "a.txt").write_text("c")
    assert pack(second).sha256 != one.sha256


def test_entries_are_sorted_dated_alike_and_keep_only_the_executable_bit(project: Path) -> None:
    (project / "tool.sh").write_text("#!/bin/sh\n")
    (project / "tool.sh").chmod(0o700)
    with zipfile.ZipFile(io.BytesIO(pack(project).body)) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {oct(entry.external_attr >> 16) for entry in entries if entry.filename != "tool.sh"} == {"0o100644"}
    assert [oct(entry.external_attr >> 16) for entry in entries if entry.filename == "tool.sh"] == ["0o100755"]


def test_what_does_not_belong_into_a_package_is_left_out(project: Path) -> None:
    for name in (
        ".env",
        ".git/config",
        "__pycache__/app.cpython-311.pyc",
        "helpers/__pycache__/x.pyc",
        "node_modules/x.js",
        "tests/test_app.py",
        "my-environment/pyvenv.cfg",
        "my-environment/lib/huge.py",
        "requirements.txt",
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("")
    (project / "helpers" / "tests").mkdir()
    (project / "helpers" / "tests" / "kept.py").write_text("")
    found = own_names(pack(project, left_out=lambda name: name == "iam_policy.json"))
    assert found == {"app.py", "helpers/tests/kept.py"}


def test_what_the_configuration_excludes_is_left_out(project: Path) -> None:
    for name in ("inputs.jsonl", "helpers/more.jsonl", "data/big/list.txt", "helpers/data", "notes/old/a.md"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("")
    patterns = ("*.jsonl", "data/", "notes/old", "iam_policy.json")
    found = own_names(pack(project, left_out=lambda name: first_match(patterns, name) is not None))
    assert found == {"app.py", "helpers/data"}


def test_looking_at_what_was_saved_does_not_change_the_package(project: Path) -> None:
    before = pack(project).sha256
    (project / "pages").mkdir()
    for name in ("report.html", "pages/OLD.HTM"):
        (project / name).write_text(render_page(report_of()), encoding="utf-8")
    assert pack(project).sha256 == before
    (project / "letter.html").write_text("<!DOCTYPE html>\n<html><head><title>Dear customer</title>", encoding="utf-8")
    assert "letter.html" in own_names(pack(project)), "pages of the user's own are the project's"


@pytest.mark.parametrize("name", ["multi_x_serverless/x.py", "multi_x_serverless.py", MANIFEST_FILE])
def test_file_in_the_way_of_the_sdk_is_refused(project: Path, name: str) -> None:
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("")
    with pytest.raises(DeploymentError, match="stands in the way of the run-time SDK"):
        pack(project)


def test_link_to_a_directory_is_refused(project: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (project / "linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DeploymentError, match="'linked' is a link to a directory"):
        pack(project)


def test_names_that_are_not_utf8_are_refused_and_shown(project: Path, tmp_path: Path) -> None:
    """A zip holds names as text; a directory holds them as bytes."""
    (project / os.fsdecode(b"caf\xe9")).mkdir()
    kept = project / os.fsdecode(b"caf\xe9/menu.txt")
    kept.write_text("")
    with pytest.raises(DeploymentError, match=r"the file 'caf\\xe9/menu.txt' is not UTF-8 .*rename it") as error:
        pack(project)
    assert str(error.value).encode(), "it can be printed"
    assert "app.py" in own_names(pack(project, left_out=lambda name: name.endswith("menu.txt")))
    kept.unlink()
    (project / os.fsdecode(b"caf\xe9/linked")).symlink_to(tmp_path)
    with pytest.raises(DeploymentError, match=r"'caf\\xe9/linked' is a link to a directory"):
        pack(project)


def test_names_of_requirements_that_are_not_utf8_are_refused(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / os.fsdecode(b"caf\xe9.txt")).write_text("")
    monkeypatch.setattr(packaging, "install_requirements", lambda *_: tmp_path / "installed")
    with pytest.raises(DeploymentError, match=r"the file 'caf\\xe9.txt' is not UTF-8"):
        pack(project)


def test_pipe_is_refused_and_not_read(project: Path) -> None:
    os.mkfifo(project / "pipe")
    with pytest.raises(DeploymentError, match="pipe' is no regular file"):
        pack(project)


def test_package_over_the_limit_is_refused_with_its_largest_parts(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packaging, "MAXIMUM_UNZIPPED_BYTES", 2 * 2**20)
    (project / "weights").mkdir()
    (project / "weights" / "large.bin").write_bytes(bytes(3 * 2**20))
    with pytest.raises(DeploymentError, match=r"3 MB unzipped, Lambda takes 2 MB; .* weights \(3 MB\)"):
        pack(project)


def own(project: Path, manifest: Manifest = MANIFEST) -> str:
    return own_digest(package_entries(project, manifest, TARGET, cache=project.parent / "cache"))


def test_what_the_developer_put_in_has_a_digest_of_its_own(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    before = own(project)
    assert own(project, replace(MANIFEST, home_share=0.2)) == before, "a setting is no code"
    (project / "app.py").write_text("LIMIT = 7\n", encoding="utf-8")
    code = own(project)
    (project / "model.bin").write_bytes(b"weights")
    data = own(project)
    (project / "model.bin").chmod(0o755)
    assert len({before, code, data, own(project)}) == 4
