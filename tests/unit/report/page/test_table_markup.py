"""Tables that can be taken apart: each cell knows its column, and is a cell to those who listen."""

from __future__ import annotations

from multi_x_serverless.report.page.scroll_box import HINT
from multi_x_serverless.report.page.table_markup import table
from multi_x_serverless.report.tables import Column, Table
from tests.unit.report.page.parsed import parse

CONTENT = Table(
    "What things cost",
    (Column(""), Column("USD", is_number=True), Column("a & b")),
    (("one", "12.3 uUSD", "a text of some length"), ("two", "0 USD", "")),
    note="First.\nSecond.",
)


def test_each_cell_has_the_name_of_its_column_and_the_role_that_its_element_has() -> None:
    parsed = parse(table(CONTENT))
    cells = [(cell.get("data-label"), cell["role"]) for cell in parsed.named("td")]
    assert cells == [(None, "cell"), ("USD", "cell"), ("a & b", "cell"), ("USD", "cell"), ("a & b", "cell")]
    assert [cell["role"] for cell in parsed.named("th")] == ["columnheader", "columnheader", "rowheader", "rowheader"]
    assert [row["role"] for row in parsed.named("tr")] == ["row"] * 3
    assert [part["role"] for tag in ("table", "thead", "tbody") for part in parsed.named(tag)] == [
        "table",
        "rowgroup",
        "rowgroup",
    ]


def test_a_cell_without_text_is_empty_so_that_the_style_can_leave_it_out() -> None:
    assert 'data-label="a &amp; b"></td>' in table(CONTENT)


def test_rows_are_taken_apart_unless_they_are_read_across() -> None:
    assert [figure["class"] for figure in parse(table(CONTENT, style="prose")).named("figure")] == [
        "table stacks prose"
    ]
    assert [figure["class"] for figure in parse(table(CONTENT, is_matrix=True)).named("figure")] == ["table matrix"]


def test_the_sentence_that_a_box_scrolls_is_before_it_and_hidden_at_first() -> None:
    parsed = parse(table(CONTENT))
    names = [(tag, attributes.get("class")) for tag, attributes in parsed.elements]
    assert names.index(("p", "note scroll-hint")) + 1 == names.index(("div", "scroll"))
    hint = next(attributes for attributes in parsed.named("p") if attributes.get("class") == "note scroll-hint")
    assert "hidden" in hint
    assert parsed.text.split("\n")[:2] == ["What things cost", HINT]
    box = next(attributes for attributes in parsed.named("div"))
    assert (box["role"], box["aria-label"], box["tabindex"]) == ("region", "What things cost", "0")
