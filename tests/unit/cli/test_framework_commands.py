"""`deploy_framework` and `remove_framework` as a user types them, on AWS as moto imitates it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.cli.commands import deploy_framework as command
from multi_x_serverless.cli.main import run
from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.tables import create_tables
from multi_x_serverless.deployment.framework import CONCURRENCY, INTERVALS_MINUTES
from multi_x_serverless.deployment.names import FRAMEWORK_PREFIX
from multi_x_serverless.deployment.packaging import Package, pack_files
from multi_x_serverless.deployment.requirements import Target
from tests.aws.account import AwsAccount, aws_account
from tests.aws.calls import ApiCalls
from tests.aws.operator import needed
from tests.aws.policies import is_allowed
from tests.unit.cli.golden import check_golden

GUIDES = Path(__file__).parents[3] / "docs" / "guide"
REGION = "us-east-1"
AWS = ["--cloud", "aws", "--yes", "--no-color"]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsAccount]:
    """An account with the system's tables."""
    with (
        aws_account(tmp_path_factory.mktemp("aws")) as aws,
        AwsCloud(regions=(REGION,), system_region=REGION) as cloud,
    ):
        create_tables(cloud, (REGION,))
        aws.plane.answer = answer_probe
        yield aws


def answer_probe(_function: object, payload: bytes) -> bytes:
    """As a function of the framework would."""
    probe = json.loads(payload)["multi_x_serverless_probe"]
    return json.dumps({"probe": probe, "program": version("multi-x-serverless")}).encode()


@pytest.fixture(autouse=True)
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Target, Path | None]]:
    """What packages were asked for; they hold next to nothing."""
    asked: list[tuple[Target, Path | None]] = []
    content = tmp_path / "content"
    content.write_text("content", encoding="utf-8")

    def build(target: Target, wheel: Path | None, *, cache: Path) -> Package:
        asked.append((target, wheel))
        return pack_files({"content": content})

    monkeypatch.setattr("multi_x_serverless.deployment.framework_package.build_framework_package", build)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("ELECTRICITY_MAPS_AUTH_TOKEN", raising=False)
    return asked


def schedules() -> dict[str, int]:
    """Minutes of each job."""
    with AwsCloud(regions=(REGION,), system_region=REGION) as cloud:
        found = cloud.schedules.list_schedules(REGION, FRAMEWORK_PREFIX)
        return {schedule.name.removeprefix(FRAMEWORK_PREFIX): schedule.every_minutes for schedule in found}


