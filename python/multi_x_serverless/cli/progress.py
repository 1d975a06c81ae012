"""Progress on standard error, only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from multi_x_serverless.cli.console import is_terminal, open_console

if TYPE_CHECKING:
    from multi_x_serverless.cli.session import Settings
    from multi_x_serverless.deployment.progress import Progress


def _is_shown(settings: Settings) -> bool:
    return settings.verbosity >= 0 and is_terminal(sys.stderr)


@contextmanager
def terminal_count(settings: Settings, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar that counts up to `total`, a spinner for one thing; nothing without a terminal."""
    if not _is_shown(settings):
        yield lambda _count: None
        return
    if total < 2:
        with terminal_status(settings, what):
            yield lambda _count: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=open_console(settings, is_error=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.update(task, completed=count)


@contextmanager
def terminal_status(settings: Settings, what: str) -> Iterator[None]:
    """A spinner beside what is being done; nothing without a terminal."""
    if not _is_shown(settings):
        yield
        return
    from rich.markup import escape

    with open_console(settings, is_error=True).status(escape(what)):
        yield


@contextmanager
def terminal_progress(settings: Settings) -> Iterator[Progress]:
    """Steps of a deployment: a spinner on a terminal, lines with -v, otherwise nothing."""
    from multi_x_serverless.deployment.progress import SILENT, LineProgress

    if settings.verbosity > 0:
        yield LineProgress(settings.say)
    elif not _is_shown(settings):
        yield SILENT
    else:
        from rich.markup import escape

        with open_console(settings, is_error=True).status("working") as status:
            yield LineProgress(lambda step: status.update(escape(step)))
