"""What a command that changes something says after Ctrl-C, in sentences that hold wherever it stopped.

What was under way may know more exactly what is left (`adaptation.interruption`); then that is said. Whatever a command
meets on its way out, Ctrl-C stays Ctrl-C.
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
            except (KeyboardInterrupt, Exception) as error:
                stops = _stops(error)
                if not stops:
                    raise
                exact = [stop.left for stop in stops if isinstance(stop, WorkInterruptedError)]
                # What was said of the first Ctrl-C holds after a second one while the command comes to its end.
                told = exact[0] if exact else left.format_map(options) if changes(options) else ""
                raise WorkInterruptedError(f"{told} {_failure(error)}".strip()) from error

        return command

    return decorate


def _stops(error: BaseException | None) -> list[KeyboardInterrupt]:
    """Each Ctrl-C that an error is or came after, the last one first."""
    found = []
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            found.append(error)
        error = error.__context__
    return found


def _failure(error: BaseException) -> str:
    """What went wrong after Ctrl-C; empty if nothing did."""
    if isinstance(error, KeyboardInterrupt):
        return ""
    from multi_x_serverless.adaptation.failure import why

    return f"On its way out it met another error: {why(error)}."
