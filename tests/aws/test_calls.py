"""The record of requests: what a service would refuse is noticed, and each fault does what it says."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.aws.account import aws_in_memory
from tests.aws.calls import ApiCalls, InvalidRequestError, ProcessDiedError

REGION = "us-west-2"


@pytest.fixture(autouse=True)
def _account() -> Iterator[None]:
    with aws_in_memory():
        yield


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "problem"),
    [
        ("lambda", "get_function", {"FunctionName": "no spaces"}, "FunctionName is 'no spaces'"),
        ("lambda", "put_function_event_invoke_config", {"FunctionName": "f", "MaximumRetryAttempts": 3}, "at most 2"),
        ("iam", "get_role", {"RoleName": "x" * 65}, "65 characters, at most 64"),
        ("dynamodb", "create_table", {"BillingMode": "FREE"}, "expected one of"),
        ("sqs", "get_queue_url", {"QueueName": "q"}, None),
        ("logs", "put_retention_policy", {"logGroupName": "a b", "retentionInDays": 1}, "logGroupName is 'a b'"),
    ],
)
def test_what_a_service_would_refuse_is_refused(
    service: str, operation: str, parameters: dict[str, object], problem: str | None
) -> None:
    client = boto3.client(service, region_name=REGION)  # type: ignore[call-overload]  # by name
    with ApiCalls().recording() as calls:
        if problem is None:
            with pytest.raises(ClientError):
                getattr(client, operation)(**parameters)
            assert [call.action for call in calls.calls] == ["sqs:GetQueueUrl"]
            return
        with pytest.raises(InvalidRequestError, match=problem):
            getattr(client, operation)(**parameters)


def _topics() -> list[str]:
    client = boto3.client("sns", region_name=REGION)
    return [topic["TopicArn"].rpartition(":")[2] for topic in client.list_topics()["Topics"]]


def test_a_lost_answer_is_of_a_request_that_was_carried_out() -> None:
    client = boto3.client("sns", region_name=REGION)
    with ApiCalls(fault=lambda index, _call: "lost" if index == 0 else None).recording():
        with pytest.raises(ReadTimeoutError):
            client.create_topic(Name="made")
        client.create_topic(Name="too")
    assert _topics() == ["made", "too"]


def test_a_refused_request_is_not_carried_out() -> None:
    client = boto3.client("sns", region_name=REGION)
    with ApiCalls(fault=lambda _index, _call: "refused").recording(), pytest.raises(ClientError, match="on purpose"):
        client.create_topic(Name="not-made")
    assert _topics() == []


def test_a_dead_process_sends_nothing_more() -> None:
    client = boto3.client("sns", region_name=REGION)
    with ApiCalls(fault=lambda index, _call: "died" if index == 1 else None).recording():
        client.create_topic(Name="before")
        for _ in range(2):
            with pytest.raises(ProcessDiedError):
                client.create_topic(Name="after")
    assert _topics() == ["before"]
