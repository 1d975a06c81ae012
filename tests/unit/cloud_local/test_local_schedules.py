"""The embedded cloud keeps no schedules and says what to do instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from multi_x_serverless.cloud.local import LocalCloud
from multi_x_serverless.cloud.ports import ScheduleService, ScheduleSpecification
from multi_x_serverless.errors import UnsupportedError

SCHEDULE = ScheduleSpecification("sync", 15, 0, "f", "{}", "role")

OPERATIONS: dict[str, Callable[[ScheduleService], object]] = {
    "put": lambda schedules: schedules.put_schedule("us-east-1", SCHEDULE),
    "delete": lambda schedules: schedules.delete_schedule("us-east-1", "sync"),
    "list": lambda schedules: schedules.list_schedules("us-east-1", ""),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_can_be_scheduled(tmp_path: Path, operation: str) -> None:
    with LocalCloud(tmp_path) as cloud, pytest.raises(UnsupportedError, match=r"--cloud aws"):
        OPERATIONS[operation](cloud.schedules)
