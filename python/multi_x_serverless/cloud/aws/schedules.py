"""Schedules (the schedule port) on EventBridge Scheduler: a group of our own, retries, the queue of dead letters."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from multi_x_serverless.cloud.aws.dead_letters import DeadLetterQueues
from multi_x_serverless.cloud.aws.names import SCHEDULE_GROUP, resource_name
from multi_x_serverless.cloud.aws.session import AwsSession, code_of, is_missing
from multi_x_serverless.cloud.ports import ScheduleSpecification
from multi_x_serverless.errors import CloudError

RETRIES = 3
"""How often the scheduler tries again to hand over an invocation. What the function then does is Lambda's to retry."""

MAXIMUM_EVENT_AGE_S = 900
"""How long the scheduler tries; after that the next invocation is near."""

_PAUSE_S = 2.0
_ATTEMPTS = 30
"""Looks at a new role that the scheduler does not know yet, or at a group that is being deleted: a minute."""

_RATE = re.compile(r"rate\((\d+) minutes?\)")
_ROLE_UNKNOWN = {"ValidationException": ("to assume the role",)}


class AwsScheduleService:
    """See `multi_x_serverless.cloud.ports.ScheduleService`.

    The group of a region is made with its first schedule and goes with the last one.
    """

    def __init__(self, session: AwsSession, letters: DeadLetterQueues) -> None:
        self._session = session
        self._letters = letters

    def put_schedule(self, region: str, specification: ScheduleSpecification) -> None:
        """Create or update a schedule."""
        from botocore.exceptions import ClientError  # noqa: PLC0415  # slow; loaded when AWS is used

        client, name = self._session.scheduler(region), specification.name
        request = self._request(region, specification, queue=self._letters.provide(region))
        self._provide_group(client, region)
        with self._session.errors("put_schedule", region, f"schedule '{name}'"):
            try:
                self._when_the_role_is_known(lambda: client.create_schedule(**request))
            except ClientError as error:
                if code_of(error) != "ConflictException":
                    raise
                self._when_the_role_is_known(lambda: client.update_schedule(**request))

    def delete_schedule(self, region: str, name: str) -> None:
        """Delete a schedule, and the group if it was the last one."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        client = self._session.scheduler(region)
        with self._session.errors("delete_schedule", region, f"schedule '{name}'"):
            try:
                client.delete_schedule(GroupName=SCHEDULE_GROUP, Name=name)
            except ClientError as error:
                if not is_missing(error):
                    raise
            if self._group_state(client) is None or self._names(client, ""):
                return
            try:
                client.delete_schedule_group(Name=SCHEDULE_GROUP)
            except ClientError as error:
                if not is_missing(error):
                    raise

    def list_schedules(self, region: str, prefix: str) -> tuple[ScheduleSpecification, ...]:
        """Schedules whose name starts with `prefix`, sorted by name."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        client = self._session.scheduler(region)
        found = []
        with self._session.errors("list_schedules", region, "schedules"):
            if self._group_state(client) is None:
                return ()
            for name in self._names(client, prefix):
                try:
                    found.append(_describe(client.get_schedule(GroupName=SCHEDULE_GROUP, Name=name)))
                except ClientError as error:
                    if not is_missing(error):  # it was deleted meanwhile
                        raise
        return tuple(found)

    def _request(self, region: str, specification: ScheduleSpecification, *, queue: str) -> dict[str, Any]:
        unit = "minute" if specification.every_minutes == 1 else "minutes"
        window: dict[str, Any] = {"Mode": "OFF"}
        if specification.window_minutes:
            window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": specification.window_minutes}
        function = f"function:{specification.function}"
        return {
            "GroupName": SCHEDULE_GROUP,
            "Name": specification.name,
            "ScheduleExpression": f"rate({specification.every_minutes} {unit})",
            "FlexibleTimeWindow": window,
            "State": "ENABLED",
            "Target": {
                "Arn": resource_name("lambda", region, self._session.account_id(), function),
                "RoleArn": specification.role,
                "Input": specification.payload,
                "RetryPolicy": {"MaximumRetryAttempts": RETRIES, "MaximumEventAgeInSeconds": MAXIMUM_EVENT_AGE_S},
                "DeadLetterConfig": {"Arn": queue},
            },
        }

    def _provide_group(self, client: Any, region: str) -> None:
        """Make the group, or wait until one that is being deleted is gone and make it then."""
        with self._session.errors("put_schedule", region, f"schedule group '{SCHEDULE_GROUP}'"):
            for _ in range(_ATTEMPTS):
                state = self._group_state(client)
                if state is None:
                    client.create_schedule_group(Name=SCHEDULE_GROUP, Tags=self._session.tag_list)
                    return
                if state != "DELETING":
                    return
                self._session.pause(_PAUSE_S)
        raise CloudError(
            f"the schedule group '{SCHEDULE_GROUP}' in {region} is still being deleted; try again in a minute.",
            operation="put_schedule",
            region=region,
            retryable=True,
        )

    @staticmethod
    def _group_state(client: Any) -> str | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        try:
            return str(client.get_schedule_group(Name=SCHEDULE_GROUP)["State"])
        except ClientError as error:
            if is_missing(error):
                return None
            raise

    @staticmethod
    def _names(client: Any, prefix: str) -> list[str]:
        arguments = {"NamePrefix": prefix} if prefix else {}
        pages = client.get_paginator("list_schedules").paginate(GroupName=SCHEDULE_GROUP, **arguments)
        return sorted(schedule["Name"] for page in pages for schedule in page["Schedules"])

    def _when_the_role_is_known(self, request: Callable[[], object]) -> None:
        """Send a request again as long as the scheduler does not know the role."""
        self._session.send_until_known(request, _ROLE_UNKNOWN, [_PAUSE_S] * (_ATTEMPTS - 1))


def _describe(found: Any) -> ScheduleSpecification:
    target = found["Target"]
    rate = _RATE.fullmatch(found["ScheduleExpression"])
    return ScheduleSpecification(
        name=found["Name"],
        every_minutes=0 if rate is None else int(rate.group(1)),  # somebody else's idea: it differs from any of ours
        window_minutes=int(found["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 0)),
        function=target["Arn"].rpartition(":")[2],
        payload=target.get("Input", ""),
        role=target["RoleArn"],
    )
