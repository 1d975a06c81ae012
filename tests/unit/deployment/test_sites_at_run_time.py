"""The analysis and the SDK agree: each call that runs is found at the edge that the analysis made of it."""

from __future__ import annotations

import importlib.util
import textwrap
from typing import TYPE_CHECKING

import pytest

from multi_x_serverless.deployment.analysis import analyse
from multi_x_serverless.deployment.manifest import build_manifest
from multi_x_serverless.model.config import WorkflowConfiguration, merge
from multi_x_serverless.sdk.call_sites import CallSites
from multi_x_serverless.sdk.running import current_node

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType, ModuleType

    from multi_x_serverless.sdk.manifest import Manifest
    from multi_x_serverless.sdk.payload import Payload
    from multi_x_serverless.sdk.predecessors import PredecessorResult

HEAD = """\
from multi_x_serverless import MultiXServerlessWorkflow
workflow = MultiXServerlessWorkflow(name="example", version="0.0.1")

@workflow.serverless_function(name="left")
def left(event): ...

@workflow.serverless_function(name="right")
def right(event): ...

"""

ENTRY = '@workflow.serverless_function(name="start", entry_point=True)\ndef start(event):\n'


class Recorder:
    """Stands for a running node; notes the edge of each call."""

    def __init__(self, manifest: Manifest, root: Path) -> None:
        self._sites = CallSites(manifest, str(root), run.__code__)
        self.edges: list[int] = []

    run_id = "run"
    workflow_id = "example-0.0.1"

    def call(self, function: str, payload: Payload, conditional: bool, frame: FrameType) -> None:
        self.edges.append(self._sites.locate(frame, 0, function))

    def read_object(self, key: str) -> bytes:
        return b""

    def write_object(self, key: str, body: bytes) -> None:
        """Nothing is kept."""

    def predecessor_results(self) -> tuple[PredecessorResult, ...]:
        return ()


def load(root: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location("example_app", root / "app.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def run(root: Path, manifest: Manifest, event: object) -> list[int]:
    recorder = Recorder(manifest, root)
    token = current_node.set(recorder)
    try:
        load(root).start(event)
    finally:
        current_node.reset(token)
    return recorder.edges


BODIES = {
    "two lines": """
        workflow.invoke_serverless_function(left, 1)
        workflow.invoke_serverless_function(right, 2)
    """,
    "calls over many lines": """
        workflow.invoke_serverless_function(
            left,
            {
                "a": str(event)
                + "b",
            },
        )
        (
            workflow
            .invoke_serverless_function(
                right
            )
        )
    """,
    "one helper twice": """
        def send(target, value):
            workflow.invoke_serverless_function(target, value)
        send(left, 1)
        send(right, 2)
    """,
    "helper of a helper, and the helper itself": """
        def inner(target):
            workflow.invoke_serverless_function(target, 1)
        def outer(target):
            event.append(0)
            inner(target)
        outer(left)
        inner(right)
    """,
    "payload made by a helper that calls": """
        def prepare():
            workflow.invoke_serverless_function(left)
            return 1
        workflow.invoke_serverless_function(right, prepare())
    """,
    "both branches of a condition": """
        workflow.invoke_serverless_function(left) if event is None else None
        if event is None:
            pass
        else:
            workflow.invoke_serverless_function(
                left, event, bool(event)
            )
        for _ in range(2):
            event.append(_)
        workflow.invoke_serverless_function(right)
    """,
    "decorated helper and try with finally": """
        import functools
        def noisy(function):
            @functools.wraps(function)
            def wrapper(*arguments):
                return function(*arguments)
            return wrapper
        @noisy
        def send(target):
            workflow.invoke_serverless_function(target)
        try:
            send(left)
        finally:
            send(right)
    """,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_every_call_is_found_at_its_edge(tmp_path: Path, body: str) -> None:
    (tmp_path / "app.py").write_text(HEAD + ENTRY + textwrap.indent(textwrap.dedent(body), "    "), encoding="utf-8")
    analysis = analyse(tmp_path)
    configuration = WorkflowConfiguration("example", "0.0.1", "us-east-1")
    functions = merge(configuration, analysis.declarations, ("us-east-1",))
    manifest = build_manifest(analysis, configuration, functions)
    called = run(tmp_path, manifest, [])
    targets = [manifest.nodes[manifest.edges[edge].target].function for edge in called]
    assert targets == ["left", "right"]
    # In the order of the source, and each edge at most once.
    assert called == sorted(set(called))
