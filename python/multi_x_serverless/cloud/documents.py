"""Typed documents in key-value tables, over any cloud: one table holds documents of one schema."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from multi_x_serverless.cloud.ports import Attributes, Condition, Item, Key, KeyValueStore
from multi_x_serverless.errors import CorruptedStateError, DocumentTooLargeError

T = TypeVar("T")

COMPRESS_ABOVE_BYTES = 16 * 1024
"""Smaller documents stay readable in the console of the cloud."""

MAXIMUM_STORED_BYTES = 350 * 1024
"""Below the 400 KB item limit of DynamoDB, with room for the key and other attributes."""

_DOCUMENT = "document"
_COMPRESSED = "document_zlib"


@dataclass(frozen=True)
class Stored(Generic[T]):
    """A document and the version of its item, for compare-and-set."""

    key: Key
    value: T
    version: int


class DocumentTable(Generic[T]):
    """Documents of one kind in one table of one region.

    Args:
        store: The cloud's key-value port.
        region: Region of the table.
        table: Physical name of the table.
        encode: Document -> JSON bytes.
        decode: JSON bytes -> document.
    """

    def __init__(
        self,
        store: KeyValueStore,
        region: str,
        table: str,
        encode: Callable[[T], bytes],
        decode: Callable[[bytes], T],
    ) -> None:
        self._store = store
        self._region = region
        self._table = table
        self._encode = encode
        self._decode = decode

    def get(self, key: Key) -> Stored[T] | None:
        """Read one document."""
        item = self._store.get(self._region, self._table, key)
        return None if item is None else self.decoded(item)

    def put(self, key: Key, value: T, *, condition: Condition | None = None) -> int | None:
        """Write a document if the condition holds; returns the item's version, `None` if it did not hold.

        Raises:
            DocumentTooLargeError: It does not fit into an item even when compressed.
        """
        return self._store.put(
            self._region, self._table, key, pack(self._encode(value), self._table), condition=condition
        )

    def delete(self, key: Key, *, condition: Condition | None = None) -> bool:
        """Delete a document; `False` if the condition did not hold."""
        return self._store.delete(self._region, self._table, key, condition=condition)

    def query(self, partition: str, *, prefix: str = "") -> Iterator[Stored[T]]:
        """Documents of a partition in order of the sort key."""
        for item in self._store.query(self._region, self._table, partition, prefix=prefix):
            yield self.decoded(item)

    def all_keys(self) -> tuple[Key, ...]:
        """Keys of all documents, in order, whether or not they can be read."""
        return self._store.keys(self._region, self._table)

    def scan(self) -> Iterator[Stored[T]]:
        """All documents in order of the key."""
        for item in self._store.scan(self._region, self._table):
            yield self.decoded(item)

    def decoded(self, item: Item) -> Stored[T]:
        """The document in an item of this table."""
        return Stored(item.key, self._decode(unpack(item.attributes, self._table)), item.version)


def is_small_enough(document: bytes) -> bool:
    """Whether `pack` would take a document."""
    # What is smaller as it stands stays so compressed: zlib adds 5 bytes per 16 KB at worst.
    return len(document) <= MAXIMUM_STORED_BYTES * 0.99 or len(zlib.compress(document, 6)) <= MAXIMUM_STORED_BYTES


def pack(document: bytes, table: str) -> Attributes:
    """Attributes that hold a document, compressed when it is large.

    Raises:
        DocumentTooLargeError: It does not fit into an item even when compressed.
    """
    if len(document) <= COMPRESS_ABOVE_BYTES:
        return {_DOCUMENT: document.decode()}
    compressed = zlib.compress(document, 6)
    if len(compressed) > MAXIMUM_STORED_BYTES:
        raise DocumentTooLargeError(
            f"a document for table '{table}' has {len(compressed)} bytes compressed, over the limit of "
            f"{MAXIMUM_STORED_BYTES}.",
            operation="put_item",
        )
    return {_COMPRESSED: compressed}


def unpack(attributes: Attributes, table: str) -> bytes:
    """The document in an item's attributes.

    Raises:
        CorruptedStateError: There is none.
    """
    plain = attributes.get(_DOCUMENT)
    if isinstance(plain, str):
        return plain.encode()
    compressed = attributes.get(_COMPRESSED)
    if isinstance(compressed, bytes):
        try:
            return zlib.decompress(compressed)
        except zlib.error as error:
            raise CorruptedStateError(f"an item of table '{table}' is damaged ({error}).") from error
    raise CorruptedStateError(f"an item of table '{table}' holds no document.")
