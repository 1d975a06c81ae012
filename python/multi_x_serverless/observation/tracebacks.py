"""Tracebacks as the developer of a workflow reads them: the frames of their own code, and the package's paths.

::

    File ".../packages/<sha256>/multi_x_serverless/sdk/execution.py"   left out, it calls the developer's code
    File ".../packages/<sha256>/app.py"                                File "app.py"
    File ".../packages/<sha256>/multi_x_serverless/sdk/objects.py"     left out, what it raised is told anyway
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

TRACEBACK = "Traceback (most recent call last):"
CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
"""How the sentence between an exception and the one that followed from it begins."""

# In exceptions of a group a vertical line for each group stands before the indentation.
_INDENT = re.compile(r"[\s|]*")
_FRAME = re.compile(r'(?P<indent>[\s|]*)File "(?P<path>[^"]+)", line \d+')

# The SDK in a package, and Lambda's runtime client.
_FRAMEWORKS = re.compile(r"(?:^|[/\\])(?:multi_x_serverless[/\\]sdk|awslambdaric)[/\\]")

# Where a package lies: on Lambda, and in the state directory of the embedded cloud under its SHA-256.
_PACKAGE = re.compile(r'(?<=File ")(?:/var/task|[^"]*[/\\]packages[/\\][0-9a-f]{64})[/\\]')


def developers_part(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines of a traceback, or of a text that holds one, without frames of the SDK and of the runtime client.

    An exception that has no other frames is left out if another one followed from it; the last one is shown whole then.
    All exceptions of a group stay, since they are what it says.
    """
    exceptions = _exceptions(lines)
    shown = [part for part in exceptions[:-1] if not _is_frameworks(part)] + exceptions[-1:]
    return tuple(
        _PACKAGE.sub("", line)
        for part in shown
        for line in (part if _is_frameworks(part) else _without_frameworks(part))
    )


def _exceptions(lines: Sequence[str]) -> list[list[str]]:
    """An exception each, with the sentence that leads from it to the next one."""
    parts: list[list[str]] = [[]]
    is_led_on = False
    for line in lines:
        if is_led_on and line.strip():
            parts.append([])
            is_led_on = False
        parts[-1].append(line)
        is_led_on = is_led_on or line.startswith(CHAINED)
    return parts


def _is_frameworks(lines: Sequence[str]) -> bool:
    """Whether there are frames, and none of them is the developer's or a library's."""
    paths = [found["path"] for line in lines if (found := _FRAME.match(line)) is not None]
    return bool(paths) and all(_FRAMEWORKS.search(path) for path in paths)


def _without_frameworks(lines: Sequence[str]) -> Iterator[str]:
    left_out: int | None = None  # indentation of the frame that is being left out
    for line in lines:
        frame = _FRAME.match(line)
        if frame is not None:
            left_out = len(frame["indent"]) if _FRAMEWORKS.search(frame["path"]) else None
        elif left_out is not None and not _belongs(line, left_out):
            left_out = None
        if left_out is None:
            yield line


def _belongs(line: str, indent: int) -> bool:
    """Whether a line is part of the frame above it: its source, marks below that, or how often it was repeated."""
    text = _INDENT.sub("", line, count=1)
    own = len(line) - len(text)
    return own > indent or (own == indent and text.startswith("[Previous line repeated"))
