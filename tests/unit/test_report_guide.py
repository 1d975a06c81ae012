"""The guide to the report's page is true: its numbers, words and sections are the code's."""

from __future__ import annotations

import re
from pathlib import Path

from multi_x_serverless.adaptation.comparison import MINIMUM_CONTROLS
from multi_x_serverless.observation.history import KEEP_DAYS
from multi_x_serverless.report.page import gather, map_drawing, placement_section, savings_section
from multi_x_serverless.report.page.data_section import KINDS_OF_FIGURES
from multi_x_serverless.report.page.render import CONTENTS
from multi_x_serverless.report.savings_tables import unless_seen

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "guide" / "report.md").read_text(encoding="utf-8")
WORDS = " ".join(GUIDE.split())


def first_cells(section: str) -> list[str]:
    """The first column of the table of a section."""
    text = GUIDE.split(f"## {section}\n", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]
    return [row.split("|")[1].strip() for row in text.splitlines() if row.startswith("|")][2:]


def test_the_sections_are_those_of_the_page() -> None:
    assert first_cells("What is on it") == [name for _, name in CONTENTS]


def test_kinds_of_figures_are_called_as_on_the_page() -> None:
    assert {word for word, _ in KINDS_OF_FIGURES} <= set(first_cells("Terminology"))
    for word, meaning in KINDS_OF_FIGURES:
        assert meaning.split(";", maxsplit=1)[0].rstrip(".").split(", turned")[0] in WORDS, word


def test_numbers_are_those_of_the_code() -> None:
    _, second, third = gather.TOLERANCES
    assert f"for at most {gather.DEADLINE_S * len(gather.TOLERANCES):g} seconds" in WORDS
    assert f"more than {gather.MANY_POINTS} points" in WORDS
    assert f"(within {second * 100:g} %, then {third * 100:g} %)" in WORDS
    assert f"the newest {savings_section.NEWEST_ENTRIES} are listed" in WORDS
    assert f"Above {map_drawing.MOST_LABELS} regions" in WORDS
    assert f"of more than {placement_section.MOST_COLUMNS} different hours" in WORDS
    assert f"in the last {KEEP_DAYS} days" in WORDS


def test_how_times_are_compared_is_as_in_the_code() -> None:
    assert f"Where fewer than {MINIMUM_CONTROLS} runs of the plan or of the home share are warm" in WORDS
    assert unless_seen(-1.0, 1.0).removeprefix("; ") in WORDS


def test_its_picture_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)", GUIDE):
        assert (DOCS / "guide" / target).is_file(), target


def test_its_picture_is_small() -> None:
    """`integration_tests/report_picture.py` draws no larger one; this holds for one that was made by hand too."""
    assert (DOCS / "images" / "report-page.png").stat().st_size < 300_000
