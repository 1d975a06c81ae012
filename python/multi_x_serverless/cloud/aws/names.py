"""What things are called that the product makes once per region, and how ARNs are written."""

from __future__ import annotations

TAG = "multi-x-serverless"
"""Key of the tag on everything that is made; its value is the installation."""

CODE_KEY_TAG = "multi-x-serverless:code-key"
"""Key of the tag of a function that says which object its code came from (Lambda does not tell)."""

DEAD_LETTER_QUEUE = "multi-x-serverless-dead-letters"
"""Name of the queue of each region that takes the invocations that were given up."""


ROLE_PREFIX = "mxs-"
"""What the names of all roles of workflows start with (`deployment.names`)."""


def bucket_name(account: str, region: str) -> str:
    """Name of a region's bucket; names of buckets are global to AWS, so it holds the account."""
    return f"multi-x-serverless-{account}-{region}"


def partition_of(region: str) -> str:
    """The part of AWS that a region is in, as ARNs begin with it."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def resource_name(service: str, region: str, account: str, resource: str) -> str:
    """ARN of a resource."""
    return f"arn:{partition_of(region)}:{service}:{region}:{account}:{resource}"


def log_group(function: str) -> str:
    """Name of the log group that Lambda writes a function's lines to."""
    return f"/aws/lambda/{function}"
