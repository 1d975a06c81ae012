"""How the page of a report is recognised: by what its head says it was made by, whatever its file is called."""

from __future__ import annotations

GENERATOR = "multi-x-serverless report"
"""Content of the element ``<meta name="generator">`` in the page's head."""

_ENDINGS = (".html", ".htm")
_MARK = f'<meta name="generator" content="{GENERATOR}">'.encode()

HEAD_BYTES = 512
"""From the beginning of the file, in which the mark is looked for; it is the second element of the head."""


def may_be_report(name: str) -> bool:
    """Whether a file is worth looking into, by its name."""
    return name.lower().endswith(_ENDINGS)


def is_report(head: bytes) -> bool:
    """Whether a file that begins like this is the page of a report."""
    return _MARK in head[:HEAD_BYTES]
