"""The client of the embedded cloud against a scripted endpoint on loopback: what it sends, what it makes of answers."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from multi_x_serverless.sdk.backend import StoredItem
from multi_x_serverless.sdk.errors import BackendError, ObjectNotFoundError
from multi_x_serverless.sdk.local_backend import ATTEMPTS, LARGEST_OBJECT_BYTES, LocalBackend

Script = list[tuple[int, object] | str]


@dataclass
class Endpoint:
    """Answers as its script says; "drop" hangs up instead."""

    script: Script = field(default_factory=list)
    requests: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    port: int = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    endpoint: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.endpoint.requests.append((self.path, body, dict(self.headers)))
        self.endpoint.connections.add(self.client_address)
        answer = self.endpoint.script.pop(0)
        if isinstance(answer, str):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        content = answer[1] if isinstance(answer[1], bytes) else json.dumps(answer[1]).encode()
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, *arguments: object) -> None:
        """Tests are silent."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    handler = type("Scripted", (Handler,), {"endpoint": endpoint})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        endpoint.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield endpoint
        server.shutdown()
        thread.join()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def backend(endpoint: Endpoint, pauses: list[float]) -> Iterator[LocalBackend]:
    backend = LocalBackend(
        f"http://127.0.0.1:{endpoint.port}", "secret", region="us-east-1", table_prefix="mxs-", pause=pauses.append
    )
    yield backend
    backend.close()


ATTRIBUTES = {"t": "x", "n": 1, "f": 0.5, "b": {"base64": "/wA="}}
ITEM = {"partition": "p", "sort": "s", "attributes": ATTRIBUTES, "version": 3}
STORED = StoredItem({"t": "x", "n": 1, "f": 0.5, "b": b"\xff\x00"}, 3)


def sent(endpoint: Endpoint) -> tuple[str, dict[str, Any]]:
    path, body, headers = endpoint.requests[-1]
    assert headers["Authorization"] == "Bearer secret"
    assert headers["X-Source-Region"] == "us-east-1"
    return path, body


def test_publish(endpoint: Endpoint, backend: LocalBackend) -> None:
    endpoint.script = [(200, {})]
    backend.publish("us-west-2", "topic", '{"é": 1}')

    assert sent(endpoint) == ("/data/publish", {"region": "us-west-2", "topic": "topic", "body": '{"é": 1}'})


def test_get(endpoint: Endpoint, backend: LocalBackend) -> None:
    endpoint.script = [(200, {"item": ITEM}), (200, {"item": None})]

    assert backend.get("r", "claims", "p", "s") == STORED
    assert backend.get("r", "claims", "p", "s") is None
    assert sent(endpoint) == ("/data/get", {"region": "r", "table": "mxs-claims", "partition": "p", "sort": "s"})


def test_put(endpoint: Endpoint, backend: LocalBackend) -> None:
    endpoint.script = [(200, {"version": 4}), (200, {"version": None})]

    assert backend.put("r", "claims", "p", "s", STORED.attributes, condition=3, expires_at=9.5) == 4
    assert backend.put("r", "claims", "p", "s", STORED.attributes, condition=0, expires_at=9.5) is None
    assert sent(endpoint) == (
        "/data/put",
        {
            "region": "r",
            "table": "mxs-claims",
            "partition": "p",
            "sort": "s",
            "attributes": ATTRIBUTES,
            "condition": 0,
            "expires_at": 9.5,
        },
    )


def test_set_if_absent(endpoint: Endpoint, backend: LocalBackend) -> None:
    endpoint.script = [(200, {"item": ITEM})]

    assert backend.set_if_absent("r", "claims", "p", "s", "b", b"\xff\x00", expires_at=9.5) == STORED
    assert sent(endpoint) == (
        "/data/set_if_absent",
        {
            "region": "r",
            "table": "mxs-claims",
            "partition": "p",
            "sort": "s",
            "attribute": "b",
            "value": {"base64": "/wA="},
            "expires_at": 9.5,
        },
    )


def test_query(endpoint: Endpoint, backend: LocalBackend) -> None:
    endpoint.script = [(200, {"items": [ITEM, {**ITEM, "sort": "t"}]})]

    assert backend.query("r", "claims", "p", "n1:") == [("s", STORED), ("t", STORED)]
    assert sent(endpoint) == (
        "/data/query",
        {"region": "r", "table": "mxs-claims", "partition": "p", "prefix": "n1:"},
    )


