"""The project's source files as syntax trees, and what a name in them stands for.

Nothing is imported or executed. Only modules of the project itself are followed; whatever comes from
elsewhere resolves to nothing.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from multi_x_serverless.errors import InvalidWorkflowError

if TYPE_CHECKING:
    from pathlib import Path

Definition = ast.FunctionDef | ast.AsyncFunctionDef

# A chain of imports longer than this is a circle of modules that import one name from each other.
_LONGEST_IMPORT_CHAIN = 50


@dataclass(frozen=True, eq=False)
class FunctionSource:
    """A function definition and the module it stands in; compared by identity."""

    module: Module
    definition: Definition

    @property
    def name(self) -> str:
        """Name of the function in its module."""
        return self.definition.name


@dataclass(frozen=True, eq=False)
class Module:
    """A source file of the project.

    Attributes:
        name: Dotted name as the project's root sees it.
        file: Path relative to the project, `/` as separator.
        functions: Functions defined at the top level.
        imports: Name bound by an import -> dotted name of what it stands for.
        stars: Dotted names of modules of which everything is imported.
    """

    name: str
    file: str
    tree: ast.Module
    functions: dict[str, FunctionSource] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    stars: tuple[str, ...] = ()


class Project:
    """The modules of a project directory, read when they are first asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._modules: dict[str, Module | None] = {}

    @property
    def modules(self) -> tuple[Module, ...]:
        """Modules read so far, ordered by name."""
        found = [module for module in self._modules.values() if module is not None]
        return tuple(sorted(found, key=lambda module: module.name))

    def module(self, name: str) -> Module | None:
        """A module by its dotted name, `None` if the project has none of that name.

        Raises:
            InvalidWorkflowError: The file is no valid Python.
        """
        if name not in self._modules:
            path = self._path(name)
            self._modules[name] = None
            if path is not None:
                self._modules[name] = _parse(self._root, path, name)
        return self._modules[name]

    def read_imports(self, module: Module) -> None:
        """Read every module of the project that `module` imports, directly or through others."""
        waiting, seen = [module], {module.name}
        while waiting:
            current = waiting.pop()
            for dotted in (*current.imports.values(), *current.stars):
                parts = dotted.split(".")
                for length in range(1, len(parts) + 1):
                    imported = self.module(".".join(parts[:length]))
                    if imported is not None and imported.name not in seen:
                        seen.add(imported.name)
                        waiting.append(imported)

    def resolve(self, module: Module, expression: ast.expr) -> FunctionSource | None:
        """The project's function that a name or dotted name stands for at the top level of `module`."""
        parts = dotted_parts(expression)
        if parts is None:
            return None
        return self._resolve_in(module, parts, depth=0)

    def _resolve_in(self, module: Module, parts: tuple[str, ...], depth: int) -> FunctionSource | None:
        if depth > _LONGEST_IMPORT_CHAIN:
            return None
        first, rest = parts[0], parts[1:]
        if first in module.functions:
            return module.functions[first] if not rest else None
        if first in module.imports:
            return self._resolve_absolute((*module.imports[first].split("."), *rest), depth + 1)
        for star in module.stars:
            found = self._resolve_absolute((*star.split("."), *parts), depth + 1)
            if found is not None:
                return found
        return None

    def _resolve_absolute(self, parts: tuple[str, ...], depth: int) -> FunctionSource | None:
        for length in range(len(parts) - 1, 0, -1):
            module = self.module(".".join(parts[:length]))
            if module is not None:
                return self._resolve_in(module, parts[length:], depth)
        return None

    def _path(self, name: str) -> Path | None:
        parts = name.split(".")
        if parts[0] == "multi_x_serverless" or not all(part.isidentifier() for part in parts):
            return None
        base = self._root.joinpath(*parts)
        for path in (base / "__init__.py", base.with_name(base.name + ".py")):
            if path.is_file():
                return path
        return None


def dotted_parts(expression: ast.expr) -> tuple[str, ...] | None:
    """``a.b.c`` as its parts, `None` for any other expression."""
    parts: list[str] = []
    while isinstance(expression, ast.Attribute):
        parts.append(expression.attr)
        expression = expression.value
    if not isinstance(expression, ast.Name):
        return None
    return (expression.id, *reversed(parts))


def _parse(root: Path, path: Path, name: str) -> Module:
    file = path.relative_to(root).as_posix()
    try:
        tree = ast.parse(path.read_bytes(), filename=file)
    except SyntaxError as error:
        raise InvalidWorkflowError(f"is not valid Python: {error.msg}.", file=file, line=error.lineno) from None
    except ValueError as error:
        raise InvalidWorkflowError(f"is not valid Python: {error}.", file=file) from None
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imports: dict[str, str] = {}
    stars: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                imports[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            base = _import_base(node, package)
            for alias in node.names:
                if alias.name == "*":
                    stars.append(base)
                else:
                    imports[alias.asname or alias.name] = f"{base}.{alias.name}" if base else alias.name
    module = Module(name, file, tree, imports=imports, stars=tuple(stars))
    for definition in _top_level_definitions(tree.body):
        module.functions[definition.name] = FunctionSource(module, definition)
    return module


def _import_base(node: ast.ImportFrom, package: str) -> str:
    if node.level == 0:
        return node.module or ""
    parts = package.split(".") if package else []
    kept = parts[: len(parts) - (node.level - 1)]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _top_level_definitions(body: list[ast.stmt]) -> list[Definition]:
    """Functions of a module, those under a top-level `if`, `try` or `with` included."""
    found: list[Definition] = []
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(statement)
        elif isinstance(statement, ast.If):
            found += _top_level_definitions(statement.body) + _top_level_definitions(statement.orelse)
        elif isinstance(statement, ast.With):
            found += _top_level_definitions(statement.body)
        elif isinstance(statement, ast.Try):
            for block in (statement.body, *(handler.body for handler in statement.handlers)):
                found += _top_level_definitions(block)
            found += _top_level_definitions(statement.orelse) + _top_level_definitions(statement.finalbody)
    return found
