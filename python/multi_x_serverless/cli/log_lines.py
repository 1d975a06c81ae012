"""What functions logged, in lines and as members of a document."""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from multi_x_serverless.adaptation.run_status import TELLING_CHARACTERS
from multi_x_serverless.cli.output import printable
from multi_x_serverless.cli.table_layout import elide
from multi_x_serverless.observation.tracebacks import TRACEBACK, developers_part

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.function_logs import FunctionLogs
    from multi_x_serverless.cli.session import Settings
    from multi_x_serverless.observation.function_logs import LoggedText

_NARROWEST_NODE = 12
_FALLBACK_WIDTH = 80


class LogPrinter:
    """Prints texts as they come; what is of the same container, run and node stands under one heading.

    Args:
        is_whole: Tracebacks are shown each time, and with the frames of the SDK and of the runtime client.
    """

    def __init__(self, settings: Settings, *, is_whole: bool = False) -> None:
        self._settings = settings
        self._is_whole = is_whole
        self._heading = ""
        self._told: dict[tuple[str, tuple[str, ...]], str] = {}  # function or node, traceback -> when it was shown

    def show(self, found: FunctionLogs) -> None:
        """Print some more; logged text is left as it is, but cannot steer the terminal."""
        for text in found.texts:
            where = found.node_of(text) or f"function {found.function_of(text)}"
            self._head(text, where)
            moment = datetime.fromtimestamp(text.timestamp, tz=timezone.utc)
            time = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"
            start = f"  {time}  "
            lines = tuple(text.text.split("\n"))
            for number, line in enumerate(lines if self._is_whole else self._shortened(lines, where, time)):
                click.echo(printable((start if number == 0 else " " * len(start)) + line))

    def _shortened(self, lines: tuple[str, ...], where: str, time: str) -> tuple[str, ...]:
        """The developer's part of a traceback, and of one that was shown before only when that was."""
        if TRACEBACK not in lines:
            return lines
        shown = developers_part(lines)
        first = shown.index(TRACEBACK)
        before = self._told.setdefault((where, shown[first:]), time)
        return shown if before == time else (*shown[:first], f"(the same traceback as at {before})")

    def _head(self, text: LoggedText, where: str) -> None:
        day = f"{datetime.fromtimestamp(text.timestamp, tz=timezone.utc):%Y-%m-%d} UTC"
        run = f"run {text.run_id[:TELLING_CHARACTERS]}" if text.run_id else "no run"
        rest = f"{day}  {text.source.region}  {run}"
        width = shutil.get_terminal_size((_FALLBACK_WIDTH, 24)).columns
        heading = f"{elide(where, max(_NARROWEST_NODE, width - len(rest) - 2))}  {rest}"
        # The stream is not shown, but two containers under one heading would look like one.
        if heading + text.stream != self._heading:
            self._heading = heading + text.stream
            click.echo(click.style(heading, bold=True), color=None if self._settings.color else False)


def text_members(found: FunctionLogs, text: LoggedText) -> dict[str, Any]:
    """A text as members of a document; `time` in seconds since the epoch."""
    return {
        "time": text.timestamp,
        "region": text.source.region,
        "function": found.function_of(text),
        "node": found.node_of(text),
        "run_id": text.run_id or None,
        "container": text.stream or None,
        "kind": text.kind,
        "text": text.text,
    }
