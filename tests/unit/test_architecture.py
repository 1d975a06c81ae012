"""Who may import whom, as far as import-linter cannot see it: compiled modules."""

from __future__ import annotations

import ast
from pathlib import Path

import multi_x_serverless

PACKAGE = Path(multi_x_serverless.__file__).parent


def imports_of(file: Path) -> set[str]:
    """Every module that a file imports, wherever in it, with the names taken from packages."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_native_engine_is_imported_in_one_place() -> None:
    importers = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if "multi_x_serverless._core" in imports_of(file)
    }
    assert importers == {"solving/engine.py"}
