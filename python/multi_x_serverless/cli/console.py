"""The one way to rich's console: what decides about colours decides for all output."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from multi_x_serverless.cli.session import Settings


def open_console(settings: Settings, *, is_error: bool = False) -> Console:
    """A console on standard output or standard error; without colours it writes no attributes (bold) either."""
    from rich.console import Console

    # `no_color` alone leaves bold and underlined text.
    return Console(
        stderr=is_error,
        color_system="auto" if settings.color else None,
        no_color=not settings.color,
        highlight=False,
        # What stands between two colons, in a key or the name of a node, is no picture.
        emoji=False,
    )
