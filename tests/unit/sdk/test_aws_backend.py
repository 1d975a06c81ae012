"""What is AWS's own of its backend; the rest is in `test_backends_agree`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from moto import mock_aws

from multi_x_serverless.sdk.aws_backend import AwsBackend
from multi_x_serverless.sdk.errors import BackendError, ObjectNotFoundError, PackageError

ACCOUNT = "123456789012"
REGION: Final = "us-west-2"


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsBackend]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield AwsBackend(account=ACCOUNT, table_prefix="mxs-", bucket_prefix="mxs-", pause=lambda _seconds: None)


def test_without_a_bucket_a_large_payload_is_explained() -> None:
    backend = AwsBackend(account=ACCOUNT, table_prefix="mxs-", bucket_prefix="")

    with pytest.raises(PackageError, match="BUCKET_PREFIX"):
        backend.put_object(REGION, "key", b"")


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        (["objects/w/a/b"], ObjectNotFoundError),  # what is listed first only begins so
        ([], ObjectNotFoundError),
        (["objects/w/a", "objects/w/a/b"], BackendError),  # it is there, and may not be read
        (None, BackendError),  # nothing may be listed, so nothing is known
    ],
)
def test_s3_does_not_admit_that_an_object_is_missing(
    backend: AwsBackend, monkeypatch: pytest.MonkeyPatch, keys: list[str] | None, error: type[Exception]
) -> None:
    def denied(**arguments: object) -> None:
        response: Any = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise ClientError(response, "GetObject")

    def listed(*, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, object]:  # noqa: N803 - boto3's names
        assert (Bucket, Prefix, MaxKeys) == ("mxs-us-west-2", "objects/w/a", 1)
        if keys is None:
            denied()
        return {"Contents": [{"Key": key} for key in (keys or [])[:MaxKeys]]} if keys else {}

    client = backend._s3(REGION)
    monkeypatch.setattr(client, "get_object", denied)
    monkeypatch.setattr(client, "list_objects_v2", listed)
    with pytest.raises(error, match="objects/w/a" if error is ObjectNotFoundError else "get_object in us-west-2"):
        backend.get_object(REGION, "objects/w/a")


def test_a_message_reaches_the_topic_of_the_region(backend: AwsBackend) -> None:
    sns = boto3.client("sns", region_name=REGION)
    sqs = boto3.client("sqs", region_name=REGION)
    topic = sns.create_topic(Name="topic-first")["TopicArn"]
    queue = sqs.create_queue(QueueName="queue")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue")

    backend.publish(REGION, "topic-first", '{"v": 1}')

    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["Message"] == '{"v": 1}'


def test_a_topic_that_is_not_there_certainly_took_nothing(backend: AwsBackend) -> None:
    with pytest.raises(BackendError, match="publish in us-west-2 failed") as caught:
        backend.publish(REGION, "missing", "")

    assert caught.value.outcome_unknown is False


def refusal(status: int) -> ClientError:
    response: Any = {"Error": {"Code": "Refused"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Publish")


@pytest.mark.parametrize(
    ("error", "outcome_unknown"),
    [
        (EndpointConnectionError(endpoint_url="https://sns"), False),
        (ReadTimeoutError(endpoint_url="https://sns"), True),
        (refusal(400), False),
        (refusal(500), True),
    ],
)
def test_whether_a_failed_request_may_have_been_carried_out(
    backend: AwsBackend, monkeypatch: pytest.MonkeyPatch, error: Exception, outcome_unknown: bool
) -> None:
    def fail(**arguments: object) -> None:
        raise error

    monkeypatch.setattr(backend._sns(REGION), "publish", fail)

    with pytest.raises(BackendError) as caught:
        backend.publish(REGION, "topic", "")
    assert caught.value.outcome_unknown is outcome_unknown


@pytest.mark.parametrize(
    ("script", "attempts", "outcome_unknown"),
    [
        (["timeout", "down", "down", "down"], 4, True),
        (["down", "down", "down", "down"], 4, False),
        ([500, 400], 2, True),
        ([400], 1, False),
        (["throttled", "throttled", "throttled", "throttled"], 4, False),
        (["down", "timeout"], 3, None),
        (["throttled"], 2, None),
    ],
    ids=str,
)
def test_a_publish_that_may_have_got_through_once_is_never_certainly_refused(
    backend: AwsBackend,
    monkeypatch: pytest.MonkeyPatch,
    script: list[str | int],
    attempts: int,
    outcome_unknown: bool | None,
) -> None:
    throttled = refusal(429)
    throttled.response["Error"]["Code"] = "Throttling"
    errors: dict[str | int, Exception] = {
        "timeout": ReadTimeoutError(endpoint_url="https://sns"),
        "down": EndpointConnectionError(endpoint_url="https://sns"),
        "throttled": throttled,
        400: refusal(400),
        500: refusal(500),
    }
    tried: list[None] = []

    def publish(**arguments: object) -> None:
        tried.append(None)
        if len(tried) <= len(script):
            raise errors[script[len(tried) - 1]]

    monkeypatch.setattr(backend._sns(REGION), "publish", publish)

    if outcome_unknown is None:
        backend.publish(REGION, "topic", "")
    else:
        with pytest.raises(BackendError) as caught:
            backend.publish(REGION, "topic", "")
        assert caught.value.outcome_unknown is outcome_unknown
    assert len(tried) == attempts


def test_botocore_itself_tries_a_publish_once(backend: AwsBackend) -> None:
    messages: Any = backend._sns(REGION).meta.config
    tables: Any = backend._dynamodb(REGION).meta.config
    assert messages.retries == {"mode": "standard", "total_max_attempts": 1}
    assert tables.retries == {"mode": "standard", "total_max_attempts": 4}


def test_a_client_is_made_once_per_service_and_region(backend: AwsBackend) -> None:
    assert backend._dynamodb(REGION) is backend._dynamodb(REGION)
    assert backend._dynamodb(REGION) is not backend._dynamodb("us-east-1")
    assert backend._dynamodb("us-east-1").meta.region_name == "us-east-1"
