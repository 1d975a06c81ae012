"""Static analysis: a project's source -> its workflow graph and what its decorators declare.

::

    app.py ──parse──> declarations ──walk bodies──> calls per function ──expand──> nodes and edges ──order──>
    graph

The source is parsed, never imported or executed. A function called from two places becomes two nodes; a
function that reads its predecessors' data (a *sync node*) is one node that joins all calls of it. Nodes are
named

* ``<function>:entry_point:0`` for the entry,
* ``<function>:sync:<index>`` for a sync node,
* ``<function>:<caller>_<index of the caller>_<how manyth call of the caller>:<index>`` for all others,

where an index is the node's position in the graph. The order of nodes is topological and depends on the
source alone.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from multi_x_serverless.deployment.calls import read_calls
from multi_x_serverless.deployment.declarations import Declarations, read_declarations
from multi_x_serverless.deployment.source import Project
from multi_x_serverless.errors import InvalidWorkflowError
from multi_x_serverless.model.graph import Edge, Graph, Node

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from multi_x_serverless.deployment.body_walk import CallSite, FunctionCalls
    from multi_x_serverless.model.config import FunctionDeclaration

APP_MODULE = "app"

# A message carries one digit per node and a plan one region per node and hour; workflows are far smaller.
MAXIMUM_NODES = 500


@dataclass(frozen=True)
class Analysis:
    """What the source of a project says.

    Attributes:
        module: Name of the module that holds the workflow object.
        file: Its file, relative to the project.
        variable: Name of the workflow object.
        workflow_name: As the source names the workflow.
        workflow_version: As the source numbers it.
        workflow_line: Line of the workflow object in the module's file.
        declarations: Functions in the order of the source.
    """

    module: str
    file: str
    variable: str
    workflow_name: str
    workflow_version: str
    workflow_line: int
    declarations: tuple[FunctionDeclaration, ...]
    graph: Graph


def analyse(project_directory: Path) -> Analysis:
    """Analyse the project in a directory, starting from its `app.py`.

    Raises:
        InvalidWorkflowError: The source is no workflow that can be deployed; the message names file, line and
            the way out.
    """
    project = Project(project_directory)
    app = project.module(APP_MODULE)
    if app is None:
        raise InvalidWorkflowError(
            "there is no such file; a project's workflow is in 'app.py' ('multi_x_serverless new_workflow NAME' "
            "makes one).",
            file=f"{APP_MODULE}.py",
        )
    declarations = read_declarations(app)
    calls = read_calls(project, app, declarations)
    _check_functions(declarations, calls)
    return Analysis(
        module=APP_MODULE,
        file=app.file,
        variable=declarations.workflow.variable,
        workflow_name=declarations.workflow.name,
        workflow_version=declarations.workflow.version,
        workflow_line=declarations.workflow.line,
        declarations=declarations.functions,
        graph=_build_graph(declarations.entry.name, calls),
    )


def _check_functions(declarations: Declarations, calls: Mapping[str, FunctionCalls]) -> None:
    """Acyclic, one entry that joins nothing, every function reachable."""
    entry = declarations.entry
    if calls[entry.name].joins:
        raise InvalidWorkflowError(
            f"the entry '{entry.name}' reads predecessors' data, but nothing precedes it.",
            file=entry.file,
            line=entry.line,
        )
    reached: set[str] = set()
    for declared in (entry, *declarations.functions):
        _refuse_cycles(declared.name, calls, path=(), finished=reached)
        if declared is entry:
            reachable = set(reached)
    for declared in declarations.functions:
        if declared.name not in reachable:
            raise InvalidWorkflowError(
                f"the function '{declared.name}' is not reached from the entry '{entry.name}'; call it from "
                "somewhere or remove it.",
                file=declared.file,
                line=declared.line,
            )


def _refuse_cycles(
    function: str, calls: Mapping[str, FunctionCalls], path: tuple[str, ...], finished: set[str]
) -> None:
    for site in calls[function].sites:
        inside = (*path, function)
        if site.target in inside:
            circle = " -> ".join([*inside[inside.index(site.target) :], site.target])
            raise InvalidWorkflowError(
                f"this call closes a circle ({circle}); a workflow must come to an end, so break it.",
                file=site.position.file,
                line=site.position.line,
            )
        if site.target not in finished:
            _refuse_cycles(site.target, calls, inside, finished)
    finished.add(function)


@dataclass(eq=False)
class _Draft:
    """A node before its index is known: `caller` and `call` say which call made it."""

    function: str
    sync: bool
    discovered: int
    caller: _Draft | None = None
    call: int = 0
    edges: list[tuple[_Draft, CallSite]] = field(default_factory=list)
    index: int = -1

    def name(self) -> str:
        if self.sync:
            return f"{self.function}:sync:{self.index}"
        if self.caller is None:
            return f"{self.function}:entry_point:{self.index}"
        return f"{self.function}:{self.caller.function}_{self.caller.index}_{self.call}:{self.index}"


def _build_graph(entry: str, calls: Mapping[str, FunctionCalls]) -> Graph:
    drafts = _order(_discover(entry, calls))
    for index, draft in enumerate(drafts):
        draft.index = index
    nodes = tuple(Node(draft.name(), draft.function, draft.sync) for draft in drafts)
    edges = tuple(
        Edge(draft.index, target.index, site.steps, site.conditional)
        for draft in drafts
        for target, site in draft.edges
    )
    return Graph(nodes, edges)


def _discover(entry: str, calls: Mapping[str, FunctionCalls]) -> list[_Draft]:
    """All nodes with their edges, level by level from the entry."""
    drafts = [_Draft(entry, sync=False, discovered=0)]
    sync_drafts: dict[str, _Draft] = {}
    waiting = deque(drafts)
    while waiting:
        draft = waiting.popleft()
        for call, site in enumerate(calls[draft.function].sites):
            target = sync_drafts.get(site.target)
            if target is None:
                joins = calls[site.target].joins
                target = _Draft(site.target, joins, len(drafts), draft, call)
                drafts.append(target)
                waiting.append(target)
                if joins:
                    sync_drafts[site.target] = target
                if len(drafts) > MAXIMUM_NODES:
                    raise InvalidWorkflowError(
                        f"the workflow has more than {MAXIMUM_NODES} nodes, since a function called from two "
                        "places is two nodes; join branches in a function that calls get_predecessor_data().",
                        file=site.position.file,
                        line=site.position.line,
                    )
            draft.edges.append((target, site))
    return drafts


def _order(drafts: list[_Draft]) -> list[_Draft]:
    """Topological order; of several nodes that may come next, the one discovered first."""
    missing = dict.fromkeys(drafts, 0)
    for draft in drafts:
        for target, _ in draft.edges:
            missing[target] += 1
    ready = [(draft.discovered, draft) for draft in drafts if not missing[draft]]
    ordered: list[_Draft] = []
    while ready:
        _, draft = heapq.heappop(ready)
        ordered.append(draft)
        for target, _ in draft.edges:
            missing[target] -= 1
            if not missing[target]:
                heapq.heappush(ready, (target.discovered, target))
    return ordered
