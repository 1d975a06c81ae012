"""``docs/errors.md`` says what the code says."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

from multi_x_serverless.cli.main import COMMANDS
from multi_x_serverless.errors import MultiXServerlessError, UnknownRunError, UsageError
from multi_x_serverless.sdk.errors import ClaimHeldError, WorkflowError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("build_error_page")


def test_the_page_is_made_of_the_code(tool: ModuleType) -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert page == tool.page(), "run 'python tools/build_error_page.py'"


def test_every_class_has_a_code_a_cause_and_a_remedy(tool: ModuleType) -> None:
    for base, some in ((MultiXServerlessError, {UsageError, UnknownRunError}), (WorkflowError, {ClaimHeldError})):
        classes = list(tool.error_classes(base))
        assert some <= set(classes)
        codes = [tool.entry_of(error).code for error in classes]
        assert len(set(codes)) == len(codes)
        assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_a_class_without_a_remedy_of_its_own_is_refused(tool: ModuleType) -> None:
    class SilentError(UsageError):
        """Something is wrong."""

        code = "silent"

    with pytest.raises(ValueError, match="SilentError needs"):
        tool.entry_of(SilentError)


def test_the_commands_and_pages_that_remedies_name_exist(tool: ModuleType) -> None:
    page = tool.page()
    named = re.findall(r"(?<!\w)'([a-z_]+)(?: [^']*)?'", page)
    assert named
    assert set(named) <= set(COMMANDS)
    linked = re.findall(r"\]\(([a-z/-]+\.md)\)", page)
    assert linked
    assert "docs/" not in page
    for file in linked:
        assert (ROOT / "docs" / file).is_file(), file
