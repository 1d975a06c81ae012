"""What commands print fits a terminal of 80 columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from multi_x_serverless.cli.main import COMMANDS
from tests.unit.cli import golden
from tests.unit.cli.command_documents import command_outputs
from tests.unit.cli.golden import check_narrow

AS_LONG_AS_IT_IS = {
    ("completion",),  # a script
    ("demo",),  # what commands print that it runs as others do
    ("list", "--tagged"),  # a region and an id a line
    ("logs",),  # what others wrote
    ("new_workflow",),  # a command with a path, to be copied
}
"""Commands whose lines are not broken."""


def test_what_commands_print_in_the_loop_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", golden.NARROW)
    checked = {exempt[0] for exempt in AS_LONG_AS_IT_IS}
    for words, text in command_outputs(tmp_path, "table"):
        if AS_LONG_AS_IT_IS.isdisjoint({words[:1], words[:2]}):
            check_narrow(text.replace(str(tmp_path), "/state"))  # paths are printed whole
            checked.add(words[0])
    assert checked == set(COMMANDS)


def test_a_line_that_is_too_long_is_found_out() -> None:
    check_narrow("a" * 81)
    check_narrow("a " * 40)
    with pytest.raises(AssertionError):
        check_narrow("fits\n" + "a " * 41)
