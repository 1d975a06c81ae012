"""The role's policy: exact names, nothing of other workflows, and the developer's statements checked."""

from __future__ import annotations

import fnmatch
import json
from typing import TYPE_CHECKING

import pytest

from multi_x_serverless.deployment.names import topic_name
from multi_x_serverless.deployment.policy import build_policy, read_policy_file
from multi_x_serverless.errors import InvalidConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "123456789012"
HOME = "us-east-1"


def allowed(policy: str, action: str, resource: str) -> bool:
    """Whether a policy allows an action (conditions left aside)."""
    return any(
        action in statement["Action"]
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        for statement in json.loads(policy)["Statement"]
        if statement["Effect"] == "Allow"
    )


def test_policy_allows_what_the_workflow_needs_and_nothing_of_others() -> None:
    policy = build_policy("example-0.0.1", ACCOUNT, HOME, [])
    topic = topic_name("example-0.0.1", "left")
    for region in ("us-east-1", "ca-central-1"):
        assert allowed(policy, "sns:Publish", f"arn:aws:sns:{region}:{ACCOUNT}:{topic}")
        assert allowed(
            policy, "dynamodb:PutItem", f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/multi-x-serverless-sync_status"
        )
        assert allowed(
            policy, "dynamodb:GetItem", f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/multi-x-serverless-plan_replicas"
        )
    assert not allowed(policy, "sns:Publish", f"arn:aws:sns:us-east-1:{ACCOUNT}:{topic_name('other-0.0.1', 'left')}")
    assert not allowed(
        policy, "dynamodb:PutItem", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/multi-x-serverless-plan_replicas"
    )
    assert not allowed(
        policy, "dynamodb:GetItem", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/multi-x-serverless-workflows"
    )
    assert allowed(
        policy, "s3:GetObject", f"arn:aws:s3:::multi-x-serverless-{ACCOUNT}-us-east-1/payloads/example-0.0.1/r/e1"
    )
    assert not allowed(
        policy, "s3:GetObject", f"arn:aws:s3:::multi-x-serverless-{ACCOUNT}-us-east-1/payloads/other-0.0.1/r/e1"
    )


def test_objects_are_the_workflows_own_and_at_home() -> None:
    policy = build_policy("example-0.0.1", ACCOUNT, HOME, [])
    bucket = f"arn:aws:s3:::multi-x-serverless-{ACCOUNT}-"
    for action in ("s3:GetObject", "s3:PutObject"):
        assert allowed(policy, action, f"{bucket}{HOME}/objects/example-0.0.1/input/a.png")
        assert not allowed(policy, action, f"{bucket}{HOME}/objects/example-0.0.10/a.png")
        assert not allowed(policy, action, f"{bucket}ca-central-1/objects/example-0.0.1/a.png")
        assert not allowed(policy, action, f"{bucket}{HOME}/packages/example-0.0.1/a.png")
    assert not allowed(policy, "s3:DeleteObject", f"{bucket}{HOME}/objects/example-0.0.1/a.png")
    (listing,) = (entry for entry in json.loads(policy)["Statement"] if "s3:ListBucket" in entry["Action"])
    assert listing["Resource"] == [f"{bucket}{HOME}"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["objects/example-0.0.1/*"]}}


def test_access_to_shared_tables_is_confined_to_the_workflows_items() -> None:
    statements = json.loads(build_policy("example-0.0.1", ACCOUNT, HOME, []))["Statement"]
    tables = [statement for statement in statements if statement["Action"][0].startswith("dynamodb:")]
    assert [statement["Condition"] for statement in tables] == [
        {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["example-0.0.1/*"]}},
        {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["example-0.0.1"]}},
    ]
    assert not [statement for statement in statements if "*" in statement["Resource"]]


def test_own_statements_are_added_and_the_size_is_checked() -> None:
    own = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::mine/*"}
    policy = json.loads(build_policy("example-0.0.1", ACCOUNT, HOME, [own]))
    assert policy["Statement"][-1] == own
    with pytest.raises(InvalidConfigurationError, match="IAM takes 10240"):
        build_policy("example-0.0.1", ACCOUNT, HOME, [own] * 200)


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_policy_file_is_read_plain_or_under_aws(tmp_path: Path, is_wrapped: bool) -> None:
    statement = {"Sid": "A", "Effect": "Deny", "NotAction": ["a:b"], "NotResource": "x"}
    policy: dict[str, object] = {"Version": "2012-10-17", "Statement": [statement]}
    (tmp_path / "policy.json").write_text(json.dumps({"aws": policy} if is_wrapped else policy))
    assert read_policy_file(tmp_path, "policy.json") == (statement,)


def test_policy_file_may_lie_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / ".multi-x-serverless").mkdir()
    (tmp_path / ".multi-x-serverless" / "policy.json").write_text('{"Version": "2012-10-17", "Statement": []}')
    assert read_policy_file(tmp_path, "policy.json") == ()


GOOD = {"Effect": "Allow", "Action": "a:b", "Resource": "*"}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "is no policy"),
        ({"Statement": {}}, "is no policy"),
        ({"Statement": []}, 'has "Version": None'),
        ({"Version": "2008-10-17", "Statement": []}, "2012-10-17"),
        ({"Version": "2012-10-17", "Statement": ["x"]}, r"Statement\[0\] is no object"),
        ({"Version": "2012-10-17", "Statement": [GOOD, {**GOOD, "Acton": 1}]}, r"Statement\[1\] has the unknown key"),
        ({"Version": "2012-10-17", "Statement": [{**GOOD, "Principal": "*"}]}, "has a principal"),
        ({"Version": "2012-10-17", "Statement": [{**GOOD, "Effect": "allow"}]}, 'needs "Effect"'),
        ({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*"}]}, "exactly one of Action"),
        ({"Version": "2012-10-17", "Statement": [{**GOOD, "NotResource": "*"}]}, "exactly one of Resource"),
        ({"Version": "2012-10-17", "Statement": [{**GOOD, "Action": []}]}, "neither text nor a list"),
        ({"Version": "2012-10-17", "Statement": [{**GOOD, "Action": [1]}]}, "neither text nor a list"),
    ],
)
def test_policy_files_that_are_refused(tmp_path: Path, document: object, words: str) -> None:
    (tmp_path / "policy.json").write_text(json.dumps(document))
    with pytest.raises(InvalidConfigurationError, match=words):
        read_policy_file(tmp_path, "policy.json")


def test_policy_file_that_is_no_json_or_missing(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigurationError, match="which does not exist"):
        read_policy_file(tmp_path, "policy.json")
    (tmp_path / "policy.json").write_text('{\n "Version": }')
    with pytest.raises(InvalidConfigurationError, match=r"policy\.json:2: is not JSON"):
        read_policy_file(tmp_path, "policy.json")
