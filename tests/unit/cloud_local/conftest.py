"""Embedded clouds of three regions in directories of their own, without latency and with quick retries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.cloud.local import LocalCloud, LocalSettings
from tests.unit.cloud_local.local_functions import REGIONS


def no_latency(region: str, other_region: str) -> float:
    return 0.0


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def open_cloud(state_dir: Path) -> Iterator[Callable[..., LocalCloud]]:
    """Opens clouds on `state_dir`; all are closed at the end."""
    with ExitStack() as stack:

        def open_one(**arguments: Any) -> LocalCloud:
            arguments.setdefault("regions", REGIONS)
            arguments.setdefault("round_trip_seconds", no_latency)
            arguments.setdefault("settings", LocalSettings(retry_delays_s=(0.01, 0.01), synchronous="NORMAL"))
            return stack.enter_context(LocalCloud(state_dir, **arguments))

        yield open_one


@pytest.fixture
def cloud(open_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    return open_cloud()
