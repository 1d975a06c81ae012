"""Regions on AWS: which the account may use, what each needs, and everything there that carries the tag."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.aws.names import DEAD_LETTER_QUEUE, bucket_name
from multi_x_serverless.cloud.ports import FunctionSpecification
from multi_x_serverless.cloud.usable import require_usable
from multi_x_serverless.errors import CloudError, UsageError
from tests.aws.calls import ApiCalls
from tests.contract.function_package import ECHO, digest_of, make_package
from tests.unit.cloud_aws.conftest import REGION

POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}'


def test_regions_are_usable_once_they_are_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    with AwsCloud(regions=("us-east-1", "ap-east-1", "me-south-1"), system_region="us-east-1") as cloud:
        client = cloud._session.regions_service()
        answers = {
            "Regions": [
                {"RegionName": "us-east-1", "OptInStatus": "opt-in-not-required"},
                {"RegionName": "ap-east-1", "OptInStatus": "opted-in"},
                {"RegionName": "me-south-1", "OptInStatus": "not-opted-in"},
                {"RegionName": "us-west-2", "OptInStatus": "opt-in-not-required"},
            ]
        }
        monkeypatch.setattr(client, "describe_regions", lambda **_arguments: answers)
        assert cloud.usable_regions() == ("us-east-1", "ap-east-1")
        assert require_usable(cloud, ["ap-east-1", "us-east-1", "ap-east-1"]) == ("ap-east-1", "us-east-1")
        with pytest.raises(UsageError, match="aws account enable-region --region-name me-south-1"):
            require_usable(cloud, ["us-east-1", "me-south-1"])
        with pytest.raises(UsageError, match="did you mean us-east-1"):
            require_usable(cloud, ["us-east-9"])


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def test_a_region_is_prepared_twice_and_cleared_twice(cloud: AwsCloud) -> None:
    assert cloud.tagged_resources(REGION) == ()
    for _ in range(2):
        cloud.prepare_region(REGION)
    account = cloud.identity.account_id()
    assert cloud.tagged_resources(REGION) == (
        f"arn:aws:s3:::{bucket_name(account, REGION)}",
        f"arn:aws:sqs:{REGION}:{account}:{DEAD_LETTER_QUEUE}",
    )
    cloud.objects.put_object(REGION, "k", b"x")
    assert cloud.clear_region(REGION) == (f"bucket {bucket_name(account, REGION)}", f"queue {DEAD_LETTER_QUEUE}")
    assert cloud.clear_region(REGION) == ()
    assert cloud.tagged_resources(REGION) == ()
    cloud.objects.put_object(REGION, "k", b"x")  # the bucket comes back with its first object
    assert cloud.objects.get_object(REGION, "k") == b"x"


def test_what_another_installation_made_is_not_listed(cloud: AwsCloud) -> None:
    cloud.identity.create_role("mxs-mine", POLICY)
    client: Any = cloud._session.iam()
    client.create_role(
        RoleName="mxs-other",
        AssumeRolePolicyDocument="{}",
        Tags=[{"Key": "multi-x-serverless", "Value": "another"}],
    )
    cloud._session.sns(REGION).create_topic(Name="somebodys")
    assert [arn.rpartition("/")[2] for arn in cloud.tagged_resources(cloud.system_region)] == ["mxs-mine"]
    assert cloud.tagged_resources(REGION) == ()


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_new_role_is_waited_for(cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(cloud._session, "pause", pauses.append)
    client: Any = cloud._session.functions(REGION)
    create, refusals = client.create_function, iter(range(times))

    def create_function(**arguments: object) -> object:
        if next(refusals, None) is not None:
            message = "The role defined for the function cannot be assumed by Lambda."
            raise ClientError(
                {"Error": {"Code": "InvalidParameterValueException", "Message": message}}, "CreateFunction"
            )
        return create(**arguments)

    monkeypatch.setattr(client, "create_function", create_function)
    cloud.functions.put_function(REGION, make_specification(cloud))
    assert pauses == [1.0, 2.0, 4.0][:times]


def test_a_role_that_never_comes_is_not_waited_for_for_ever(cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(cloud._session, "pause", pauses.append)

    def create_function(**_arguments: object) -> object:
        message = "The role defined for the function cannot be assumed by Lambda."
        raise ClientError({"Error": {"Code": "InvalidParameterValueException", "Message": message}}, "CreateFunction")

    client: Any = cloud._session.functions(REGION)
    monkeypatch.setattr(client, "create_function", create_function)
    with pytest.raises(CloudError, match="cannot be assumed by Lambda"):
        cloud.functions.put_function(REGION, make_specification(cloud))
    assert sum(pauses) == pytest.approx(55.0)


def make_specification(cloud: AwsCloud) -> FunctionSpecification:
    package = make_package({"app.py": ECHO})
    cloud.objects.put_object(REGION, "code.zip", package)
    return FunctionSpecification(
        name="f",
        handler="app.handler",
        runtime="python3.12",
        architecture="x86_64",
        memory_mb=128,
        timeout_s=3,
        code_key="code.zip",
        code_sha256=digest_of(package),
        role=cloud.identity.create_role("r", POLICY),
    )


def test_a_region_that_is_not_enabled_is_said_to_be_so(cloud: AwsCloud) -> None:
    with (
        ApiCalls(fault=lambda _index, _call: "not enabled").recording(),
        pytest.raises(CloudError, match="aws account enable-region --region-name us-west-2") as caught,
    ):
        cloud.key_value.list_tables(REGION)
    assert not caught.value.retryable


def test_only_functions_are_unsubscribed_by_another_function(cloud: AwsCloud) -> None:
    specification = make_specification(cloud)
    cloud.functions.put_function(REGION, specification)
    topic = cloud.messages.create_topic(REGION, "t")
    client = cloud._session.sns(REGION)
    client.subscribe(TopicArn=topic, Protocol="email", Endpoint="somebody@example.org")
    client.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=f"arn:aws:lambda:{REGION}:123456789012:function:old")
    for _ in range(2):
        cloud.messages.subscribe(REGION, "t", "f")
        found = client.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        assert sorted(entry["Endpoint"].rpartition(":")[2] for entry in found) == ["f", "somebody@example.org"]
    cloud.messages.delete_topic(REGION, "t")
    assert not cloud.messages.has_topic(REGION, "t")


@pytest.mark.parametrize("arn", ["PendingConfirmation", "Deleted", None])
def test_a_topic_goes_with_subscriptions_that_cannot_be_ended(
    cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch, arn: str | None
) -> None:
    topic = cloud.messages.create_topic(REGION, "t")
    client: Any = cloud._session.sns(REGION)
    listed = {"SubscriptionArn": arn or f"{topic}:gone", "Protocol": "email", "Endpoint": "x@example.org"}

    def unsubscribe(SubscriptionArn: str) -> None:  # noqa: N803  # AWS's name
        assert SubscriptionArn == f"{topic}:gone", "SNS would refuse what is no ARN"
        raise ClientError({"Error": {"Code": "NotFound", "Message": "no"}}, "Unsubscribe")

    monkeypatch.setattr(client, "list_subscriptions_by_topic", lambda **_arguments: {"Subscriptions": [listed]})
    monkeypatch.setattr(client, "unsubscribe", unsubscribe)
    cloud.messages.delete_topic(REGION, "t")
    assert not cloud.messages.has_topic(REGION, "t")
