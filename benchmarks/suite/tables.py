"""Tables for a terminal, and documents for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], *, names: int = 1) -> str:
    """A table in columns; the first `names` of them hold words, all others numbers, which end at the right."""
    widths = [max(len(line[column]) for line in (header, *rows)) for column in range(len(header))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < names else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (header, ["-" * width for width in widths], *rows)
    ]
    return "\n".join(lines)


def write_json(file: Path, members: Any) -> None:
    """Write a document; data classes become objects."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(orjson.dumps(members, option=orjson.OPT_INDENT_2) + b"\n")
