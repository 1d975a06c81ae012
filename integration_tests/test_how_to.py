"""The how-to pages are true: what they say to type and to write works, in order, and prints what they show."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from integration_tests.pages import ROOT, Reader

PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs_as_printed(page: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")  # its examples are named from the root of the sources
    reader = Reader(
        tmp_path, environment={"PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
    )
    reader.follow(page.read_text(encoding="utf-8"))
