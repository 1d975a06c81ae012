"""What functions logged, in lines and as members of a document."""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from multi_x_serverless.cli.output import printable
from multi_x_serverless.cli.table_layout import elide

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.function_logs import FunctionLogs
    from multi_x_serverless.cli.session import Settings
    from multi_x_serverless.observation.function_logs import LoggedText

RUN_ID_CHARACTERS = 16
"""Of a run's id are shown: the time in milliseconds and 16 random bits; 'status' and 'logs' take it so."""

_NARROWEST_NODE = 12
_FALLBACK_WIDTH = 80


class LogPrinter:
    """Prints texts as they come; what is of the same container, run and node stands under one heading."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._heading = ""

    def show(self, found: FunctionLogs) -> None:
        """Print some more; logged text is left as it is, but cannot steer the terminal."""
        for text in found.texts:
            self._head(text, found.node_of(text) or f"function {found.function_of(text)}")
            moment = datetime.fromtimestamp(text.timestamp, tz=timezone.utc)
            start = f"  {moment:%H:%M:%S}.{moment.microsecond // 1000:03d}  "
            for number, line in enumerate(text.text.split("\n")):
                click.echo(printable((start if number == 0 else " " * len(start)) + line))

    def _head(self, text: LoggedText, where: str) -> None:
        day = f"{datetime.fromtimestamp(text.timestamp, tz=timezone.utc):%Y-%m-%d} UTC"
        run = f"run {text.run_id[:RUN_ID_CHARACTERS]}" if text.run_id else "no run"
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
