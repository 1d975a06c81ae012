"""Which permissions a request of the operator needs: its IAM actions and the resources they are on.

From the service authorization reference; what a request needs besides the action of its own name is listed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.aws.calls import ApiCall
from tests.aws.policies import Access

ACCOUNT = "123456789012"

_S3_ACTIONS = {
    "CopyObject": ("s3:PutObject",),
    "DeleteObjects": ("s3:DeleteObject",),
    "HeadBucket": ("s3:ListBucket",),
    "HeadObject": ("s3:GetObject",),
    "ListObjectsV2": ("s3:ListBucket",),
    "PutBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "PutBucketLifecycleConfiguration": ("s3:PutLifecycleConfiguration",),
    "PutPublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
    "GetBucketEncryption": ("s3:GetEncryptionConfiguration",),
    "GetBucketLifecycleConfiguration": ("s3:GetLifecycleConfiguration",),
    "GetPublicAccessBlock": ("s3:GetBucketPublicAccessBlock",),
}
_OF_BUCKETS = frozenset(
    {
        "s3:CreateBucket",
        "s3:DeleteBucket",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketTagging",
        "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:ListBucket",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
    }
)
_WITHOUT_RESOURCE = frozenset(
    {
        "ec2:DescribeRegions",
        "ecr:GetAuthorizationToken",
        "iam:ListRoles",
        "lambda:GetAccountSettings",
        "lambda:ListFunctions",
        "pricing:GetProducts",
        "sns:ListTopics",
        "sns:Unsubscribe",
        "sqs:ListQueues",
        "dynamodb:ListTables",
        "tag:GetResources",
    }
)
"""Actions that IAM knows no resources for."""


def needed(call: ApiCall) -> Iterator[Access]:
    """What a request needs."""
    service, region, parameters = call.service, call.region, call.parameters
    if service == "sts":
        return  # anybody may ask who they are
    if service == "s3":
        yield from _of_s3(call)
        return
    prefix = {"resourcegroupstaggingapi": "tag"}.get(service, service)
    action = f"{prefix}:{_ACTIONS.get(call.operation, call.operation)}"
    if action in _WITHOUT_RESOURCE:
        yield Access(action, "*")
        return
    resource = _resource(service, region, parameters)
    yield Access(action, resource)
    if call.operation == "GetFunction":  # of one that has tags (developer guide, "Using tags on Lambda functions")
        yield Access("lambda:ListTags", resource)
    tags = parameters.get("Tags") or parameters.get("tags")
    if tags and call.operation.startswith("Create"):
        yield Access(_TAGGING[service], resource)
    if call.operation == "CreateFunction" or (call.operation == "UpdateFunctionConfiguration" and "Role" in parameters):
        yield Access("iam:PassRole", parameters["Role"], passed_to="lambda.amazonaws.com")
    if service == "scheduler" and "Target" in parameters:
        yield Access("iam:PassRole", parameters["Target"]["RoleArn"], passed_to="scheduler.amazonaws.com")
    code = parameters.get("Code", parameters)
    if "S3Key" in code:
        yield Access("s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}")


_ACTIONS = {
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "DeleteMessageBatch": "DeleteMessage",
    "Invoke": "InvokeFunction",
}
_TAGGING = {
    "dynamodb": "dynamodb:TagResource",
    "ecr": "ecr:TagResource",
    "iam": "iam:TagRole",
    "lambda": "lambda:TagResource",
    "logs": "logs:TagResource",
    "scheduler": "scheduler:TagResource",
    "sns": "sns:TagResource",
    "sqs": "sqs:TagQueue",
}


def _of_s3(call: ApiCall) -> Iterator[Access]:
    bucket = call.parameters["Bucket"]
    for action in _S3_ACTIONS.get(call.operation, (f"s3:{call.operation}",)):
        if action in _OF_BUCKETS:
            yield Access(action, f"arn:aws:s3:::{bucket}")
            continue
        keys = [entry["Key"] for entry in call.parameters.get("Delete", {}).get("Objects", ())]
        for key in keys or [call.parameters["Key"]]:
            yield Access(action, f"arn:aws:s3:::{bucket}/{key}")
    source = call.parameters.get("CopySource")
    if source is not None:
        yield Access("s3:GetObject", f"arn:aws:s3:::{source['Bucket']}/{source['Key']}")


def _resource(service: str, region: str, parameters: Any) -> str:
    for member in ("TopicArn", "ResourceArn", "Resource", "resourceArn"):
        if member in parameters:
            return str(parameters[member])
    if "SubscriptionArn" in parameters:
        return str(parameters["SubscriptionArn"]).rpartition(":")[0]
    if service == "ssm":  # public parameters are nobody's
        return f"arn:aws:ssm:{region}::parameter{parameters['Path']}"
    where = f"arn:aws:{service}:{region}:{ACCOUNT}"
    if service == "iam":
        return f"arn:aws:iam::{ACCOUNT}:role/{parameters['RoleName']}"
    if service == "lambda":
        return f"{where}:function:{parameters['FunctionName'].rpartition(':')[2]}"
    if service == "dynamodb":
        return f"{where}:table/{parameters['TableName']}"
    if service == "sns":
        return f"{where}:{parameters['Name']}"
    if service == "sqs":
        name = parameters.get("QueueName") or parameters["QueueUrl"].rpartition("/")[2]
        return f"{where}:{name}"
    if service == "logs" and "logGroupName" not in parameters:  # a prefix filters the answer and not the permission
        return f"{where}:log-group::log-stream:"
    if service == "logs":
        group = parameters["logGroupName"]
        return f"{where}:log-group:{group}"
    if service == "ecr":
        return f"{where}:repository/{parameters['repositoryName']}"
    if service == "scheduler" and "Name" in parameters and "GroupName" not in parameters:
        return f"{where}:schedule-group/{parameters['Name']}"
    if service == "scheduler":
        group = parameters.get("GroupName", parameters.get("ScheduleGroup", "*"))
        return f"{where}:schedule/{group}/{parameters['Name']}" if "Name" in parameters else f"{where}:schedule/*/*"
    raise AssertionError(f"the tests do not know the resources of {service}: {parameters}")
