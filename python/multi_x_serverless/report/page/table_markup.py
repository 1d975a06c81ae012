"""Tables as HTML, each in a box of its own that scrolls where the page is too narrow for it."""

from __future__ import annotations

from collections.abc import Iterable

from multi_x_serverless.report.page.markup import Markup, element, join
from multi_x_serverless.report.tables import Column, Table

LONG_CELL = 14
"""Characters of a text that gets a column of some width, in a box that scrolls, rather than many short lines."""


def show(parts: Iterable[Table | str]) -> Markup:
    """Tables, and the sentences between them, in their order."""
    return join(element("p", part) if isinstance(part, str) else table(part) for part in parts)


def table(content: Table, *, style: str | None = None) -> Markup:
    """A table with its title and the note under it."""
    head = element("tr", *(_heading(column) for column in content.columns))
    body = (
        element(
            "tr",
            *(
                _cell(column, cell, index)
                for index, (column, cell) in enumerate(zip(content.columns, row, strict=True))
            ),
        )
        for row in content.rows
    )
    box = element(
        "div",
        element("table", element("thead", head), element("tbody", *body), aria_label=content.title),
        class_="scroll",
        role="region",
        aria_label=content.title,
        tabindex=0,
    )
    lines = (element("p", line, class_="note") for line in content.note.splitlines())
    return element(
        "figure",
        # Not a caption in the table, which would be as wide as that and scroll with it.
        element("figcaption", content.title),
        box,
        *lines,
        class_=f"table {style}" if style else "table",
    )


def _heading(column: Column) -> Markup:
    # A column of names or marks needs no heading, but an empty one is none for those who listen.
    return element("th", column.name, scope="col", class_=_style(column)) if column.name else element("td")


def _cell(column: Column, cell: str, index: int) -> Markup:
    content = element("bdi", cell)
    style = _style(column) or ("long" if len(cell) > LONG_CELL else None)
    if index == 0:
        return element("th", content, scope="row", class_=style)
    return element("td", content, class_=style)


def _style(column: Column) -> str | None:
    if column.is_number:
        return "number"
    return "whole" if column.is_whole else "name" if column.is_name else None
