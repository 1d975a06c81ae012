"""The calls that a serverless function makes, found by walking its body and the helpers it calls, in order.

A call is *conditional* when the run may pass it by: under `if`, `try`, `match`, `and`/`or`, after a `return`
inside a branch, or with a `conditional` argument. What the walk cannot follow with certainty is refused,
because an edge that is missing from the graph would fail at run time.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from multi_x_serverless.deployment.body_walk import CallSite, FunctionCalls, walk_body
from multi_x_serverless.deployment.callees import INVOKE, Callees
from multi_x_serverless.errors import InvalidWorkflowError

if TYPE_CHECKING:
    from multi_x_serverless.deployment.declarations import Declarations
    from multi_x_serverless.deployment.source import Module, Project
    from multi_x_serverless.model.graph import CallStep


def read_calls(project: Project, app: Module, declarations: Declarations) -> dict[str, FunctionCalls]:
    """The calls of every registered function, by its name in the workflow.

    Raises:
        InvalidWorkflowError: A call that cannot be analysed or stands outside any registered function, or two
            of one function that share their lines.
    """
    project.read_imports(app)
    callees = Callees(project, {source: declared.name for source, declared in declarations.sources.items()})
    calls: dict[str, FunctionCalls] = {}
    for source, declared in declarations.sources.items():
        found = walk_body(callees, source)
        _check_distinguishable(found.sites)
        calls[declared.name] = found
    _check_all_reached(project, callees)
    return calls


def _check_all_reached(project: Project, callees: Callees) -> None:
    for module in project.modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and node.attr == INVOKE and not callees.was_reached(node):
                raise InvalidWorkflowError(
                    f"'{INVOKE}' stands outside any registered function, or where the analysis cannot follow "
                    "(a method, a lambda, a callback, a helper nobody calls by name); call it in the "
                    "registered function itself or in a plain helper function that is called by its name.",
                    file=module.file,
                    line=node.lineno,
                )


def _check_distinguishable(sites: tuple[CallSite, ...]) -> None:
    for index, site in enumerate(sites):
        for earlier in sites[:index]:
            if len(site.steps) == len(earlier.steps) and all(
                _share_lines(one, other) for one, other in zip(site.steps, earlier.steps, strict=True)
            ):
                raise InvalidWorkflowError(
                    f"two calls of serverless functions ('{earlier.target}' and '{site.target}') share a "
                    "line; a running function tells its calls apart by their lines, so put each on lines of "
                    "its own.",
                    file=site.position.file,
                    line=site.position.line,
                )


def _share_lines(one: CallStep, other: CallStep) -> bool:
    return one.file == other.file and one.line <= other.end_line and other.line <= one.end_line
