"""The Lambda Runtime API for one worker, on a loopback port of its own.

AWS's runtime client asks for the next invocation, runs the handler and posts the answer or the error
(https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html). Requests are read here and not by `http.server`,
because that refuses header lines over 64 KiB, which the client sends with a deep traceback.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

_VERSION = "/2018-06-01/runtime"
_NEXT = f"{_VERSION}/invocation/next"
_INITIALISATION_ERROR = f"{_VERSION}/init/error"
_ANSWER = re.compile(rf"{re.escape(_VERSION)}/invocation/([^/]+)/(response|error)")

_OK = "200 OK"
_ACCEPTED = "202 Accepted"
_NOT_FOUND = "404 Not Found"
_TOO_LARGE = "413 Payload Too Large"
_MAXIMUM_REQUEST_BYTES = 32 * 1024 * 1024  # far above the largest answer, so that it is read and refused with a reason


@dataclass(frozen=True)
class Invocation:
    """What a worker is asked to do. `deadline` in seconds since the epoch."""

    request_id: str
    payload: bytes
    deadline: float
    function_id: str


@dataclass(frozen=True)
class Answer:
    """What a worker answered: the handler's result, or the error it raised (`payload` is then the error document)."""

    payload: bytes
    error: str | None


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    body: bytes


class RuntimeApi:
    """One worker's side of the conversation is HTTP, the other is `offer` and `wait_until`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=8)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._changed = threading.Condition()
        self._asked = False  # the worker waits for an invocation
        self._offered: Invocation | None = None
        self._running: str | None = None
        self._answer: Answer | None = None
        self._initialisation_error: str | None = None
        self._closed = False
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._acceptor = threading.Thread(target=self._accept, name=f"runtime-api-{self.address}", daemon=True)
        self._acceptor.start()

    @property
    def is_ready(self) -> bool:
        """Whether the worker has asked for an invocation and got none yet."""
        return self._asked

    @property
    def initialisation_error(self) -> str | None:
        """Why the worker could not load its handler."""
        return self._initialisation_error

    def offer(self, invocation: Invocation) -> None:
        """Give the worker something to do."""
        with self._changed:
            self._offered = invocation
            self._answer = None
            self._changed.notify_all()

    def take_answer(self) -> Answer | None:
        """The answer to the last offer, once it is there."""
        with self._changed:
            return self._answer

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until a condition on this object holds; looks whenever something happened."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    def close(self) -> None:
        """Hang up and end the threads."""
        with self._changed:
            self._closed = True
            connections = dict(self._connections)
            self._changed.notify_all()
        # A shutdown wakes a thread that waits in accept() or read(); closing alone would not.
        for connection in (self._listener, *connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the other side was faster
        self._listener.close()
        for thread in (self._acceptor, *connections.values()):
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                if self._closed:
                    connection.close()
                    return
                thread = threading.Thread(
                    target=self._serve, args=(connection,), name=f"runtime-api-{self.address}", daemon=True
                )
                self._connections[connection] = thread
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                while (request := _read_request(stream, connection)) is not None:
                    response = self._respond(request)
                    if response is None:
                        return
                    connection.sendall(response)
        except (OSError, ValueError):
            pass  # the worker ended or speaks no HTTP; whoever waits for it notices that it is gone
        finally:
            with self._changed:
                self._connections.pop(connection, None)
                self._changed.notify_all()

    def _respond(self, request: _Request) -> bytes | None:
        if request.method == "GET" and request.path == _NEXT:
            return self._next_invocation()
        if request.method == "POST" and request.path == _INITIALISATION_ERROR:
            with self._changed:
                self._initialisation_error = _describe_error(request.body)
                self._changed.notify_all()
            return _response(_ACCEPTED)
        answered = _ANSWER.fullmatch(request.path)
        if request.method == "POST" and answered:
            error = _describe_error(request.body) if answered[2] == "error" else None
            with self._changed:
                if answered[1] != self._running:
                    return _response(_NOT_FOUND)
                self._answer = Answer(request.body, error)
                self._running = None
                self._changed.notify_all()
            return _response(_ACCEPTED)
        return _response(_NOT_FOUND)

    def _next_invocation(self) -> bytes | None:
        with self._changed:
            self._asked = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._offered is not None or self._closed)
            self._asked = False
            invocation, self._offered = self._offered, None
            if invocation is None:
                return None
            self._running = invocation.request_id
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_id,
        }
        return _response(_OK, headers, invocation.payload)


def _read_request(stream: BinaryIO, connection: socket.socket) -> _Request | None:
    request_line = stream.readline()
    if not request_line:
        return None
    method, path, _ = request_line.decode("ascii").split(" ")
    headers: dict[str, str] = {}
    while (line := stream.readline()) not in {b"\r\n", b""}:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    if length > _MAXIMUM_REQUEST_BYTES:
        connection.sendall(_response(_TOO_LARGE))
        return None
    if headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    return _Request(method, path, stream.read(length))


def _response(status: str, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines.extend(f"{name}: {value}" for name, value in (headers or {}).items())
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _describe_error(body: bytes) -> str:
    """``Type: message`` of an error document."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return "Runtime.Unknown: the runtime client reported an error without a description"
    return f"{document.get('errorType') or 'Error'}: {document.get('errorMessage') or ''}".rstrip(": ")
