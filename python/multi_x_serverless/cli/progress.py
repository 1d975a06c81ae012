"""Progress on standard error, only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multi_x_serverless.cli.session import Settings
    from multi_x_serverless.deployment.progress import Progress


def _is_shown(settings: Settings) -> bool:
    return settings.verbosity >= 0 and sys.stderr.isatty()


@contextmanager
def terminal_count(settings: Settings, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar that counts up to `total`; does nothing without a terminal."""
    if not _is_shown(settings) or total < 2:
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True, no_color=not settings.color)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.update(task, completed=count)


@contextmanager
def terminal_status(settings: Settings, what: str) -> Iterator[None]:
    """A spinner beside what is being done; nothing without a terminal."""
    if not _is_shown(settings):
        yield
        return
    from rich.console import Console

    with Console(stderr=True, no_color=not settings.color).status(what):
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
        from rich.console import Console

        console = Console(stderr=True, no_color=not settings.color)
        with console.status("working") as status:
            yield LineProgress(status.update)
