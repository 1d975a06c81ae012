"""What the functions of a project are to the analysis: registered, helpers that matter, or of no concern."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multi_x_serverless.deployment.source import Definition, FunctionSource, Module, Project

INVOKE = "invoke_serverless_function"
PREDECESSOR_DATA = frozenset({"get_predecessor_data", "get_predecessor_results"})


class Callees:
    """Registered functions by name, and which functions lead to a call of one.

    Args:
        project: With every module that `app.py` imports read.
        registered: Registered functions and their names in the workflow.
    """

    def __init__(self, project: Project, registered: Mapping[FunctionSource, str]) -> None:
        self._project = project
        self._registered = registered
        self._relevant = _relevant_functions(project, registered)
        self._reached: set[int] = set()

    def resolve(self, module: Module, expression: ast.expr) -> FunctionSource | None:
        """The project's function an expression stands for at a module's top level."""
        return self._project.resolve(module, expression)

    def registered_name(self, source: FunctionSource) -> str | None:
        """Name under which a function is registered, `None` for a helper."""
        return self._registered.get(source)

    def leads_to_calls(self, source: FunctionSource) -> bool:
        """Whether a function calls registered functions or reads predecessors' data, itself or by helpers."""
        return source in self._relevant or mentions_calls(source.definition)

    @property
    def known_names(self) -> tuple[str, ...]:
        """Python names of the registered functions."""
        return tuple(source.name for source in self._registered)

    def mark_reached(self, node: ast.Attribute) -> None:
        """Note that a walk came by an `invoke_serverless_function`."""
        self._reached.add(id(node))

    def was_reached(self, node: ast.Attribute) -> bool:
        """Whether any walk came by."""
        return id(node) in self._reached


def _relevant_functions(project: Project, registered: Mapping[FunctionSource, str]) -> frozenset[FunctionSource]:
    """Functions that lead to a call of a registered function or to predecessors' data."""
    functions = [source for module in project.modules for source in module.functions.values()]
    relevant = {source for source in functions if mentions_calls(source.definition)}
    uses = {source: _functions_used(project, source, registered) for source in functions}
    growing = True
    while growing:
        more = {source for source in functions if source not in relevant and uses[source] & relevant}
        growing = bool(more)
        relevant |= more
    return frozenset(relevant)


def _functions_used(
    project: Project, source: FunctionSource, registered: Mapping[FunctionSource, str]
) -> frozenset[FunctionSource]:
    """Helpers that a function mentions, and registered functions that it calls directly."""
    used: set[FunctionSource] = set()
    for node in ast.walk(source.definition):
        if isinstance(node, ast.Name | ast.Attribute):
            found = project.resolve(source.module, node)
            if found is not None and found not in registered:
                used.add(found)
        elif isinstance(node, ast.Call):
            found = project.resolve(source.module, node.func)
            if found is not None:
                used.add(found)
    return frozenset(used)


def mentions_calls(definition: Definition) -> bool:
    """Whether a call of a registered function, or of predecessors' data, stands in a definition's text."""
    names = PREDECESSOR_DATA | {INVOKE}
    return any(isinstance(node, ast.Attribute) and node.attr in names for node in ast.walk(definition))
