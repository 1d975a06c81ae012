"""The guide to doctor is true: it lists every check that there is, and no other."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "doctor.md").read_text(encoding="utf-8")
MODULES = (
    "multi_x_serverless.adaptation.doctor",
    "multi_x_serverless.adaptation.machine_checks",
    "multi_x_serverless.adaptation.state_checks",
    "multi_x_serverless.cloud.aws.access",
    "multi_x_serverless.cloud.aws.health",
    "multi_x_serverless.cloud.local.health",
)


def checks_of(module: ModuleType) -> Iterator[str]:
    """Names that the module gives to checks and findings, as texts or constants."""
    assert module.__file__ is not None
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Check", "Finding"}:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value
            elif isinstance(name, ast.Name) and name.id.isupper():
                yield getattr(module, name.id)


def test_every_check_is_listed_and_no_other() -> None:
    rows = re.findall(r"^\| (`[^|]*`) \|", GUIDE, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert listed == {name for module in MODULES for name in checks_of(importlib.import_module(module))}
    assert len(listed) > 20
