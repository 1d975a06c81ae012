"""The roles of the framework's jobs: what each job does, on our own resources by name, and nothing else.

What a job needs is written down here by hand; a test records every request that the jobs make and holds the policies
against them in both directions. Where a resource is ``*``, AWS offers no other for the action (Service Authorization
Reference): `dynamodb:ListTables`, `ec2:DescribeRegions`, `ecr:GetAuthorizationToken`, `pricing:GetProducts` and
`sns:Unsubscribe`.

No job may touch the framework itself: its names do not begin with ``mxs-`` as those of workflows do. No job may make or
change a role: whoever may write policies and pass them on may do everything. A migration that finds the workflow's role
gone fails, and `deploy` makes it anew.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from multi_x_serverless.cloud.aws.names import DEAD_LETTER_QUEUE, log_group
from multi_x_serverless.cloud.aws.region_directory import REGIONS_PATH
from multi_x_serverless.cloud.problems import PROBLEM_OBJECT_PREFIX
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.deployment.names import WORKFLOW_NAMES, bucket_prefix, framework_name
from multi_x_serverless.deployment.policy import POLICY_LANGUAGE
from multi_x_serverless.model.framework import JOBS, Job
from multi_x_serverless.sdk.tables import PLAN_REPLICAS, REGION_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Statement = dict[str, Any]

_GET, _PUT, _DELETE, _QUERY, _SCAN = (
    f"dynamodb:{action}" for action in ("GetItem", "PutItem", "DeleteItem", "Query", "Scan")
)

_EVERY_JOB: Mapping[str, Sequence[str]] = {"workflows": (_GET, _SCAN), "locks": (_GET, _PUT)}

# Whatever works for a workflow notes what it took, by the intensities of the hour.
_LEDGER: Mapping[str, Sequence[str]] = {"ledger": (_GET, _PUT, _DELETE, _QUERY), "signals": (_QUERY,)}

_SYNC: Mapping[str, Sequence[str]] = {
    "history": (_PUT, _DELETE, _QUERY),
    "statistics": (_GET, _PUT, _DELETE, _QUERY),
    "locks": (_DELETE,),
    "plans": (_QUERY,),  # they say where functions have left logs
}
_COLLECT: Mapping[str, Sequence[str]] = {"signals": (_GET, _PUT), "statistics": (_GET,)}

SYSTEM_TABLE_ACCESS: Mapping[Job, Sequence[Mapping[str, Sequence[str]]]] = {
    "data_sync": (_EVERY_JOB, _SYNC, _LEDGER),
    "data_collect": (_EVERY_JOB, _COLLECT, _LEDGER, {"history": (_QUERY,), "statistics": (_PUT,)}),
    "update_check_solver": (
        _EVERY_JOB,
        _SYNC,
        _COLLECT,
        _LEDGER,
        {
            "plans": (_GET, _PUT, _QUERY, _DELETE),
            "plan_pointers": (_GET, _PUT),
        },
    ),
    "update_check_deployment": (
        _EVERY_JOB,
        _LEDGER,
        {
            "workflows": (_PUT,),
            "locks": (_DELETE,),
            "journal": (_GET, _PUT, _DELETE),
            "plans": (_GET, _PUT),
            "plan_pointers": (_GET, _PUT),
        },
    ),
}
"""What each job does with the tables of the system region."""


IMAGE_ACTIONS = tuple(
    f"ecr:{action}"
    for action in (
        "BatchCheckLayerAvailability",
        "BatchDeleteImage",
        "BatchGetImage",
        "CompleteLayerUpload",
        "CreateRepository",
        "DeleteRepository",
        "DescribeImages",
        "DescribeRepositories",
        "GetDownloadUrlForLayer",
        "GetRepositoryPolicy",
        "InitiateLayerUpload",
        "PutImage",
        "PutImageTagMutability",
        "PutLifecyclePolicy",
        "SetRepositoryPolicy",
        "TagResource",
        "UploadLayerPart",
    )
)
"""What copying images between repositories takes, and a sweep of them; most of it is asked of the registry itself."""


def job_policy(job: Job, account_id: str, system_region: str) -> str:
    """The policy of a job's role as JSON; equal input gives equal text."""
    statements = [*_own_function(job, account_id, system_region), *_system_tables(job, account_id, system_region)]
    if job in ("data_sync", "update_check_solver"):
        statements += _workflow_logs(account_id)
    if job == "data_sync":
        # Whether a region that a workflow has left is still open; the check may ask this to learn of prices already.
        statements.append(_allow("Regions", ["ec2:DescribeRegions"], ["*"]))
    if job in ("data_collect", "update_check_solver"):
        statements += _outside_world(system_region)
    if job == "update_check_solver":
        statements += _problems(account_id, system_region, "s3:DeleteObject", "s3:PutObject")
    if job == "update_check_deployment":
        statements += _migration(account_id)
    return _policy(statements)


def scheduler_policy(account_id: str, system_region: str) -> str:
    """The policy of the role by which the schedules invoke the functions, as JSON."""
    functions = [_function_arn(system_region, account_id, framework_name(job)) for job in JOBS]
    return _policy([_allow("Invoke", ["lambda:InvokeFunction"], functions)])


def _policy(statements: Sequence[Statement]) -> str:
    return json.dumps({"Version": POLICY_LANGUAGE, "Statement": list(statements)}, separators=(",", ":"))


