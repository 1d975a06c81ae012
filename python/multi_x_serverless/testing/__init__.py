"""Tests of workflows in process: no cloud, no network, no waiting.

`WorkflowTest` runs a project as its developer wrote it and shows every step; `MemoryCloud` is what lies below, over a
package directory.

Example:
    >>> run = run_workflow("path/to/project", {"name": "Ada"})                          # doctest: +SKIP
    >>> run.result_of("greet")                                                          # doctest: +SKIP
    'Hello, Ada'
"""

from multi_x_serverless.testing.memory_cloud import (
    RETRIES,
    START_TIME,
    InlineExecutor,
    MemoryBackend,
    MemoryCloud,
    Moment,
    OperationHook,
    QueuedMessage,
    TestContext,
)
from multi_x_serverless.testing.project import TestedProject
from multi_x_serverless.testing.run import WorkflowRun
from multi_x_serverless.testing.steps import CallMade, Step
from multi_x_serverless.testing.workflow import WorkflowTest, run_workflow

__all__ = [
    "RETRIES",
    "START_TIME",
    "CallMade",
    "InlineExecutor",
    "MemoryBackend",
    "MemoryCloud",
    "Moment",
    "OperationHook",
    "QueuedMessage",
    "Step",
    "TestContext",
    "TestedProject",
    "WorkflowRun",
    "WorkflowTest",
    "run_workflow",
]
