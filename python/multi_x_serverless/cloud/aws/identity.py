"""Account and roles (the identity port) on STS and IAM."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from multi_x_serverless.cloud.aws.names import DEAD_LETTER_QUEUE, ROLE_PREFIXES, SCHEDULE_GROUP, partition_of
from multi_x_serverless.cloud.aws.session import AwsSession, code_of, is_missing
from multi_x_serverless.cloud.ports import TrustedService
from multi_x_serverless.errors import CloudError, ResourceNotFoundError

_POLICY = "multi-x-serverless"
_DEAD_LETTER_POLICY = "multi-x-serverless-dead-letters"


class AwsIdentity:
    """See `multi_x_serverless.cloud.ports.Identity`.

    A new role takes some seconds to reach every region, which nothing tells: `AwsFunctionService` tries again as long
    as Lambda says that it cannot use the role.
    """

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def account_id(self) -> str:
        """Who is calling."""
        return self._session.account_id()

    def create_role(self, name: str, policy: str, *, trusted: TrustedService = "functions") -> str:
        """Make or update a role with its policy, and with leave to write to the queues of dead letters."""
        from botocore.exceptions import ClientError  # noqa: PLC0415  # slow; loaded when AWS is used

        statements = _statements(name, policy)
        client = self._session.iam()
        trust = json.dumps(self._trust(trusted))
        tags: Any = self._session.tag_list
        with self._session.errors("create_role", None, f"role '{name}'"):
            try:
                role = client.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=tags)["Role"]["Arn"]
            except ClientError as error:
                if code_of(error) != "EntityAlreadyExists":
                    raise
                role = client.get_role(RoleName=name)["Role"]["Arn"]
                client.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
                client.tag_role(RoleName=name, Tags=tags)
            client.get_waiter("role_exists").wait(RoleName=name)
            if statements:
                client.put_role_policy(RoleName=name, PolicyName=_POLICY, PolicyDocument=policy)
            else:  # IAM takes no policy without statements
                self._delete_policy(name, _POLICY)
            client.put_role_policy(
                RoleName=name, PolicyName=_DEAD_LETTER_POLICY, PolicyDocument=self._dead_letter_policy()
            )
        return role

    def delete_role(self, name: str) -> None:
        """Delete a role with its policies."""
        client = self._session.iam()
        with suppress(ResourceNotFoundError), self._session.errors("delete_role", None, f"role '{name}'"):
            for page in client.get_paginator("list_role_policies").paginate(RoleName=name):
                for policy in page["PolicyNames"]:
                    self._delete_policy(name, policy)
            for attached in client.get_paginator("list_attached_role_policies").paginate(RoleName=name):
                for entry in attached["AttachedPolicies"]:
                    client.detach_role_policy(RoleName=name, PolicyArn=entry["PolicyArn"])
            client.delete_role(RoleName=name)

    def has_role(self, name: str) -> bool:
        """Whether there is a role of exactly this name."""
        try:
            with self._session.errors("has_role", None, f"role '{name}'"):
                self._session.iam().get_role(RoleName=name)
        except ResourceNotFoundError:
            return False
        return True

    def list_roles(self, prefix: str) -> tuple[str, ...]:
        """Names of roles that start with `prefix`, sorted."""
        client = self._session.iam()
        with self._session.errors("list_roles", None, "roles"):
            names = [
                role["RoleName"] for page in client.get_paginator("list_roles").paginate() for role in page["Roles"]
            ]
        return tuple(sorted(name for name in names if name.startswith(prefix)))

    def tagged_roles(self) -> tuple[str, ...]:
        """ARNs of the roles that carry the installation's tag; the service that lists tags leaves roles out."""
        client = self._session.iam()
        with self._session.errors("tagged_roles", None, "roles"):
            roles = [
                role
                for page in client.get_paginator("list_roles").paginate()
                for role in page["Roles"]
                if role["RoleName"].startswith(ROLE_PREFIXES)
            ]
            return tuple(role["Arn"] for role in roles if self._has_tag(role["RoleName"]))

    def _has_tag(self, role: str) -> bool:
        pages = self._session.iam().get_paginator("list_role_tags").paginate(RoleName=role)
        tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
        return self._session.tags.items() <= tags.items()

    def _delete_policy(self, role: str, policy: str) -> None:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        try:
            self._session.iam().delete_role_policy(RoleName=role, PolicyName=policy)
        except ClientError as error:
            if not is_missing(error):
                raise

    def _trust(self, trusted: TrustedService) -> dict[str, Any]:
        """Who may use a role.

        The scheduler acts for every account, so it is told for which: otherwise somebody who knows the role's name
        could have it invoke our functions from schedules of their own (the confused deputy).
        """
        service = "scheduler.amazonaws.com" if trusted == "schedules" else "lambda.amazonaws.com"
        statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        if trusted == "schedules":
            partition, account = partition_of(self._session.system_region), self._session.account_id()
            group = f"arn:{partition}:scheduler:*:{account}:schedule-group/{SCHEDULE_GROUP}"
            statement["Condition"] = {
                "StringEquals": {"aws:SourceAccount": account},
                "ArnLike": {"aws:SourceArn": group},
            }
        return {"Version": "2012-10-17", "Statement": [statement]}

    def _dead_letter_policy(self) -> str:
        partition = partition_of(self._session.system_region)
        statement = {
            "Sid": "MultiXServerlessDeadLetters",
            "Effect": "Allow",
            "Action": ["sqs:SendMessage"],
            "Resource": [f"arn:{partition}:sqs:*:{self._session.account_id()}:{DEAD_LETTER_QUEUE}"],
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _statements(name: str, policy: str) -> object:
    """The statements of a policy; refused before anything is made if there are none to read."""
    try:
        document = json.loads(policy)
    except ValueError as error:
        raise CloudError(f"the policy of role '{name}' is not JSON: {error}.", operation="create_role") from None
    if not isinstance(document, dict) or "Statement" not in document:
        raise CloudError(f"the policy of role '{name}' has no Statement.", operation="create_role")
    return document["Statement"]
