"""The node that runs in the current context.

A context variable, never a member of the workflow object: a warm container's next invocation, and other threads, see
nothing of it. It lives in a module of its own, almost without imports, because `workflow` needs it at import time.
"""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False  # as typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from types import FrameType
    from typing import Protocol

    from multi_x_serverless.sdk.payload import Payload
    from multi_x_serverless.sdk.predecessors import PredecessorResult

    class RunningNode(Protocol):
        """What the workflow object needs of the node that runs."""

        @property
        def run_id(self) -> str:
            """Id of the run."""

        @property
        def workflow_id(self) -> str:
            """Id of the workflow that the run is of."""

        def call(self, function: str, payload: Payload, conditional: bool, frame: FrameType) -> None:
            """Call or decline an edge."""

        def read_object(self, key: str) -> bytes:
            """Read an object of the workflow."""

        def write_object(self, key: str, body: bytes) -> None:
            """Store an object of the workflow."""

        def predecessor_results(self) -> tuple[PredecessorResult, ...]:
            """What was passed to a sync node, in edge order."""


current_node: ContextVar[RunningNode | None] = ContextVar("multi_x_serverless_current_node", default=None)
