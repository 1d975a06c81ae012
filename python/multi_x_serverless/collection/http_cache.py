"""Answers of HTTP sources on disk: asked for again only when they are old, and then with their validators.

One file per request, named by a hash of the URL and of the headers sent with it, so that two tokens never share an
answer. Whatever cannot be read back whole is as good as absent. A cache that cannot be written loses nothing but
time: `failure` says so to whoever reports.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multi_x_serverless.collection.http_transport import whole_number
from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model import documents
from multi_x_serverless.model.units import DAY_S

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA = "multi-x-serverless/http-answer"
VERSION = 1

MAXIMUM_FRESH_S = DAY_S
"""No answer goes unasked for longer than a day, whatever its server says: a wrong one must not stay."""

_SUFFIX = ".answer"
_UNFINISHED = ".unfinished"
_UNFINISHED_S = 3600.0
"""A file that was begun longer ago, in seconds, was left by a program that died."""


@dataclass(frozen=True)
class CachedAnswer:
    """An answer as it was received.

    Attributes:
        body: JSON text.
        etag: The server's name of this version; None if it gave none.
        last_modified: Since when the server has had this version, in its own words; None if it did not say.
        fresh_until: Until when it need not be asked for again, seconds since the epoch.
    """

    body: bytes
    etag: str | None
    last_modified: str | None
    fresh_until: float

    @property
    def validators(self) -> dict[str, str]:
        """Headers that ask for the answer only if it has changed."""
        headers = {}
        if self.etag is not None:
            headers["If-None-Match"] = self.etag
        if self.last_modified is not None:
            headers["If-Modified-Since"] = self.last_modified
        return headers

    def is_fresh(self, now: float) -> bool:
        """Whether it may be used unasked at `now`, seconds since the epoch."""
        return now < self.fresh_until <= now + MAXIMUM_FRESH_S


class HttpCache:
    """Answers in a directory of their own.

    Args:
        directory: Made when the first answer is kept, readable by its owner only.
        maximum_bytes: Of all answers together; the oldest go first.
    """

    def __init__(self, directory: Path, maximum_bytes: int = 20 * 1024 * 1024) -> None:
        self.directory = directory
        self.failure: str | None = None
        self.maximum_bytes = maximum_bytes

    def get(self, key: str) -> CachedAnswer | None:
        """The answer to a request; None if there is none that can be read."""
        try:
            members = documents.read(self._path(key).read_bytes(), SCHEMA, VERSION)
            body = members.text("body").encode()
            if members.text("sha256") != hashlib.sha256(body).hexdigest():
                return None
            return CachedAnswer(
                body=body,
                etag=members.optional_text("etag"),
                last_modified=members.optional_text("last_modified"),
                fresh_until=members.number("fresh_until"),
            )
        except (OSError, UnicodeError, InvalidDocumentError):
            return None  # Asking again is the repair.

    def put(self, key: str, answer: CachedAnswer) -> None:
        """Keep an answer in the place of the last one to the same request."""
        text = documents.write(
            SCHEMA,
            VERSION,
            {
                "etag": answer.etag,
                "last_modified": answer.last_modified,
                "fresh_until": answer.fresh_until,
                "sha256": hashlib.sha256(answer.body).hexdigest(),
                "body": answer.body.decode(),
            },
        )
        if len(text) > self.maximum_bytes:
            self.remove(key)
            return
        try:
            self._write(self._path(key), text)
            self._make_room(spared=self._path(key))
        except OSError as error:
            self.failure = f"answers cannot be kept in {self.directory}: {error.strerror}"

    def remove(self, key: str) -> None:
        """Forget the answer to a request, if there is one."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            self.failure = f"an answer cannot be removed from {self.directory}: {error.strerror}"

    def _path(self, key: str) -> Path:
        return self.directory / f"{key}{_SUFFIX}"

    def _write(self, path: Path, text: bytes) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.directory.stat().st_mode & 0o077:
            self.directory.chmod(0o700)
        # Made with permissions for the owner only; the name appears when all of it is there.
        descriptor, unfinished = tempfile.mkstemp(suffix=_UNFINISHED, dir=self.directory)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            os.replace(unfinished, path)  # noqa: PTH105  # mkstemp gives a name, not a path
        except OSError:
            os.unlink(unfinished)  # noqa: PTH108
            raise

    def _make_room(self, spared: Path) -> None:
        """Remove the oldest answers until the rest fits, but for the one just written, and what was left unfinished."""
        found = [(path.stat(), path) for path in self.directory.iterdir() if path.suffix in {_SUFFIX, _UNFINISHED}]
        newest_s = max(status.st_mtime for status, _ in found)
        total = sum(status.st_size for status, _ in found)
        for status, path in sorted(found, key=lambda entry: (entry[0].st_mtime, entry[1].name)):
            is_left_over = path.suffix == _UNFINISHED and status.st_mtime < newest_s - _UNFINISHED_S
            if path == spared or not (is_left_over or total > self.maximum_bytes):
                continue
            path.unlink(missing_ok=True)
            total -= status.st_size


def cache_key(url: str, headers: Mapping[str, str]) -> str:
    """The name of a request: a hash, so that neither URL nor token can be read from it."""
    digest = hashlib.sha256(url.encode())
    for name, value in sorted((name.lower(), value) for name, value in headers.items()):
        digest.update(f"\n{len(name)} {name} {len(value)} {value}".encode())
    return digest.hexdigest()


def fresh_for(headers: Mapping[str, str]) -> float | None:
    """For how many seconds an answer with these headers need not be asked for again; None: it may not be kept.

    `headers` are matched as they are; their names must be in lower case. See RFC 9111.
    """
    directives = {}
    for directive in headers.get("cache-control", "").lower().split(","):
        name, _, value = directive.strip().partition("=")
        directives[name] = value.strip('"')
    if "no-store" in directives or headers.get("vary", "").strip() == "*":
        return None
    if "no-cache" in directives:
        return 0.0
    maximum_age_s = whole_number(directives.get("max-age", "")) or 0.0
    age_s = whole_number(headers.get("age", "").strip()) or 0.0
    return max(0.0, min(maximum_age_s, MAXIMUM_FRESH_S) - age_s)
