"""What functions wrote into their logs, for people: each line with the run and the node that it belongs to.

A line that user code prints says nothing of whose it is. But a container works on one invocation at a time, and the
SDK logs a record before it calls the developer's function: what follows that record in the same container is of its
run and node, up to the next invocation's first record. On Lambda the platform's START line comes first; lines between
it and the record wait for the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, TypeAlias

from multi_x_serverless.cloud.parallel import run_all
from multi_x_serverless.cloud.ports import Cloud, LogEvent
from multi_x_serverless.errors import CloudError
from multi_x_serverless.observation.sync import LogSource, UnreadLog
from multi_x_serverless.observation.trace import killed_request
from multi_x_serverless.observation.tracebacks import CHAINED, TRACEBACK
from multi_x_serverless.sdk.records import MARKER, MalformedRecordError, parse_line

TextKind: TypeAlias = Literal["output", "killed", "platform", "record"]

LATE_S = 30.0
"""A line may appear so long after its time, in seconds: whoever follows a log looks so far back again."""

SPARE_TEXTS = 100
"""Texts kept beyond a limit at least: several may turn out to be one."""

LONGEST_TEXT_LINES = 1_000
"""Lines of a text that belong together at most: bounds what a function can make one text of."""

_BEGINS_INVOCATION = frozenset({"run_started", "run_forwarded", "node_started", "duplicate", "rejected"})

_STARTS = re.compile(r"START RequestId: ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b", re.ASCII)
_ROUTINE = re.compile(r"(?:START|END|REPORT) RequestId: |INIT_START |INIT_REPORT |XRAY TraceId: ", re.ASCII)

_CLOSING = re.compile(r"[\])}]+,?")
_ERROR = "[ERROR] "  # how Lambda's runtime client begins what it says of an exception
_GROUP_END = re.compile(r"\s+\+-+")  # the last line of an exception group


@dataclass(frozen=True)
class LoggedText:
    """A text in a function's log: a line, or several that were written as one.

    Attributes:
        timestamp: Of its first line, seconds since the epoch.
        stream: The container that wrote it.
        run_id: Empty where it belongs to no run: what a module prints when it is loaded, for example.
        node: Index of the node in the graph.
        kind: output: of the developer's code, or of Lambda's runtime client about it (a traceback); killed: the
            platform ended the invocation; platform: its routine (START, END, REPORT); record: one of the SDK's.
    """

    timestamp: float
    source: LogSource
    stream: str
    run_id: str
    node: int | None
    kind: TextKind
    text: str


@dataclass(frozen=True)
class Wanted:
    """Which texts are wanted.

    Attributes:
        run_id: Only of this run.
        nodes: Only of these nodes, by index.
        with_records: Also records and the platform's routine.
        limit: The newest so many of each log.
    """

    run_id: str | None = None
    nodes: frozenset[int] | None = None
    with_records: bool = False
    limit: int | None = None


@dataclass(frozen=True)
class ReadTexts:
    """What one look at the logs found.

    Attributes:
        texts: By time.
        left_out: Older ones that were wanted and are beyond the limit.
        unread: Logs that could not be read to their end.
        has_run: Whether any log knows the run that is wanted; true if all runs are.
    """

    texts: tuple[LoggedText, ...]
    left_out: int
    unread: tuple[UnreadLog, ...]
    has_run: bool


@dataclass
class _Invocation:
    """What a container works on; `is_known` when a record has told the run."""

    request: str = ""
    run_id: str = ""
    node: int | None = None
    is_known: bool = True


@dataclass
class _Stream:
    """One container's log so far: the invocation under way, and lines that wait to learn their run."""

    invocation: _Invocation = field(default_factory=_Invocation)
    waiting: list[LoggedText] = field(default_factory=list)


@dataclass
class _Log:
    """One function's log so far.

    Attributes:
        seen: Ids of lines that may be read again, with their times.
        behind: It is read up to here and no further, seconds since the epoch; `None` if the last look reached its end.
    """

    streams: dict[str, _Stream] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    behind: float | None = None


class _Reading:
    """One look at a log: which of its lines are new, and how far it got.

    Attributes:
        read_until: Time of the newest line; where the look began if there was none.
    """

    def __init__(self, log: _Log, start: float, end: float) -> None:
        self.read_until = start
        self._log = log
        self._start = start
        self._end = end
        self._newest: dict[str, float] = {}  # ids of the lines of `read_until`: more of that moment may follow

    def new_events(self, cloud: Cloud, source: LogSource) -> Iterator[LogEvent]:
        """Lines that no look has met before; `CloudError` where it breaks off."""
        for event in cloud.logs.read_logs(source.region, source.function, self._start, self._end):
            if event.timestamp > self.read_until:
                self._newest.clear()
            self.read_until = event.timestamp
            self._newest[event.id] = event.timestamp
            if event.id not in self._log.seen:
                if event.timestamp >= self._late_from:
                    self._log.seen[event.id] = event.timestamp
                yield event

    def close(self, *, is_broken_off: bool) -> None:
        """Note where the next look has to begin, and forget the lines before: it does not meet them again."""
        log = self._log
        log.behind = self.read_until if is_broken_off else None
        seen = log.seen | self._newest if is_broken_off else log.seen
        needed_from = min(self._late_from, self.read_until) if is_broken_off else self._late_from
        log.seen = {key: time for key, time in seen.items() if time >= needed_from}

    @property
    def _late_from(self) -> float:
        """No look after one that reached its end begins before."""
        return self._end - 2 * LATE_S


