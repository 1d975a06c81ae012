"""Tables of items (the key-value port)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator

from multi_x_serverless.cloud.local.attributes import (
    check_item_size,
    dump_attributes,
    encode_attribute,
    encode_attributes,
    load_attributes,
)
from multi_x_serverless.cloud.local.database import Database, Row
from multi_x_serverless.cloud.local.regions import Regions
from multi_x_serverless.cloud.ports import Attribute, Attributes, Condition, Item, Key
from multi_x_serverless.errors import CloudError, ResourceNotFoundError

_PAGE_ITEMS = 200  # so that a long listing neither holds the database's lock nor the memory for long


class LocalKeyValueStore:
    """See `multi_x_serverless.cloud.ports.KeyValueStore`."""

    def __init__(self, database: Database, regions: Regions, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._regions = regions
        self._clock = clock

    def create_table(self, region: str, table: str) -> None:
        """Make a table."""
        self._regions.require(region, "create_table")
        if not table:
            raise CloudError("the name of a table must not be empty.", operation="create_table", region=region)
        with self._database.transaction("create_table") as connection:
            connection.execute("INSERT OR IGNORE INTO kv_table (region, name) VALUES (?, ?)", (region, table))

    def delete_table(self, region: str, table: str) -> None:
        """Delete a table with all it holds."""
        self._regions.require(region, "delete_table")
        with self._database.transaction("delete_table") as connection:
            connection.execute("DELETE FROM kv_table WHERE region = ? AND name = ?", (region, table))

    def list_tables(self, region: str) -> tuple[str, ...]:
        """Names of the tables in a region, sorted."""
        self._regions.require(region, "list_tables")
        rows = self._database.rows("SELECT name FROM kv_table WHERE region = ? ORDER BY name", (region,))
        return tuple(row[0] for row in rows)

    def get(self, region: str, table: str, key: Key) -> Item | None:
        """Read one item."""
        table_id = self._table_id(region, table, "get")
        row = self._database.row(
            "SELECT partition, sort, attributes, version FROM kv_item "
            "WHERE table_id = ? AND partition = ? AND sort = ? AND (expires_at IS NULL OR expires_at > ?)",
            (table_id, key.partition, key.sort, self._clock()),
        )
        return None if row is None else _item(row)

    def put(
        self,
        region: str,
        table: str,
        key: Key,
        attributes: Attributes,
        *,
        condition: Condition | None = None,
        expires_at: float | None = None,
    ) -> int | None:
        """Write a whole item if the condition holds."""
        encode_attributes(attributes)  # refuses what no table can hold
        check_item_size(region, table, key, attributes)
        table_id = self._table_id(region, table, "put")
        with self._database.transaction("put") as connection:
            version = self._version(connection, table_id, key)
            if condition is not None and condition.version != version:
                return None
            self._write(connection, table_id, Item(key, attributes, version + 1), expires_at)
        return version + 1

    def set_if_absent(
        self,
        region: str,
        table: str,
        key: Key,
        attribute: str,
        value: Attribute,
        *,
        expires_at: float | None = None,
    ) -> Item:
        """Set one attribute unless it has a value; an item that is not changed keeps its version and expiry."""
        encode_attribute(value)
        table_id = self._table_id(region, table, "set_if_absent")
        with self._database.transaction("set_if_absent") as connection:
            row = connection.execute(
                "SELECT partition, sort, attributes, version, expires_at FROM kv_item "
                "WHERE table_id = ? AND partition = ? AND sort = ? AND (expires_at IS NULL OR expires_at > ?)",
                (table_id, key.partition, key.sort, self._clock()),
            ).fetchone()
            before = Item(key, {}, 0) if row is None else _item(row)
            if attribute in before.attributes:
                return before
            after = Item(key, {**before.attributes, attribute: value}, before.version + 1)
            check_item_size(region, table, key, after.attributes)
            kept = None if row is None else row[4]
            self._write(connection, table_id, after, kept if expires_at is None else expires_at)
        return after

    def delete(self, region: str, table: str, key: Key, *, condition: Condition | None = None) -> bool:
        """Delete an item."""
        table_id = self._table_id(region, table, "delete")
        with self._database.transaction("delete") as connection:
            if condition is not None and condition.version != self._version(connection, table_id, key):
                return False
            connection.execute(
                "DELETE FROM kv_item WHERE table_id = ? AND partition = ? AND sort = ?",
                (table_id, key.partition, key.sort),
            )
        return True

    def query(self, region: str, table: str, partition: str, *, prefix: str = "") -> Iterator[Item]:
        """All items of a partition whose sort key starts with `prefix`, ordered by sort key."""
        table_id = self._table_id(region, table, "query")
        return self._pages(
            "table_id = ? AND partition = ? AND sort >= ? AND substr(sort, 1, length(?)) = ?",
            (table_id, partition, prefix, prefix, prefix),
        )

    def scan(self, region: str, table: str) -> Iterator[Item]:
        """All items of a table ordered by key."""
        return self._pages("table_id = ?", (self._table_id(region, table, "scan"),))

    def keys(self, region: str, table: str) -> tuple[Key, ...]:
        """The keys of all items of a table, in order."""
        rows = self._database.rows(
            "SELECT partition, sort FROM kv_item WHERE table_id = ? AND (expires_at IS NULL OR expires_at > ?) "
            "ORDER BY partition, sort",
            (self._table_id(region, table, "keys"), self._clock()),
        )
        return tuple(Key(*row) for row in rows)

    def sweep_expired(self) -> None:
        """Delete the items whose time is over; they have not been seen by anybody since."""
        with self._database.transaction("sweep_expired") as connection:
            connection.execute("DELETE FROM kv_item WHERE expires_at <= ?", (self._clock(),))

    def _pages(self, restriction: str, parameters: tuple[str | int, ...]) -> Iterator[Item]:
        position: tuple[str, ...] = ()
        while True:
            continuation = "AND (partition, sort) > (?, ?) " if position else ""
            rows = self._database.rows(
                f"SELECT partition, sort, attributes, version FROM kv_item WHERE {restriction} "  # noqa: S608  # constants
                f"AND (expires_at IS NULL OR expires_at > ?) {continuation}ORDER BY partition, sort LIMIT ?",
                (*parameters, self._clock(), *position, _PAGE_ITEMS),
            )
            yield from map(_item, rows)
            if len(rows) < _PAGE_ITEMS:
                return
            position = (rows[-1][0], rows[-1][1])

    def _table_id(self, region: str, table: str, operation: str) -> int:
        self._regions.require(region, operation)
        row = self._database.row("SELECT id FROM kv_table WHERE region = ? AND name = ?", (region, table))
        if row is None:
            raise ResourceNotFoundError(f"there is no table '{table}' in {region}.", operation=operation, region=region)
        return int(row[0])

    def _version(self, connection: sqlite3.Connection, table_id: int, key: Key) -> int:
        row: Row | None = connection.execute(
            "SELECT version FROM kv_item "
            "WHERE table_id = ? AND partition = ? AND sort = ? AND (expires_at IS NULL OR expires_at > ?)",
            (table_id, key.partition, key.sort, self._clock()),
        ).fetchone()
        return 0 if row is None else int(row[0])

    @staticmethod
    def _write(connection: sqlite3.Connection, table_id: int, item: Item, expires_at: float | None) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO kv_item (table_id, partition, sort, attributes, version, expires_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                table_id,
                item.key.partition,
                item.key.sort,
                dump_attributes(item.attributes),
                item.version,
                expires_at,
            ),
        )


def _item(row: Row) -> Item:
    return Item(Key(row[0], row[1]), load_attributes(row[2]), row[3])
