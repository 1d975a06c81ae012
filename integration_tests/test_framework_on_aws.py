"""The framework in the cloud: the package that was deployed does the loop, one workflow's failure is its own.

Functions are processes that hold nothing but the package (`tests/aws`), the engine in it included. What the scheduler
would do is done here: each schedule's function is invoked with the schedule's payload.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import boto3
import pytest

from integration_tests.test_aws_under_faults import AWAY, CONFIGURATION, HOME, REGIONS, SOURCE
from multi_x_serverless.adaptation.runs import start_runs
from multi_x_serverless.adaptation.signals import read_signals
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import PlanStore, create_tables, physical_name
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.framework import FrameworkOptions, deploy_framework, remove_framework
from multi_x_serverless.deployment.framework_package import build_framework_package
from multi_x_serverless.deployment.names import FRAMEWORK_PREFIX, framework_name
from multi_x_serverless.deployment.packaging import Package
from multi_x_serverless.deployment.requirements import Target
from multi_x_serverless.model.framework import JOBS, Job
from multi_x_serverless.model.plan import home_plan
from multi_x_serverless.observation.history import History
from tests.aws import policies
from tests.aws.account import AwsAccount, aws_account
from tests.aws.calls import ApiCalls
from tests.aws.policies import Access
from tests.framework_wheels import ARCHITECTURE, own_wheel, wheelhouse

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="the engine that is packed is this machine's")

ALPHA, BETA, GAMMA = WORKFLOWS = ("alpha-0.0.1", "beta-0.0.1", "gamma-0.0.1")
OPTIONS = FrameworkOptions(architecture=ARCHITECTURE)
UNCHECKED = Access("unchecked", "")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The package for this interpreter, of wheels of what is installed here."""
    directory = tmp_path_factory.mktemp("package")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PIP_NO_INDEX", "1")
        environment.setenv("PIP_FIND_LINKS", str(wheelhouse(directory / "wheels")))
        environment.setenv("PIP_CONFIG_FILE", os.devnull)
        target = Target(sys.version_info.minor, ARCHITECTURE, is_this_machine=False)
        return build_framework_package(target, own_wheel(directory), cache=directory / "cache")


@dataclass
class Installation:
    """The account with three workflows and the framework, and the scheduler's part."""

    account: AwsAccount
    cloud: AwsCloud

    def fire(self, job: Job) -> None:
        """Let a schedule fire, and wait until nothing is under way."""
        [schedule] = self.cloud.schedules.list_schedules(HOME, framework_name(job))
        self.cloud.functions.invoke_async(HOME, schedule.function, schedule.payload.encode())
        assert self.account.plane.wait_until_idle(120.0)

    def lines(self, job: Job) -> list[dict[str, Any]]:
        """What a job logged, parsed."""
        now = self.cloud.now()
        found = self.cloud.logs.read_logs(HOME, framework_name(job), now - 600.0, now + 60.0)
        return [json.loads(event.message) for event in found if event.message.startswith('{"schema"')]

    def outcomes(self, job: Job) -> dict[str | None, set[str]]:
        """What became of each workflow."""
        outcomes: dict[str | None, set[str]] = {}
        for line in self.lines(job):
            outcomes.setdefault(line["workflow"], set()).add(line["outcome"])
        return outcomes


