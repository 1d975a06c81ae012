"""Which files of a project its configuration keeps out of the package (`package_exclude`)."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath


def first_match(patterns: Sequence[str], path: str) -> str | None:
    """The pattern that keeps a file out, `None` if none does.

    A pattern without a slash is of the name of a file or directory anywhere, one with a slash is of a path from the
    project's directory. ``*`` and ``?`` stand for characters of one name, never for a slash; every other character
    stands for itself. A slash at the end means directories alone. What keeps a directory out keeps out all in it.

    Args:
        patterns: As the configuration has them, checked.
        path: Of a file, relative to the project, with ``/``.
    """
    parts = PurePosixPath(path).parts
    return next((pattern for pattern in patterns if _keeps_out(pattern, parts)), None)


def _keeps_out(pattern: str, parts: tuple[str, ...]) -> bool:
    wanted = PurePosixPath(pattern.strip("/")).parts
    # The last part is the file, all before it are directories.
    candidates = parts[:-1] if pattern.endswith("/") else parts
    if "/" in pattern.rstrip("/"):
        return len(wanted) <= len(candidates) and all(map(_is_named, candidates, wanted))
    return any(_is_named(name, wanted[0]) for name in candidates)


def _is_named(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern.replace("[", "[[]"))
