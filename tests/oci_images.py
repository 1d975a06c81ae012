"""Tiny container images, and a registry on loopback that keeps them in memory and misbehaves on request."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from multi_x_serverless.cloud.aws.blob_stream import BlobStream
from multi_x_serverless.cloud.aws.image_manifest import Blob, ImageManifest, read_manifest
from multi_x_serverless.cloud.aws.registry import Registry

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIGURATION_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"

USERNAME = "AWS"
PASSWORD = "a password: of the registry"  # a test's own


def sha256(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@dataclass(frozen=True)
class TinyImage:
    """An image of one small layer for each text."""

    manifest: bytes
    blobs: dict[str, bytes]

    @property
    def digest(self) -> str:
        return sha256(self.manifest)

    @property
    def parsed(self) -> ImageManifest:
        return read_manifest(self.manifest, MANIFEST_TYPE, "the tiny image")

    @property
    def size_bytes(self) -> int:
        return sum(len(body) for body in self.blobs.values())


def tiny_image(*texts: str, architecture: str = "amd64", padding: bytes = b"") -> TinyImage:
    layers = [_layer(text.encode() + padding) for text in texts or ("hello",)]
    configuration = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": ["app.handler"]},
            "rootfs": {"type": "layers", "diff_ids": [sha256(gzip.decompress(layer)) for layer in layers]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _descriptor(CONFIGURATION_TYPE, configuration),
            "layers": [_descriptor(LAYER_TYPE, layer) for layer in layers],
        }
    ).encode()
    return TinyImage(manifest, {sha256(body): body for body in (*layers, configuration)})


def _layer(content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        information = tarfile.TarInfo("var/task/app.txt")
        information.size = len(content)
        archive.addfile(information, io.BytesIO(content))
    return gzip.compress(stream.getvalue(), mtime=0)


def _descriptor(media_type: str, body: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": sha256(body), "size": len(body)}


class _Memory:
    """What a download looks like to a stream, from memory."""

    def __init__(self, body: bytes) -> None:
        self._stream = io.BytesIO(body)

    def read(self, size: int, *, decode_content: bool) -> bytes:
        return self._stream.read(size)


def push(registry: Registry, repository: str, tag: str, image: TinyImage) -> None:
    """Push an image from memory by the product's own client."""
    for digest, body in image.blobs.items():
        blob, source = Blob(digest, len(body)), _Memory(body)
        stream = BlobStream(source, blob, "a blob in memory", float("inf"), nullcontext)  # type: ignore[arg-type]
        registry.upload_blob(repository, blob, stream)
    registry.put_manifest(repository, tag, image.parsed)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    authorization: str | None


