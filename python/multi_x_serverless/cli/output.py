"""Writing data to standard output: tables for people, versioned JSON for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from multi_x_serverless.cli.console import open_console
from multi_x_serverless.cli.table_layout import Column, column_widths, elide, paragraphs

__all__ = ["Column"]

if TYPE_CHECKING:
    from multi_x_serverless.cli.session import Settings

OUTPUT_VERSION = 1
"""Of all documents; a higher one means that a member was renamed, dropped or changed its meaning."""

SCHEMA_PREFIX = "multi-x-serverless/cli/"

_JSON_ESCAPES = {code: f"\\u{code:04x}" for code in range(127, 160)}
"""Controls that JSON leaves as they are and some terminals obey."""


def write_json(command: str, members: Mapping[str, Any]) -> None:
    """One JSON document: schema, version and the command's own members, which `cli.documents` declares."""
    import orjson

    document = {"schema": f"{SCHEMA_PREFIX}{command}", "version": OUTPUT_VERSION, **members}
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()
    click.echo(text.translate(_JSON_ESCAPES))


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
    if title:
        console.print(f"[bold]{escape(title)}[/bold]")
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
            table.add_row(*(escape(elide(cell, width) if column.is_name else cell) for column, width, cell in cells))
        console.print(table)
    if note:
        console.print(escape(note) + "\n")


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """A text without what would steer a terminal; others may have written it."""
    return text.translate(_CONTROLS)


def write_text(text: str) -> None:
    """A line for people; what others wrote cannot steer their terminal."""
    click.echo(printable(text))


def write_wrapped(text: str, *, indent: str = "", hanging: str | None = None) -> None:
    """A paragraph for people, broken between words at the width of their terminal, but not before a per cent sign.

    Args:
        indent: What the first line begins with.
        hanging: What the others begin with; by default two blanks more than an indented first one.
    """
    import shutil
    import textwrap

    no_break = "\N{NO-BREAK SPACE}"
    wrapped = textwrap.fill(
        printable(text).replace(" %", f"{no_break}%"),
        shutil.get_terminal_size().columns,
        initial_indent=indent,
        subsequent_indent=hanging if hanging is not None else indent + "  " if indent else "",
        break_long_words=False,
        break_on_hyphens=False,
    )
    write_text(wrapped.replace(no_break, " "))


def write_warning(text: str, *, indent: str = "") -> None:
    """What is to be known about the data that stand beside it, on standard output."""
    write_wrapped(f"warning: {text}", indent=indent, hanging=indent + "  ")


def counted(count: int, what: str) -> str:
    """A number of things: the word for one of them, ``run`` or ``repeated delivery``, takes its plural by itself."""
    if count == 1:
        return f"1 {what}"
    if what[-1] == "y" and what[-2] not in "aeiou":
        return f"{count} {what[:-1]}ies"
    return f"{count} {what}s"


BRIEF_CHARACTERS = 240
"""Longest text of a table's cell that is not cut."""


def brief(text: str) -> str:
    """A text cut at the end of a word, so that a list of many regions does not fill the screen."""
    if len(text) <= BRIEF_CHARACTERS:
        return text
    return text[: BRIEF_CHARACTERS - 4].rsplit(" ", maxsplit=1)[0].rstrip(",;") + " ..."


def hour_ranges(hours: Sequence[int]) -> str:
    """Ascending hours as ``0-5, 9, 12-23``."""
    ranges: list[list[int]] = []
    for hour in hours:
        if ranges and ranges[-1][1] == hour - 1:
            ranges[-1][1] = hour
        else:
            ranges.append([hour, hour])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def percent(part: float, *, signed: bool = False) -> str:
    """A fraction as per cent with one decimal."""
    return f"{part * 100:+.1f} %" if signed else f"{part * 100:.1f} %"


ROUNDED_AWAY = 5e-4
"""A change, as a fraction, that is none to a decimal of a per cent."""


def relative(change: float | None) -> str:
    """A change as a signed percentage, in seven characters at most unless it is absurd; ``-`` if not known."""
    if change is None:
        return "-"
    if abs(change) < ROUNDED_AWAY:
        return "0.0 %"
    return percent(change, signed=True) if abs(change) < 1.0 else f"{change * 100:+.0f} %"


def grams(value: float) -> str:
    """Carbon in the prefix of gCO2eq that reads best; runs are small."""
    for factor, unit in ((1.0, "g"), (1e3, "mg"), (1e6, "ug"), (1e9, "ng")):
        if abs(value) * factor >= 1.0:
            return f"{value * factor:.3g} {unit}"
    return "0 g" if value == 0 else f"{value * 1e9:.3g} ng"


def dollars_per_million(value: float) -> str:
    """USD per run as USD per million runs."""
    return f"{value * 1e6:.2f}"


def dollars(value: float) -> str:
    """An amount of USD; what planning costs is small."""
    return f"{value:.3g}"


def seconds(value: float) -> str:
    """A duration in ms or s."""
    return f"{value * 1e3:.0f} ms" if value < 1.0 else f"{value:.2f} s"


def size(value: float) -> str:
    """A number of bytes in the prefix that reads best."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f} B"


def age(value_s: float) -> str:
    """A time that has passed, in seconds, in the unit that reads best."""
    for factor, unit in ((86_400.0, "day"), (3_600.0, "hour"), (60.0, "minute")):
        if value_s >= factor:
            count = int(value_s // factor)
            return counted(count, unit)
    return "less than a minute"


def quantity(metric: str, value: float) -> str:
    """A value of carbon (gCO2eq), cost (USD per run, shown per million runs) or runtime (s)."""
    if metric == "carbon":
        return grams(value)
    return seconds(value) if metric == "runtime" else f"{dollars_per_million(value)} USD per 1M"
