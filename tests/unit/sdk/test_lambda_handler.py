"""A deployed package in a process of its own, as Lambda starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import multi_x_serverless
from multi_x_serverless.sdk import environment
from multi_x_serverless.testing import MemoryCloud
from tests.unit.sdk.conftest import PackageWriter

SOURCE = """
@workflow.serverless_function(entry_point=True)
def first(event): ...
"""
INVOKE = """
import json, sys
from multi_x_serverless.sdk.lambda_handler import handler
print(json.dumps([handler(json.loads(sys.argv[1]), None), sorted(sys.modules)]))
"""


def invoke(cloud: MemoryCloud, event: object, **variables: str | None) -> subprocess.CompletedProcess[str]:
    library = Path(multi_x_serverless.__path__[0]).parent
    settings: dict[str, str | None] = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(library),
        environment.TASK_ROOT: str(cloud.root),
        environment.FUNCTION: "first",
        environment.REGION: "us-west-2",
        environment.LOCAL_ENDPOINT: "http://127.0.0.1:9",
        environment.LOCAL_TOKEN: "token",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-c", INVOKE, json.dumps(event)],
        env={name: value for name, value in settings.items() if value is not None},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def cloud(deploy: PackageWriter) -> MemoryCloud:
    return deploy(SOURCE, [("first", False)], [])


def answer_of(result: subprocess.CompletedProcess[str]) -> tuple[Any, set[str]]:
    assert result.returncode == 0, result.stderr
    answer, modules = json.loads(result.stdout)
    return answer, set(modules)


def test_a_deployed_function_answers_a_probe_without_boto3(cloud: MemoryCloud) -> None:
    answer, modules = answer_of(invoke(cloud, {"multi_x_serverless_probe": 5}))

    assert answer == {"probe": 5, "manifest": cloud.manifest.id, "function": "first", "region": "us-west-2"}
    assert not modules & {"boto3", "botocore", "numpy", "asyncio", "click", "multi_x_serverless.errors"}


def test_on_aws_it_is_boto3_that_it_talks_through(cloud: MemoryCloud) -> None:
    answer, modules = answer_of(
        invoke(
            cloud,
            {"multi_x_serverless_probe": 5},
            **{environment.LOCAL_ENDPOINT: None, environment.ACCOUNT: "123456789012"},
        )
    )

    assert answer["region"] == "us-west-2"
    assert "boto3" in modules


@pytest.mark.parametrize("missing", [environment.FUNCTION, environment.REGION, environment.LOCAL_TOKEN])
def test_a_missing_variable_fails_the_initialisation_and_is_named(cloud: MemoryCloud, missing: str) -> None:
    result = invoke(cloud, {}, **{missing: None})

    assert result.returncode == 1
    assert f"the environment variable {missing} is not set" in result.stderr


def test_a_damaged_package_fails_the_initialisation(cloud: MemoryCloud) -> None:
    result = invoke(cloud, {}, **{environment.FUNCTION: "second"})

    assert result.returncode == 1
    assert "has no function 'second'" in result.stderr
