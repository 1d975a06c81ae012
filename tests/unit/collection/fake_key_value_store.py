"""A key-value store in memory that can be told to fail, for the tests of the collectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multi_x_serverless.cloud.ports import Attribute, Attributes, Condition, Item, Key
from multi_x_serverless.errors import CloudError

if TYPE_CHECKING:
    from collections.abc import Iterator


class FakeKeyValueStore:
    """Holds items in a dictionary. Writes of a sort key in `unwritable` fail as a cloud's would."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str, Key], Item] = {}
        self.unwritable: set[str] = set()

    def create_table(self, region: str, table: str) -> None:
        """Tables need no making here."""

    def delete_table(self, region: str, table: str) -> None:
        self.items = {place: item for place, item in self.items.items() if place[:2] != (region, table)}

    def list_tables(self, region: str) -> tuple[str, ...]:
        return tuple(sorted({place[1] for place in self.items if place[0] == region}))

    def get(self, region: str, table: str, key: Key) -> Item | None:
        return self.items.get((region, table, key))

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
        if key.sort in self.unwritable:
            raise CloudError("the write was throttled.", operation="put_item", region=region, retryable=True)
        current = self.items.get((region, table, key))
        version = 0 if current is None else current.version
        if condition is not None and condition.version != version:
            return None
        self.items[region, table, key] = Item(key, dict(attributes), version + 1)
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
        current = self.items.get((region, table, key))
        attributes = {} if current is None else dict(current.attributes)
        attributes.setdefault(attribute, value)
        item = Item(key, attributes, 1 if current is None else current.version + 1)
        self.items[region, table, key] = item
        return item

    def delete(self, region: str, table: str, key: Key, *, condition: Condition | None = None) -> bool:
        return self.items.pop((region, table, key), None) is not None

    def query(self, region: str, table: str, partition: str, *, prefix: str = "") -> Iterator[Item]:
        for place in sorted(self.items, key=lambda place: place[2].sort):
            if place[:2] == (region, table) and place[2].partition == partition:
                yield self.items[place]

    def scan(self, region: str, table: str) -> Iterator[Item]:
        for place in sorted(self.items, key=lambda place: (place[2].partition, place[2].sort)):
            if place[:2] == (region, table):
                yield self.items[place]
