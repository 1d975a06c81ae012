"""Topics and the queue behind them (the message port); `dispatcher` delivers what is queued."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from multi_x_serverless.cloud.local.database import Database
from multi_x_serverless.cloud.local.faults import FaultInjector
from multi_x_serverless.cloud.local.identity import resource_name
from multi_x_serverless.cloud.local.regions import Regions
from multi_x_serverless.cloud.ports import DeadLetter
from multi_x_serverless.errors import CloudError, ResourceNotFoundError

MAXIMUM_MESSAGE_BYTES = 256 * 1024
"""Largest message (Amazon SNS quotas)."""

NO_TOPIC = ""
"""In the place of the topic of an asynchronous invocation; no topic has an empty name."""


_COLUMNS = "id, message_id, region, topic, function, body, published_at, attempts"
"""Of the table of messages, in the order of a `QueuedMessage`."""


@dataclass(frozen=True)
class QueueEntry:
    """Where a queued message goes and when. `available_at` in seconds since the epoch."""

    id: int
    region: str
    function: str
    available_at: float


@dataclass(frozen=True)
class QueuedMessage:
    """A message with its history. `attempts` counts the failed ones; without a topic it is the event itself."""

    id: int
    message_id: str
    region: str
    topic: str
    function: str
    body: bytes
    published_at: float
    attempts: int


class QueueListener(Protocol):
    """Hears of what changes in the queue but by its own doing."""

    def enqueue(self, entry: QueueEntry) -> None:
        """A message was queued."""

    def forget(self, entry_ids: Collection[int]) -> None:
        """Messages are queued no more."""


class LocalMessageService:
    """See `multi_x_serverless.cloud.ports.MessageService`.

    A message is queued for the function that is subscribed when it is published; without one it is dropped, as by SNS.
    There is no lease in the database: only the owner of the state directory delivers, so what is queued when a process
    becomes the owner is being delivered by nobody else, and can be delivered at once.
    """

    def __init__(
        self,
        database: Database,
        regions: Regions,
        faults: FaultInjector,
        *,
        has_function: Callable[[str, str], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._regions = regions
        self._faults = faults
        self._has_function = has_function
        self._clock = clock
        self._listener: QueueListener | None = None

    def create_topic(self, region: str, name: str) -> str:
        """Make a topic; returns its id."""
        self._regions.require(region, "create_topic")
        if not name:
            raise CloudError("the name of a topic must not be empty.", operation="create_topic", region=region)
        with self._database.transaction("create_topic") as connection:
            connection.execute("INSERT OR IGNORE INTO topic (region, name) VALUES (?, ?)", (region, name))
        return topic_id(region, name)

    def subscribe(self, region: str, topic: str, function: str) -> None:
        """Deliver the topic's messages to a function of the same region."""
        self._regions.require(region, "subscribe")
        if not self._has_function(region, function):
            raise ResourceNotFoundError(
                f"there is no function '{function}' in {region} that could subscribe to '{topic}'.",
                operation="subscribe",
                region=region,
            )
        with self._database.transaction("subscribe") as connection:
            changed = connection.execute(
                "UPDATE topic SET function = ? WHERE region = ? AND name = ?", (function, region, topic)
            ).rowcount
        if not changed:
            raise _no_topic(region, topic, "subscribe")

    def delete_topic(self, region: str, name: str) -> None:
        """Delete a topic and its subscription; what is queued is still delivered while its function is there."""
        self._regions.require(region, "delete_topic")
        with self._database.transaction("delete_topic") as connection:
            connection.execute("DELETE FROM topic WHERE region = ? AND name = ?", (region, name))

    def has_topic(self, region: str, name: str) -> bool:
        """Whether there is a topic of exactly this name."""
        self._regions.require(region, "has_topic")
        return bool(self._database.rows("SELECT name FROM topic WHERE region = ? AND name = ?", (region, name)))

    def list_topics(self, region: str, prefix: str) -> tuple[str, ...]:
        """Names of topics that start with `prefix`, sorted."""
        self._regions.require(region, "list_topics")
        rows = self._database.rows(
            "SELECT name FROM topic WHERE region = ? AND substr(name, 1, length(?)) = ? ORDER BY name",
            (region, prefix, prefix),
        )
        return tuple(row[0] for row in rows)

    def publish(self, region: str, topic: str, body: bytes) -> None:
        """Publish; returns when the message is durable."""
        self._regions.require(region, "publish")
        _check_body(region, topic, body)
        faults = self._faults.plan.delivery
        now = self._clock()
        available_at = now
        if self._faults.happens("delay", faults.delay):
            available_at += faults.delay_s
        if self._faults.happens("reorder", faults.reorder):
            available_at += faults.reorder_s
        copies = 2 if self._faults.happens("duplicate", faults.duplicate) else 1
        message_id = str(uuid.uuid4())
        with self._database.transaction("publish") as connection:
            row = connection.execute(
                "SELECT function FROM topic WHERE region = ? AND name = ?", (region, topic)
            ).fetchone()
            if row is None:
                raise _no_topic(region, topic, "publish")
            if row[0] is None:
                return
            message = QueuedMessage(0, message_id, region, topic, row[0], body, now, 0)
            entries = [_insert(connection, message, available_at) for _ in range(copies)]
        self._announce(entries)

    def enqueue(self, region: str, function: str, event: bytes) -> None:
        """Queue an asynchronous invocation, which comes by no topic."""
        message = QueuedMessage(0, str(uuid.uuid4()), region, NO_TOPIC, function, event, self._clock(), 0)
        with self._database.transaction("invoke_async") as connection:
            entry = _insert(connection, message, message.published_at)
        self._announce([entry])

    def dead_letters(self, region: str, prefix: str) -> tuple[DeadLetter, ...]:
        """Messages given up, of functions whose name starts with `prefix`, oldest first."""
        self._regions.require(region, "dead_letters")
        rows = self._database.rows(
            "SELECT id, region, function, body, error, failed_at FROM dead_letter "
            "WHERE region = ? AND substr(function, 1, length(?)) = ? ORDER BY failed_at, id",
            (region, prefix, prefix),
        )
        return tuple(DeadLetter(*row) for row in rows)

    def redrive(self, region: str, letter_id: str) -> None:
        """Put a dead letter back on its topic."""
        self._regions.require(region, "redrive")
        with self._database.transaction("redrive") as connection:
            row = connection.execute(
                "SELECT message_id, topic, function, body, published_at FROM dead_letter WHERE region = ? AND id = ?",
                (region, letter_id),
            ).fetchone()
            if row is None:
                raise ResourceNotFoundError(
                    f"there is no dead letter '{letter_id}' in {region}.", operation="redrive", region=region
                )
            message_id, topic, function, body, published_at = row
            if topic == NO_TOPIC:
                raise CloudError(
                    f"the dead letter '{letter_id}' came by no topic: invoke '{function}' instead.",
                    operation="redrive",
                    region=region,
                )
            if (
                connection.execute("SELECT 1 FROM topic WHERE region = ? AND name = ?", (region, topic)).fetchone()
                is None
            ):
                raise _no_topic(region, topic, "redrive")
            message = QueuedMessage(0, message_id, region, topic, function, body, published_at, 0)
            connection.execute("DELETE FROM dead_letter WHERE id = ?", (letter_id,))
            entry = _insert(connection, message, self._clock())
        self._announce([entry])

    def discard(self, region: str, *letter_ids: str) -> int:
        """Delete dead letters for good; returns how many of them were there."""
        self._regions.require(region, "discard")
        with self._database.transaction("discard") as connection:
            return sum(
                connection.execute("DELETE FROM dead_letter WHERE region = ? AND id = ?", (region, letter_id)).rowcount
                for letter_id in dict.fromkeys(letter_ids)
            )

    def clear(self, region: str) -> int:
        """Delete what is queued in a region and its dead letters; returns how many messages that were."""
        self._regions.require(region, "clear_region")
        with self._database.transaction("clear_region") as connection:
            queued = connection.execute("DELETE FROM message WHERE region = ?", (region,)).rowcount
            return queued + connection.execute("DELETE FROM dead_letter WHERE region = ?", (region,)).rowcount

    # --- for the dispatcher ---------------------------------------------------------------------------------------

    def listen(self, listener: QueueListener | None) -> None:
        """Tell `listener` of every message that is queued, or given up for its function's sake, from now on."""
        self._listener = listener

    def entries(self) -> list[QueueEntry]:
        """All that is queued, in order of availability."""
        rows = self._database.rows("SELECT id, region, function, available_at FROM message ORDER BY available_at, id")
        return [QueueEntry(*row) for row in rows]

    def count(self) -> int:
        """How many messages are queued or being delivered."""
        row = self._database.row("SELECT count(*) FROM message")
        return 0 if row is None else int(row[0])

    def read(self, entry_id: int) -> QueuedMessage | None:
        """A queued message."""
        row = self._database.row(
            f"SELECT {_COLUMNS} FROM message WHERE id = ?",  # noqa: S608  # no input
            (entry_id,),
        )
        return None if row is None else QueuedMessage(*row)

    def acknowledge(self, connection: sqlite3.Connection, message: QueuedMessage) -> None:
        """The function is done with a message, even if it was deleted meanwhile."""
        connection.execute("DELETE FROM message WHERE id = ?", (message.id,))
        connection.execute("DELETE FROM dead_letter WHERE id = ?", (_letter_id(message),))

    def retry(self, connection: sqlite3.Connection, message: QueuedMessage, delay_s: float) -> QueueEntry | None:
        """Count a failed attempt and queue the message again; `None` if it was given up meanwhile."""
        available_at = self._clock() + delay_s
        changed = connection.execute(
            "UPDATE message SET attempts = attempts + 1, available_at = ? WHERE id = ?",
            (available_at, message.id),
        ).rowcount
        return QueueEntry(message.id, message.region, message.function, available_at) if changed else None

    def give_up(self, connection: sqlite3.Connection, message: QueuedMessage, error: str) -> None:
        """Make a message a dead letter, unless it is queued no more."""
        if not connection.execute("DELETE FROM message WHERE id = ?", (message.id,)).rowcount:
            return
        connection.execute(
            "INSERT INTO dead_letter (id, message_id, region, topic, function, body, published_at, error, failed_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                _letter_id(message),
                message.message_id,
                message.region,
                message.topic,
                message.function,
                message.body,
                message.published_at,
                error,
                self._clock(),
            ),
        )

    # --- for the functions ----------------------------------------------------------------------------------------

    def give_up_all(self, connection: sqlite3.Connection, region: str, function: str) -> tuple[int, ...]:
        """Make dead letters of all that is queued for a function that is being deleted; returns the entries' ids."""
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM message WHERE region = ? AND function = ? ORDER BY id",  # noqa: S608  # no input
            (region, function),
        ).fetchall()
        messages = [QueuedMessage(*row) for row in rows]
        for message in messages:
            self.give_up(connection, message, f"the function '{function}' was deleted while the message was queued")
        return tuple(message.id for message in messages)

    def announce_given_up(self, entry_ids: Collection[int]) -> None:
        """Tell whoever delivers what it need not wait for any longer; when that is durable."""
        listener = self._listener
        if listener is not None and entry_ids:
            listener.forget(entry_ids)

    def _announce(self, entries: list[QueueEntry]) -> None:
        listener = self._listener
        if listener is not None:
            for entry in entries:
                listener.enqueue(entry)


