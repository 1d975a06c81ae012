"""The data endpoint: how running functions reach the tables, objects and topics of the embedded cloud.

``POST /data/<operation>`` on a loopback port, JSON in and out, ``Authorization: Bearer <token>`` (each worker has its
own) and ``X-Source-Region: <region of the caller>``. The request waits for half the round trip between the caller's
region and the operation's before it is done, the answer for the other half: so that a message can be delivered before
its publisher knows that it was accepted, as on a real network. The operations are in `data_operations`; an error is
``{"error": {"code", "message", "retryable"}}`` with status 400 (refused), 401 (no token), 404 (no such thing), 413 (too
large) or 503 (throttled or region out, try again).
"""

from __future__ import annotations

import http.server
import json
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Protocol

from multi_x_serverless.cloud.local.data_operations import DataOperations, Fields
from multi_x_serverless.cloud.local.faults import FaultInjector
from multi_x_serverless.cloud.local.regions import Regions
from multi_x_serverless.errors import CloudError, MultiXServerlessError, ResourceNotFoundError

MAXIMUM_REQUEST_BYTES = 64 * 1024 * 1024

_SHORTEST_WAIT_S = 0.0005  # the exchange over loopback takes about as long by itself
_PATH = "/data/"


class Caller(Protocol):
    """The worker that holds a token, as far as the endpoint is concerned."""

    def kill(self, reason: str) -> None:
        """End it at once."""

    @property
    def may_be_crashed(self) -> bool:
        """Whether the fault plan may still crash what it is working on."""


class _DroppedConnectionError(Exception):
    """The caller was killed, or its answer is to be lost: hang up without one."""


