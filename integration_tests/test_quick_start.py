"""The quick start is true: the commands of the specification, in its order, run as printed and print what is shown."""

from __future__ import annotations

from pathlib import Path

from integration_tests.pages import ROOT, Reader

PAGE = (ROOT / "docs" / "quick-start.md").read_text(encoding="utf-8")

SPECIFIED = (
    "setup_tables",
    "new_workflow",
    "deploy",
    "run",
    "list",
    "remove",
    "data_sync",
    "data_collect",
    "solve",
    "update_check_solver",
    "update_check_deployment",
)


def test_the_quick_start_runs_as_printed(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    reader.follow(PAGE)

    commands = [next(word for word in words if not word.startswith("-")) for words in reader.ran]
    assert [command for command in dict.fromkeys(commands) if command in SPECIFIED] == list(SPECIFIED)
    assert ("data_collect", "all") in reader.ran
