"""Reading the table files that lie beside this package."""

from __future__ import annotations

import csv
from pathlib import Path

# Not importlib.resources: its import costs 30 ms, and this package is never run from inside an archive.
_TABLES = Path(__file__).parent / "tables"


def read_table(name: str) -> bytes:
    """Return the content of a table file by its name."""
    return (_TABLES / name).read_bytes()


def has_table(name: str) -> bool:
    """Return whether there is such a table file: some are there only once they were fetched."""
    return (_TABLES / name).exists()


def read_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a CSV table, each by column name."""
    return list(csv.DictReader(read_table(name).decode("utf-8").splitlines()))
