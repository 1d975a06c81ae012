"""The one way to rich's console: what decides about colours decides for all output."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

    from multi_x_serverless.cli.session import Settings


def open_console(settings: Settings, *, is_error: bool = False) -> Console:
    """A console on standard output or standard error; without colours it writes no attributes (bold) either."""
    from rich.console import Console

    # Of what it is not told it asks the variables and the terminal.
    size = None if _is_width(os.environ.get("COLUMNS")) else shutil.get_terminal_size()
    # `no_color` alone leaves bold and underlined text.
    return Console(
        stderr=is_error,
        width=None if size is None else size.columns,
        height=None if size is None else size.lines,
        color_system="auto" if settings.color else None,
        no_color=not settings.color,
        highlight=False,
        # What stands between two colons, in a key or the name of a node, is no picture.
        emoji=False,
    )


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody sees what is written to a stream, or types what is read; one that was closed is `None`."""
    return stream is not None and stream.isatty()


def _is_width(told: str | None) -> bool:
    """Whether the variable ``COLUMNS`` is not there or says a width; rich takes any digits, 0 too, and fails."""
    return told is None or (told.isdecimal() and int(told) > 0)
