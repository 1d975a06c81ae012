"""Schedules (the schedule port), of which the embedded cloud has none."""

from __future__ import annotations

from typing import NoReturn

from multi_x_serverless.cloud.ports import ScheduleSpecification
from multi_x_serverless.errors import UnsupportedError


class LocalScheduleService:
    """See `multi_x_serverless.cloud.ports.ScheduleService`.

    The embedded cloud lives as long as the command that uses it, so there is nobody to keep a schedule.
    """

    def put_schedule(self, region: str, specification: ScheduleSpecification) -> None:  # noqa: ARG002  # the port's
        """Refused."""
        _refuse()

    def delete_schedule(self, region: str, name: str) -> None:  # noqa: ARG002  # the port's signature
        """Refused."""
        _refuse()

    def list_schedules(self, region: str, prefix: str) -> tuple[ScheduleSpecification, ...]:  # noqa: ARG002  # as above
        """Refused."""
        _refuse()


def _refuse() -> NoReturn:
    raise UnsupportedError(
        "the embedded cloud lives only while a command runs, so nothing can be on a schedule in it: run the commands "
        "themselves (data_sync, data_collect, update_check_solver, update_check_deployment), from cron if need be, or "
        "use --cloud aws."
    )
