"""The evaluation of policies in tests: what it lets pass is what IAM would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from multi_x_serverless.deployment.policy import build_policy
from tests.aws.account import AwsAccount, aws_account
from tests.aws.policies import Access, access_key_of, is_allowed
from tests.dynamodb import create_table

ACCOUNT = "123456789012"
HOME = "us-east-1"
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/multi-x-serverless-claims"
STATEMENTS = json.loads(build_policy("mine-0.0.1", ACCOUNT, HOME, []))["Statement"]


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        (Access("dynamodb:PutItem", TABLE, ("mine-0.0.1/run",)), True),
        (Access("dynamodb:PutItem", TABLE, ("other-0.0.1/run",)), False),
        (Access("dynamodb:PutItem", TABLE, ("mine-0.0.1/run", "other-0.0.1/run")), False),
        (Access("dynamodb:DeleteItem", TABLE, ("mine-0.0.1/run",)), False),
        (Access("dynamodb:PutItem", TABLE.replace("claims", "workflows"), ("mine-0.0.1/run",)), False),
        (Access("sns:Publish", f"arn:aws:sns:us-east-1:{ACCOUNT}:anything"), False),
    ],
)
def test_a_workflow_may_do_what_is_its_own(access: Access, expected: bool) -> None:
    assert is_allowed(STATEMENTS, access) is expected


def test_a_denial_wins() -> None:
    denial = {"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}
    access = Access("dynamodb:PutItem", TABLE, ("mine-0.0.1/run",))
    assert is_allowed(STATEMENTS, access)
    assert not is_allowed([*STATEMENTS, denial], access)


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
    ],
)
def test_what_is_not_understood_does_not_pass(statement: dict[str, object]) -> None:
    with pytest.raises(AssertionError, match="do not know how to evaluate"):
        is_allowed([statement], Access("s3:GetObject", "arn:aws:s3:::b/k"))


@pytest.fixture
def account(tmp_path: Path) -> Iterator[AwsAccount]:
    with aws_account(tmp_path) as account:
        yield account


def test_the_guard_refuses_over_http(account: AwsAccount) -> None:
    iam = boto3.client("iam")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=build_policy("mine-0.0.1", ACCOUNT, HOME, []))
    create_table("us-east-1", "multi-x-serverless-claims")
    session = boto3.session.Session(aws_access_key_id=access_key_of(role), aws_secret_access_key="x")
    client = session.client("dynamodb", region_name="us-east-1", endpoint_url=account.endpoint)
    mine = {"partition": {"S": "mine-0.0.1/run"}, "sort": {"S": "s"}}
    client.put_item(TableName="multi-x-serverless-claims", Item=mine)
    with pytest.raises(ClientError, match="may not dynamodb:DeleteItem"):
        client.delete_item(TableName="multi-x-serverless-claims", Key=mine)
    with pytest.raises(ClientError, match="may not dynamodb:PutItem"):
        client.put_item(TableName="multi-x-serverless-claims", Item={**mine, "partition": {"S": "other-0.0.1/run"}})
    assert [access.action for _, access in account.guard.refused] == ["dynamodb:DeleteItem", "dynamodb:PutItem"]
