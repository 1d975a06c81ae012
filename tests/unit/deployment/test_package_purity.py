"""The package of the template project: pure Python of the SDK alone, and it answers with nothing else installed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from multi_x_serverless.deployment.build import build
from multi_x_serverless.deployment.packaging import Package
from multi_x_serverless.deployment.scaffold import new_workflow
from multi_x_serverless.sdk import environment
from multi_x_serverless.sdk.manifest import MANIFEST_FILE, Manifest
from tests.fakes import FakeCloud

NATIVE_SUFFIXES = (".so", ".pyd", ".dylib", ".dll")
NATIVE_MAGIC = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xca\xfe\xba\xbe")

ANSWER_A_PROBE = """
import importlib.util, json, sys
sys.path.insert(0, sys.argv[1])
absent = [name for name in ("boto3", "numpy") if importlib.util.find_spec(name) is None]
from multi_x_serverless.sdk.lambda_handler import handler
answer = handler({"multi_x_serverless_probe": "nonce"}, None)
ours = sorted(name for name in sys.modules if name.partition(".")[0] == "multi_x_serverless")
print(json.dumps([absent, answer, ours]))
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("purity")
    package = build(FakeCloud(), new_workflow(directory, "example")).package
    assert isinstance(package, Package)
    with zipfile.ZipFile(io.BytesIO(package.body)) as archive:
        archive.extractall(directory / "unpacked")
    return directory / "unpacked"


def test_nothing_in_the_package_is_native(unpacked: Path) -> None:
    files = [path for path in unpacked.rglob("*") if path.is_file()]

    assert files
    assert not [path for path in files if path.name.endswith(NATIVE_SUFFIXES)]
    assert not [path for path in files if path.read_bytes().startswith(NATIVE_MAGIC)]


def test_of_ours_the_package_holds_the_sdk_alone(unpacked: Path) -> None:
    ours = unpacked / "multi_x_serverless"

    assert {path.name for path in ours.iterdir()} == {"__init__.py", "sdk"}
    assert not (unpacked / "numpy").exists()


def test_the_package_answers_a_probe_with_nothing_else_installed(unpacked: Path) -> None:
    manifest = Manifest.from_json((unpacked / MANIFEST_FILE).read_bytes())
    function = manifest.functions[0].name
    variables = {
        environment.FUNCTION: function,
        environment.REGION: manifest.home,
        environment.LOCAL_ENDPOINT: "http://127.0.0.1:9",
        environment.LOCAL_TOKEN: "unused",
        environment.TASK_ROOT: os.fspath(unpacked),
    }

    process = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", ANSWER_A_PROBE, os.fspath(unpacked)],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 0, process.stderr
    absent, answer, ours = json.loads(process.stdout)
    assert absent == ["boto3", "numpy"]
    assert answer == {
        "probe": "nonce",
        "manifest": manifest.id,
        "function": function,
        "region": manifest.home,
    }
    assert all(name == "multi_x_serverless" or name.startswith("multi_x_serverless.sdk") for name in ours)
