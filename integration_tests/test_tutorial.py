"""The tutorial is true: its files and commands, in order, give what it shows."""

from __future__ import annotations

from pathlib import Path

from integration_tests.pages import ROOT, Reader


def test_the_tutorial_runs_as_printed(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    reader.follow((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"))
