"""Writing data to standard output: tables for people, versioned JSON for machines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from multi_x_serverless.cli.console import is_terminal, open_console
from multi_x_serverless.cli.json_text import json_text
from multi_x_serverless.cli.table_layout import column_widths, fold_names, paragraphs, wrap
from multi_x_serverless.model.amounts import dollars, grams
from multi_x_serverless.report.tables import Column, Table
from multi_x_serverless.report.wording import (
    ROUNDED_AWAY,
    age,
    brief,
    counted,
    dollars_per_million,
    hour_ranges,
    percent,
    percentile,
    printable,
    quantity,
    relative,
    seconds,
    size,
)

__all__ = [
    "ROUNDED_AWAY",
    "Column",
    "age",
    "brief",
    "counted",
    "dollars",
    "dollars_per_million",
    "grams",
    "hour_ranges",
    "percent",
    "percentile",
    "printable",
    "quantity",
    "relative",
    "seconds",
    "size",
    "wrap_error",
    "write_error",
    "write_json",
    "write_table",
    "write_tables",
    "write_text",
    "write_title",
    "write_warning",
]

if TYPE_CHECKING:
    from multi_x_serverless.cli.session import Settings

OUTPUT_VERSION = 1
"""Of all documents; a higher one means that a member was renamed, dropped or changed its meaning."""

SCHEMA_PREFIX = "multi-x-serverless/cli/"


def write_json(command: str, members: Mapping[str, Any]) -> None:
    """One JSON document: schema, version and the command's own members, which `cli.documents` declares."""
    document = {"schema": f"{SCHEMA_PREFIX}{command}", "version": OUTPUT_VERSION, **members}
    click.echo(json_text(document, is_indented=True))


def write_table(
    settings: Settings,
    title: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    note: str = "",
) -> None:
    """A table with a title, and a note under it; a paragraph for each row where the terminal is too narrow for it."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    console = open_console(settings)
    rows = [[printable(cell) for cell in row] for row in rows]
    if title:
        write_title(settings, title)
    widths = column_widths(columns, rows, console.width)
    if widths is None:
        console.print()
        for paragraph in paragraphs(columns, rows, console.width):
            console.print(escape(paragraph), soft_wrap=True)
        console.print()
    else:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column, width in zip(columns, widths, strict=True):
            table.add_column(
                escape(column.name), justify="right" if column.is_number else "left", overflow="fold", width=width
            )
        for row in rows:
            cells = zip(columns, widths, row, strict=True)
            table.add_row(
                *(escape(fold_names(cell, width) if column.is_name else cell) for column, width, cell in cells)
            )
        console.print(table)
    if note:
        console.print(escape(wrap(printable(_typeable(note)), console.width)) + "\n", soft_wrap=True)


def write_title(settings: Settings, title: str) -> None:
    """What stands above a table or lines."""
    from rich.markup import escape

    open_console(settings).print(f"[bold]{escape(printable(title))}[/bold]")


def write_tables(settings: Settings, parts: Iterable[Table | str]) -> None:
    """Tables, and the sentences between them, in their order; a table leaves a line free, a sentence does not."""
    is_after_sentence = False
    for part in parts:
        if isinstance(part, str):
            write_wrapped(part)
            is_after_sentence = True
        else:
            if is_after_sentence:
                write_text("")
            is_after_sentence = False
            write_table(settings, part.title, part.columns, part.rows, note=part.note)


def write_text(text: str) -> None:
    """A line for people; what others wrote cannot steer their terminal, and commands can be typed as they stand."""
    click.echo(printable(_typeable(text)))


def write_wrapped(text: str, *, indent: str = "", hanging: str | None = None) -> None:
    """A paragraph for people, broken between words at the width of their terminal.

    Args:
        indent: What the first line begins with.
        hanging: What the others begin with; by default two blanks more than an indented first one.
    """
    import shutil

    click.echo(wrap(printable(_typeable(text)), shutil.get_terminal_size().columns, indent=indent, hanging=hanging))


def write_error(text: str) -> None:
    """What is said on standard error, broken between words where that is a terminal."""
    click.echo(wrap_error(_typeable(text)), err=True)


def wrap_error(text: str) -> str:
    """A text broken between words at the width of standard error, if that is a terminal's."""
    width = _error_width()
    return printable(text) if width is None else wrap(printable(text), width)


def _error_width() -> int | None:
    """Columns of the terminal that standard error is, or as ``COLUMNS`` says; `None` if it is none."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    if not is_terminal(sys.stderr):
        return None
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or None
    except OSError:
        return None


def _typeable(text: str) -> str:
    """A text with our commands as they are to be typed: with the global options of the command under way."""
    from multi_x_serverless.cli.session import PROGRAM, Settings

    context = click.get_current_context(silent=True) if PROGRAM in text else None
    settings = None if context is None else context.find_object(Settings)
    return text if settings is None else settings.with_options(text)


def write_warning(text: str, *, indent: str = "") -> None:
    """What is to be known about the data that stand beside it, on standard output."""
    write_wrapped(f"warning: {text}", indent=indent, hanging=indent + "  ")
