"""Which files of a project its configuration keeps out of the package (`package_exclude`)."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath


def first_match(patterns: Sequence[str], path: str) -> str | None:
    """The pattern that keeps a file out, `None` if none does.

    A pattern without a slash is of the name of a file or directory anywhere, one with a slash is of a path from the
    project's directory. ``*`` and ``?`` stand for any characters. What keeps a directory out keeps out all in it.

    Args:
        patterns: As the configuration has them, checked.
        path: Of a file, relative to the project, with ``/``.
    """
    parts = PurePosixPath(path).parts
    for pattern in patterns:
        is_path = "/" in pattern.rstrip("/")
        wanted = pattern.strip("/")
        for length in range(1, len(parts) + 1):
            found = "/".join(parts[:length]) if is_path else parts[length - 1]
            # A pattern that ends in a slash is of directories alone.
            if (length < len(parts) or not pattern.endswith("/")) and fnmatchcase(found, wanted):
                return pattern
    return None