@pytest.fixture(scope="module")
def installation(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    directory = tmp_path_factory.mktemp("framework")
    understood, is_allowed = policies.access_of, policies.is_allowed

    def access_of(service: str, region: str, environ: Mapping[str, Any], body: bytes) -> Access:
        """Tables are checked here, on the wire, and all else in `test_framework_permissions`."""
        if service != "dynamodb" or b"TableName" not in body:
            return UNCHECKED
        return understood(service, region, environ, body)

    def allowed(statements: Iterable[Mapping[str, Any]], access: Access) -> bool:
        return access == UNCHECKED or is_allowed(statements, access)

    with (
        pytest.MonkeyPatch.context() as patch,
        aws_account(directory / "aws") as account,
        AwsCloud(regions=REGIONS, system_region=HOME, installation="mine", pause=lambda _seconds: None) as cloud,
    ):
        patch.setattr(policies, "access_of", access_of)
        patch.setattr(policies, "is_allowed", allowed)
        create_tables(cloud, REGIONS)
        for workflow_id in WORKFLOWS:
            name = workflow_id.removesuffix("-0.0.1")
            project = directory / name
            (project / ".multi-x-serverless").mkdir(parents=True)
            configuration = CONFIGURATION.replace("workflow_name: pair", f"workflow_name: {name}")
            (project / ".multi-x-serverless" / "config.yml").write_text(configuration, encoding="utf-8")
            source = SOURCE.replace('name="pair"', f'name="{name}"').replace("EDITION", "'one'")
            (project / "app.py").write_text(source, encoding="utf-8")
            deploy(cloud, project)
        with ApiCalls().recording():  # which checks requests against the services' models
            made = deploy_framework(cloud, lambda: package, OPTIONS)
        assert {change.verb for change in made.changes} == {"create"}
        cloud.key_value.put(HOME, physical_name("workflows"), Key(BETA), {"document": '{"schema": "nonsense"}'})
        yield Installation(account, cloud)


def test_deploying_again_changes_nothing(installation: Installation, package: Package) -> None:
    assert deploy_framework(installation.cloud, lambda: package, OPTIONS, dry_run=True).changes == ()
    assert deploy_framework(installation.cloud, lambda: package, OPTIONS).changes == ()


def test_a_schedule_does_the_loop_and_one_failure_is_one_workflows(installation: Installation) -> None:
    cloud = installation.cloud
    for workflow_id in (ALPHA, GAMMA):
        start_runs(cloud, workflow_id, [None] * 3)
    assert installation.account.plane.wait_until_idle(60.0)
    for job in JOBS:  # at once, of two that read the same logs one may leave it to the other
        installation.fire(job)
        assert installation.outcomes(job) == {None: {"started"}, ALPHA: {"done"}, BETA: {"failed"}, GAMMA: {"done"}}
    assert [len(History(cloud).runs(workflow_id)) for workflow_id in (ALPHA, GAMMA)] == [3, 3]
    assert read_signals(cloud).carbon.keys() == set(REGIONS)
    letters = cloud.messages.dead_letters(HOME, FRAMEWORK_PREFIX)
    assert sorted(letter.function for letter in letters) == sorted(framework_name(job) for job in JOBS)
    assert {json.loads(letter.body)["workflow"] for letter in letters} == {BETA}
    failures = [line for job in JOBS for line in installation.lines(job) if line["outcome"] == "failed"]
    assert len(failures) == 3 * len(JOBS), "each attempt says why"
    assert installation.account.guard.refused == []


def test_a_function_migrates_a_workflow(installation: Installation) -> None:
    cloud = installation.cloud
    record = deployed_workflow(cloud, ALPHA)
    now = cloud.now()
    plan = home_plan(ALPHA, record.graph, HOME, version=1, created_at=now, expires_at=now + 86_400.0)
    away = {node.name: AWAY if node.function == "second" else HOME for node in record.graph.nodes}
    staged = PlanStore(cloud).stage(replace(plan, hours=tuple(replace(hour, placement=away) for hour in plan.hours)))
    installation.fire("update_check_deployment")
    active = PlanStore(cloud).active(ALPHA)
    assert active is not None
    assert active.version == staged.version
    [function] = cloud.functions.list_functions(AWAY, "mxs-alpha")
    assert function.specification.name.endswith("-second")
    assert installation.account.guard.refused == []


def test_removal_leaves_nothing_and_no_workflow_is_touched(installation: Installation) -> None:
    cloud = installation.cloud
    with ApiCalls().recording():
        removed = remove_framework(cloud)
    assert removed.left == ()
    kinds = [change.kind for change in removed.changes]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "schedule": 4,
        "function": 4,
        "log": 4,
        "role": 5,
        "package": 1,
    }
    groups = boto3.client("scheduler", region_name=HOME).list_schedule_groups()["ScheduleGroups"]
    assert [group["Name"] for group in groups] == ["default"]
    left = [resource for region in REGIONS for resource in cloud.tagged_resources(region)]
    assert not [resource for resource in left if "framework" in resource or "schedule" in resource]
    assert cloud.logs.list_logs(HOME, FRAMEWORK_PREFIX) == ()
    assert cloud.objects.list_objects(HOME, "framework/") == ()
    assert len(cloud.functions.list_functions(HOME, "mxs-")) == 6
    assert remove_framework(cloud).changes == ()
