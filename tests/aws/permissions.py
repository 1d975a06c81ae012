"""What a request to AWS needs of the caller's policy, and whether a policy allows it.

The needs are those of the Service Authorization Reference, with what a request asks for besides its own action: tags
on what is made, the role that is passed on, the object that code is read from. The evaluation knows the parts of the
policy language that the product's policies use, and fails on any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.aws.calls import ApiCall


@dataclass(frozen=True)
class Need:
    """An action on a resource, with the keys of the request's context that conditions may ask for."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


@dataclass(frozen=True)
class Grant:
    """One action on one pattern of resources, as a policy allows it."""

    action: str
    resource: str
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def allows(self, need: Need) -> bool:
        """Whether it covers a need."""
        return (
            self.action == need.action
            and re.fullmatch(_pattern(self.resource), need.resource) is not None
            and all(self._holds(operator, keys, need) for operator, keys in self.conditions.items())
        )

    @staticmethod
    def _holds(operator: str, keys: Mapping[str, Any], need: Need) -> bool:
        assert operator == "StringEquals", f"{operator} is not evaluated here"
        return all(need.context.get(key) == value for key, value in keys.items())


def _pattern(text: str) -> str:
    return ".*".join(re.escape(part) for part in text.split("*"))


def grants_of(policy: str) -> tuple[Grant, ...]:
    """Everything that a policy allows, taken apart."""
    grants = []
    for statement in json.loads(policy)["Statement"]:
        assert statement["Effect"] == "Allow"
        assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        for action in statement["Action"]:
            assert "*" not in action, f"{action} is more than one action"
            grants += [Grant(action, resource, statement.get("Condition", {})) for resource in statement["Resource"]]
    return tuple(grants)


def needs_of(call: ApiCall, account: str) -> tuple[Need, ...]:
    """What a request needs.

    Raises:
        NotImplementedError: The request is none of those that are known here.
    """
    by_service = {
        "dynamodb": _dynamodb,
        "iam": _iam,
        "lambda": _lambda,
        "logs": _logs,
        "s3": _s3,
        "sns": _sns,
        "sqs": _sqs,
        "sts": _sts,
    }
    if call.service not in by_service:
        raise NotImplementedError(call.action)
    return tuple(by_service[call.service](call, account))


def _unknown(call: ApiCall) -> NotImplementedError:
    return NotImplementedError(f"{call.action} is not known here")


def _sts(call: ApiCall, _account: str) -> Iterator[Need]:
    if call.operation != "GetCallerIdentity":  # which needs no permission
        raise _unknown(call)
    yield from ()


def _dynamodb(call: ApiCall, account: str) -> Iterator[Need]:
    if call.operation == "ListTables":
        yield Need("dynamodb:ListTables", "*")
        return
    table = f"arn:aws:dynamodb:{call.region}:{account}:table/{call.parameters['TableName']}"
    yield Need(f"dynamodb:{call.operation}", table)
    if call.parameters.get("Tags"):
        yield Need("dynamodb:TagResource", table)


def _iam(call: ApiCall, account: str) -> Iterator[Need]:
    if call.operation != "GetRole":
        raise _unknown(call)
    yield Need("iam:GetRole", f"arn:aws:iam::{account}:role/{call.parameters['RoleName']}")


def _lambda(call: ApiCall, account: str) -> Iterator[Need]:
    name = call.parameters.get("FunctionName") or call.parameters["Resource"]
    function = name if name.startswith("arn:") else f"arn:aws:lambda:{call.region}:{account}:function:{name}"
    actions = {"Invoke": "lambda:InvokeFunction"}
    context = {"lambda:Principal": call.parameters["Principal"]} if call.operation == "AddPermission" else {}
    yield Need(actions.get(call.operation, f"lambda:{call.operation}"), function, context)
    if call.operation == "GetFunction":  # tells tags only to those who may list them
        yield Need("lambda:ListTags", function)
    if call.operation == "CreateFunction" and call.parameters.get("Tags"):
        yield Need("lambda:TagResource", function)
    if "Role" in call.parameters:
        yield Need("iam:PassRole", call.parameters["Role"], {"iam:PassedToService": "lambda.amazonaws.com"})
    code = call.parameters.get("Code", call.parameters)
    if "S3Key" in code:
        yield Need("s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}")


def _logs(call: ApiCall, account: str) -> Iterator[Need]:
    prefix = f"arn:aws:logs:{call.region}:{account}:log-group:"
    if call.operation == "DescribeLogGroups":
        yield Need("logs:DescribeLogGroups", f"{prefix}*")
        return
    group = f"{prefix}{call.parameters['logGroupName']}"
    yield Need(f"logs:{call.operation}", f"{group}:*")
    if call.parameters.get("tags"):  # of tags alone the resource is the group without what is in it
        yield Need("logs:TagResource", group)


_S3_ACTIONS = {
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}


def _s3(call: ApiCall, _account: str) -> Iterator[Need]:
    bucket = f"arn:aws:s3:::{call.parameters['Bucket']}"
    resource = f"{bucket}/{call.parameters['Key']}" if "Key" in call.parameters else bucket
    if call.operation == "CopyObject":
        source = call.parameters["CopySource"]  # botocore has made text of it
        yield Need("s3:GetObject", f"arn:aws:s3:::{unquote(source)}")
        yield Need("s3:PutObject", resource)
        return
    yield Need(f"s3:{_S3_ACTIONS.get(call.operation, call.operation)}", resource)


def _sns(call: ApiCall, account: str) -> Iterator[Need]:
    if call.operation == "Unsubscribe":
        yield Need("sns:Unsubscribe", "*")
        return
    parameters = call.parameters
    topic = parameters.get("TopicArn") or parameters.get("ResourceArn")
    topic = topic or f"arn:aws:sns:{call.region}:{account}:{parameters['Name']}"
    yield Need(f"sns:{call.operation}", topic)


def _sqs(call: ApiCall, account: str) -> Iterator[Need]:
    name = call.parameters.get("QueueName") or call.parameters["QueueUrl"].rpartition("/")[2]
    queue = f"arn:aws:sqs:{call.region}:{account}:{name}"
    yield Need(f"sqs:{call.operation}", queue)
    if call.operation == "CreateQueue" and call.parameters.get("tags"):
        yield Need("sqs:TagQueue", queue)


def missing_of(policy: str, needs: Sequence[Need]) -> tuple[str, ...]:
    """The needs that a policy does not allow, in words, each once."""
    grants = grants_of(policy)
    return tuple(dict.fromkeys(str(need) for need in needs if not any(grant.allows(need) for grant in grants)))


def unused_of(policy: str, needs: Sequence[Need]) -> tuple[Grant, ...]:
    """What a policy allows and no need asks for."""
    return tuple(grant for grant in grants_of(policy) if not any(grant.allows(need) for need in needs))
