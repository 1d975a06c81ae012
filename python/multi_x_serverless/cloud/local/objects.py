"""Objects (the object-store port): the index in the database, each distinct body once in a file."""

from __future__ import annotations

import hashlib
import os
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

from multi_x_serverless.cloud.local.database import Database
from multi_x_serverless.cloud.local.regions import Regions
from multi_x_serverless.cloud.ports import ObjectDescription
from multi_x_serverless.errors import CloudError, CorruptedStateError, ResourceNotFoundError
from multi_x_serverless.sdk.tables import ITEM_LIFETIME_S, PAYLOAD_OBJECT_PREFIX

MAXIMUM_KEY_BYTES = 1024
"""Longest key in UTF-8 (Amazon S3, "Naming objects")."""

_INCOMING = ".incoming-"


class LocalObjectStore:
    """See `multi_x_serverless.cloud.ports.ObjectStore`.

    A body is written beside, flushed to the disk and renamed before the index names it, so an object is always whole.
    """

    def __init__(self, database: Database, regions: Regions, directory: Path, clock: Callable[[], float]) -> None:
        self._database = database
        self._regions = regions
        self._directory = directory
        self._clock = clock
        self._lock = threading.Lock()  # between the birth or death of a file and that of the rows that name it

    def put_object(self, region: str, key: str, body: bytes, *, is_prepared: bool = False) -> None:  # noqa: ARG002  # nothing to prepare here
        """Store an object, replacing any of the same key."""
        self._check_key(region, key, "put_object")
        digest = hashlib.sha256(body).hexdigest()
        with self._lock:
            self._write_body(digest, body)
            self._index(region, key, digest, len(body), "put_object")

    def get_object(self, region: str, key: str) -> bytes:
        """Read an object."""
        self._regions.require(region, "get_object")
        with self._lock:
            digest, _ = self._find(region, key, "get_object")
            try:
                return (self._directory / digest).read_bytes()
            except OSError as error:
                raise CorruptedStateError(
                    f"the body of the object '{key}' in {region} cannot be read ({error}): store it again."
                ) from error

    def delete_object(self, region: str, key: str) -> None:
        """Delete an object."""
        self._regions.require(region, "delete_object")
        with self._lock:
            row = self._database.row("SELECT sha256 FROM object WHERE region = ? AND key = ?", (region, key))
            if row is not None:
                with self._database.transaction("delete_object") as connection:
                    connection.execute("DELETE FROM object WHERE region = ? AND key = ?", (region, key))
                self._delete_body_unless_used(row[0])

    def has_object(self, region: str, key: str) -> bool:
        """Whether there is an object of exactly this key."""
        self._regions.require(region, "has_object")
        return bool(self._database.rows("SELECT key FROM object WHERE region = ? AND key = ?", (region, key)))

    def list_objects(self, region: str, prefix: str) -> tuple[str, ...]:
        """Keys that start with `prefix`, sorted."""
        return tuple(found.key for found in self.describe_objects(region, prefix))

    def describe_objects(self, region: str, prefix: str) -> tuple[ObjectDescription, ...]:
        """What `list_objects` lists, with size and time."""
        self._regions.require(region, "list_objects")
        rows = self._database.rows(
            "SELECT key, size, stored_at FROM object "
            "WHERE region = ? AND key >= ? AND substr(key, 1, length(?)) = ? ORDER BY key",
            (region, prefix, prefix, prefix),
        )
        return tuple(ObjectDescription(*row) for row in rows)

    def copy_object(self, source_region: str, key: str, target_region: str) -> int:
        """Copy an object between regions under the same key; costs an entry in the index."""
        self._regions.require(source_region, "copy_object")
        self._regions.require(target_region, "copy_object")
        with self._lock:
            digest, size = self._find(source_region, key, "copy_object")
            self._index(target_region, key, digest, size, "copy_object")
        return size

    def sweep_expired(self) -> None:
        """Delete payloads that no message can ask for any more, as a lifecycle rule of a bucket does."""
        expired = self._database.rows(
            "SELECT region, key FROM object WHERE substr(key, 1, length(?)) = ? AND stored_at <= ?",
            (PAYLOAD_OBJECT_PREFIX, PAYLOAD_OBJECT_PREFIX, self._clock() - ITEM_LIFETIME_S),
        )
        for region, key in expired:
            self.delete_object(region, key)

    def sweep(self) -> None:
        """Delete files that no object names: what a process left that was killed in the middle."""
        if not self._directory.is_dir():
            return
        with self._lock:
            used = {row[0] for row in self._database.rows("SELECT DISTINCT sha256 FROM object")}
            for path in self._directory.iterdir():
                if path.name not in used:
                    path.unlink()

    def _check_key(self, region: str, key: str, operation: str) -> None:
        self._regions.require(region, operation)
        if not 0 < len(key.encode()) <= MAXIMUM_KEY_BYTES:
            raise CloudError(
                f"the key of an object has 1 to {MAXIMUM_KEY_BYTES} bytes, not {len(key.encode())}.",
                operation=operation,
                region=region,
            )

    def _find(self, region: str, key: str, operation: str) -> tuple[str, int]:
        row = self._database.row("SELECT sha256, size FROM object WHERE region = ? AND key = ?", (region, key))
        if row is None:
            raise ResourceNotFoundError(f"there is no object '{key}' in {region}.", operation=operation, region=region)
        return row[0], row[1]

    def _index(self, region: str, key: str, digest: str, size: int, operation: str) -> None:
        before = self._database.row("SELECT sha256 FROM object WHERE region = ? AND key = ?", (region, key))
        with self._database.transaction(operation) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO object (region, key, sha256, size, stored_at) VALUES (?, ?, ?, ?, ?)",
                (region, key, digest, size, self._clock()),
            )
        if before is not None and before[0] != digest:
            self._delete_body_unless_used(before[0])

    def _write_body(self, digest: str, body: bytes) -> None:
        path = self._directory / digest
        if path.exists():
            return
        incoming = self._directory / f"{_INCOMING}{uuid.uuid4().hex}"
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with incoming.open("wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            incoming.replace(path)
        except OSError as error:
            incoming.unlink(missing_ok=True)
            raise CloudError(f"an object cannot be stored: {error}.", operation="put_object") from error

    def _delete_body_unless_used(self, digest: str) -> None:
        if self._database.row("SELECT 1 FROM object WHERE sha256 = ? LIMIT 1", (digest,)) is None:
            (self._directory / digest).unlink(missing_ok=True)
