"""How an operation tells its caller what it is doing; nothing in this folder prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Progress(Protocol):
    """Told of every step of a deployment, from any thread."""

    def start(self, title: str, steps: int) -> None:
        """A phase of so many steps begins; 0 if their number is not known."""

    def advance(self, step: str) -> None:
        """A step was done."""

    def finish(self) -> None:
        """The phase is over."""


class _Silent:
    def start(self, title: str, steps: int) -> None:
        pass

    def advance(self, step: str) -> None:
        pass

    def finish(self) -> None:
        pass


SILENT: Progress = _Silent()
"""For callers that do not want to know."""


class LineProgress:
    """Hands one line per phase and step to a function."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def start(self, title: str, steps: int) -> None:
        """See `Progress.start`."""
        self._write(f"{title} ({steps} steps)" if steps > 1 else title)

    def advance(self, step: str) -> None:
        """See `Progress.advance`."""
        self._write(step)

    def finish(self) -> None:
        """See `Progress.finish`."""
