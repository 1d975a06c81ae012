"""Packages: what is unzipped, and what is refused."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from multi_x_serverless.cloud.local import packages
from multi_x_serverless.cloud.local.packages import PackageCache
from multi_x_serverless.errors import CloudError


def make_zip(*members: tuple[str, bytes, int]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body, permissions in members:
            information = zipfile.ZipInfo(name)
            information.external_attr = permissions << 16
            archive.writestr(information, body, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def provide(cache: PackageCache, body: bytes) -> Path:
    return cache.provide(hashlib.sha256(body).hexdigest(), lambda: body)


def test_programs_stay_executable(tmp_path: Path) -> None:
    path = provide(PackageCache(tmp_path), make_zip(("bin/tool", b"#!/bin/sh\n", 0o755), ("app.py", b"", 0o644)))
    assert (path / "bin/tool").stat().st_mode & 0o111
    assert not (path / "app.py").stat().st_mode & 0o111


def test_the_zip_is_asked_for_once(tmp_path: Path) -> None:
    cache = PackageCache(tmp_path)
    path = provide(cache, make_zip(("app.py", b"x = 1", 0o644)))

    def never() -> bytes:
        raise AssertionError

    assert cache.provide(path.name, never) == path


def test_code_that_is_not_what_was_said_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CloudError, match="SHA-256"):
        PackageCache(tmp_path).provide("0" * 64, lambda: make_zip(("app.py", b"", 0o644)))
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CloudError, match="cannot be unzipped"):
        provide(PackageCache(tmp_path), b"no zip")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_outside(tmp_path: Path) -> None:
    path = provide(PackageCache(tmp_path / "cache"), make_zip(("../../outside.py", b"", 0o644)))
    assert not (tmp_path / "outside.py").exists()
    assert [found.name for found in path.rglob("*.py")] == ["outside.py"]


def test_what_lambda_would_find_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MAXIMUM_UNZIPPED_BYTES", 1000)
    assert provide(PackageCache(tmp_path), make_zip(("app.py", b"x" * 1000, 0o644))).is_dir()
    with pytest.raises(CloudError, match="at most 1,000"):
        provide(PackageCache(tmp_path), make_zip(("app.py", b"x" * 1001, 0o644)))


def test_the_runtime_holds_the_client_and_boto3(tmp_path: Path) -> None:
    packages.link_runtime(tmp_path / "runtime")
    names = {path.name.split(".")[0] for path in (tmp_path / "runtime").iterdir()}
    assert {"awslambdaric", "runtime_client", "boto3", "botocore"} <= names
    assert "numpy" not in names
    packages.link_runtime(tmp_path / "runtime")


def test_a_missing_runtime_client_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "REQUIRED_MODULES", ("no_such_runtime_client",))
    with pytest.raises(CloudError, match="install awslambdaric"):
        packages.link_runtime(tmp_path / "runtime")
