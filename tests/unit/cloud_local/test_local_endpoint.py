"""The data endpoint as functions see it: operations, errors, latency, faults."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from multi_x_serverless.cloud.local import FaultPlan, LocalCloud, OperationFaults
from multi_x_serverless.cloud.local.endpoint import DataEndpoint
from multi_x_serverless.cloud.ports import Key
from tests.unit.cloud_local.local_functions import HOME, deliver_all, deploy, log_lines

FAR = "us-west-2"


class Client:
    """One keep-alive connection to the endpoint of a cloud."""

    def __init__(self, endpoint: DataEndpoint, *, token: str | None = None) -> None:
        self._connection = http.client.HTTPConnection(endpoint.url.removeprefix("http://"), timeout=30)
        self._token = endpoint.issue_token() if token is None else token

    def ask(self, operation: str, source: str = HOME, **fields: Any) -> tuple[int, dict[str, Any]]:
        return self.send(f"/data/{operation}", json.dumps(fields).encode(), source)

    def send(self, path: str, body: bytes, source: str = HOME) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self._token}", "X-Source-Region": source}
        self._connection.request("POST", path, body, headers)
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Makes clients; all are closed at the end."""
    with ExitStack() as stack:

        def connect_one(endpoint: DataEndpoint, token: str | None = None) -> Client:
            client = Client(endpoint, token=token)
            stack.callback(client.close)
            return client

        yield connect_one


@pytest.fixture
def client(cloud: LocalCloud, connect: Callable[..., Client]) -> Client:
    cloud.key_value.create_table(HOME, "t")
    return connect(cloud.data_endpoint())


def encoded(body: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(body).decode()}


def test_items(client: Client) -> None:
    where = {"region": HOME, "table": "t", "partition": "p", "sort": "s"}
    assert client.ask("get", **where) == (200, {"item": None})
    attributes = {"text": "ä", "bytes": encoded(b"\x00\xff"), "whole": 3, "part": 0.5}
    assert client.ask("put", **where, attributes=attributes, condition=None, expires_at=None) == (200, {"version": 1})
    expected = {"partition": "p", "sort": "s", "attributes": attributes, "version": 1}
    assert client.ask("get", **where) == (200, {"item": expected})
    assert client.ask("query", region=HOME, table="t", partition="p", prefix="") == (200, {"items": [expected]})
    assert client.ask("query", region=HOME, table="t", partition="p", prefix="x") == (200, {"items": []})
    assert client.ask("put", **where, attributes={}, condition=0) == (200, {"version": None})
    assert client.ask("put", **where, attributes={}, condition=1) == (200, {"version": 2})


def test_set_if_absent(client: Client) -> None:
    where = {"region": HOME, "table": "t", "partition": "p", "sort": "s"}
    later = time.time() + 60
    status, first = client.ask("set_if_absent", **where, attribute="e1", value="c", expires_at=later)
    assert (status, first["item"]["attributes"]) == (200, {"e1": "c"})
    assert client.ask("set_if_absent", **where, attribute="e1", value="d", expires_at=None) == (200, first)
    _, second = client.ask("set_if_absent", **where, attribute="e2", value=encoded(b"d"))
    assert second["item"]["attributes"] == {"e1": "c", "e2": encoded(b"d")}
    assert second["item"]["version"] == 2


def test_an_expiry_that_is_over_hides_the_item(client: Client) -> None:
    where = {"region": HOME, "table": "t", "partition": "p", "sort": "s"}
    client.ask("put", **where, attributes={"n": 1}, expires_at=1.0)
    assert client.ask("get", **where) == (200, {"item": None})


def test_objects(client: Client) -> None:
    where = {"region": HOME, "key": "large/payload"}
    body = encoded(bytes(range(256)) * 1000)
    assert client.ask("put_object", **where, body=body) == (200, {})
    assert client.ask("get_object", **where) == (200, {"body": body})
    status, answer = client.ask("get_object", region=HOME, key="large/other")
    assert status == 404
    assert answer["error"]["code"] == "resource-not-found"