class LogReader:
    """Reads the logs of a workflow, once or again and again: each line is told once.

    Args:
        workflow_id: Records of other workflows count as output.
        node_functions: Name of the deployed function of each node.
    """

    def __init__(self, cloud: Cloud, workflow_id: str, node_functions: Sequence[str], wanted: Wanted) -> None:
        self._cloud = cloud
        self._workflow_id = workflow_id
        self._node_functions = tuple(node_functions)
        self._wanted = wanted
        self._logs: dict[LogSource, _Log] = {}

    def read(self, sources: Sequence[LogSource], start: float, end: float, *, shown_from: float) -> ReadTexts:
        """What is new in `start <= time < end` (seconds since the epoch).

        Args:
            sources: The logs.
            start: From where lines are read; earlier than what is shown, so that an invocation under way is known. A
                log that could not be read to its end is taken up where that look broke off, if that is earlier.
            end: Until where.
            shown_from: Texts before are left out.
        """
        for source in sources:
            self._logs.setdefault(source, _Log())
        parts = run_all([partial(self._read_one, source, start, end, shown_from) for source in sources])
        return _joined(parts, self._wanted)

    def _read_one(self, source: LogSource, start: float, end: float, shown_from: float) -> ReadTexts:
        log, kept = self._logs[source], _Newest(self._wanted.limit)
        reading = _Reading(log, start if log.behind is None else min(start, log.behind), end)
        has_run = self._wanted.run_id is None
        unread: tuple[UnreadLog, ...] = ()
        try:
            for event in reading.new_events(self._cloud, source):
                for text in self._texts_of(source, log, event):
                    has_run = has_run or text.run_id == self._wanted.run_id
                    if text.timestamp >= shown_from and self._is_wanted(text):
                        kept.add(text)
        except CloudError as error:
            unread = (UnreadLog(source.region, source.function, reading.read_until, str(error)),)
        reading.close(is_broken_off=bool(unread))
        for stream in log.streams.values():
            # Nobody will tell whose these are: the invocation died before its record, or the record is yet to come.
            for text in stream.waiting:
                if text.timestamp >= shown_from and self._is_wanted(text):
                    kept.add(text)
            stream.waiting.clear()
        return ReadTexts(tuple(_with_whole_errors(kept.texts)), kept.left_out, unread, has_run)

    def _texts_of(self, source: LogSource, log: _Log, event: LogEvent) -> list[LoggedText]:
        """The texts whose run is known now that this line was read."""
        stream = log.streams.setdefault(event.stream, _Stream())
        record, is_damaged = self._record_in(event.message)
        text = partial(_text, event, source)
        if record is None:
            kind = "record" if is_damaged else _kind(event.message)
            _note_platform(stream, event.message)
            return _settled(stream, text(stream.invocation, kind, event.message))
        start = event.message.index(MARKER)
        # The developer's code may have written without an end of line.
        before = [text(stream.invocation, "output", event.message[:start])] if event.message[:start].strip() else []
        is_other = record["req"] != stream.invocation.request
        invocation = _Invocation(record["req"], record["run"], None if is_other else stream.invocation.node)
        if record["t"] in _BEGINS_INVOCATION:
            node = record.get("node")
            # Of another graph's run it may be a number that is another function's here.
            is_node = isinstance(node, int) and self._node_functions[node : node + 1] == (source.function,)
            invocation.node = node if is_node else None
        released = [
            replace(waiting, run_id=invocation.run_id, node=invocation.node) if not is_other else waiting
            for waiting in stream.waiting
        ]
        stream.waiting, stream.invocation = [], invocation
        return [*released, *before, text(invocation, "record", event.message[start:])]

    def _record_in(self, line: str) -> tuple[dict[str, Any] | None, bool]:
        """The record of this workflow in a line, and whether there is a damaged one."""
        try:
            record = parse_line(line)
        except MalformedRecordError:
            return None, True
        if record is None or record["wf"] != self._workflow_id:
            return None, False
        return record, False

    def _is_wanted(self, text: LoggedText) -> bool:
        wanted = self._wanted
        if text.kind in ("record", "platform") and not wanted.with_records:
            return False
        if wanted.run_id is not None and text.run_id != wanted.run_id:
            return False
        if wanted.nodes is None or text.node in wanted.nodes:
            return True
        # Of a function that is one node only, what belongs to no run is that node's all the same.
        places = {index for index, name in enumerate(self._node_functions) if name == text.source.function}
        return text.node is None and bool(places) and places <= wanted.nodes


