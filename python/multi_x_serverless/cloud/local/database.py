"""The embedded cloud's database: one SQLite file, one connection, transactions one at a time.

A second writer would only wait for the file's lock, so the threads of a process share one connection behind a lock. A
commit at level ``FULL`` takes a fraction of a millisecond to a few, by the disk.
"""

from __future__ import annotations

import sqlite3
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from multi_x_serverless.cloud.local.schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION, TABLES
from multi_x_serverless.cloud.local.settings import Synchronous
from multi_x_serverless.errors import CloudError, CorruptedStateError, NewerSchemaError

Value: TypeAlias = "str | bytes | int | float | None"
Row: TypeAlias = tuple[Any, ...]
"""A row as SQLite gives it; the tables of `schema` say the types."""

_BUSY_TIMEOUT_S = 10.0  # a reader beside the owner waits for a checkpoint at most so long
_DAMAGED = (11, 26)  # SQLITE_CORRUPT and SQLITE_NOTADB; Python names them from 3.11 on

# https://www.sqlite.org/fileformat.html, section 1.3: user_version at 60, application_id at 68, both big-endian.
_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_HEADER_NUMBERS = struct.Struct(">I4xI")
_HEADER_NUMBERS_OFFSET = 60


class Database:
    """Reads and transactions; SQLite's errors come out as the product's."""

    def __init__(self, connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
        self._connection = connection
        self._path = path
        self._read_only = read_only
        self._lock = threading.RLock()
        self._closed = False

    def rows(self, statement: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """All rows of a query.

        Raises:
            CorruptedStateError: The file is damaged.
            CloudError: The database is closed or the disk fails.
        """
        with self._lock, self._translated_errors("read"):
            return self._connection.execute(statement, parameters).fetchall()

    def row(self, statement: str, parameters: Sequence[Value] = ()) -> Row | None:
        """The first row of a query, if it has any."""
        found = self.rows(statement, parameters)
        return found[0] if found else None

    @contextmanager
    def transaction(self, operation: str) -> Iterator[sqlite3.Connection]:
        """Do all statements of the block or none; durable when the block is left. Not to be nested.

        Raises:
            CorruptedStateError: The file is damaged.
            CloudError: It was opened for reading only, is closed, or the disk fails.
        """
        if self._read_only:
            raise CloudError(
                "this embedded cloud was opened for reading only: open it as the owner of its state directory.",
                operation=operation,
            )
        with self._lock, self._translated_errors(operation):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # some failures of COMMIT have rolled back themselves
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Write the log back into the file and close it."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                if not self._read_only:
                    with self._translated_errors("close"):
                        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self._connection.close()

    @contextmanager
    def _translated_errors(self, operation: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if self._closed:
                raise CloudError("the embedded cloud is closed.", operation=operation) from error
            if _is_damage(error):
                raise _corrupted(self._path, str(error)) from error
            raise CloudError(
                f"the database {self._path} failed: {error}.",
                operation=operation,
                retryable=_is_passing(error),
            ) from error


def open_database(path: Path, *, synchronous: Synchronous) -> Database:
    """Open the database as its owner; makes it if there is none. The file is checked before anything is written.

    Raises:
        CorruptedStateError: The file is damaged or of another program; it is left as it is.
        NewerSchemaError: A newer version of the product wrote it; it is left as it is.
    """
    is_new = _check(path)
    connection = _connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        if is_new:
            _create_tables(connection)
        _migrate(connection)
    except sqlite3.Error as error:
        connection.close()
        raise _corrupted(path, str(error)) from error
    return Database(connection, path, read_only=False)


def open_database_for_reading(path: Path) -> Database:
    """Open the database beside its owner; where there is none, an empty one that is kept nowhere.

    Raises:
        CorruptedStateError: The file is damaged or of another program.
        NewerSchemaError: A newer version of the product wrote it.
    """
    if _check(path):
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        _create_tables(connection)
    else:
        connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    return Database(connection, path, read_only=True)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def _create_tables(connection: sqlite3.Connection) -> None:
    connection.executescript(
        f"BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION_ID}; "
        f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to this version, one version per transaction: what dies in between goes on from there."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for older in range(version, SCHEMA_VERSION):
        connection.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[older]} PRAGMA user_version = {older + 1}; COMMIT;")


def _check(path: Path) -> bool:
    """Whether the file still has to be given its tables.

    What the header alone tells is refused without opening the file; the rest (a newer header may still be in the
    write-ahead log) is looked at through a connection that cannot write.
    """
    if not path.exists() or path.stat().st_size == 0:
        return True
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header.startswith(_MAGIC):
        raise _corrupted(path, "it is no SQLite database")
    _refuse_newer(path, *_HEADER_NUMBERS.unpack_from(header, _HEADER_NUMBERS_OFFSET))
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            application_id = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.Error as error:
        raise _corrupted(path, str(error)) from error
    if not tables and application_id == 0:
        return True  # its maker died before the tables were there
    if application_id != APPLICATION_ID:
        raise _corrupted(path, "it is the database of another program")
    _refuse_newer(path, version, application_id)
    return False


def _refuse_newer(path: Path, version: int, application_id: int) -> None:
    if application_id == APPLICATION_ID and version > SCHEMA_VERSION:
        raise NewerSchemaError(
            "embedded cloud",
            "schema_version",
            f"{path} has version {version}, this version of the product reads up to {SCHEMA_VERSION}: upgrade it, "
            "or choose another --state-dir.",
        )


def _corrupted(path: Path, reason: str) -> CorruptedStateError:
    return CorruptedStateError(
        f"the database {path} of the embedded cloud cannot be read ({reason}): "
        "restore it from a backup, or choose another --state-dir; it was left as it is."
    )


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)  # Python 3.11 and newer
    if isinstance(code, int):
        return code & 0xFF in _DAMAGED
    return "malformed" in str(error) or "not a database" in str(error)


def _is_passing(error: sqlite3.Error) -> bool:
    return isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "busy" in str(error))
