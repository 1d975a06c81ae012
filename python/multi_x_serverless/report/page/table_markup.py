"""Tables as HTML.

On small screens the rows of most tables stand one below the other, each cell with the name of its column before it.
Tables whose columns are alike (hours, regions) stay tables, in a box that scrolls beside their first column. For those
who listen both are tables: roles say so where the style has made something else of the elements.
"""

from __future__ import annotations

from collections.abc import Iterable

from multi_x_serverless.report.page.markup import Markup, element, join
from multi_x_serverless.report.page.scroll_box import scroll_box
from multi_x_serverless.report.tables import Column, Table

LONG_CELL = 14
"""Characters of a text, or of the name of its column, from which on it gets a column of some width in a box that
scrolls, rather than many short lines, and a line of its own on a phone."""


def show(parts: Iterable[Table | str]) -> Markup:
    """Tables, and the sentences between them, in their order."""
    return join(element("p", part) if isinstance(part, str) else table(part) for part in parts)


def table(content: Table, *, style: str = "", is_matrix: bool = False) -> Markup:
    """A table with its title and the note under it.

    Args:
        style: Further class of it.
        is_matrix: Whether its columns are alike, so that they are read across: it is never taken apart.
    """
    head = element("tr", *(_heading(column) for column in content.columns), role="row")
    body = (
        element(
            "tr",
            *(
                _cell(column, cell, index)
                for index, (column, cell) in enumerate(zip(content.columns, row, strict=True))
            ),
            role="row",
        )
        for row in content.rows
    )
    parts = element(
        "table",
        element("thead", head, role="rowgroup"),
        element("tbody", *body, role="rowgroup"),
        role="table",
        aria_label=content.title,
    )
    lines = (element("p", line, class_="note") for line in content.note.splitlines())
    return element(
        "figure",
        # Not a caption in the table, which would be as wide as that and scroll with it.
        element("figcaption", content.title),
        scroll_box(parts, content.title),
        *lines,
        class_=f"table {'matrix' if is_matrix else 'stacks'} {style}".rstrip(),
    )


def _heading(column: Column) -> Markup:
    # A column of names or marks needs no heading, but an empty one is none for those who listen.
    if not column.name:
        return element("td", role="cell")
    return element("th", column.name, scope="col", role="columnheader", class_=_style(column))


def _cell(column: Column, cell: str, index: int) -> Markup:
    content = element("bdi", cell) if cell else None
    style = _style(column) or ("long" if max(len(cell), len(column.name)) > LONG_CELL else None)
    if index == 0:
        return element("th", content, scope="row", role="rowheader", class_=style)
    return element("td", content, role="cell", class_=style, data_label=column.name or None)


def _style(column: Column) -> str | None:
    if column.is_number:
        return "number"
    return "whole" if column.is_whole else "name" if column.is_name else None