def _allow(name: str, actions: Sequence[str], resources: Sequence[str], **conditions: Any) -> Statement:
    statement: Statement = {"Sid": name, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return {**statement, "Condition": conditions} if conditions else statement


def _function_arn(region: str, account_id: str, name: str) -> str:
    return f"arn:aws:lambda:{region}:{account_id}:function:{name}"


def _table_arns(region: str, account_id: str, tables: Sequence[str]) -> list[str]:
    return [f"arn:aws:dynamodb:{region}:{account_id}:table/{physical_name(table)}" for table in tables]


def _own_function(job: Job, account_id: str, region: str) -> list[Statement]:
    name = framework_name(job)
    log = f"arn:aws:logs:{region}:{account_id}:log-group:{log_group(name)}:*"
    return [
        _allow("OwnLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [log]),
        _allow("OwnInvocations", ["lambda:InvokeFunction"], [_function_arn(region, account_id, name)]),
    ]


def _system_tables(job: Job, account_id: str, region: str) -> list[Statement]:
    """One statement per set of actions."""
    actions: dict[str, set[str]] = {}
    for part in SYSTEM_TABLE_ACCESS[job]:
        for table, allowed in part.items():
            actions.setdefault(table, set()).update(allowed)
    tables: dict[tuple[str, ...], list[str]] = {}
    for table in sorted(actions):
        tables.setdefault(tuple(sorted(actions[table])), []).append(table)
    return [
        _allow("TableNames", ["dynamodb:ListTables"], ["*"]),
        *(
            _allow(f"Tables{number}", allowed, _table_arns(region, account_id, names))
            for number, (allowed, names) in enumerate(sorted(tables.items()))
        ),
    ]


def _workflow_logs(account_id: str) -> list[Statement]:
    """Workflows run in any region, so the region is open; the names are not."""
    return [
        # AWS filters groups by a prefix, but lets listing them be confined to all groups of an account only.
        _allow("LogNames", ["logs:DescribeLogGroups"], [f"arn:aws:logs:*:{account_id}:log-group:*"]),
        _allow(
            "WorkflowLogs",
            ["logs:FilterLogEvents"],
            [f"arn:aws:logs:*:{account_id}:log-group:{log_group(WORKFLOW_NAMES)}"],
        ),
    ]


def _outside_world(region: str) -> list[Statement]:
    """What AWS says of its prices and regions."""
    return [
        _allow("PricesAndRegions", ["ec2:DescribeRegions", "pricing:GetProducts"], ["*"]),
        # Public parameters are of no account.
        _allow("NamesOfRegions", ["ssm:GetParametersByPath"], [f"arn:aws:ssm:{region}:*:parameter{REGIONS_PATH}/*"]),
    ]


def _problems(account_id: str, region: str, *actions: str) -> list[Statement]:
    """What plans were made of, beside the plans."""
    return [_allow("Problems", actions, [f"arn:aws:s3:::{bucket_prefix(account_id)}{region}/{PROBLEM_OBJECT_PREFIX}*"])]


def _migration(account_id: str) -> list[Statement]:
    function = _function_arn("*", account_id, WORKFLOW_NAMES)
    role = f"arn:aws:iam::{account_id}:role/{WORKFLOW_NAMES}"
    bucket = f"arn:aws:s3:::{bucket_prefix(account_id)}*"
    return [
        _allow(
            "Functions",
            [
                "lambda:AddPermission",
                "lambda:CreateFunction",
                "lambda:DeleteFunction",
                "lambda:GetFunction",
                "lambda:GetFunctionConfiguration",
                "lambda:InvokeFunction",
                "lambda:ListTags",
                "lambda:PutFunctionEventInvokeConfig",
                "lambda:RemovePermission",
                "lambda:TagResource",
                "lambda:UpdateFunctionCode",
                "lambda:UpdateFunctionConfiguration",
            ],
            [function],
        ),
        _allow("Role", ["iam:GetRole"], [role]),
        _allow(
            "RoleOfFunctions", ["iam:PassRole"], [role], StringEquals={"iam:PassedToService": "lambda.amazonaws.com"}
        ),
        _allow(
            "Topics",
            [
                "sns:CreateTopic",
                "sns:DeleteTopic",
                "sns:GetTopicAttributes",
                "sns:ListSubscriptionsByTopic",
                "sns:Subscribe",
                "sns:TagResource",
            ],
            [f"arn:aws:sns:*:{account_id}:{WORKFLOW_NAMES}"],
        ),
        _allow("Subscriptions", ["sns:Unsubscribe"], ["*"]),
        _allow(
            "Logs",
            [
                "logs:CreateLogGroup",
                "logs:DeleteLogGroup",
                "logs:FilterLogEvents",
                "logs:PutRetentionPolicy",
                "logs:TagResource",
            ],
            [f"arn:aws:logs:*:{account_id}:log-group:{log_group(WORKFLOW_NAMES)}"],
        ),
        _allow(
            "DeadLetters",
            ["sqs:CreateQueue", "sqs:GetQueueUrl", "sqs:SetQueueAttributes", "sqs:TagQueue"],
            [f"arn:aws:sqs:*:{account_id}:{DEAD_LETTER_QUEUE}"],
        ),
        _allow("Packages", ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], [f"{bucket}/packages/*"]),
        _allow("Images", list(IMAGE_ACTIONS), [f"arn:aws:ecr:*:{account_id}:repository/{WORKFLOW_NAMES}"]),
        _allow("RegistryCredentials", ["ecr:GetAuthorizationToken"], ["*"]),
        _allow(
            "Buckets",
            [
                "s3:CreateBucket",
                "s3:ListBucket",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
            ],
            [bucket],
        ),
        _allow(
            "RegionTables",
            [
                "dynamodb:CreateTable",
                "dynamodb:DescribeTable",
                "dynamodb:DescribeTimeToLive",
                "dynamodb:TagResource",
                "dynamodb:UpdateTimeToLive",
            ],
            _table_arns("*", account_id, REGION_TABLES),
        ),
        _allow("Plans", [_GET, _PUT, _DELETE], _table_arns("*", account_id, [PLAN_REPLICAS])),
    ]