class DataEndpoint:
    """Serves the data operations from threads of its own; see the module."""

    def __init__(
        self,
        operations: DataOperations,
        regions: Regions,
        faults: FaultInjector,
        *,
        on_waiting_changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._operations = operations
        self._regions = regions
        self._faults = faults
        self._on_waiting_changed = on_waiting_changed
        self._lock = threading.Lock()
        self._callers: dict[str, Caller | None] = {}
        self._waiting: Counter[str] = Counter()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_until_stopped, name="data-endpoint", daemon=True)
        self._thread.start()

    def issue_token(self) -> str:
        """A new secret that opens the endpoint."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._callers[token] = None
        return token

    def assign_token(self, token: str, caller: Caller) -> None:
        """Say whose token it is, so that faults can hit its holder."""
        with self._lock:
            self._callers[token] = caller

    def revoke_token(self, token: str) -> None:
        """Close the endpoint to a token."""
        with self._lock:
            self._callers.pop(token, None)

    def waiting_callers(self) -> int:
        """How many workers wait for a simulated round trip right now."""
        with self._lock:
            return sum(1 for calls in self._waiting.values() if calls)

    def close(self) -> None:
        """Hang up on everybody and end the threads."""
        self._server.stop()
        self._thread.join()
        self._server.hang_up()

    def handle(self, token: str, source_region: str, operation: str, body: bytes) -> tuple[HTTPStatus, bytes]:
        """Answer one request: status and JSON.

        Raises:
            _DroppedConnectionError: There is nobody to answer, or nobody is to be answered.
        """
        with self._lock:
            if token not in self._callers:
                return _failure(HTTPStatus.UNAUTHORIZED, "unauthorized", "this token opens nothing.", retryable=False)
            caller = self._callers[token]
        try:
            result = self._perform(token, caller, source_region, operation, body)
        except ResourceNotFoundError as error:
            return _failure(HTTPStatus.NOT_FOUND, error.code, str(error), retryable=False)
        except CloudError as error:
            status = HTTPStatus.SERVICE_UNAVAILABLE if error.retryable else HTTPStatus.BAD_REQUEST
            return _failure(status, error.code, str(error), retryable=error.retryable)
        except MultiXServerlessError as error:
            return _failure(HTTPStatus.BAD_REQUEST, error.code, str(error), retryable=False)
        except UnicodeEncodeError:
            message = "a text holds half a surrogate pair, which UTF-8 cannot express."
            return _failure(HTTPStatus.BAD_REQUEST, CloudError.code, message, retryable=False)
        return HTTPStatus.OK, json.dumps(result, separators=(",", ":")).encode()

    def _perform(self, token: str, caller: Caller | None, source: str, operation: str, body: bytes) -> object:
        perform = self._operations.find(operation)
        fields = Fields.parse(body)
        target = fields.text("region")
        self._regions.require_known(source)
        self._regions.require_known(target)
        half = self._regions.round_trip_s(source, target) / 2
        faults = self._faults.plan.of_operation(operation)
        self._maybe_crash(f"{operation}.crash_before", faults.crash_before, caller)
        self._wait(token, half)
        self._regions.require(target, operation)
        if self._faults.happens(f"{operation}.throttle", faults.throttle):
            raise CloudError(
                "too many requests (by the fault plan).", operation=operation, region=target, retryable=True
            )
        result = perform(fields)
        self._wait(token, half)
        self._maybe_crash(f"{operation}.crash_after", faults.crash_after, caller)
        if self._faults.happens(f"{operation}.lost_answer", faults.lost_answer):
            raise _DroppedConnectionError
        return result

    def _maybe_crash(self, kind: str, probability: float, caller: Caller | None) -> None:
        if caller is not None and caller.may_be_crashed and self._faults.happens(kind, probability):
            caller.kill(f"killed by the fault plan ({kind})")
            raise _DroppedConnectionError

    def _wait(self, token: str, seconds: float) -> None:
        if seconds >= _SHORTEST_WAIT_S:
            with self._counted_as_waiting(token):
                time.sleep(seconds)

    @contextmanager
    def _counted_as_waiting(self, token: str) -> Iterator[None]:
        with self._lock:
            self._waiting[token] += 1
        self._on_waiting_changed()
        try:
            yield
        finally:
            with self._lock:
                self._waiting[token] -= 1
                if not self._waiting[token]:
                    del self._waiting[token]


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # the base class would not join daemon threads; hang_up() does
    request_queue_size = 128

    def __init__(self, endpoint: DataEndpoint) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = endpoint
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._stopped = False

    def serve_until_stopped(self) -> None:
        """Unlike `serve_forever` this ends at once, and does not look around while there is nothing to do."""
        while not self._stopped:
            self.handle_request()

    def stop(self) -> None:
        self._stopped = True
        with socket.create_connection(("127.0.0.1", self.server_port)):  # the request that ends the loop
            pass

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections[connection] = threading.current_thread()

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.pop(connection, None)

    def hang_up(self) -> None:
        self.server_close()
        with self._lock:
            connections = dict(self._connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the other side was faster
        for thread in connections.values():
            thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for head and body
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        super().finish()

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True  # the worker ended in the middle

    def do_POST(self) -> None:  # the name that http.server calls
        announced = self.headers.get("Content-Length", "0")
        length = int(announced) if announced.isdecimal() else 0
        if length > MAXIMUM_REQUEST_BYTES:
            self.close_connection = True
            self._answer(
                *_failure(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    "cloud",
                    f"the request has {length:,} bytes.",
                    retryable=False,
                )
            )
            return
        body = self.rfile.read(length)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        operation = self.path.removeprefix(_PATH) if self.path.startswith(_PATH) else ""
        try:
            status, answer = self.server.endpoint.handle(
                token, self.headers.get("X-Source-Region", ""), operation, body
            )
        except _DroppedConnectionError:
            self.close_connection = True
            return
        self._answer(status, answer)

    def _answer(self, status: HTTPStatus, answer: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Say nothing on stderr: the callers get their answers."""


def _failure(status: HTTPStatus, code: str, message: str, *, retryable: bool) -> tuple[HTTPStatus, bytes]:
    document = {"error": {"code": code, "message": message, "retryable": retryable}}
    return status, json.dumps(document).encode()
