"""Schedules on AWS: how they are made, what they leave, and waiting for what AWS is slow to know."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.aws.names import DEAD_LETTER_QUEUE, SCHEDULE_GROUP
from multi_x_serverless.cloud.ports import ScheduleSpecification
from multi_x_serverless.errors import CloudError
from tests.unit.cloud_aws.conftest import REGION

POLICY = '{"Version": "2012-10-17", "Statement": []}'


def schedule(cloud: AwsCloud, name: str = "sync") -> ScheduleSpecification:
    role = cloud.identity.create_role("invoker", POLICY, trusted="schedules")
    return ScheduleSpecification(name, 15, 5, "f", '{"job":"data_sync"}', role)


def test_a_schedule_has_a_window_retries_a_queue_and_a_group_with_the_tag(cloud: AwsCloud) -> None:
    made = schedule(cloud)
    cloud.schedules.put_schedule(REGION, made)
    client: Any = boto3.client("scheduler", region_name=REGION)
    found = client.get_schedule(GroupName=SCHEDULE_GROUP, Name="sync")
    assert found["ScheduleExpression"] == "rate(15 minutes)"
    assert found["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}
    assert found["Target"]["Arn"] == f"arn:aws:lambda:{REGION}:123456789012:function:f"
    assert found["Target"]["DeadLetterConfig"]["Arn"].endswith(f":{DEAD_LETTER_QUEUE}")
    assert found["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 900}
    group = client.get_schedule_group(Name=SCHEDULE_GROUP)["Arn"]
    assert client.list_tags_for_resource(ResourceArn=group)["Tags"] == [{"Key": "multi-x-serverless", "Value": "mine"}]
    assert cloud.schedules.list_schedules(REGION, "") == (made,)


def test_a_schedule_is_updated_in_place(cloud: AwsCloud) -> None:
    made = schedule(cloud)
    cloud.schedules.put_schedule(REGION, made)
    changed = replace(made, every_minutes=1, window_minutes=0, payload="{}")
    cloud.schedules.put_schedule(REGION, changed)
    assert cloud.schedules.list_schedules(REGION, "sy") == (changed,)
    assert cloud.schedules.list_schedules(REGION, "other") == ()


def test_the_group_goes_with_the_last_schedule_and_not_before(cloud: AwsCloud) -> None:
    client: Any = boto3.client("scheduler", region_name=REGION)

    def groups() -> list[str]:
        return [group["Name"] for group in client.list_schedule_groups()["ScheduleGroups"]]

    for name in ("a", "b"):
        cloud.schedules.put_schedule(REGION, schedule(cloud, name))
    cloud.schedules.delete_schedule(REGION, "a")
    assert SCHEDULE_GROUP in groups()
    cloud.schedules.delete_schedule(REGION, "b")
    assert groups() == ["default"]
    cloud.schedules.delete_schedule(REGION, "b")
    assert cloud.schedules.list_schedules(REGION, "") == ()


def test_a_group_is_not_made_anew_by_the_second_schedule(cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS refuses a group that exists; moto takes it and forgets its schedules."""
    cloud.schedules.put_schedule(REGION, schedule(cloud, "a"))
    cloud.schedules.put_schedule(REGION, schedule(cloud, "b"))
    assert [entry.name for entry in cloud.schedules.list_schedules(REGION, "")] == ["a", "b"]


class Answers:
    """Lets AWS answer the first calls of an operation with an error or a document, then as it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, operation: str, *answers: object) -> None:
        self.calls = 0
        pending = list(answers)
        call = BaseClient._make_api_call  # type: ignore[attr-defined]  # what every client method ends in

        def answer(client: Any, name: str, parameters: Any) -> Any:
            if name != operation:
                return call(client, name, parameters)
            self.calls += 1
            if not pending:
                return call(client, name, parameters)
            given = pending.pop(0)
            if isinstance(given, Exception):
                raise given
            return given

        monkeypatch.setattr(BaseClient, "_make_api_call", answer)


def unknown_role() -> ClientError:
    message = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
    return ClientError({"Error": {"Code": "ValidationException", "Message": message}}, "CreateSchedule")


def test_a_new_role_is_waited_for(cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    made = schedule(cloud)
    answers = Answers(monkeypatch, "CreateSchedule", unknown_role(), unknown_role())
    cloud.schedules.put_schedule(REGION, made)
    assert answers.calls == 3
    assert cloud.schedules.list_schedules(REGION, "") == (made,)


def test_a_role_that_stays_unknown_is_an_error(cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    made = schedule(cloud)
    Answers(monkeypatch, "CreateSchedule", *(unknown_role() for _ in range(100)))
    with pytest.raises(CloudError, match="assume the role"):
        cloud.schedules.put_schedule(REGION, made)


def test_a_group_that_is_being_deleted_is_waited_for(cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    made = schedule(cloud)
    answers = Answers(monkeypatch, "GetScheduleGroup", {"State": "DELETING"}, {"State": "DELETING"})
    cloud.schedules.put_schedule(REGION, made)
    assert answers.calls == 3
    Answers(monkeypatch, "GetScheduleGroup", *({"State": "DELETING"} for _ in range(100)))
    with pytest.raises(CloudError, match="still being deleted") as caught:
        cloud.schedules.put_schedule(REGION, made)
    assert caught.value.retryable


def test_a_role_for_schedules_trusts_the_scheduler_for_our_account_and_group_only(cloud: AwsCloud) -> None:
    cloud.identity.create_role("invoker", POLICY, trusted="schedules")
    cloud.identity.create_role("worker", POLICY)
    client = boto3.client("iam")
    trust: Any = client.get_role(RoleName="invoker")["Role"]["AssumeRolePolicyDocument"]
    [statement] = trust["Statement"]
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": f"arn:aws:scheduler:*:123456789012:schedule-group/{SCHEDULE_GROUP}"},
    }
    other: Any = client.get_role(RoleName="worker")["Role"]["AssumeRolePolicyDocument"]
    assert other["Statement"][0]["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert json.dumps(other).count("Condition") == 0


def test_a_role_changes_whom_it_trusts(cloud: AwsCloud) -> None:
    cloud.identity.create_role("role", POLICY)
    cloud.identity.create_role("role", POLICY, trusted="schedules")
    trust: Any = boto3.client("iam").get_role(RoleName="role")["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0]["Principal"] == {"Service": "scheduler.amazonaws.com"}
