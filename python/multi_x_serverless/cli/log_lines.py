"""What functions logged, in lines and as members of a document."""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from multi_x_serverless.adaptation.run_status import TELLING_CHARACTERS
from multi_x_serverless.cli.output import printable
from multi_x_serverless.cli.table_layout import NARROWEST_NAME, fold_names
from multi_x_serverless.observation.tracebacks import TRACEBACK, developers_part

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.function_logs import FunctionLogs
    from multi_x_serverless.cli.session import Settings
    from multi_x_serverless.observation.function_logs import LoggedText

_FALLBACK_WIDTH = 80
_GAP = "  "  # between the parts of a heading
_BELOW = "    "  # what a part below a name begins with, as where a table has no room
_TOLD_TRACEBACKS = 200
"""So many of the tracebacks shown are known again: bounds memory where logs are followed for days."""


class LogPrinter:
    """Prints texts as they come; what is of the same container, run and node stands under one heading.

    Args:
        is_whole: Tracebacks are shown each time, and with the frames of the SDK and of the runtime client.
    """

    def __init__(self, settings: Settings, *, is_whole: bool = False) -> None:
        self._settings = settings
        self._is_whole = is_whole
        self._heading = ""
        # Function or node, traceback -> when the one that was shown was written; met longest ago first.
        self._told: dict[tuple[str, tuple[str, ...]], datetime] = {}

    def show(self, found: FunctionLogs) -> None:
        """Print some more; logged text is left as it is, but cannot steer the terminal."""
        for text in found.texts:
            where = found.node_of(text) or f"function {found.function_of(text)}"
            self._head(text, where)
            moment = datetime.fromtimestamp(text.timestamp, tz=timezone.utc)
            start = f"  {_time(moment)}  "
            lines = tuple(text.text.split("\n"))
            for number, line in enumerate(lines if self._is_whole else self._shortened(lines, where, moment)):
                click.echo(printable((start if number == 0 else " " * len(start)) + line))

    def _shortened(self, lines: tuple[str, ...], where: str, moment: datetime) -> tuple[str, ...]:
        """The developer's part of a traceback, and of one that was shown before only when that was."""
        if not any(TRACEBACK in line for line in lines):
            return lines
        shown = developers_part(lines)
        first = next((number for number, line in enumerate(shown) if TRACEBACK in line), None)
        if first is None:
            return lines  # it breaks off before the traceback that matters
        key = (where, shown[first:])
        before = self._told.pop(key, None)
        self._told[key] = moment if before is None else before
        if len(self._told) > _TOLD_TRACEBACKS:
            del self._told[next(iter(self._told))]
        if before is None:
            return shown
        day = "" if before.date() == moment.date() else f"{before:%Y-%m-%d} "
        return (*shown[:first], f"(the same traceback as at {day}{_time(before)})")

    def _head(self, text: LoggedText, where: str) -> None:
        day = f"{datetime.fromtimestamp(text.timestamp, tz=timezone.utc):%Y-%m-%d} UTC"
        run = f"run {text.run_id[:TELLING_CHARACTERS]}" if text.run_id else "no run"
        width = shutil.get_terminal_size((_FALLBACK_WIDTH, 24)).columns
        heading = _beside(where, f"{day}  {text.source.region}  {run}", width)
        # The stream is not shown, but two containers under one heading would look like one.
        if heading + text.stream != self._heading:
            self._heading = heading + text.stream
            click.echo(click.style(heading, bold=True), color=None if self._settings.color else False)


def _beside(name: str, rest: str, width: int) -> str:
    """A name with the rest beside its first line, or below it where there is no room for both."""
    before = name.rfind(" ") + 1  # "function "
    room = width - len(rest) - len(_GAP)
    if room < min(NARROWEST_NAME, len(name)):
        return f"{fold_names(name, width - before)}\n{_BELOW}{rest}"
    first, *others = fold_names(name, room - before).split("\n")
    # Beside a name of several lines the rest stands as in a column.
    return "\n".join((f"{first:<{room if others else len(first)}}{_GAP}{rest}", *others))


def _time(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


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
