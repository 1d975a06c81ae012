"""The embedded cloud as a deployed function sees it: JSON over HTTP to the data endpoint of its host.

``POST /data/<operation>`` with the members of the operation; bytes stand as ``{"base64": "..."}``. A failure is a
status of 400 or more with ``{"error": {"code", "message", "retryable"}}``. The endpoint makes the caller wait for the
round trip to the region that the operation is for.
"""

from __future__ import annotations

import base64
import http
import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from multi_x_serverless.sdk.backend import Attribute, Attributes, StoredItem
from multi_x_serverless.sdk.errors import BackendError, ObjectNotFoundError

ATTEMPTS = 4
"""How often an operation is tried before its region counts as unavailable."""

FIRST_PAUSE_S = 0.05
"""Pause before the second attempt; it doubles from one to the next."""

LARGEST_OBJECT_BYTES = 48_000_000
"""With what encoding adds (a third) and its key it fits into the 64 MiB of a request that the endpoint reads."""

TIMEOUT_S = 30.0
"""Longest wait for an answer, including the simulated distance."""


class LocalBackend:
    """Client of the data endpoint; one kept connection per thread.

    Args:
        endpoint: ``http://127.0.0.1:PORT``.
        token: Bearer token.
        region: Own region, from which distances are counted.
        table_prefix: What physical table names start with.
        pause: Waits a number of seconds.
    """

    earliest_retry_s = 0.0
    """The embedded cloud retries at once, and never while an attempt is at work."""

    owns_network = False
    """Functions share the machine's interfaces with everything else on it."""

    shows_traffic = False
    """What goes to the endpoint goes over the loopback, without botocore."""

    def __init__(
        self,
        endpoint: str,
        token: str,
        *,
        region: str,
        table_prefix: str,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        address = urlsplit(endpoint)
        self._host = address.hostname or "127.0.0.1"
        self._port = address.port
        self._headers = {
            "Authorization": f"Bearer {token}",
            "X-Source-Region": region,
            "Content-Type": "application/json",
        }
        self._table_prefix = table_prefix
        self._pause = pause
        self._own = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections of all threads; a function's process need not, it just ends."""
        with self._lock:
            for connection in self._connections:
                connection.close()

    def publish(self, region: str, topic: str, body: str) -> None:
        """Publish a message."""
        self._request("publish", region, {"topic": topic, "body": body})

    def get(self, region: str, table: str, partition: str, sort: str) -> StoredItem | None:
        """Read one item."""
        answer = self._request("get", region, {**self._key(table, partition), "sort": sort})
        return None if answer["item"] is None else _item(answer["item"])

    def put(
        self,
        region: str,
        table: str,
        partition: str,
        sort: str,
        attributes: Attributes,
        *,
        condition: int,
        expires_at: float,
    ) -> int | None:
        """Write an item on a condition."""
        answer = self._request(
            "put",
            region,
            {
                **self._key(table, partition),
                "sort": sort,
                "attributes": {name: _encoded(value) for name, value in attributes.items()},
                "condition": condition,
                "expires_at": expires_at,
            },
        )
        version = answer["version"]
        return None if version is None else int(str(version))

    def set_if_absent(
        self,
        region: str,
        table: str,
        partition: str,
        sort: str,
        attribute: str,
        value: Attribute,
        *,
        expires_at: float,
    ) -> StoredItem:
        """Set an attribute unless it has a value."""
        answer = self._request(
            "set_if_absent",
            region,
            {
                **self._key(table, partition),
                "sort": sort,
                "attribute": attribute,
                "value": _encoded(value),
                "expires_at": expires_at,
            },
        )
        return _item(answer["item"])

    def query(self, region: str, table: str, partition: str, prefix: str) -> list[tuple[str, StoredItem]]:
        """Read the items of a partition in order."""
        answer = self._request("query", region, {**self._key(table, partition), "prefix": prefix})
        items = answer["items"]
        if not isinstance(items, list):
            raise _unreadable("query", region)
        return [(str(item["sort"]), _item(item)) for item in items]

    def put_object(self, region: str, key: str, body: bytes) -> None:
        """Store an object."""
        if len(body) > LARGEST_OBJECT_BYTES:
            raise BackendError(
                f"object '{key}' has {len(body):,} bytes; the embedded cloud takes {LARGEST_OBJECT_BYTES:,} from a "
                "function",
                operation="put_object",
                region=region,
            )
        self._request("put_object", region, {"key": key, "body": _encoded(body)})

    def get_object(self, region: str, key: str) -> bytes:
        """Read an object."""
        body = _decoded(self._request("get_object", region, {"key": key})["body"])
        if not isinstance(body, bytes):
            raise _unreadable("get_object", region)
        return body

    def _key(self, table: str, partition: str) -> dict[str, object]:
        return {"table": self._table_prefix + table, "partition": partition}

    def _request(self, operation: str, region: str, members: Mapping[str, object]) -> dict[str, object]:
        body = json.dumps({"region": region, **members}).encode()
        outcome_unknown = False
        problem = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._pause(FIRST_PAUSE_S * 2 ** (attempt - 1))
            try:
                status, content = self._post(operation, body)
            except ConnectionRefusedError as error:
                problem = str(error)
                continue
            except (OSError, http.client.HTTPException) as error:
                # The host may have done it before the connection broke.
                outcome_unknown, problem = True, f"{type(error).__name__}: {error}"
                continue
            answer = _document(operation, region, content)
            if status < 400:
                return answer
            if operation == "get_object" and status == http.HTTPStatus.NOT_FOUND:
                raise ObjectNotFoundError(str(members["key"]), region=region)
            problem, retryable = _problem(answer, status)
            if not retryable:
                break
        raise BackendError(problem, operation=operation, region=region, outcome_unknown=outcome_unknown)

    def _post(self, operation: str, body: bytes) -> tuple[int, bytes]:
        connection = self._connection()
        try:
            connection.request("POST", f"/data/{operation}", body, self._headers)
            response = connection.getresponse()
            return response.status, response.read()
        except BaseException:
            # Half an exchange is left on it; the next request opens it anew.
            connection.close()
            raise

    def _connection(self) -> http.client.HTTPConnection:
        """This thread's connection; it opens by itself when it is used."""
        connection: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
            self._own.connection = connection
            with self._lock:
                self._connections.append(connection)
        return connection


def _document(operation: str, region: str, content: bytes) -> dict[str, object]:
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise _unreadable(operation, region)
    return document


def _problem(answer: Mapping[str, object], status: int) -> tuple[str, bool]:
    error = answer.get("error")
    if not isinstance(error, dict):
        return f"status {status}", False
    return f"{error.get('code')}: {error.get('message')}", error.get("retryable") is True


def _unreadable(operation: str, region: str) -> BackendError:
    return BackendError("the answer cannot be read", operation=operation, region=region, outcome_unknown=True)


def _item(document: object) -> StoredItem:
    if not isinstance(document, dict):
        raise TypeError(f"an item is {document!r}")
    attributes = {str(name): _decoded(value) for name, value in document["attributes"].items()}
    return StoredItem(attributes, int(document["version"]))


def _encoded(value: Attribute) -> object:
    return {"base64": base64.b64encode(value).decode("ascii")} if isinstance(value, bytes) else value


def _decoded(value: object) -> Attribute:
    if isinstance(value, dict) and isinstance(value.get("base64"), str):
        return base64.b64decode(value["base64"])
    if isinstance(value, str | int | float):
        return value
    raise TypeError(f"an attribute is {value!r}")
