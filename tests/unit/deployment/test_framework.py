"""Deploying and removing the framework: what is made, what is changed, and what a failure leaves."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.cloud.local import LocalCloud
from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.ports import InvocationResult
from multi_x_serverless.cloud.tables import create_tables
from multi_x_serverless.deployment.framework import (
    CONCURRENCY,
    INTERVALS_MINUTES,
    Change,
    FrameworkOptions,
    deploy_framework,
    is_framework_deployed,
    remove_framework,
)
from multi_x_serverless.deployment.framework_policy import job_policy, scheduler_policy
from multi_x_serverless.deployment.names import FRAMEWORK_PREFIX, framework_name, workflow_prefix
from multi_x_serverless.deployment.packaging import Package
from multi_x_serverless.errors import CloudError, ConflictError, DeploymentError, UnsupportedError
from multi_x_serverless.model.framework import (
    JOBS,
    FrameworkEnvironment,
    FrameworkEvent,
    FrameworkRecord,
)
from tests.fakes import FakeCloud, refuse_call

PACKAGE = Package(b"one", "1" * 64, 3)
OTHER_PACKAGE = Package(b"two", "2" * 64, 3)
OPTIONS = FrameworkOptions()


class Account(FakeCloud):
    """A cloud in memory whose functions answer the framework's probe."""

    def __init__(self) -> None:
        super().__init__(name="aws")
        self.program = version("multi-x-serverless")
        self.error: str | None = None
        self.functions.invoke = self._invoke  # type: ignore[method-assign]  # in the place of the SDK's probe
        create_tables(self, ())
        self.faults.reset()

    def _invoke(self, region: str, name: str, payload: bytes, *, timeout_s: float) -> InvocationResult:
        def answer() -> InvocationResult:
            probe = json.loads(payload)["multi_x_serverless_probe"]
            return InvocationResult(json.dumps({"probe": probe, "program": self.program}).encode(), self.error, 0.1)

        return self.faults.run("invoke", answer, region, name)


@pytest.fixture
def cloud() -> Account:
    return Account()


def deployed(cloud: Account, options: FrameworkOptions = OPTIONS, package: Package = PACKAGE) -> tuple[str, ...]:
    return tuple(map(str, deploy_framework(cloud, lambda: package, options).changes))


def without_locks(cloud: Account) -> dict[str, dict[str, object]]:
    contents = cloud.contents()
    contents["items"] = {name: item for name, item in contents.get("items", {}).items() if "-locks " not in name}
    return {kind: things for kind, things in contents.items() if things}


def test_four_functions_four_schedules_and_a_role_for_each_and_one_more(cloud: Account) -> None:
    changes = deploy_framework(cloud, lambda: PACKAGE, OPTIONS).changes
    kinds = [change.kind for change in changes]
    assert kinds == ["role"] * 5 + ["package"] + ["function"] * 4 + ["schedule"] * 4
    assert {change.verb for change in changes} == {"create"}
    for job in JOBS:
        function = cloud.functions.functions["us-east-1", framework_name(job)]
        assert function.role == f"role/{framework_name(job)}"
        assert cloud.identity.roles[function.role] == job_policy(job, "123456789012", "us-east-1")
        assert function.reserved_concurrency == CONCURRENCY
        environment = FrameworkEnvironment.from_variables(function.environment)
        assert environment == FrameworkEnvironment("us-east-1", cloud.regions, "mine")
        schedule = cloud.schedules.schedules["us-east-1", framework_name(job)]
        assert FrameworkEvent.from_members(json.loads(schedule.payload)) == FrameworkEvent(job)
        assert schedule.function == function.name
        assert schedule.every_minutes == INTERVALS_MINUTES[job]
        assert 1 <= schedule.window_minutes <= schedule.every_minutes
        assert schedule.role == f"role/{framework_name('scheduler')}"
    assert is_framework_deployed(cloud)


