"""All that there is in an account of moto, in a form that can be compared: what was left behind shows."""

from __future__ import annotations

from collections.abc import Iterator

from moto.awslambda.models import lambda_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends

TRANSIENT_TABLES = frozenset({"multi-x-serverless-locks"})
"""Their items say nothing of what is deployed."""

NUMBER_OF_LAST_PLAN = ("multi-x-serverless-plan_pointers", "last")
"""Table and sort key of what outlives a workflow, so that no number is used again."""


def inventory(regions: tuple[str, ...]) -> frozenset[str]:
    """Everything that belongs to workflows: functions with their code and permissions, topics with subscriptions,
    roles with policies, logs, objects, items. Tables, buckets and queues belong to the installation."""
    return frozenset(_everything(regions))


def _everything(regions: tuple[str, ...]) -> Iterator[str]:
    for role in iam_backends[DEFAULT_ACCOUNT_ID]["aws"].roles.values():
        yield f"role {role.name}"
        for name, policy in role.policies.items():
            yield f"policy {role.name} {name} {policy}"
    for bucket in s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.values():
        for key in bucket.keys:
            yield f"object {bucket.name} {key}"
    for region in regions:
        for function in lambda_backends[DEFAULT_ACCOUNT_ID][region].list_functions():
            environment = sorted(function.environment_vars.items())
            what = f"{function.code_sha_256} {function.memory_size} {function.timeout} {environment}"
            yield f"function {region} {function.function_name} {what}"
            for statement in function.policy.statements:
                yield f"permission {region} {function.function_name} {statement['Sid']}"
        topics = sns_backends[DEFAULT_ACCOUNT_ID][region]
        for topic in topics.topics.values():
            yield f"topic {topic.arn}"
        for subscription in topics.subscriptions.values():
            yield f"subscription {subscription.topic_arn} {subscription.endpoint}"
        for group in logs_backends[DEFAULT_ACCOUNT_ID][region].groups:
            yield f"log {region} {group}"
        for table in dynamodb_backends[DEFAULT_ACCOUNT_ID][region].tables.values():
            if table.name in TRANSIENT_TABLES:
                continue
            for item in table.all_items():
                sort = item.range_key and item.range_key.value
                if (table.name, sort) != NUMBER_OF_LAST_PLAN:
                    yield f"item {region} {table.name} {item.hash_key.value} {sort}"
