"""Clients for tests of HTTP sources: pauses that take no time, and a wall clock that is set."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from multi_x_serverless.collection.http import Clocks, HttpClient
from multi_x_serverless.collection.http_cache import HttpCache
from multi_x_serverless.collection.http_transport import Patience

NOW = 1_795_000_000.0

PATIENCE = Patience(connect_s=5, read_s=5, deadline_s=20, attempts=3, first_pause_s=0.04, longest_pause_s=0.06)
"""Enough for a busy machine; no test waits for it to end."""

IMPATIENCE = Patience(connect_s=0.1, read_s=0.1, deadline_s=0.15, attempts=1)
"""For servers that are not going to answer."""


@dataclass
class TestTime:
    """Time that passes by itself and by sleeping, which takes none."""

    __test__ = False

    now: float = NOW
    chance: float = 1.0
    pauses: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def clocks(self) -> Clocks:
        return Clocks(
            monotonic=lambda: time.monotonic() + sum(self.pauses),
            wall=lambda: self.now,
            sleep=self.sleep,
            chance=lambda: self.chance,
        )


def client_for_tests(
    cache: HttpCache | None = None, *, time: TestTime | None = None, patience: Patience = PATIENCE, limit: int = 100_000
) -> HttpClient:
    """A client whose pauses and wall clock are those of `time`."""
    return HttpClient(cache, patience=patience, clocks=(time or TestTime()).clocks(), maximum_body_bytes=limit)


def no_client() -> HttpClient:
    """For whoever has nobody to ask."""
    raise AssertionError("a client was made")
