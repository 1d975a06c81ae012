"""Log records as functions write them, of a small graph: 0 -> 1 (conditional), 0 -> 2 and 1 -> 2, where 2 joins."""

from __future__ import annotations

import json
from typing import Any

from multi_x_serverless.model.graph import CallStep, Edge, Graph, Node

WORKFLOW_ID = "text-0.0.1"


def diamond() -> Graph:
    def site(line: int) -> tuple[CallStep, ...]:
        return (CallStep("app.py", line, line),)

    return Graph(
        nodes=(
            Node("receive:entry_point:0", "receive", sync=False),
            Node("count:receive_0_0:1", "count", sync=False),
            Node("join:sync:2", "join", sync=True),
        ),
        edges=(
            Edge(0, 1, site(10), conditional=True),
            Edge(0, 2, site(11), conditional=False),
            Edge(1, 2, site(20), conditional=False),
        ),
    )


class RunLog:
    """Records of one run, `start` seconds after the epoch."""

    def __init__(self, run_id: str, start: float = 1_700_000_000.0) -> None:
        self.run_id = run_id
        self.start = start

    def record(self, record_type: str, at: float, **members: Any) -> dict[str, Any]:
        head = {"mxs": 1, "t": record_type, "wf": WORKFLOW_ID, "run": self.run_id, "region": "us-east-1"}
        return {**head, "ts": self.start + at, "req": f"{self.run_id}-{members.get('node', 0)}", **members}

    def started(self) -> dict[str, Any]:
        return self.record(
            "run_started",
            0.0,
            node=0,
            manifest="m1",
            plan=3,
            key=5,
            place="000",
            sent=self.start,
            bytes=100,
            reason="plan",
            forwarded=False,
        )

    def node_started(self, node: int, at: float, **members: Any) -> dict[str, Any]:
        return self.record("node_started", at, node=node, hop=node, cold=False, **members)

    def finished(self, node: int, at: float, wall: float = 0.5, **members: Any) -> dict[str, Any]:
        return self.record(
            "node_finished",
            at,
            **{"node": node, "wall": wall, "user": wall, "cpu": wall / 2, "memory": 50, "cold": False}
            | {"network": {}, "other_in": 10, "other_out": 5}
            | members,
        )

    def failed(self, node: int, at: float, attempt: int) -> dict[str, Any]:
        record = self.record("node_failed", at, node=node, wall=0.1, error="ValueError", message="bad", cold=False)
        return record | {"req": f"attempt{attempt}", "traceback": ["line"]}

    def called(self, node: int, edge: int, at: float, offset: float) -> dict[str, Any]:
        return self.record(
            "edge_called", at, node=node, edge=edge, to="us-east-1", bytes=64, offset=offset, publish=0.01
        )

    def declined(self, node: int, edge: int, at: float, origin: int) -> dict[str, Any]:
        return self.record("edge_declined", at, node=node, edge=edge, offset=0.5, origin=origin)

    def complete(self) -> list[dict[str, Any]]:
        """A run in which everything was called."""
        return [
            self.started(),
            self.node_started(0, 0.0),
            self.called(0, 0, 0.2, 0.2),
            self.called(0, 1, 0.3, 0.3),
            self.finished(0, 0.5),
            self.node_started(1, 0.25),
            self.called(1, 2, 0.6, 0.35),
            self.finished(1, 0.75),
            self.node_started(2, 0.8),
            self.finished(2, 1.3),
        ]

    def declining(self) -> list[dict[str, Any]]:
        """A run in which the conditional call was declined: node 1 is dead and its edge declined with it."""
        return [
            self.started(),
            self.node_started(0, 0.0),
            self.called(0, 1, 0.3, 0.3),
            self.declined(0, 0, 0.5, origin=0),
            self.declined(1, 2, 0.5, origin=0),
            self.finished(0, 0.5),
            self.node_started(2, 0.6),
            self.finished(2, 1.1),
        ]


def as_line(record: dict[str, Any]) -> str:
    """The record as it stands in a log."""
    return json.dumps(record, separators=(",", ":"))
