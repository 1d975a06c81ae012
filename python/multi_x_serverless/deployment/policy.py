"""The policy of a workflow's role: what its own functions need, of its own resources, and what the developer adds.

The role has no region, so names are given for every region (`*` in the place of the region). The names of topics and
logs are given by the prefix that all names of this workflow and of no other start with (`deployment.names`), so that
the policy does not grow with the workflow. Tables are shared by all workflows: access is confined to items whose
partition is of the workflow's id. The workflow's objects lie in its home region alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from multi_x_serverless.cloud.tables import TABLE_PREFIX
from multi_x_serverless.deployment.names import bucket_prefix, workflow_prefix
from multi_x_serverless.errors import InvalidConfigurationError
from multi_x_serverless.model.config import CONFIGURATION_DIRECTORY
from multi_x_serverless.sdk.objects import workflow_object_prefix
from multi_x_serverless.sdk.tables import (
    CLAIMS,
    PAYLOAD_OBJECT_PREFIX,
    PLAN_REPLICAS,
    SYNC_PAYLOADS,
    SYNC_STATUS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

POLICY_LANGUAGE = "2012-10-17"
MAXIMUM_POLICY_CHARACTERS = 10_240
"""All inline policies of a role together, white space not counted (IAM quotas)."""

_STATEMENT_KEYS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal", "NotPrincipal"}
)


def build_policy(
    workflow_id: str, account_id: str, home_region: str, own_statements: Sequence[Mapping[str, Any]]
) -> str:
    """The role's policy as JSON; equal input gives equal text.

    Args:
        workflow_id: The workflow.
        account_id: The account it is deployed in.
        home_region: Where its objects lie.
        own_statements: The developer's statements, as `read_policy_file` returns them.

    Raises:
        InvalidConfigurationError: The policy is longer than IAM takes.
    """
    prefix = workflow_prefix(workflow_id)
    home_bucket, objects = f"arn:aws:s3:::{bucket_prefix(account_id)}{home_region}", workflow_object_prefix(workflow_id)
    statements = [
        {
            "Sid": "MultiXServerlessLogs",
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [f"arn:aws:logs:*:{account_id}:log-group:/aws/lambda/{prefix}*"],
        },
        {
            "Sid": "MultiXServerlessMessages",
            "Effect": "Allow",
            "Action": ["sns:Publish"],
            "Resource": [f"arn:aws:sns:*:{account_id}:{prefix}*"],
        },
        {
            "Sid": "MultiXServerlessRuns",
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"],
            "Resource": [
                f"arn:aws:dynamodb:*:{account_id}:table/{TABLE_PREFIX}{table}"
                for table in (SYNC_STATUS, SYNC_PAYLOADS, CLAIMS)
            ],
            "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{workflow_id}/*"]}},
        },
        {
            "Sid": "MultiXServerlessPlan",
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem"],
            "Resource": [f"arn:aws:dynamodb:*:{account_id}:table/{TABLE_PREFIX}{PLAN_REPLICAS}"],
            "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [workflow_id]}},
        },
        {
            "Sid": "MultiXServerlessLargePayloads",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": [f"arn:aws:s3:::{bucket_prefix(account_id)}*/{PAYLOAD_OBJECT_PREFIX}{workflow_id}/*"],
        },
        {
            "Sid": "MultiXServerlessObjects",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": [f"{home_bucket}/{objects}*"],
        },
        {
            # By listing it a function finds out that an object is missing (`sdk.aws_backend`).
            "Sid": "MultiXServerlessMissingObjects",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [home_bucket],
            "Condition": {"StringLike": {"s3:prefix": [f"{objects}*"]}},
        },
        *own_statements,
    ]
    policy = json.dumps({"Version": POLICY_LANGUAGE, "Statement": statements}, separators=(",", ":"))
    if len(policy) > MAXIMUM_POLICY_CHARACTERS:
        raise InvalidConfigurationError(
            f"the role's policy has {len(policy)} characters with the statements of iam_policy_file, IAM "
            "takes "
            f"{MAXIMUM_POLICY_CHARACTERS}; shorten the file."
        )
    return policy


def read_policy_file(project: Path, name: str) -> tuple[dict[str, Any], ...]:
    """The statements of the developer's policy, either plain or under the key `aws`.

    The file is looked for in the project, then beside its configuration.

    Raises:
        InvalidConfigurationError: There is no such file, or it is no policy.
    """
    file = project / name
    if not file.exists():
        file = project / CONFIGURATION_DIRECTORY / name
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidConfigurationError(
            "'iam_policy_file' names this file, which does not exist; make it or leave the key out.", file=name
        ) from None
    except json.JSONDecodeError as error:
        raise InvalidConfigurationError(f"is not JSON: {error.msg}.", file=name, line=error.lineno) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfigurationError(f"cannot be read ({error}).", file=name) from None
    if isinstance(document, dict) and set(document) == {"aws"}:
        document = document["aws"]
    if not isinstance(document, dict) or not isinstance(document.get("Statement"), list):
        raise InvalidConfigurationError(
            'is no policy; expected {"Version": "2012-10-17", "Statement": [...]}.', file=name
        )
    if document.get("Version") != POLICY_LANGUAGE:
        raise InvalidConfigurationError(
            f'has "Version": {document.get("Version")!r}; expected "{POLICY_LANGUAGE}".', file=name
        )
    return tuple(_statement(entry, index, name) for index, entry in enumerate(document["Statement"]))


def _statement(entry: object, index: int, file: str) -> dict[str, Any]:
    def refuse(problem: str) -> InvalidConfigurationError:
        return InvalidConfigurationError(f"Statement[{index}] {problem}.", file=file)

    if not isinstance(entry, dict):
        raise refuse("is no object")
    unknown = sorted(set(entry) - _STATEMENT_KEYS)
    if unknown:
        raise refuse(f"has the unknown key '{unknown[0]}'")
    if {"Principal", "NotPrincipal"} & set(entry):
        raise refuse("has a principal, which a role's policy must not")
    if entry.get("Effect") not in ("Allow", "Deny"):
        raise refuse('needs "Effect": "Allow" or "Deny"')
    for names in (("Action", "NotAction"), ("Resource", "NotResource")):
        given = [name for name in names if name in entry]
        if len(given) != 1:
            raise refuse(f"needs exactly one of {' and '.join(names)}")
        value = entry[given[0]]
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise refuse(f"has a {given[0]} that is neither text nor a list of texts")
    return entry
