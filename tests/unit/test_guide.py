"""The guide is true: its workflows are analysed as at deployment, what it says is refused is, its tables hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from multi_x_serverless.deployment.analysis import analyse
from multi_x_serverless.errors import InvalidWorkflowError
from multi_x_serverless.sdk import errors
from multi_x_serverless.sdk.application import PARALLEL_CALLS
from multi_x_serverless.sdk.envelope import SPARE_HOPS
from multi_x_serverless.sdk.payload import INLINE_LIMIT_BYTES
from multi_x_serverless.sdk.plan_replica import MAXIMUM_REGIONS
from multi_x_serverless.sdk.tables import ITEM_LIFETIME_S

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "workflows.md").read_text(encoding="utf-8")
WORKFLOWS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)

HEAD = """\
from multi_x_serverless import MultiXServerlessWorkflow
workflow = MultiXServerlessWorkflow(name="example", version="0.0.1")
@workflow.serverless_function(name="work")
def work(event): workflow.invoke_serverless_function(leaf)
@workflow.serverless_function(name="leaf")
def leaf(): pass
@workflow.serverless_function(name="start", entry_point=True)
def start(event):
"""


@pytest.mark.parametrize("source", WORKFLOWS, ids=["reviews", "upper", "rows", "lottery"])
def test_the_workflows_can_be_deployed(tmp_path: Path, source: str) -> None:
    (tmp_path / "app.py").write_text(source, encoding="utf-8")

    graph = analyse(tmp_path).graph

    declared = set(re.findall(r'serverless_function\(name="(\w+)"', source))
    assert {node.function for node in graph.nodes} == declared
    assert len(graph.edges) == source.count("invoke_serverless_function(")


@pytest.mark.parametrize(
    "body",
    [
        "for one in event:\n        workflow.invoke_serverless_function(work, one)",
        "[workflow.invoke_serverless_function(work, one) for one in event]",
        "workflow.invoke_serverless_function([work][0], event)",
        "work(event)\n    workflow.invoke_serverless_function(work, event)",
        "workflow.invoke_serverless_function(start, event)",
        "workflow.invoke_serverless_function(work, 1); workflow.invoke_serverless_function(work, 2)",
    ],
)
def test_what_is_said_to_be_refused_is(tmp_path: Path, body: str) -> None:
    (tmp_path / "app.py").write_text(f"{HEAD}    {body}\n", encoding="utf-8")

    with pytest.raises(InvalidWorkflowError):
        analyse(tmp_path)


def test_the_limits_are_those_of_the_code() -> None:
    assert f"{INLINE_LIMIT_BYTES:,} bytes" in GUIDE
    assert f"| regions of a workflow | {MAXIMUM_REGIONS} |" in GUIDE
    assert f"| {PARALLEL_CALLS} are sent at once |" in GUIDE
    assert f"{SPARE_HOPS} to spare" in GUIDE
    assert ITEM_LIFETIME_S == 7 * 86_400


def test_the_errors_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| `(\w+Error)` \| `([a-z-]+)` \|", GUIDE, re.MULTILINE))

    assert len(rows) == 9
    assert {name: getattr(errors, name).code for name in rows} == rows