@dataclass(frozen=True)
class Answer:
    """What a registry answers instead of the truth.

    Attributes:
        announced: Length in the header, if it is not that of the body.
        pause_s: Seconds between the two halves of the body.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    announced: int | None = None
    pause_s: float = 0.0


class OciRegistry:
    """A registry (OCI distribution specification) in memory.

    Attributes:
        requests: All that was asked, in order.
        lie: Called with each request; what it returns is answered instead.
        stored: Told of each manifest that was stored: repository, tag and bytes.
    """

    def __init__(self, *, password: str = PASSWORD, immutable: bool = True) -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.uploads: dict[str, bytes] = {}
        self.requests: list[Request] = []
        self.lie: Callable[[Request], Answer | None] = lambda request: None
        self.stored: Callable[[str, str, bytes], None] = lambda repository, tag, body: None
        self.immutable = immutable
        credentials = base64.b64encode(f"{USERNAME}:{password}".encode()).decode()
        self.authorization = f"Basic {credentials}" if password else None
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self.server.daemon_threads = True

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @contextmanager
    def running(self) -> Iterator[OciRegistry]:
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()

    def add(self, repository: str, tag: str, image: TinyImage) -> None:
        """Put an image there without a request."""
        self.blobs.update({(repository, digest): body for digest, body in image.blobs.items()})
        for reference in (tag, image.digest):
            self.manifests[repository, reference] = (MANIFEST_TYPE, image.manifest)

    def asked(self, method: str, part: str = "") -> list[Request]:
        return [request for request in self.requests if request.method == method and part in request.path]

    def answer(self, request: Request, headers: dict[str, str], body: bytes) -> Answer:
        with self.lock:
            self.requests.append(request)
            lie = self.lie(request)
            if lie is not None:
                return lie
            if self.authorization is not None and request.authorization != self.authorization:
                return _refuse(401, "UNAUTHORIZED", "who are you?")
            path = urlsplit(request.path)
            repository, _, rest = path.path.removeprefix("/v2/").partition("/blobs/")
            if rest:
                return self._blob(request.method, repository, rest, parse_qs(path.query), body)
            repository, _, reference = path.path.removeprefix("/v2/").partition("/manifests/")
            return self._manifest(request.method, repository, reference, headers.get("content-type", ""), body)

    def _manifest(self, method: str, repository: str, reference: str, kind: str, body: bytes) -> Answer:
        key = (repository, reference)
        if method in {"GET", "HEAD"}:
            if key not in self.manifests:
                return _refuse(404, "MANIFEST_UNKNOWN", "no such manifest")
            kind, body = self.manifests[key]
            return Answer(200, body, {"Content-Type": kind, "Docker-Content-Digest": sha256(body)})
        document = json.loads(body)
        needed = [document["config"]["digest"], *(layer["digest"] for layer in document["layers"])]
        if any((repository, digest) not in self.blobs for digest in needed):
            return _refuse(400, "MANIFEST_BLOB_UNKNOWN", "a blob is missing")
        if self.immutable and key in self.manifests:
            return _refuse(400, "TAG_INVALID", "the tag is immutable")
        self.manifests[key] = self.manifests[repository, sha256(body)] = (kind, body)
        self.stored(repository, reference, body)
        return Answer(201, headers={"Docker-Content-Digest": sha256(body)})

    def _blob(self, method: str, repository: str, rest: str, query: dict[str, list[str]], body: bytes) -> Answer:
        if method in {"GET", "HEAD"}:
            if (repository, rest) not in self.blobs:
                return _refuse(404, "BLOB_UNKNOWN", "no such blob")
            return Answer(200, self.blobs[repository, rest])
        if method == "POST":
            upload = f"{len(self.uploads)}"
            self.uploads[upload] = b""
            return Answer(202, headers={"Location": f"/v2/{repository}/blobs/uploads/{upload}?state=begun"})
        upload = rest.removeprefix("uploads/")
        self.uploads[upload] += body
        if method == "PATCH":
            return Answer(202, headers={"Location": f"/v2/{repository}/blobs/uploads/{upload}?state=sent"})
        digest = query["digest"][0]
        if sha256(self.uploads[upload]) != digest:
            return _refuse(400, "DIGEST_INVALID", "this is something else")
        self.blobs[repository, digest] = self.uploads.pop(upload)
        return Answer(201, headers={"Docker-Content-Digest": digest})


def _refuse(status: int, code: str, message: str) -> Answer:
    return Answer(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode())


def _handler_for(registry: OciRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # header and body in one piece
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  # as it is called
            pass

        def serve(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(length)
            if len(body) < length:  # the sender gave up
                self.close_connection = True
                return
            request = Request(self.command, self.path, self.headers.get("Authorization"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = registry.answer(request, headers, body)
            announced = len(answer.body) if answer.announced is None else answer.announced
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(announced))
            self.end_headers()
            if self.command != "HEAD":
                half = len(answer.body) // 2
                self.wfile.write(answer.body[:half])
                if answer.pause_s:
                    self.wfile.flush()
                    time.sleep(answer.pause_s)
                self.wfile.write(answer.body[half:])
            if announced != len(answer.body):
                self.close_connection = True

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = serve  # noqa: N815  # as the base class calls them

    return Handler
