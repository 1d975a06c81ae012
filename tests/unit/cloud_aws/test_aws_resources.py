"""How resources are made on AWS: tags, protection, clean deletion, and listings past one page."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import boto3
import pytest

from multi_x_serverless.cloud.aws import AwsCloud, dead_letters
from multi_x_serverless.cloud.aws.dead_letters import DeadLetterQueues
from multi_x_serverless.cloud.aws.functions import read_error
from multi_x_serverless.cloud.aws.logs import RETENTION_DAYS
from multi_x_serverless.cloud.aws.names import DEAD_LETTER_QUEUE, bucket_name
from multi_x_serverless.cloud.aws.objects import PAYLOAD_DAYS
from multi_x_serverless.cloud.ports import FunctionSpecification
from multi_x_serverless.deployment.names import bucket_prefix
from multi_x_serverless.errors import CloudError, ResourceNotFoundError, UsageError
from tests.contract.function_package import ECHO, digest_of, make_package
from tests.unit.cloud_aws.conftest import REGION

POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}'
TAGS = {"multi-x-serverless": "mine"}


def pairs(tags: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def make_function(cloud: AwsCloud, name: str) -> FunctionSpecification:
    package = make_package({"app.py": ECHO})
    cloud.objects.put_object(REGION, f"{name}.zip", package)
    specification = FunctionSpecification(
        name=name,
        handler="app.handler",
        runtime="python3.12",
        architecture="arm64",
        memory_mb=256,
        timeout_s=10,
        code_key=f"{name}.zip",
        code_sha256=digest_of(package),
        role=cloud.identity.create_role("role", POLICY),
    )
    cloud.functions.put_function(REGION, specification)
    return specification


def test_policies_and_buckets_agree_on_the_name() -> None:
    assert bucket_name("123456789012", REGION) == bucket_prefix("123456789012") + REGION


def test_the_system_region_must_be_one_of_the_regions() -> None:
    with pytest.raises(UsageError, match="eu-west-1"):
        AwsCloud(regions=("us-east-1",), system_region="eu-west-1")


def test_a_host_has_nothing_to_do(cloud: AwsCloud) -> None:
    with cloud.host() as host:
        assert host.wait_until_idle(0)
        assert host.pending() == 0


def test_a_table_is_paid_per_request_swept_and_tagged(cloud: AwsCloud) -> None:
    cloud.key_value.create_table(REGION, "runs")
    client = boto3.client("dynamodb", region_name=REGION)
    table = client.describe_table(TableName="runs")["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    time_to_live = client.describe_time_to_live(TableName="runs")["TimeToLiveDescription"]
    assert time_to_live == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    assert pairs(client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]) == TAGS


def test_tables_are_listed_past_one_page(cloud: AwsCloud) -> None:
    for index in range(105):
        cloud.key_value.create_table(REGION, f"table-{index:03d}")
    assert len(cloud.key_value.list_tables(REGION)) == 105


def test_a_bucket_is_private_encrypted_swept_and_tagged(cloud: AwsCloud) -> None:
    cloud.objects.put_object(REGION, "x", b"x")
    bucket = bucket_name(cloud.identity.account_id(), REGION)
    client = boto3.client("s3", region_name=REGION)
    assert all(client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    [encryption] = client.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    [rule] = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (rule["Status"], rule["Filter"]["Prefix"], rule["Expiration"]["Days"]) == (
        "Enabled",
        "payloads/",
        PAYLOAD_DAYS,
    )
    assert pairs(client.get_bucket_tagging(Bucket=bucket)["TagSet"]) == TAGS


def test_a_bucket_of_an_earlier_command_is_taken(cloud: AwsCloud) -> None:
    cloud.objects.put_object(REGION, "x", b"x")
    with AwsCloud(regions=cloud.regions, system_region=cloud.system_region) as later:
        later.objects.put_object(REGION, "y", b"y")
        assert later.objects.list_objects(REGION, "") == ("x", "y")


def test_without_a_bucket_there_are_no_objects(cloud: AwsCloud) -> None:
    assert cloud.objects.list_objects(REGION, "") == ()
    cloud.objects.delete_object(REGION, "x")
    with pytest.raises(ResourceNotFoundError):
        cloud.objects.get_object(REGION, "x")


def test_objects_are_listed_past_one_page(cloud: AwsCloud) -> None:
    for index in range(1005):
        cloud.objects.put_object(REGION, f"p/{index:04d}", b"")
    assert len(cloud.objects.list_objects(REGION, "p/")) == 1005


def test_topics_are_listed_past_one_page_and_tagged(cloud: AwsCloud) -> None:
    arns = [cloud.messages.create_topic(REGION, f"topic-{index:03d}") for index in range(105)]
    assert len(cloud.messages.list_topics(REGION, "topic-")) == 105
    client = boto3.client("sns", region_name=REGION)
    assert pairs(client.list_tags_for_resource(ResourceArn=arns[0])["Tags"]) == TAGS


def test_a_role_goes_with_its_policies(cloud: AwsCloud) -> None:
    cloud.identity.create_role("role", POLICY)
    client = boto3.client("iam")
    assert client.list_role_policies(RoleName="role")["PolicyNames"] == [
        "multi-x-serverless",
        "multi-x-serverless-dead-letters",
    ]
    assert pairs(client.list_role_tags(RoleName="role")["Tags"]) == TAGS
    cloud.identity.create_role("role", '{"Version": "2012-10-17", "Statement": []}')
    assert client.list_role_policies(RoleName="role")["PolicyNames"] == ["multi-x-serverless-dead-letters"]
    cloud.identity.delete_role("role")
    assert cloud.identity.list_roles("") == ()


def test_a_function_retries_dead_letters_and_keeps_its_lines_for_a_while(cloud: AwsCloud) -> None:
    make_function(cloud, "f")
    client = boto3.client("lambda", region_name=REGION)
    found = client.get_function_event_invoke_config(FunctionName="f")
    assert found["MaximumRetryAttempts"] == 2
    assert found["DestinationConfig"]["OnFailure"]["Destination"].endswith(f":{DEAD_LETTER_QUEUE}")
    tags = client.get_function(FunctionName="f")["Tags"]
    assert tags == {**TAGS, "multi-x-serverless:code-key": "f.zip"}
    [group] = boto3.client("logs", region_name=REGION).describe_log_groups()["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == ("/aws/lambda/f", RETENTION_DAYS)
    assert cloud.logs.list_logs(REGION, "") == ("f",)


def test_a_topic_calls_the_function_that_was_subscribed_last(cloud: AwsCloud) -> None:
    for name in ("f", "g"):
        make_function(cloud, name)
    cloud.messages.create_topic(REGION, "t")
    for name in ("f", "f", "g"):
        cloud.messages.subscribe(REGION, "t", name)
    client = boto3.client("sns", region_name=REGION)
    [subscription] = client.list_subscriptions()["Subscriptions"]
    assert subscription["Endpoint"].endswith(":function:g")
    policy = json.loads(boto3.client("lambda", region_name=REGION).get_policy(FunctionName="g")["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["sns-t"]
    cloud.messages.delete_topic(REGION, "t")
    assert client.list_subscriptions()["Subscriptions"] == []


def test_a_function_that_is_not_there_cannot_subscribe(cloud: AwsCloud) -> None:
    cloud.messages.create_topic(REGION, "t")
    with pytest.raises(ResourceNotFoundError, match="'f'"):
        cloud.messages.subscribe(REGION, "t", "f")


def test_lines_are_read_past_one_page_in_order(cloud: AwsCloud) -> None:
    cloud.logs.provide_log(REGION, "f")
    client = boto3.client("logs", region_name=REGION)
    start = int(cloud.now() * 1000) - 60_000
    for stream in ("a",):  # moto does not order the lines of several streams by time, as CloudWatch does
        client.create_log_stream(logGroupName="/aws/lambda/f", logStreamName=stream)
        for first in (0, 6_000):
            client.put_log_events(
                logGroupName="/aws/lambda/f",
                logStreamName=stream,
                logEvents=[
                    {"timestamp": start + index, "message": str(index)} for index in range(first, first + 6_000)
                ],
            )
    events = list(cloud.logs.read_logs(REGION, "f", start / 1000, start / 1000 + 20))
    assert len({event.id for event in events}) == len(events) == 12_000
    assert [(event.timestamp, event.id) for event in events] == sorted((event.timestamp, event.id) for event in events)
    middle = (start + 500) / 1000
    early = list(cloud.logs.read_logs(REGION, "f", start / 1000, middle))
    assert len(early) == 500
    assert list(cloud.logs.read_logs(REGION, "other", 0, middle)) == []


def test_what_a_function_raised_is_read() -> None:
    assert read_error("Unhandled", b'{"errorMessage": "no luck", "errorType": "ValueError"}') == "ValueError: no luck"
    assert read_error("Unhandled", b"gone") == "Unhandled: gone"


def record(function: str, message: str, topic: str, *, second: int) -> str:
    """A record as Lambda sends it to a failure destination."""
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": f"2026-01-01T00:00:{second:02d}.000Z",
            "requestContext": {
                "requestId": "r",
                "functionArn": f"arn:aws:lambda:{REGION}:123456789012:function:{function}:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
            "requestPayload": {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": message, "TopicArn": topic}}]},
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "responsePayload": {"errorMessage": "never works", "errorType": "RuntimeError"},
        }
    )


def test_dead_letters_are_listed_without_being_lost_and_redriven_once(cloud: AwsCloud) -> None:
    make_function(cloud, "f")
    topic = cloud.messages.create_topic(REGION, "t")
    sqs = boto3.client("sqs", region_name=REGION)
    queue = sqs.get_queue_url(QueueName=DEAD_LETTER_QUEUE)["QueueUrl"]
    for second in range(24, -1, -1):
        sqs.send_message(QueueUrl=queue, MessageBody=record("f", f"m{second}", topic, second=second))
    sqs.send_message(QueueUrl=queue, MessageBody=record("other", "x", topic, second=0))
    sqs.send_message(QueueUrl=queue, MessageBody="no record")

    listed = cloud.messages.dead_letters(REGION, "f")
    assert [letter.body.decode() for letter in listed] == [f"m{second}" for second in range(25)]
    assert (listed[0].function, listed[0].error) == ("f", "RuntimeError: never works")
    assert cloud.messages.dead_letters(REGION, "f") == listed
    assert len(cloud.messages.dead_letters(REGION, "")) == 27

    heard = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=heard, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    boto3.client("sns", region_name=REGION).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    cloud.messages.redrive(REGION, listed[3].id)
    [message] = sqs.receive_message(QueueUrl=heard)["Messages"]
    assert json.loads(message["Body"])["Message"] == "m3"
    assert listed[3] not in cloud.messages.dead_letters(REGION, "f")

    [stray] = [letter for letter in cloud.messages.dead_letters(REGION, "") if not letter.function]
    assert stray.body == b"no record"
    with pytest.raises(CloudError, match="no topic"):
        cloud.messages.redrive(REGION, stray.id)


def test_a_letter_that_sqs_does_not_delete_is_named(cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQS says so inside an answer that is no error."""
    make_function(cloud, "f")
    sqs = boto3.client("sqs", region_name=REGION)
    queue = sqs.get_queue_url(QueueName=DEAD_LETTER_QUEUE)["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody=record("f", "m", "t", second=0))
    [letter] = cloud.messages.dead_letters(REGION, "f")
    read = dead_letters._read
    monkeypatch.setattr(dead_letters, "_read", lambda *message: replace(read(*message), receipt="nonsense"))
    monkeypatch.setattr(DeadLetterQueues, "_release", lambda *_: None)
    with pytest.raises(CloudError, match=f"'{letter.id}' was not deleted"):
        cloud.messages.discard(REGION, letter.id)
