"""What a test sees of a run: its steps, one per start of a developer's function."""

from __future__ import annotations

import copy
import functools
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from multi_x_serverless.sdk.errors import NotASyncNodeError, ObjectNotFoundError
from multi_x_serverless.sdk.execution import call_developers_function
from multi_x_serverless.sdk.payload import Payload
from multi_x_serverless.sdk.predecessors import PredecessorResult
from multi_x_serverless.sdk.running import current_node

if TYPE_CHECKING:
    from multi_x_serverless.sdk.running import RunningNode


@dataclass(frozen=True)
class CallMade:
    """A call that a function reached.

    Attributes:
        target: Name of the called function.
        payload: The value that was passed; `None` if none was.
        called: Whether the call happened; `False` if its `conditional` was false.
    """

    target: str
    payload: Any
    called: bool


@dataclass(frozen=True)
class Step:
    """One start of a developer's function.

    Attributes:
        node: Name of the node.
        function: Name of the function.
        region: Where it ran.
        payload: What it was called with; `None` for a sync node.
        predecessors: What a sync node joined, with the senders; empty for any other.
        calls: The calls that it reached, in order.
        returned: What it returned; `None` if it raised.
        error: What it raised, `None` if it returned.
        traceback: The error's traceback as text, empty if there is none.
    """

    node: str
    function: str
    region: str
    payload: Any
    predecessors: tuple[PredecessorResult, ...]
    calls: tuple[CallMade, ...]
    returned: Any
    error: BaseException | None = None
    traceback: str = ""


@dataclass
class WatchedNode:
    """A running node that writes down what goes through it."""

    inner: RunningNode
    calls: list[CallMade] = field(default_factory=list)

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return self.inner.run_id

    @property
    def workflow_id(self) -> str:
        """Id of the workflow."""
        return self.inner.workflow_id

    def call(self, function: str, payload: Payload, conditional: bool, frame: FrameType) -> None:
        """Call an edge; a refused call is not written down."""
        self.inner.call(function, payload, conditional, frame)
        self.calls.append(CallMade(function, payload.value(), conditional))

    def read_object(self, key: str) -> bytes:
        """Read an object of the workflow; one that is missing is missing in the test, not in a region."""
        try:
            return self.inner.read_object(key)
        except ObjectNotFoundError as error:
            hint = "a test passes what is there before the run, for example objects={" + repr(key) + ": b'...'}"
            raise ObjectNotFoundError(key, region="", hint=hint) from error

    def write_object(self, key: str, body: bytes) -> None:
        """Store an object of the workflow."""
        self.inner.write_object(key, body)

    def predecessor_results(self) -> tuple[PredecessorResult, ...]:
        """What was passed to a sync node."""
        return self.inner.predecessor_results()


def watch(
    function: Callable[..., object], name: str, region: str, node_name: Callable[[], str], steps: list[Step]
) -> Callable[..., object]:
    """A function that does what `function` does and appends a step for each start.

    Args:
        function: The developer's function.
        name: Its name in the workflow.
        region: Where it runs.
        node_name: Tells the node that runs.
        steps: Where steps go.
    """

    @functools.wraps(function)
    def watched(*arguments: object) -> object:
        inner = current_node.get()
        if inner is None:
            return function(*arguments)
        node = WatchedNode(inner)
        current_node.set(node)
        # A copy: the function may change what it was given.
        payload = copy.deepcopy(arguments[0]) if arguments else None

        def finish(returned: object, error: BaseException | None) -> None:
            steps.append(
                Step(
                    node=node_name(),
                    function=name,
                    region=region,
                    payload=payload,
                    predecessors=_predecessors(node),
                    calls=tuple(node.calls),
                    returned=returned,
                    error=error,
                    traceback="" if error is None else "".join(traceback.format_exception(error)),
                )
            )

        try:
            # Its frame is where the search for a call's place in the source ends.
            returned = call_developers_function(function, arguments)
        except BaseException as error:
            finish(None, error)
            raise
        finish(returned, None)
        return returned

    return watched


def _predecessors(node: WatchedNode) -> tuple[PredecessorResult, ...]:
    try:
        return node.predecessor_results()
    except NotASyncNodeError:
        return ()
