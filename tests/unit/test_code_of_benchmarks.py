"""Code that two benchmarks have word for word: each is packed by itself, so they cannot share a module."""

from __future__ import annotations

import ast

from benchmarks.suite.discovery import BENCHMARKS

SHARED = {"InputError", "LARGEST_INPUT_PIXELS", "decode", "encode", "get_input", "load", "require_small", "store"}


def definitions(benchmark: str) -> dict[str, str]:
    """Name -> source of what a benchmark's file defines at its top level."""
    source = (BENCHMARKS / benchmark / "app.py").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            # With its decorators, which begin a line above.
            first = min((decorator.lineno for decorator in statement.decorator_list), default=statement.lineno)
            found[statement.name] = "\n".join(source.splitlines()[first - 1 : statement.end_lineno])
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            found[statement.targets[0].id] = ast.get_source_segment(source, statement) or ""
    return found


def test_both_workflows_on_pictures_read_and_write_them_alike() -> None:
    long, light = definitions("image_processing"), definitions("image_processing_light")
    assert {name for name in long.keys() & light.keys() if long[name] == light[name]} == SHARED