class _Newest:
    """The newest texts of a log; lines that were written as one are one text."""

    def __init__(self, limit: int | None) -> None:
        self.texts: list[LoggedText] = []
        self.left_out = 0
        self._limit = limit
        self._last: dict[str, int] = {}  # stream -> how many texts were left out or kept up to its last one

    def add(self, text: LoggedText) -> None:
        """Add a text that is not empty; to the one before it in its container, if it goes on there."""
        if not text.text:
            return
        place = self._last.get(text.stream, 0) - self.left_out - 1
        if place >= 0 and _goes_on(self.texts[place], text):
            self.texts[place] = replace(self.texts[place], text=f"{self.texts[place].text}\n{text.text}")
            return
        self.texts.append(text)
        self._last[text.stream] = self.left_out + len(self.texts)
        if self._limit is not None and len(self.texts) >= self._limit + max(self._limit, SPARE_TEXTS):
            surplus = len(self.texts) - self._limit
            del self.texts[:surplus]
            self.left_out += surplus


def _with_whole_errors(texts: Sequence[LoggedText]) -> list[LoggedText]:
    """Join a message of several lines with the traceback behind it.

    Lambda's runtime client writes the type, the message and the traceback at once, with ends of lines of its own; those
    within the message begin a new line of the log all the same::

        [ERROR] ValueError: first
        second
        third<CR>Traceback (most recent call last):<CR>  File ...
    """
    joined: list[LoggedText | None] = list(texts)
    begun: dict[str, list[int]] = {}  # stream -> places of texts that are one if a traceback ends them
    for place, text in enumerate(texts):
        places = begun.setdefault(text.stream, [])
        if text.text.startswith(_ERROR):
            places[:] = [place]
        elif places and _is_of_the_same(texts[places[0]], text) and len(places) < LONGEST_TEXT_LINES:
            places.append(place)
        else:
            places.clear()
        if places and TRACEBACK in text.text:
            if f"\n{TRACEBACK}" in text.text and not text.text.startswith((TRACEBACK, _ERROR.rstrip())):
                joined[places[0]] = replace(texts[places[0]], text="\n".join(texts[part].text for part in places))
                for part in places[1:]:
                    joined[part] = None
            places.clear()
    return [text for text in joined if text is not None]


def _joined(parts: Sequence[ReadTexts], wanted: Wanted) -> ReadTexts:
    texts = sorted((text for part in parts for text in part.texts), key=lambda text: text.timestamp)
    surplus = 0 if wanted.limit is None else max(0, len(texts) - wanted.limit)
    return ReadTexts(
        tuple(texts[surplus:]),
        surplus + sum(part.left_out for part in parts),
        tuple(log for part in parts for log in part.unread),
        any(part.has_run for part in parts),
    )


def _text(event: LogEvent, source: LogSource, invocation: _Invocation, kind: TextKind, message: str) -> LoggedText:
    # Lambda's runtime client ends the lines of a traceback so that they are one line of a log.
    shown = message.replace("\r\n", "\n").replace("\r", "\n").rstrip()
    return LoggedText(event.timestamp, source, event.stream, invocation.run_id, invocation.node, kind, shown)


def _kind(line: str) -> TextKind:
    if _ROUTINE.match(line):
        return "platform"
    return "killed" if killed_request(line) else "output"


def _note_platform(stream: _Stream, line: str) -> None:
    """A START line begins an invocation whose run is not known yet."""
    started = _STARTS.match(line)
    if started is not None and started.group(1) != stream.invocation.request:
        stream.invocation = _Invocation(started.group(1), is_known=False)


def _settled(stream: _Stream, text: LoggedText) -> list[LoggedText]:
    """The text, unless it has to wait; with those that have waited in vain."""
    if not stream.invocation.is_known:
        in_vain = [] if _STARTS.match(text.text) is None else list(stream.waiting)
        stream.waiting = [*(() if in_vain else stream.waiting), text]
        return in_vain
    return [text]


def _is_of_the_same(before: LoggedText, text: LoggedText) -> bool:
    """Whether both are output of one node in one run."""
    return (before.kind, before.run_id, before.node) == ("output", text.run_id, text.node) and text.kind == "output"


def _goes_on(before: LoggedText, text: LoggedText) -> bool:
    """Whether a line belongs to the text before it: it is indented, or of the same traceback."""
    if not _is_of_the_same(before, text):
        return False
    if before.text.count("\n") >= LONGEST_TEXT_LINES:
        return False
    last = before.text.rsplit("\n", 1)[-1]
    if text.text[:1].isspace():
        return True
    if last[:1].isspace() and _CLOSING.fullmatch(text.text):
        return True
    if last.startswith(CHAINED):
        return text.text.startswith(TRACEBACK)
    if TRACEBACK not in before.text:
        return False
    if text.text.startswith(CHAINED):
        return True
    # The exception itself stands under its frames; a group's stands among them.
    return last.startswith((TRACEBACK, " ")) and not text.text.startswith(TRACEBACK) and not _GROUP_END.fullmatch(last)
