"""A client of one registry of images (OCI distribution specification 1.1): manifests by digest, blobs as streams.

Nothing that a registry sends is believed: manifests and blobs are hashed as they pass, sizes are those of the manifest,
and a blob is only closed in the target when all of it has come and is what its digest says. Credentials go to the
registry itself and to nobody whom it names: downloads are usually redirected to an object store.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from multi_x_serverless.cloud.aws.blob_stream import BlobStream
from multi_x_serverless.cloud.aws.image_manifest import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAXIMUM_CONFIGURATION_BYTES,
    MAXIMUM_MANIFEST_BYTES,
    Blob,
    ImageManifest,
    digest_of,
    is_digest,
    read_manifest,
)
from multi_x_serverless.errors import CloudError, ResourceNotFoundError

if TYPE_CHECKING:
    import urllib3

Result = TypeVar("Result")

ATTEMPTS = 4
FIRST_PAUSE_S = 0.5
"""Before the second attempt, in seconds; doubles with every further one."""

_MAXIMUM_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_RETRYABLE = frozenset({408, 425, 429})
_CHARACTERS_SHOWN = 300
_DRAINED_BYTES = 64 * 1024


@dataclass(frozen=True)
class Patience:
    """How long a registry may take.

    Attributes:
        connect_s: Until a connection is made.
        read_s: Until the next bytes come.
        slowest_bytes_per_s: A blob may take `read_s` and what it takes at this speed.
    """

    connect_s: float = 10.0
    read_s: float = 60.0
    slowest_bytes_per_s: float = 50_000.0


class Registry:
    """One registry, reached with the credentials of one user.

    Args:
        url: Scheme and host, for example ``https://registry.example``.
        username: Sent with `password` in each request to this host; empty for none.
        patience: How long it may take.
        pause: Waits a number of seconds between attempts.
    """

    def __init__(
        self,
        url: str,
        username: str = "",
        password: str = "",
        *,
        patience: Patience | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        import urllib3  # noqa: PLC0415  # slow; loaded when images are used

        self.url = url.rstrip("/")
        self.host = urlsplit(self.url).netloc
        self.username = username
        self.password = password
        self._patience = patience or Patience()
        self._pause = pause
        self._timeout = urllib3.Timeout(connect=self._patience.connect_s, read=self._patience.read_s)
        self._authorization = urllib3.make_headers(basic_auth=f"{username}:{password}") if username or password else {}
        self._pools: dict[str, urllib3.PoolManager] = {}

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.clear()

    def find_manifest(self, repository: str, reference: str) -> ImageManifest | None:
        """The manifest of an image by tag or digest; `None` if there is none.

        Raises:
            CloudError: The registry does not answer, or with what is no image for one platform or has another digest.
        """
        where = f"image '{self._named(repository, reference)}'"

        def fetch() -> ImageManifest | None:
            accepted = {"Accept": ", ".join((*MANIFEST_TYPES, *INDEX_TYPES))}
            with self._request("GET", f"/v2/{repository}/manifests/{reference}", headers=accepted) as response:
                if response.status == 404:
                    return None
                self._require(response, {200}, where)
                body = self._read(response, MAXIMUM_MANIFEST_BYTES, where)
                media_type = response.headers.get("Content-Type", "")
            if is_digest(reference) and digest_of(body) != reference:
                raise self._error(f"the registry gave {digest_of(body)} for {where}; it cannot be trusted")
            return read_manifest(body, media_type, where)

        return self.attempt(fetch)

    def get_manifest(self, repository: str, reference: str) -> ImageManifest:
        """As `find_manifest`.

        Raises:
            ResourceNotFoundError: There is none.
        """
        found = self.find_manifest(repository, reference)
        if found is None:
            raise ResourceNotFoundError(
                f"there is no image '{self._named(repository, reference)}'.", operation="get_manifest"
            )
        return found

    def put_manifest(self, repository: str, reference: str, manifest: ImageManifest) -> None:
        """Write a manifest under a tag, once all its blobs are there. A tag that has it already is no failure.

        Raises:
            CloudError: The registry refuses it, or stored something else.
        """
        where = f"image '{self._named(repository, reference)}'"

        def send() -> None:
            headers = {"Content-Type": manifest.media_type}
            path = f"/v2/{repository}/manifests/{reference}"
            with self._request("PUT", path, headers=headers, body=manifest.body) as response:
                if response.status not in {200, 201, 202, 204}:
                    refusal = self._refusal(response, where)
                    # Tags that are written once refuse what an attempt wrote whose answer was lost.
                    if refusal.retryable or self._digest_at(repository, reference) != manifest.digest:
                        raise refusal
                    return
                stored = response.headers.get("Docker-Content-Digest", manifest.digest)
            if stored != manifest.digest:
                raise self._error(f"the registry stored {where} as {stored}, and it is {manifest.digest}")

        self.attempt(send)

    def has_blob(self, repository: str, blob: Blob) -> bool:
        """Whether a blob is in a repository."""

        def look() -> bool:
            with self._request("HEAD", f"/v2/{repository}/blobs/{blob.digest}") as response:
                if response.status == 404:
                    return False
                # Where to fetch it is told by a redirect, which it only gives for what it has.
                self._require(response, {200, *_REDIRECTS}, f"blob {blob.digest} of {self._named(repository)}")
                return True

        return self.attempt(look)

    def read_blob(self, repository: str, blob: Blob) -> bytes:
        """All of a small blob, as a configuration is.

        Raises:
            CloudError: It is too large or is not what its digest says.
        """
        if blob.size_bytes > MAXIMUM_CONFIGURATION_BYTES:
            raise self._error(
                f"blob {blob.digest} of {self._named(repository)} has {blob.size_bytes:,} bytes, too many for a "
                "configuration"
            )

        def fetch() -> bytes:
            with self.open_blob(repository, blob) as stream:
                return b"".join(iter(lambda: stream.read(64 * 1024), b""))

        return self.attempt(fetch)

    @contextmanager
    def open_blob(self, repository: str, blob: Blob) -> Iterator[BlobStream]:
        """A blob as a stream that checks size and digest as it is read; one attempt.

        Raises:
            CloudError: It cannot be had.
        """
        where = f"blob {blob.digest} of {self._named(repository)}"
        url, headers = f"{self.url}/v2/{repository}/blobs/{blob.digest}", dict(self._authorization)
        for _ in range(_MAXIMUM_REDIRECTS + 1):
            with self._send("GET", url, headers) as response:
                if response.status not in _REDIRECTS:
                    self._require(response, {200}, where)
                    limit_s = self._patience.read_s + blob.size_bytes / self._patience.slowest_bytes_per_s
                    yield BlobStream(response, blob, where, time.monotonic() + limit_s, self._network)
                    return
                url = self._follow(url, response.headers.get("Location", ""), where)
                headers = {}
        raise self._error(f"the registry redirects {where} more than {_MAXIMUM_REDIRECTS} times")

    def upload_blob(self, repository: str, blob: Blob, stream: BlobStream) -> None:
        """Send a blob in one piece; it is closed only when the stream has ended as its digest says. One attempt.

        Raises:
            CloudError: Stream or registry failed.
        """
        where = f"blob {blob.digest} for {self._named(repository)}"
        with self._request("POST", f"/v2/{repository}/blobs/uploads/") as response:
            self._require(response, {202}, where)
            upload = self._location(response, where)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size_bytes)}
        with self._send("PATCH", upload, {**self._for(upload), **headers}, body=stream) as response:
            self._require(response, {202, 204}, where)
            upload = self._location(response, where, upload)
        closing = f"{upload}{'&' if '?' in upload else '?'}digest={quote(blob.digest, safe='')}"
        with self._send("PUT", closing, {**self._for(closing), "Content-Length": "0"}) as response:
            self._require(response, {201, 204}, where)
            stored = response.headers.get("Docker-Content-Digest", blob.digest)
        if stored != blob.digest:
            raise self._error(f"the registry stored {where} as {stored}")

    def attempt(self, step: Callable[[], Result]) -> Result:
        """Do something, again while it may succeed later."""
        pause = FIRST_PAUSE_S
        for _ in range(ATTEMPTS - 1):
            try:
                return step()
            except CloudError as error:
                if not error.retryable:
                    raise
            self._pause(pause)
            pause *= 2
        return step()

    def _digest_at(self, repository: str, reference: str) -> str | None:
        found = self.find_manifest(repository, reference)
        return None if found is None else found.digest

    def _request(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> Any:  # a context manager of a response
        return self._send(method, f"{self.url}{path}", {**self._authorization, **(headers or {})}, body=body)

    @contextmanager
    def _send(
        self, method: str, url: str, headers: dict[str, str], *, body: bytes | BlobStream | None = None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        with self._network():
            response: Any = self._pool(url).request(
                method,
                url,
                body=body,  # type: ignore[arg-type]  # anything that can be read
                headers=headers,
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=self._timeout,
            )
        try:
            yield response
            if int(response.headers.get("Content-Length") or _DRAINED_BYTES + 1) <= _DRAINED_BYTES:
                response.drain_conn()  # so that the connection serves the next request
        finally:
            response.close()

    @contextmanager
    def _network(self) -> Iterator[None]:
        """Turn failures of the network into ours; but for a certificate that is not trusted, all may pass."""
        from urllib3.exceptions import HTTPError, SSLError  # noqa: PLC0415

        try:
            yield
        except (HTTPError, OSError) as error:
            raise CloudError(
                f"the registry {self.host} does not answer as it should: {str(error)[:_CHARACTERS_SHOWN]}",
                operation="registry",
                retryable=not isinstance(error, SSLError),
            ) from error

    def _pool(self, url: str) -> urllib3.PoolManager:
        """Connections to a host, by the proxy of the environment if it has one for it."""
        import urllib3  # noqa: PLC0415

        parts = urlsplit(url)
        proxy = urllib.request.getproxies().get(parts.scheme)
        if proxy is not None and urllib.request.proxy_bypass(parts.hostname or ""):
            proxy = None
        if (proxy or "") not in self._pools:
            options: Any = {"ca_certs": os.environ.get("AWS_CA_BUNDLE")}
            if proxy is None:
                self._pools[""] = urllib3.PoolManager(**options)
            else:
                user = urlsplit(proxy)
                if user.username is not None:
                    basic = f"{user.username}:{user.password or ''}"
                    options["proxy_headers"] = urllib3.make_headers(proxy_basic_auth=basic)
                self._pools[proxy] = urllib3.ProxyManager(proxy, **options)
        return self._pools[proxy or ""]

    def _for(self, url: str) -> dict[str, str]:
        """Credentials for a URL that the registry named: only if it is the registry's own."""
        own, other = urlsplit(self.url), urlsplit(url)
        return dict(self._authorization) if (own.scheme, own.netloc) == (other.scheme, other.netloc) else {}

    def _location(self, response: urllib3.BaseHTTPResponse, where: str, default: str | None = None) -> str:
        location = response.headers.get("Location") or default
        if not location:
            raise self._error(f"the registry does not say where to send {where}")
        return self._follow(f"{self.url}/", location, where)

    def _follow(self, url: str, location: str, where: str) -> str:
        """Where a registry sends us; never from an encrypted connection to one that is not."""
        target = urljoin(url, location)
        schemes = (urlsplit(url).scheme, urlsplit(target).scheme)
        if not location or schemes not in {("https", "https"), ("http", "http"), ("http", "https")}:
            raise self._error(f"the registry sends us from {urlsplit(url).netloc} to '{location[:80]}' for {where}")
        return target

    def _read(self, response: urllib3.BaseHTTPResponse, limit: int, where: str) -> bytes:
        with self._network():
            body = response.read(limit + 1)
        if len(body) > limit:
            raise self._error(f"the registry's answer about {where} has more than {limit:,} bytes")
        return body

    def _require(self, response: urllib3.BaseHTTPResponse, expected: set[int], where: str) -> None:
        if response.status not in expected:
            raise self._refusal(response, where)

    def _refusal(self, response: urllib3.BaseHTTPResponse, where: str) -> CloudError:
        """What a registry says when it does not do what was asked (the specification's "Error codes")."""
        with self._network():
            body = response.read(MAXIMUM_MANIFEST_BYTES)
        try:
            first = json.loads(body)["errors"][0]
            said = f"{first['code']}: {first.get('message', '')}"
        except (ValueError, LookupError, TypeError, AttributeError):
            said = body[:_CHARACTERS_SHOWN].decode(errors="replace")
        message = f"the registry {self.host} answered {response.status} about {where}"
        message += f" ({said[:_CHARACTERS_SHOWN].strip()})." if said.strip() else "."
        if response.status in {401, 403}:
            message += " The credentials may not do this."
        if response.status == 404:
            return ResourceNotFoundError(message, operation="registry")
        retryable = response.status in _RETRYABLE or response.status >= 500
        return CloudError(message, operation="registry", retryable=retryable)

    def _named(self, repository: str, reference: str = "") -> str:
        separator = "@" if is_digest(reference) else ":"
        return f"{self.host}/{repository}{separator + reference if reference else ''}"

    @staticmethod
    def _error(message: str) -> CloudError:
        return CloudError(f"{message}.", operation="registry")