def keys_of_jobs() -> dict[str, str]:
    """The token of each job that has one."""
    with AwsCloud(regions=(REGION,), system_region=REGION) as cloud:
        functions = cloud.functions.list_functions(REGION, FRAMEWORK_PREFIX)
    tokens = {entry.specification.name: entry.specification.environment for entry in functions}
    return {
        name.removeprefix(FRAMEWORK_PREFIX): environment["ELECTRICITY_MAPS_AUTH_TOKEN"]
        for name, environment in tokens.items()
        if "ELECTRICITY_MAPS_AUTH_TOKEN" in environment
    }


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_the_framework_comes_and_goes(
    account: AwsAccount,
    capsys: pytest.CaptureFixture[str],
    built: list[tuple[Target, Path | None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run([*AWS, "deploy_framework", "--dry-run"]) == 3
    check_golden("deploy_framework_dry_run", capsys.readouterr().out)
    assert schedules() == {}

    options = ["--architecture", "arm64", "--wheel", "some.whl", "--concurrency", "0", "--every-sync", "7"]
    monkeypatch.setenv("ELECTRICITY_MAPS_AUTH_TOKEN", "secret")
    assert run([*AWS, "--output", "json", "deploy_framework", *options]) == 0
    captured = capsys.readouterr()
    assert "ELECTRICITY_MAPS_AUTH_TOKEN is set here; the functions get it with --live-data only." in captured.err
    deployed = json.loads(captured.out)
    assert deployed["schema"] == "multi-x-serverless/cli/deploy_framework"
    assert {action["verb"] for action in deployed["actions"]} == {"create"}
    assert len(deployed["actions"]) == 14
    target, wheel = built[-1]
    assert (target.architecture, target.is_this_machine, wheel) == ("arm64", False, Path("some.whl"))
    assert schedules() == {**INTERVALS_MINUTES, "data_sync": 7}
    with AwsCloud(regions=(REGION,), system_region=REGION) as cloud:
        functions = cloud.functions.list_functions(REGION, FRAMEWORK_PREFIX)
    assert {function.specification.reserved_concurrency for function in functions} == {None}

    assert run([*AWS, "deploy_framework", *options]) == 0
    assert capsys.readouterr().out == "The framework is deployed (nothing had changed).\n"
    assert run([*AWS, "deploy_framework", *options, "--dry-run"]) == 0
    assert capsys.readouterr().out == "Nothing would change.\n"

    assert run([*AWS, "deploy_framework", *options, "--live-data"]) == 0
    assert "secret" not in "".join(capsys.readouterr())
    assert keys_of_jobs() == {"data_collect": "secret", "update_check_solver": "secret"}
    assert run([*AWS, "deploy_framework", *options]) == 0
    assert keys_of_jobs() == {}, "what is not handed over any more is taken back"
    monkeypatch.delenv("ELECTRICITY_MAPS_AUTH_TOKEN")
    assert run([*AWS, "deploy_framework", *options, "--live-data"]) == 2
    assert "no key or address" in capsys.readouterr().err

    assert run([*AWS, "teardown"]) == 2
    assert "run 'multi_x_serverless remove_framework' first" in " ".join(capsys.readouterr().err.split())

    assert run([*AWS, "remove_framework", "--dry-run"]) == 3
    check_golden("remove_framework_dry_run", capsys.readouterr().out)
    assert run([*AWS, "--output", "json", "remove_framework"]) == 0
    removed = document(capsys)
    assert {action["verb"] for action in removed["actions"]} == {"delete"}
    assert (len(removed["actions"]), removed["left"]) == (18, [])
    assert schedules() == {}
    assert run([*AWS, "remove_framework"]) == 0
    assert capsys.readouterr().out == "The framework is not deployed; nothing was removed.\n"


UNUSED_HERE = {
    "iam:DetachRolePolicy": "a policy that somebody attached by hand to a role must be detached before it is deleted",
    "lambda:UpdateFunctionConfiguration": "a version with other memory or another environment",
}


def test_the_policies_of_the_guides_are_exact(account: AwsAccount, tmp_path: Path) -> None:
    """What deploys and removes the framework is allowed by the operator's policy and by that of the framework."""
    with ApiCalls().recording() as recorded:
        for options in ([], ["--every-sync", "9"], ["--concurrency", "0"]):
            assert run([*AWS, "deploy_framework", *options]) == 0
        (tmp_path / "content").write_text("changed", encoding="utf-8")
        assert run([*AWS, "deploy_framework"]) == 0
        assert run([*AWS, "remove_framework"]) == 0
    used = {access for call in recorded.calls for access in needed(call)}
    statements = [
        statement
        for name in ("operator-policy.json", "framework-operator-policy.json")
        for statement in json.loads((GUIDES / name).read_text(encoding="utf-8"))["Statement"]
    ]
    assert {str(access) for access in used if not is_allowed(statements, access)} == set()
    granted = {
        action
        for statement in json.loads((GUIDES / "framework-operator-policy.json").read_text(encoding="utf-8"))[
            "Statement"
        ]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert granted - {access.action for access in used} == set(UNUSED_HERE)


def test_the_defaults_are_those_of_the_deployment() -> None:
    defaults = {option.name: option.default for option in command.command.params}
    assert defaults["concurrency"] == CONCURRENCY
    assert [
        defaults[name] for name in ("every_sync", "every_collect", "every_solver_check", "every_deployment_check")
    ] == list(INTERVALS_MINUTES.values())


def test_on_the_embedded_cloud_there_is_another_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("deploy_framework", "remove_framework"):
        assert run(["--cloud", "local", "--state-dir", str(tmp_path), "--yes", name]) == 1
        assert "run the commands themselves" in capsys.readouterr().err


@pytest.mark.parametrize("minutes", ["0", "100000"])
def test_an_interval_out_of_range_is_refused(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*AWS, "deploy_framework", "--every-sync", minutes]) == 2
    assert "--every-sync" in capsys.readouterr().err
