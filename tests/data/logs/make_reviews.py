"""Writes `reviews.jsonl`: the logs of a workflow of five nodes over five days, as they would be read from CloudWatch.

Run it as ``python -m tests.data.logs.make_reviews``; the same seed gives the same file. It was written to hold what
logs of real runs hold: cold starts, two regions, an edge that is rarely called and one that never is, a retry, a run
that fails for good, output of the developer's code over several lines, text without an end of line before a record, and
Lambda's own lines. A line of the file is one event: region, function, time and message.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from multi_x_serverless.sdk.records import format_record

FILE = Path(__file__).parent / "reviews.jsonl"

WORKFLOW_ID = "reviews-0.0.1"
FUNCTIONS = ("receive", "translate", "score", "archive", "summarise")
HOME, AWAY = "us-east-1", "ca-central-1"
FIRST_RUN = 1_700_000_000.0
INTERVAL_S = 7_200.0
AT_HOME, MOVED = 36, 26

DURATIONS_S = (0.12, 0.9, 0.45, 0.08, 0.2)
CPU_SHARES = (0.3, 0.4, 0.92, 0.15, 0.5)
PUBLISH_S = 0.012
ROUND_TRIP_S = 0.016
SPEED_AWAY = 1.15


class Log:
    """Lines of all functions."""

    def __init__(self) -> None:
        self.random = random.Random(20231114)
        self.events: list[dict[str, Any]] = []

    def write(self, region: str, function: str, at: float, message: str) -> None:
        """One event; CloudWatch keeps whole milliseconds."""
        event = {"region": region, "function": function, "timestamp": round(at, 3), "message": message}
        self.events.append(event)

    def varied(self, value: float, spread: float = 0.12) -> float:
        """A value with the long tail of a duration."""
        return value * self.random.lognormvariate(0.0, spread)


class Run:
    """One run of the workflow."""

    def __init__(self, log: Log, number: int) -> None:
        self.log = log
        self.number = number
        self.id = f"{0xC0FFEE + number:032x}"
        self.start = FIRST_RUN + number * INTERVAL_S
        moved = number >= AT_HOME
        self.regions = (HOME, HOME, AWAY if moved else HOME, AWAY if moved else HOME, HOME)
        # Once a day no container is left; once the nodes that moved lose theirs and those at home do not.
        self.cold_nodes = range(5) if number % 12 == 0 else (2, 3) if number == 40 else ()
        self.translates = number in (17, 41)
        self.fails = number == 50
        self.retries = number == 22

    def record(self, kind: str, node: int, at: float, request: str, **members: Any) -> None:
        """A record of a node, in its region's log."""
        head = {"wf": WORKFLOW_ID, "run": self.id, "region": self.regions[node], "ts": round(at, 6), "req": request}
        message = format_record(kind, {**head, "node": node, **members})
        if kind == "edge_called" and self.number % 9 == 4:
            message = f"scored {self.number} of 60 ... {message}"
        self.log.write(self.regions[node], FUNCTIONS[node], at, message)

    def begin(self, node: int, at: float, sent: float, edge: int | None, attempt: int = 1) -> str:
        """Lambda's first line, then ours."""
        request = f"{self.number:04d}-{node}-{attempt}" if attempt == 1 else f"{self.number:04d}-{node}-1"
        function, region = FUNCTIONS[node], self.regions[node]
        self.log.write(region, function, at, f"START RequestId: {request} Version: $LATEST")
        if node == 0:
            self.record(
                "run_started",
                0,
                at,
                request,
                manifest="reviews-manifest",
                plan=1 if self.number < AT_HOME else 2,
                key="home" if self.number < AT_HOME else 5,
                place="00000" if self.number < AT_HOME else "00110",
                sent=round(sent, 6),
                bytes=180 + self.number,
                reason="plan",
                forwarded=False,
            )
        came = {} if edge is None else {"edge": edge, "sent": round(sent, 6)}
        self.record("node_started", node, at, request, hop=node, cold=node in self.cold_nodes and attempt == 1, **came)
        return request

    def end(self, node: int, start: float, request: str, wall: float, **network: list[int]) -> float:
        """The developer's lines, our last one, then Lambda's; returns when."""
        function, region, end = FUNCTIONS[node], self.regions[node], start + wall
        if node == 2:
            text = "reviews scored:\n  good 12\n  bad 3\n  {not json}\n"
            self.log.write(region, function, end - 0.01, text)
        share = CPU_SHARES[node] * self.log.random.uniform(0.95, 1.05)
        self.record(
            "node_finished",
            node,
            end,
            request,
            wall=round(wall, 6),
            user=round(wall * 0.95, 6),
            cpu=round(wall * share, 6),
            memory=70 + 5 * node,
            cold=node in self.cold_nodes,
            init=round(self.log.varied(0.31), 3) if node in self.cold_nodes else None,
            network=dict(sorted(network.items())),
            other_in=2_000 * node if node == 2 else 0,
            other_out=500 if node == 2 else 0,
            log_bytes=900,
        )
        self.log.write(region, function, end, f"END RequestId: {request}")
        self.log.write(region, function, end, f"REPORT RequestId: {request}\tDuration: {wall * 1e3:.2f} ms")
        return end

    def wall(self, node: int) -> float:
        """How long a node takes where it is."""
        speed = SPEED_AWAY if self.regions[node] == AWAY else 1.0
        return self.log.varied(DURATIONS_S[node]) / speed

    def call(self, node: int, edge: int, start: float, request: str, offset: float, target: int, size: int) -> float:
        """A plain call; returns when the called node starts, before the answer is back if it is warm."""
        is_apart = self.regions[node] != self.regions[target]
        transfer = (size + 600) / 100e6 if is_apart else 0.0
        publish = self.log.varied(PUBLISH_S) + transfer + (ROUND_TRIP_S if is_apart else 0.0)
        self.record(
            "edge_called",
            node,
            start + offset + publish,
            request,
            edge=edge,
            to=self.regions[target],
            bytes=size,
            offset=round(offset, 6),
            publish=round(publish, 6),
        )
        apart = ROUND_TRIP_S / 2 + transfer if is_apart else 0.0
        container = self.log.varied(0.9) if target in self.cold_nodes else 0.0
        return start + offset + self.log.varied(0.028) + apart + container

    def report(self, node: int, edge: int, at: float, request: str, size: int | None, *, fired: bool = False) -> None:
        """A report to the join: a call, or a decline where there is no size."""
        state = "declined" if size is None else "called"
        if size is None:
            self.record("edge_declined", node, at, request, edge=edge, offset=0.05, origin=0 if edge == 3 else node)
        else:
            self.record(
                "edge_called", node, at, request, edge=edge, to=HOME, bytes=size, offset=0.05, publish=PUBLISH_S
            )
        self.record(
            "sync_reported",
            node,
            at,
            request,
            edge=edge,
            to=HOME,
            state=state,
            bytes=size or 0,
            complete=fired,
            fired=fired,
            duration=PUBLISH_S,
        )

    def play(self) -> None:
        """Write everything that the run logs."""
        sent = self.start - 0.02
        request = self.begin(0, self.start, sent, None)
        wall = self.wall(0)
        translated_at = 0.0
        if self.translates:
            translated_at = self.call(0, 0, self.start, request, wall * 0.4, 1, 3_500)
        else:
            self.record("edge_declined", 0, self.start + wall, request, edge=0, offset=round(wall, 6), origin=0)
            self.record("edge_declined", 1, self.start + wall, request, edge=3, offset=round(wall, 6), origin=0)
        score_at = self.call(0, 1, self.start, request, wall * 0.6, 2, 1_200 + 13 * self.number)
        self.end(0, self.start, request, wall)
        if self.translates:
            request = self.begin(1, translated_at, translated_at - 0.02, 0)
            wall = self.wall(1)
            self.report(1, 3, translated_at + wall - 0.02, request, 2_800)
            self.end(1, translated_at, request, wall)
        archive_at = self._score(score_at)
        if archive_at is None:
            return
        request = self.begin(3, archive_at, archive_at - 0.02, 2)
        wall = self.wall(3)
        self.report(3, 4, archive_at + wall - 0.02, request, 900, fired=True)
        # The second report of this node is never a call.
        self.report(3, 5, archive_at + wall - 0.01, request, None)
        end = self.end(
            3, archive_at, request, wall, **{HOME: [400, 52_000 + 100 * self.number], "us-west-2": [9_000, 0]}
        )
        join_at = end + self.log.varied(0.03)
        request = self.begin(4, join_at, end, 4)
        self.end(4, join_at, request, self.wall(4), **{HOME: [15_000, 300]})

    def _score(self, at: float) -> float | None:
        """The scoring node with its attempts; returns when the node after it starts, None if it was given up."""
        attempts = 3 if self.fails else 1 if self.retries else 0
        start = at
        for attempt in range(1, attempts + 1):
            request = self.begin(2, start, at - 0.02, 1, attempt)
            self._fail(start, request)
            start += 60.0 * attempt
        if self.fails:
            return None
        request = self.begin(2, start, at - 0.02, 1, attempts + 1)
        wall = self.wall(2)
        archive_at = self.call(2, 2, start, request, wall * 0.9, 3, 6_000 + 40 * self.number)
        self.end(2, start, request, wall)
        return archive_at

    def _fail(self, start: float, request: str) -> None:
        trace = 'Traceback (most recent call last):\n  File "app.py", line 31, in score\nValueError: no language'
        self.log.write(self.regions[2], FUNCTIONS[2], start + 0.04, trace)
        self.record(
            "node_failed",
            2,
            start + 0.05,
            request,
            wall=0.05,
            error="ValueError",
            message="no language",
            traceback=trace.splitlines(),
            cold=2 in self.cold_nodes,
        )


def events() -> list[dict[str, Any]]:
    """All events, by time."""
    log = Log()
    for number in range(AT_HOME + MOVED):
        Run(log, number).play()
    return sorted(log.events, key=lambda event: float(event["timestamp"]))


def text() -> str:
    """The file."""
    return "".join(json.dumps(event, sort_keys=True) + "\n" for event in events())


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