def test_publish_reaches_the_queue(cloud: LocalCloud, client: Client) -> None:
    deploy(cloud, "echo", "from client import message\ndef handler(event, context):\n    print(message(event))\n")
    assert client.ask("publish", region=HOME, topic="echo", body="grüße") == (200, {})
    with cloud.host() as host:
        assert host.wait_until_idle(30)
    assert log_lines(cloud, "echo") == ["grüße"]


@pytest.mark.parametrize(
    ("operation", "fields", "status", "code"),
    [
        ("get", {"region": HOME, "table": "missing", "partition": "p"}, 404, "resource-not-found"),
        ("publish", {"region": HOME, "topic": "missing", "body": "x"}, 404, "resource-not-found"),
        ("get", {"region": "atlantis-1", "table": "t", "partition": "p"}, 400, "unknown-region"),
        ("get", {"region": HOME, "table": "t"}, 400, "cloud"),
        ("get", {"region": HOME, "table": 1, "partition": "p"}, 400, "cloud"),
        ("put", {"region": HOME, "table": "t", "partition": "p", "attributes": {"a": [1]}}, 400, "cloud"),
        ("put", {"region": HOME, "table": "t", "partition": "p", "attributes": {"a": True}}, 400, "cloud"),
        ("put", {"region": HOME, "table": "t", "partition": "p", "attributes": None}, 400, "cloud"),
        ("put", {"region": HOME, "table": "t", "partition": "p", "attributes": {}, "condition": "1"}, 400, "cloud"),
        ("put", {"region": HOME, "table": "t", "partition": "p", "attributes": {"a": "x" * 409600}}, 400, "cloud"),
        ("put_object", {"region": HOME, "key": "k", "body": "not bytes"}, 400, "cloud"),
        ("put_object", {"region": HOME, "key": "k", "body": {"base64": "%"}}, 400, "cloud"),
        ("publish", {"region": HOME, "topic": "t", "body": "half \ud800"}, 400, "cloud"),
        ("get", {"region": HOME, "table": "t", "partition": "half \ud800"}, 400, "cloud"),
        ("drop_all", {"region": HOME}, 400, "cloud"),
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_for_good(
    client: Client, operation: str, fields: dict[str, Any], status: int, code: str
) -> None:
    answered, document = client.ask(operation, **fields)
    assert answered == status
    assert document["error"]["code"] == code
    assert document["error"]["message"].endswith(".")
    assert document["error"]["retryable"] is False


def test_an_unknown_source_region_is_refused(client: Client) -> None:
    status, document = client.ask("get", "atlantis-1", region=HOME, table="t", partition="p")
    assert (status, document["error"]["code"]) == (400, "unknown-region")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"], ids=repr)
def test_a_request_that_is_no_object_is_refused(client: Client, body: bytes) -> None:
    status, document = client.send("/data/get", body)
    assert (status, document["error"]["code"]) == (400, "cloud")


def test_a_wrong_token_opens_nothing(cloud: LocalCloud, connect: Callable[..., Client]) -> None:
    cloud.key_value.create_table(HOME, "t")
    stranger = connect(cloud.data_endpoint(), token="guessed")
    status, document = stranger.ask("put", region=HOME, table="t", partition="p", attributes={})
    assert (status, document["error"]["code"]) == (401, "unauthorized")
    assert cloud.key_value.get(HOME, "t", Key("p")) is None


def test_a_revoked_token_opens_nothing(cloud: LocalCloud, connect: Callable[..., Client]) -> None:
    cloud.key_value.create_table(HOME, "t")
    endpoint = cloud.data_endpoint()
    token = endpoint.issue_token()
    client = connect(endpoint, token=token)
    assert client.ask("get", region=HOME, table="t", partition="p")[0] == 200
    endpoint.revoke_token(token)
    assert client.ask("get", region=HOME, table="t", partition="p")[0] == 401


def test_the_round_trip_is_waited_for(open_cloud: Callable[..., LocalCloud], connect: Callable[..., Client]) -> None:
    cloud = open_cloud(round_trip_seconds=lambda a, b: 0.0 if a == b else 0.4, time_scale=0.5)
    cloud.key_value.create_table(FAR, "t")
    client = connect(cloud.data_endpoint())
    started = time.monotonic()
    assert client.ask("get", HOME, region=FAR, table="t", partition="p")[0] == 200
    far = time.monotonic() - started
    started = time.monotonic()
    assert client.ask("get", FAR, region=FAR, table="t", partition="p")[0] == 200
    near = time.monotonic() - started
    assert far >= 0.2
    assert near < far


def test_a_message_may_be_delivered_before_its_publisher_knows(
    open_cloud: Callable[..., LocalCloud], connect: Callable[..., Client]
) -> None:
    cloud = open_cloud(round_trip_seconds=lambda a, b: 0.0 if a == b else 1.0)
    deploy(cloud, "echo", "def handler(event, context):\n    pass\n", region=FAR)
    client = connect(cloud.data_endpoint())
    answered = threading.Event()

    def publish() -> None:
        client.ask("publish", HOME, region=FAR, topic="echo", body="x")
        answered.set()

    thread = threading.Thread(target=publish)
    with cloud.host() as host:
        thread.start()
        while host.pending() == 0 and not answered.is_set():
            time.sleep(0.005)
        assert not answered.is_set()
        assert host.wait_until_idle(30)
        thread.join()


def test_throttling_is_retryable_and_changes_nothing(
    open_cloud: Callable[..., LocalCloud], connect: Callable[..., Client]
) -> None:
    cloud = open_cloud(fault_plan=FaultPlan(operations={"put": OperationFaults(throttle=1.0)}))
    cloud.key_value.create_table(HOME, "t")
    client = connect(cloud.data_endpoint())
    status, document = client.ask("put", region=HOME, table="t", partition="p", attributes={})
    assert (status, document["error"]["retryable"]) == (503, True)
    assert client.ask("get", region=HOME, table="t", partition="p") == (200, {"item": None})


def test_a_lost_answer_hides_that_it_was_done(
    open_cloud: Callable[..., LocalCloud], connect: Callable[..., Client]
) -> None:
    cloud = open_cloud(fault_plan=FaultPlan(operations={"put": OperationFaults(lost_answer=1.0)}))
    cloud.key_value.create_table(HOME, "t")
    client = connect(cloud.data_endpoint())
    with pytest.raises(http.client.RemoteDisconnected):
        client.ask("put", region=HOME, table="t", partition="p", attributes={})
    assert cloud.key_value.get(HOME, "t", Key("p")) is not None


def test_a_region_that_is_out_answers_so(cloud: LocalCloud, client: Client) -> None:
    cloud.faults.begin_outage(HOME)
    status, document = client.ask("get", FAR, region=HOME, table="t", partition="p")
    assert (status, document["error"]["retryable"]) == (503, True)
    cloud.faults.end_outage(HOME)
    assert client.ask("get", FAR, region=HOME, table="t", partition="p")[0] == 200


@pytest.mark.parametrize(("when", "versions"), [("crash_before", 1), ("crash_after", 2)])
def test_a_crash_at_an_operation_kills_the_worker_once(
    open_cloud: Callable[..., LocalCloud], when: str, versions: int
) -> None:
    """The second attempt is spared; whether the first one's write counts depends on where it was hit."""
    cloud = open_cloud(fault_plan=FaultPlan(operations={"put": OperationFaults(**{when: 1.0})}))
    cloud.key_value.create_table(HOME, "t")
    source = """
from client import ask
def handler(event, context):
    print("begin", flush=True)
    ask("put", region="us-east-1", table="t", partition="p", attributes={})
    print("end")
"""
    deploy(cloud, "writes", source)
    deliver_all(cloud, "writes", "a")
    lines = log_lines(cloud, "writes")
    assert [line for line in lines if line in {"begin", "end"}] == ["begin", "begin", "end"]
    assert any(f"killed by the fault plan (put.{when})" in line for line in lines)
    item = cloud.key_value.get(HOME, "t", Key("p"))
    assert item is not None
    assert item.version == versions


def test_connections_that_are_left_open_do_not_hold_up_closing(
    open_cloud: Callable[..., LocalCloud], connect: Callable[..., Client]
) -> None:
    before = set(threading.enumerate())
    cloud = open_cloud()
    cloud.key_value.create_table(HOME, "t")
    clients = [connect(cloud.data_endpoint()) for _ in range(3)]
    for client in clients:
        assert client.ask("get", region=HOME, table="t", partition="p")[0] == 200
    cloud.close()
    assert set(threading.enumerate()) <= before