def topic_id(region: str, name: str) -> str:
    """Id of a topic."""
    return resource_name("sns", region, name)


def _letter_id(message: QueuedMessage) -> str:
    return f"{message.message_id}-{message.id}"


def _insert(connection: sqlite3.Connection, message: QueuedMessage, available_at: float) -> QueueEntry:
    cursor = connection.execute(
        "INSERT INTO message (message_id, region, topic, function, body, published_at, available_at, attempts) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
        (
            message.message_id,
            message.region,
            message.topic,
            message.function,
            message.body,
            message.published_at,
            available_at,
        ),
    )
    return QueueEntry(cursor.lastrowid or 0, message.region, message.function, available_at)


def _check_body(region: str, topic: str, body: bytes) -> None:
    problem = None
    if not 0 < len(body) <= MAXIMUM_MESSAGE_BYTES:
        problem = f"it has {len(body):,} bytes, and a message has 1 to {MAXIMUM_MESSAGE_BYTES:,}"
    else:
        try:
            body.decode("utf-8")
        except UnicodeDecodeError:
            problem = "it is not text in UTF-8"
    if problem is not None:
        raise CloudError(f"the message to '{topic}' is refused: {problem}.", operation="publish", region=region)


def _no_topic(region: str, topic: str, operation: str) -> ResourceNotFoundError:
    return ResourceNotFoundError(f"there is no topic '{topic}' in {region}.", operation=operation, region=region)
