"""Output compared with a file that a person has read.

A test that changes output on purpose writes the files anew with ``MULTI_X_SERVERLESS_WRITE_GOLDEN=1 pytest``; the
difference is then reviewed like any other.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from multi_x_serverless.cli.session import Settings

DIRECTORY = Path(__file__).parent / "golden"
WRITE = "MULTI_X_SERVERLESS_WRITE_GOLDEN"

WIDTH = "110"
"""Columns of the terminal that the files were written for."""

NARROW = "80"
"""Columns of a terminal that all output has to fit; `conftest` shows it there, too."""

_COMMAND = re.compile(r"'multi_x_serverless [^']*'|^ *multi_x_serverless .*")

columns = WIDTH
"""Of the terminal of the test under way; set by `conftest`."""


def table_settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Options of a command that prints tables, on a terminal of a fixed width without colours."""
    monkeypatch.setenv("COLUMNS", columns)
    return Settings(
        cloud="local",
        system_region="us-east-1",
        state_dir=None,
        time_scale=0.0,
        profile=None,
        project_dir=Path(),
        output="table",
        verbosity=0,
        assume_yes=False,
        color=False,
    )


def check_golden(name: str, output: str) -> None:
    """Assert that tables and sentences are those of the file, or on the narrow terminal that they fit."""
    if columns == NARROW:
        check_narrow(output)
    else:
        check_golden_document(name, output)


def check_golden_document(name: str, output: str) -> None:
    """Assert that output is that of the file; trailing blanks of table cells do not count."""
    lines = "".join(line.rstrip() + "\n" for line in output.splitlines())
    file = DIRECTORY / f"{name}.txt"
    if os.environ.get(WRITE):
        DIRECTORY.mkdir(exist_ok=True)
        file.write_text(lines, encoding="utf-8")
    assert lines == file.read_text(encoding="utf-8")


def check_narrow(output: str) -> None:
    """Assert that no line is wider than the narrow terminal, but for a word or a command that is to be copied whole."""
    wide = [line for line in map(str.rstrip, output.splitlines()) if len(line) > int(NARROW)]
    assert [line for line in wide if len(_COMMAND.sub("command", line).split()) > 1] == []
