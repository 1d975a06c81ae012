"""Tables of texts: what they say, not how they look on a terminal or on a page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its heading, broken between words where there is no room.
        is_number: Goes right and is never broken.
        is_whole: Is never broken: ids, to be copied.
        is_name: Names of nodes: shown whole, on several lines where there is no room.
    """

    name: str
    is_number: bool = False
    is_whole: bool = False
    is_name: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a title.

    Attributes:
        rows: A text for each column.
        note: What stands below it; may have lines.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"'{self.title}' has {len(self.columns)} columns and a row of {len(row)}")
