"""Logs of functions (the log port), written in batches."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from multi_x_serverless.cloud.local.database import Database
from multi_x_serverless.cloud.local.regions import Regions
from multi_x_serverless.cloud.ports import LogEvent

_PAGE_EVENTS = 1000
_FLUSH_INTERVAL_S = 0.2  # what a host that is killed may lose of the lines of an invocation under way


@dataclass(frozen=True)
class _Line:
    region: str
    function: str
    timestamp: float
    message: str
    stream: str


class LocalLogService:
    """See `multi_x_serverless.cloud.ports.LogService`.

    Lines wait in memory until an invocation ends (`flush`, or `write_pending` in the transaction that ends it) or a
    fraction of a second has passed.
    """

    def __init__(self, database: Database, regions: Regions) -> None:
        self._database = database
        self._regions = regions
        self._lock = threading.Lock()
        self._pending: list[_Line] = []
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._flusher: threading.Thread | None = None
        # A reader does not bring an older database up to date.
        has_streams = any(row[1] == "stream" for row in database.rows("PRAGMA table_info(log_event)"))
        self._stream_column = "stream" if has_streams else "''"

    def append(self, region: str, function: str, timestamp: float, message: str, stream: str = "") -> None:
        """Take one line; it is durable after the next flush."""
        with self._lock:
            self._pending.append(_Line(region, function, timestamp, message, stream))
            if self._flusher is None and not self._closing.is_set():
                self._flusher = threading.Thread(target=self._flush_now_and_then, name="log-flusher", daemon=True)
                self._flusher.start()
        self._wake.set()

    def flush(self) -> None:
        """Make all lines durable that were appended before."""
        with self._lock:
            if not self._pending:
                return
        with self._database.transaction("flush_logs") as connection:
            self.write_pending(connection)

    def write_pending(self, connection: sqlite3.Connection) -> None:
        """Write what waits as part of a transaction; if that fails the lines are lost with it."""
        with self._lock:
            lines, self._pending = self._pending, []
        connection.executemany(
            "INSERT INTO log_event (region, function, timestamp, message, stream) VALUES (?, ?, ?, ?, ?)",
            [(line.region, line.function, line.timestamp, line.message, line.stream) for line in lines],
        )

    def read_logs(self, region: str, function: str, start: float, end: float) -> Iterator[LogEvent]:
        """Lines with `start <= timestamp < end`, ordered by (timestamp, id)."""
        self._regions.require(region, "read_logs")
        self.flush()
        return self._pages(region, function, start, end)

    def delete_logs(self, region: str, function: str) -> None:
        """Delete a function's log."""
        self._regions.require(region, "delete_logs")
        with self._database.transaction("delete_logs") as connection:
            self.write_pending(connection)
            connection.execute("DELETE FROM log_event WHERE region = ? AND function = ?", (region, function))

    def list_logs(self, region: str, prefix: str) -> tuple[str, ...]:
        """Names of functions that have a log and start with `prefix`, sorted."""
        self._regions.require(region, "list_logs")
        self.flush()
        rows = self._database.rows(
            "SELECT DISTINCT function FROM log_event "
            "WHERE region = ? AND substr(function, 1, length(?)) = ? ORDER BY function",
            (region, prefix, prefix),
        )
        return tuple(row[0] for row in rows)

    def close(self) -> None:
        """Make everything durable and end the thread."""
        with self._lock:
            self._closing.set()
            flusher = self._flusher
        self._wake.set()
        if flusher is not None:
            flusher.join()
        self.flush()

    def _pages(self, region: str, function: str, start: float, end: float) -> Iterator[LogEvent]:
        position: tuple[float, int] = (start, -1)
        while True:
            rows = self._database.rows(
                f"SELECT id, timestamp, message, {self._stream_column} FROM log_event WHERE region = ? AND "  # noqa: S608  # one of two constants
                "function = ? AND timestamp < ? AND (timestamp, id) > (?, ?) ORDER BY timestamp, id LIMIT ?",
                (region, function, end, *position, _PAGE_EVENTS),
            )
            for identifier, timestamp, message, stream in rows:
                yield LogEvent(f"{identifier:020d}", timestamp, message, stream)
            if len(rows) < _PAGE_EVENTS:
                return
            position = (rows[-1][1], rows[-1][0])

    def _flush_now_and_then(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._wake.clear()
            self._closing.wait(_FLUSH_INTERVAL_S)
            self.flush()