def test_objects(endpoint: Endpoint, backend: LocalBackend) -> None:
    endpoint.script = [(200, {}), (200, {"body": {"base64": "/wA="}})]

    backend.put_object("r", "a/b", b"\xff\x00")
    assert sent(endpoint) == ("/data/put_object", {"region": "r", "key": "a/b", "body": {"base64": "/wA="}})
    assert backend.get_object("r", "a/b") == b"\xff\x00"
    assert sent(endpoint) == ("/data/get_object", {"region": "r", "key": "a/b"})


def unavailable(*, retryable: bool = True, status: int = 503) -> tuple[int, object]:
    return status, {"error": {"code": "cloud", "message": "the region is out", "retryable": retryable}}


def test_an_unavailable_region_is_tried_again_with_growing_pauses(
    endpoint: Endpoint, backend: LocalBackend, pauses: list[float]
) -> None:
    endpoint.script = [unavailable(), unavailable(), (200, {})]
    backend.publish("r", "topic", "")

    assert pauses == [0.05, 0.1]


def test_a_region_that_stays_unavailable_certainly_took_nothing(
    endpoint: Endpoint, backend: LocalBackend, pauses: list[float]
) -> None:
    endpoint.script = [unavailable()] * ATTEMPTS

    with pytest.raises(BackendError, match="publish in us-west-2 failed: cloud: the region is out") as caught:
        backend.publish("us-west-2", "topic", "")

    assert (caught.value.operation, caught.value.region) == ("publish", "us-west-2")
    assert caught.value.outcome_unknown is False
    assert len(endpoint.requests) == ATTEMPTS
    assert len(pauses) == ATTEMPTS - 1


@pytest.mark.parametrize("status", [400, 401, 404, 413])
def test_a_refusal_is_not_tried_again(endpoint: Endpoint, backend: LocalBackend, status: int) -> None:
    endpoint.script = [unavailable(retryable=False, status=status)]

    with pytest.raises(BackendError):
        backend.publish("r", "topic", "")
    assert len(endpoint.requests) == 1


def test_a_lost_answer_is_asked_for_again(endpoint: Endpoint, backend: LocalBackend) -> None:
    endpoint.script = ["drop", (200, {"item": None})]

    assert backend.get("r", "claims", "p", "s") is None


def test_after_a_lost_answer_the_outcome_is_unknown_whatever_comes_then(
    endpoint: Endpoint, backend: LocalBackend
) -> None:
    endpoint.script = ["drop", *[unavailable()] * (ATTEMPTS - 1)]

    with pytest.raises(BackendError) as caught:
        backend.publish("r", "topic", "")
    assert caught.value.outcome_unknown is True


def test_an_endpoint_that_is_gone_certainly_took_nothing(pauses: list[float]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        backend = LocalBackend(f"http://127.0.0.1:{port}", "secret", region="r", table_prefix="", pause=pauses.append)
        with pytest.raises(BackendError) as caught:
            backend.publish("r", "topic", "")
        backend.close()

    assert caught.value.outcome_unknown is False
    assert len(pauses) == ATTEMPTS - 1


@pytest.mark.parametrize("answer", [(200, b"no json"), (200, []), (500, b"<html>")])
def test_an_answer_that_cannot_be_read_is_an_error(
    endpoint: Endpoint, backend: LocalBackend, answer: tuple[int, object]
) -> None:
    endpoint.script = [answer]

    with pytest.raises(BackendError, match="cannot be read"):
        backend.publish("r", "topic", "")


def test_a_thread_keeps_its_connection(endpoint: Endpoint, backend: LocalBackend) -> None:
    endpoint.script = [(200, {})] * 6

    for _ in range(3):
        backend.publish("r", "topic", "")
    assert len(endpoint.connections) == 1

    def publish() -> None:
        for _ in range(3):
            backend.publish("r", "topic", "")

    other = threading.Thread(target=publish)
    other.start()
    other.join()
    assert len(endpoint.connections) == 2


def test_a_missing_object_is_asked_for_once(endpoint: Endpoint, backend: LocalBackend) -> None:
    endpoint.script = [(404, {"error": {"code": "resource-not-found", "message": "no", "retryable": False}})]
    with pytest.raises(ObjectNotFoundError, match="there is no object 'a/b' in r"):
        backend.get_object("r", "a/b")


def test_what_the_endpoint_would_not_read_is_not_sent(endpoint: Endpoint, backend: LocalBackend) -> None:
    with pytest.raises(BackendError, match=r"object 'a' has 48,000,001 bytes; the embedded cloud takes 48,000,000"):
        backend.put_object("r", "a", bytes(LARGEST_OBJECT_BYTES + 1))
    assert endpoint.requests == []
