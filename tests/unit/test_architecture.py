"""What import-linter cannot see of the order of the house: compiled modules, and numbers that are defined once."""

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


def assigned_in(file: Path) -> set[str]:
    """Names that a file assigns at its top."""
    targets: list[ast.expr] = []
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            targets += node.targets
        elif isinstance(node, ast.AnnAssign):
            targets.append(node.target)
    names = [part for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
    return {name.id.removeprefix("_") for name in names}


def test_units_and_constants_of_the_model_are_defined_once() -> None:
    home_of = {
        name: file
        for file in ("model/units.py", "model/shared_constants.py", "solving/model_constants.py")
        for name in assigned_in(PACKAGE / file)
    }
    assert {"DAY_S", "MB_PER_GB", "COLD_START_S"} <= home_of.keys()
    elsewhere = {
        (str(file.relative_to(PACKAGE)), name)
        for file in PACKAGE.rglob("*.py")
        for name in assigned_in(file) & home_of.keys()
        if home_of[name] != str(file.relative_to(PACKAGE))
    }
    assert elsewhere == set()
