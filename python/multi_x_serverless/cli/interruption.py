"""What a command that changes something says after Ctrl-C, in sentences that hold wherever it stopped.

What was under way may know more exactly what is left (`adaptation.interruption`); then that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from multi_x_serverless.errors import WorkInterruptedError

Result = TypeVar("Result")


def is_no_dry_run(options: Mapping[str, Any]) -> bool:
    """Whether a command with these options changes something, if ``--dry-run`` is all that keeps it from that."""
    return not options.get("dry_run", False)


def says_what_is_left(
    left: str, *, changes: Callable[[Mapping[str, Any]], bool] = is_no_dry_run
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """A command that changes something, and what is left of that after Ctrl-C; stands below `pass_settings`.

    Args:
        left: The rest of a sentence that is true wherever the command stopped, with its arguments in braces.
        changes: Whether it changes anything, by its arguments.
    """

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @wraps(function)
        def command(*settings: Any, **options: Any) -> Result:
            try:
                return function(*settings, **options)
            except WorkInterruptedError:
                raise
            except KeyboardInterrupt as stop:
                told = _told_before(stop)
                if told is None and not changes(options):
                    raise
                raise WorkInterruptedError(left.format_map(options) if told is None else told) from stop

        return command

    return decorate


def _told_before(stop: BaseException) -> str | None:
    """What was said of the first Ctrl-C, if this is a second one while the command came to its end."""
    earlier = stop.__context__
    while earlier is not None:
        if isinstance(earlier, WorkInterruptedError):
            return earlier.left
        earlier = earlier.__context__
    return None
