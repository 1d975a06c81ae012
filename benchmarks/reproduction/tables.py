"""Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A caption, a header and rows of cells; the first column holds names.

    Attributes:
        is_measured: Whether it holds times of this machine: no two runs give the same.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    is_measured: bool = False

    def to_markdown(self) -> str:
        """The caption, an empty line and the table."""
        alignment = f"|---|{'---:|' * (len(self.header) - 1)}"
        first, *others = (f"| {' | '.join(line)} |" for line in (self.header, *self.rows))
        return "\n".join([self.caption, "", first, alignment, *others])


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, is_measured: bool = False) -> Table:
    """A table of any sequences."""
    return Table(caption, tuple(header), tuple(tuple(row) for row in rows), is_measured)


def against(ours: float, published: float, digits: int = 3) -> tuple[str, str, str]:
    """Cells of ours, the published figure and the difference."""
    return f"{ours:.{digits}f}", f"{published:.{digits}f}", f"{ours - published:+.{digits}f}"
