"""Where the embedded data comes from, in a form programs can print."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import orjson

from multi_x_serverless.data._tables import read_table


@dataclass(frozen=True)
class DataSource:
    """Provenance of one table file.

    Attributes:
        file: Name of the file in the directory of tables.
        content: What it holds.
        source: Who made the data.
        licence: SPDX expression, or ``none claimed`` for plain facts.
        vintage: The time the data describes, as a date, month, year or span.
        unit: Unit of its values; empty if they have none.
        notes: What a careful user wants to know.
    """

    file: str
    content: str
    source: str
    licence: str
    vintage: str
    unit: str
    notes: str


@cache
def sources() -> tuple[DataSource, ...]:
    """Return the provenance of every table file."""
    return tuple(DataSource(**entry) for entry in orjson.loads(read_table("sources.json"))["files"])


def source_of(file: str) -> DataSource:
    """Return the provenance of one table file."""
    return next(source for source in sources() if source.file == file)


@cache
def attribution() -> str:
    """Return the sentence that has to stay with the carbon data and with what is derived from it."""
    text: str = orjson.loads(read_table("sources.json"))["attribution"]
    return text
