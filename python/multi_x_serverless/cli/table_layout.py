"""How wide the columns of a table are on a terminal: nothing that is to be copied is broken, no column left out.

A library that lays out tables shrinks columns until the table fits, and drops those that are shrunk to nothing. Here a
table for which there is no room is shown as one paragraph a row instead.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from multi_x_serverless.report.tables import Column

NARROWEST_NAME = 20
"""Characters of a line of a name at least; longer ones go on in the next line where there is no room."""

LONGEST_WORD = 24
"""Longest word of a text that a column is kept wide enough for; longer ones are broken."""

_EDGES, _BETWEEN = 2, 3  # blanks beside a table and between two columns
_INDENT = "    "
_PART_ENDS = ":_-/"
_CONTINUED = " "  # what the further lines of a name begin with
_ITEM_END = re.compile(r"(?<=[,;]) ")
_ASIDE = re.compile(r"\s*\([^()]*\)")  # the innermost ones
_NAMES = re.compile(r"^([\w-]+(?:, [\w-]+){2,}): ")  # that something is said of
_NO_BREAK = "\N{NO-BREAK SPACE}"
_COMMAND = re.compile(r"'multi_x_serverless [^']*'|^ +multi_x_serverless .*$", re.MULTILINE)


def fold_names(text: str, width: int) -> str:
    """A text whose words are broken into lines of at most `width` characters, behind a part of a name where one ends.

    Nothing is left out: names of nodes often differ in their middle alone.
    """
    return re.sub(r"\S+", lambda word: _fold_word(word.group(), width), text)


def _fold_word(word: str, width: int) -> str:
    lines, rest = list[str](), word
    while len(rest) > (room := max(1, width - len(_CONTINUED) * bool(lines))):
        end = max(rest.rfind(mark, 0, room) for mark in _PART_ENDS) + 1
        end = end if end > 0 else room
        lines, rest = [*lines, rest[:end]], rest[end:]
    return f"\n{_CONTINUED}".join((*lines, rest))


def shortened(text: str, width: int) -> str:
    """A text of at most `width` characters that says of several things what holds for each.

    Without asides in brackets (what then says the same twice says it once), else with the first one only of the names
    that something is said of, else cut at its end, between two items, which end with a comma or a semicolon. Items of
    one list are counted where they are left out. Where not even the first one fits, it is cut behind a word.
    """
    if len(text) <= width:
        return text
    brief = text
    while (without := _ASIDE.sub("", brief)) != brief:
        brief = without
    brief = "; ".join(dict.fromkeys(brief.split("; ")))
    if len(brief) <= width:
        return brief
    brief = "; ".join(_NAMES.sub(_first_name, part) for part in brief.split("; "))
    if len(brief) <= width:
        return brief
    items = _ITEM_END.split(brief)
    for kept in range(len(items) - 1, 0, -1):
        is_one_list = not any(item.endswith(";") for item in items[kept - 1 :])
        end = f", and {len(items) - kept} more" if is_one_list else " ..."
        shown = " ".join(items[:kept]).rstrip(",;") + end
        if len(shown) <= width:
            return shown
    words, left_out = brief.split(" "), " ..."
    while words and len(" ".join(words)) > width - len(left_out):
        words.pop()
    return " ".join(words).rstrip(",;:") + left_out


def _first_name(names: re.Match[str]) -> str:
    first, *others = names.group(1).split(", ")
    return f"{first} and {len(others)} more: "


def column_widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """Width of each column on a terminal of `width` characters; `None` if there is no room for the table.

    What is left over goes to names, then to texts, then to the headings of numbers.
    """
    room = width - _EDGES - _BETWEEN * (len(columns) - 1)
    cells = [[row[index] for row in rows] for index in range(len(columns))]
    least = [_least_width(column, texts) for column, texts in zip(columns, cells, strict=True)]
    most = [max(map(len, (column.name, *texts))) for column, texts in zip(columns, cells, strict=True)]
    if sum(least) > room:
        return None
    names = [_longest_word(texts) if column.is_name else 0 for column, texts in zip(columns, cells, strict=True)]
    texts_only = [
        0 if column.is_number or column.is_whole else longest for column, longest in zip(columns, most, strict=True)
    ]
    widths = least
    for wanted in (names, texts_only, most):
        widths = _widened(widths, wanted, room)
    return widths


def _least_width(column: Column, texts: Sequence[str]) -> int:
    heading = _longest_word([column.name])
    if column.is_number or column.is_whole:
        return max(heading, *map(len, texts), 0)
    return max(heading, min(_longest_word(texts), NARROWEST_NAME if column.is_name else LONGEST_WORD))


def _longest_word(texts: Sequence[str]) -> int:
    """Longest word, with the blanks that a text begins with."""
    return max((len(word) for text in texts for word in re.findall(r"^\s*\S+|\S+", text)), default=0)


def _widened(widths: Sequence[int], wanted: Sequence[int], room: int) -> list[int]:
    """The narrowest columns made wider, one character after the other, while there is room and one wants more."""
    widened = list(widths)
    for _ in range(room - sum(widened)):
        narrow = [index for index, width in enumerate(widened) if width < wanted[index]]
        if not narrow:
            break
        widened[min(narrow, key=lambda index: widened[index])] += 1
    return widened


def paragraphs(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """A paragraph for each row: its first cell on a line, the others with their headings below."""
    return [_paragraph(columns, row, width) for row in rows]


def wrap(text: str, width: int, *, indent: str = "", hanging: str | None = None) -> str:
    """The lines of a text broken between words, but neither before a per cent sign nor within a command of ours.

    Args:
        width: Characters of a line; a longer word or command stands on a line of its own.
        indent: What the first line begins with.
        hanging: What the others begin with; by default two blanks more than an indented first one.
    """
    others = hanging if hanging is not None else indent + "  " if indent else ""
    kept_together = _COMMAND.sub(lambda command: command.group().replace(" ", _NO_BREAK), text)
    lines = [
        textwrap.fill(
            line,
            width,
            initial_indent=others if number else indent,
            subsequent_indent=others,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for number, line in enumerate(kept_together.replace(" %", f"{_NO_BREAK}%").split("\n"))
    ]
    return "\n".join(lines).replace(_NO_BREAK, " ")


def _paragraph(columns: Sequence[Column], row: Sequence[str], width: int) -> str:
    cells = zip(columns[1:], row[1:], strict=True)
    pairs = [f"{column.name}: {cell}" if column.name else cell for column, cell in cells if cell]
    room = width - len(_INDENT) - 1
    kept_together = [pair.replace(" ", _NO_BREAK) if len(pair) <= room else pair for pair in pairs]
    text = textwrap.fill(
        "; ".join(kept_together),
        width,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(part for part in (row[0], text.replace(_NO_BREAK, " ")) if part.strip())