def test_no_token_of_the_developer_is_in_an_environment(cloud: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELECTRICITY_MAPS_AUTH_TOKEN", "secret")
    deployed(cloud)
    assert "secret" not in repr(cloud.functions.functions)


def test_deploying_the_same_again_changes_nothing(cloud: Account) -> None:
    deployed(cloud)
    before = without_locks(cloud)
    cloud.time += 60
    assert deployed(cloud) == ()
    assert without_locks(cloud) == before


def test_only_what_differs_is_updated(cloud: Account) -> None:
    deployed(cloud)
    every = replace(OPTIONS, intervals_minutes={**INTERVALS_MINUTES, "data_sync": 5})
    assert deployed(cloud, every) == (f"update schedule {framework_name('data_sync')} in us-east-1",)
    none = replace(every, concurrency=None)
    assert deployed(cloud, none) == tuple(f"update function {framework_name(job)} in us-east-1" for job in JOBS)


def test_a_new_version_replaces_the_package_and_deletes_the_old_one(cloud: Account) -> None:
    deployed(cloud)
    changes = deployed(cloud, package=OTHER_PACKAGE)
    assert changes[0] == f"create package framework/{'2' * 64}.zip in us-east-1"
    assert changes[-1] == f"delete package framework/{'1' * 64}.zip in us-east-1"
    assert [key for _, key in cloud.objects.objects] == [f"framework/{'2' * 64}.zip"]


def test_what_an_earlier_version_had_and_this_one_has_not_is_deleted(
    cloud: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("multi_x_serverless.deployment.framework.JOBS", (*JOBS, "old_job"))
        earlier.setattr("multi_x_serverless.deployment.framework.job_policy", lambda job, account, region: f'["{job}"]')
        intervals: Any = {**INTERVALS_MINUTES, "old_job": 5}  # there was such a job
        deployed(cloud, replace(OPTIONS, intervals_minutes=intervals))
    old = framework_name("old_job")
    changes = deployed(cloud)
    assert [change for change in changes if change.startswith("delete")] == [
        f"delete schedule {old} in us-east-1",
        f"delete function {old} in us-east-1",
        f"delete role {old}",
    ]
    cloud.functions.functions["us-east-1", old] = replace(
        cloud.functions.functions["us-east-1", framework_name("data_sync")], name=old
    )
    assert deployed(cloud) == (f"delete function {old} in us-east-1",), "its name is not forgotten"


def test_a_role_whose_policy_another_version_wrote_is_updated(cloud: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed(cloud)
    monkeypatch.setattr("multi_x_serverless.deployment.framework.job_policy", lambda job, account, region: f"[{job}]")
    assert deployed(cloud) == tuple(f"update role {framework_name(job)}" for job in JOBS)
    assert cloud.identity.roles[f"role/{framework_name('data_sync')}"] == "[data_sync]"


def test_what_somebody_deleted_is_made_again(cloud: Account) -> None:
    deployed(cloud)
    del cloud.schedules.schedules["us-east-1", framework_name("data_collect")]
    cloud.identity.delete_role(framework_name("data_sync"))
    assert deployed(cloud) == (
        f"create role {framework_name('data_sync')}",
        f"create schedule {framework_name('data_collect')} in us-east-1",
    )


def test_a_dry_run_changes_nothing(cloud: Account) -> None:
    before = cloud.contents()
    changes = deploy_framework(cloud, lambda: PACKAGE, OPTIONS, dry_run=True).changes
    assert cloud.contents() == before
    assert changes == deploy_framework(cloud, lambda: PACKAGE, OPTIONS).changes
    before = cloud.contents()
    assert len(remove_framework(cloud, dry_run=True).changes) == 14
    assert cloud.contents() == before


def test_tables_are_made_if_there_are_none() -> None:
    cloud = Account()
    cloud.key_value.tables.clear()
    deployed(cloud)
    assert remove_framework(cloud).left == ()


def test_any_failure_of_a_first_deployment_leaves_nothing(cloud: Account) -> None:
    whole = cloud.copy()
    account = Account()
    deployed(account)
    last = len(account.faults.calls)
    expected = without_locks(account)
    empty = without_locks(cloud)
    said = []
    for number in range(last):
        cloud = Account()
        cloud.faults.before = refuse_call(number)
        try:
            deployed(cloud)
        except (CloudError, DeploymentError) as error:
            said.append(str(error))
            assert without_locks(cloud) == empty, number
        cloud.faults.reset()
        cloud.time += 1000.0
        deployed(cloud)
        cloud.time = account.time
        found = without_locks(cloud)
        for contents in (found, expected):
            contents.pop("items", None)  # the record says when
        assert found == expected, number
    assert sum("Nothing was left behind." in sentence for sentence in said) >= 15
    assert whole.contents() == Account().contents()


def test_a_failed_update_says_what_to_do_and_is_mended_by_doing_it(cloud: Account) -> None:
    deployed(cloud)
    cloud.faults.before = lambda call: (
        CloudError("no", operation="x")
        if call.operation == "put_function" and "solver" in str(call.arguments)
        else None
    )
    with pytest.raises(
        DeploymentError, match=r"no\. The framework is partly updated: run 'multi_x_serverless deploy_framework' again"
    ):
        deployed(cloud, package=OTHER_PACKAGE)
    assert is_framework_deployed(cloud)
    assert len(cloud.functions.functions) == 4
    cloud.faults.reset()
    deployed(cloud, package=OTHER_PACKAGE)
    assert {made.code_sha256 for made in cloud.functions.functions.values()} == {"2" * 64}


@pytest.mark.parametrize(
    ("program", "error", "message"),
    [
        ("0.0.0", None, "answered a probe with"),
        (version("multi-x-serverless"), "ImportError: no engine", "does not start: ImportError: no engine"),
    ],
)
def test_a_function_that_does_not_answer_is_not_put_on_a_schedule(
    cloud: Account, program: str, error: str | None, message: str
) -> None:
    cloud.program, cloud.error = program, error
    with pytest.raises(DeploymentError, match=rf"{message}.*Nothing was left behind"):
        deployed(cloud)
    assert cloud.schedules.schedules == {}
    assert cloud.functions.functions == {}


def test_an_account_with_little_concurrency_is_told_the_way_out(cloud: Account) -> None:
    sentence = "decreases account's UnreservedConcurrentExecution below its minimum value of [100]."
    cloud.faults.before = lambda call: CloudError(sentence, operation="x") if call.operation == "put_function" else None
    with pytest.raises(DeploymentError, match=r"--concurrency 0.*Nothing was left behind"):
        deployed(cloud)


def test_two_commands_at_once(cloud: Account) -> None:
    with lock(cloud, "framework"):
        with pytest.raises(ConflictError):
            deployed(cloud)
        with pytest.raises(ConflictError):
            remove_framework(cloud)


def test_removal_takes_schedules_first_and_leaves_nothing(cloud: Account) -> None:
    empty = without_locks(cloud)
    deployed(cloud)
    cloud.logs.logs["us-east-1", framework_name("data_sync")] = []
    cloud.logs.logs["us-east-1", f"{workflow_prefix('framework-1')}first"] = []
    changes = remove_framework(cloud).changes
    kinds = [change.kind for change in changes]
    assert kinds == ["schedule"] * 4 + ["function"] * 4 + ["log"] + ["role"] * 5 + ["package"]
    assert list(cloud.logs.logs) == [("us-east-1", f"{workflow_prefix('framework-1')}first")]
    cloud.logs.logs.clear()
    assert without_locks(cloud) == empty
    assert not is_framework_deployed(cloud)
    assert remove_framework(cloud).changes == ()


def test_removal_keeps_logs_if_asked_to(cloud: Account) -> None:
    deployed(cloud)
    cloud.logs.logs["us-east-1", framework_name("data_sync")] = []
    assert "log" not in {change.kind for change in remove_framework(cloud, keep_logs=True).changes}
    assert cloud.logs.logs.keys() == {("us-east-1", framework_name("data_sync"))}


def test_what_cannot_be_removed_is_told_and_removed_by_the_next_command(cloud: Account) -> None:
    deployed(cloud)
    cloud.faults.before = lambda call: CloudError("no", operation="x") if call.operation == "delete_role" else None
    left = remove_framework(cloud).left
    assert len(left) == 5
    assert left[0] == f"role {framework_name('data_collect')}: no"
    cloud.faults.reset()
    result = remove_framework(cloud)
    assert [change.kind for change in result.changes] == ["role"] * 5
    assert result.left == ()


def test_removal_works_when_the_tables_are_gone(cloud: Account) -> None:
    deployed(cloud)
    cloud.key_value.tables.clear()
    assert remove_framework(cloud).left == ()
    assert cloud.functions.functions == {}
    assert not is_framework_deployed(cloud)


def test_the_embedded_cloud_refuses_before_anything_is_built(tmp_path: Path) -> None:
    def build() -> Package:
        raise AssertionError("it was built")

    with LocalCloud(tmp_path) as local:
        with pytest.raises(UnsupportedError, match="--cloud aws"):
            deploy_framework(local, build, OPTIONS)
        with pytest.raises(UnsupportedError, match="--cloud aws"):
            remove_framework(local)


def test_no_job_may_touch_the_framework_but_invoke_itself() -> None:
    for job in JOBS:
        for statement in json.loads(job_policy(job, "123456789012", "us-east-1"))["Statement"]:
            own = [resource for resource in statement["Resource"] if FRAMEWORK_PREFIX in resource]
            assert all(resource.count(framework_name(job)) for resource in own)
            if own:
                assert set(statement["Action"]) <= {
                    "lambda:InvokeFunction",
                    "logs:CreateLogStream",
                    "logs:PutLogEvents",
                }


def test_no_job_may_make_roles_or_write_policies() -> None:
    actions = {
        action
        for job in JOBS
        for statement in json.loads(job_policy(job, "123456789012", "us-east-1"))["Statement"]
        for action in statement["Action"]
    }
    assert {action for action in actions if action.startswith("iam:")} == {"iam:GetRole", "iam:PassRole"}
    assert not {action for action in actions if "*" in action}


def test_wildcard_resources_are_those_that_aws_asks_for() -> None:
    wide = {
        action
        for job in JOBS
        for statement in json.loads(job_policy(job, "123456789012", "us-east-1"))["Statement"]
        for action in statement["Action"]
        if "*" in statement["Resource"]
    }
    assert wide == {
        "dynamodb:ListTables",
        "ec2:DescribeRegions",
        "ecr:GetAuthorizationToken",
        "pricing:GetProducts",
        "sns:Unsubscribe",
    }


def test_the_schedules_may_invoke_the_jobs_and_nothing_else() -> None:
    [statement] = json.loads(scheduler_policy("123456789012", "us-east-1"))["Statement"]
    assert statement["Action"] == ["lambda:InvokeFunction"]
    assert statement["Resource"] == [
        f"arn:aws:lambda:us-east-1:123456789012:function:{framework_name(job)}" for job in JOBS
    ]


def test_no_workflow_can_have_a_name_of_the_framework() -> None:
    assert all(not workflow_prefix(name).startswith(FRAMEWORK_PREFIX) for name in ("x", "framework", "multi-x"))
    assert all(len(framework_name(job)) <= 64 for job in (*JOBS, "scheduler"))


def test_a_change_in_words() -> None:
    assert str(Change("create", "role", None, "r")) == "create role r"
    assert str(Change("delete", "log", "us-east-1", "l")) == "delete log l in us-east-1"


def test_a_record_is_read_as_it_was_written() -> None:
    record = FrameworkRecord("0.1.0", "framework/x.zip", {"role": "digest"}, 1_700_000_000.0)
    assert FrameworkRecord.from_document(record.to_document()) == record
