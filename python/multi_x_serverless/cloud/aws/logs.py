"""Logs of functions (the log port) on CloudWatch Logs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING

from multi_x_serverless.cloud.aws.names import log_group
from multi_x_serverless.cloud.aws.session import AwsSession, code_of, is_missing
from multi_x_serverless.cloud.ports import LogEvent
from multi_x_serverless.errors import ResourceNotFoundError

if TYPE_CHECKING:
    from mypy_boto3_logs.client import CloudWatchLogsClient

RETENTION_DAYS = 30
"""How long lines are kept; one of the numbers that CloudWatch Logs takes."""

_MILLISECONDS = 1000


class AwsLogService:
    """See `multi_x_serverless.cloud.ports.LogService`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def provide_log(self, region: str, function: str) -> None:
        """Make a function's log with its retention before Lambda makes one that keeps lines for ever."""
        from botocore.exceptions import ClientError  # noqa: PLC0415  # slow; loaded when AWS is used

        client = self._session.logs(region)
        with self._session.errors("provide_log", region, f"log of function '{function}'"):
            try:
                client.create_log_group(logGroupName=log_group(function), tags=self._session.tags)
            except ClientError as error:
                if code_of(error) != "ResourceAlreadyExistsException":
                    raise
            client.put_retention_policy(logGroupName=log_group(function), retentionInDays=RETENTION_DAYS)

    def read_logs(self, region: str, function: str, start: float, end: float) -> Iterator[LogEvent]:
        """Lines with `start <= timestamp < end`; CloudWatch orders them by time, ties are ordered here."""
        return self._read(self._session.logs(region), region, function, start, end)

    def delete_logs(self, region: str, function: str) -> None:
        """Delete a function's log."""
        client = self._session.logs(region)
        with (
            suppress(ResourceNotFoundError),
            self._session.errors("delete_logs", region, f"log of function '{function}'"),
        ):
            client.delete_log_group(logGroupName=log_group(function))

    def list_logs(self, region: str, prefix: str) -> tuple[str, ...]:
        """Names of functions that have a log and start with `prefix`, sorted."""
        client = self._session.logs(region)
        with self._session.errors("list_logs", region, "logs"):
            pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=log_group(prefix))
            names = [group["logGroupName"] for page in pages for group in page["logGroups"]]
        return tuple(sorted(name.removeprefix(log_group("")) for name in names))

    def _read(
        self, client: CloudWatchLogsClient, region: str, function: str, start: float, end: float
    ) -> Iterator[LogEvent]:
        for _, tied in groupby(self._events(client, region, function, start, end), key=lambda event: event.timestamp):
            yield from sorted(tied, key=lambda event: event.id)

    def _events(
        self, client: CloudWatchLogsClient, region: str, function: str, start: float, end: float
    ) -> Iterator[LogEvent]:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        with self._session.errors("read_logs", region, f"log of function '{function}'"):
            try:
                pages = client.get_paginator("filter_log_events").paginate(
                    logGroupName=log_group(function),
                    startTime=math.floor(start * _MILLISECONDS),
                    endTime=math.ceil(end * _MILLISECONDS),
                )
                for page in pages:
                    for event in page["events"]:
                        timestamp = event["timestamp"] / _MILLISECONDS
                        if start <= timestamp < end:
                            message = event["message"].rstrip("\n")
                            yield LogEvent(event["eventId"], timestamp, message, event.get("logStreamName", ""))
            except ClientError as error:
                if not is_missing(error):
                    raise
