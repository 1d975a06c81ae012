from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from multi_x_serverless.sdk.network import NetworkMeter, interface_counters, region_of_request, sdk_calls

SCOPE = "AWS4-HMAC-SHA256 Credential=AKID/20260101/{}/s3/aws4_request, SignedHeaders=host"


@dataclass
class Message:
    """A request or a response, as far as botocore's HTTP layer has them."""

    url: str = "https://s3.us-west-2.amazonaws.com/bucket/key"
    method: str = "PUT"
    headers: dict[str, object] = field(default_factory=dict)
    body: object = None


Send = Callable[[Message], Message]


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Send:
    """Sends through a stand-in for botocore's session, which answers with 1000 bytes."""

    class URLLib3Session:
        def send(self, request: Message) -> Message:
            return Message(headers={"Content-Length": "1000"})

    module = ModuleType("botocore.httpsession")
    module.URLLib3Session = URLLib3Session  # type: ignore[attr-defined]  # a module made up
    monkeypatch.setitem(sys.modules, "botocore.httpsession", module)

    def send(request: Message) -> Message:
        return URLLib3Session().send(request)

    return send


ANSWER_SIZE = 1000 + len("Content-Length: 1000\r\n")


def test_calls_are_counted_by_region(send: Send) -> None:
    meter = NetworkMeter(None)
    meter.start()
    send(Message(body=b"x" * 10))
    send(Message(url="https://sqs.eu-north-1.amazonaws.com/", body="é"))
    send(Message(headers={"Content-Length": b"5"}))

    use = meter.stop()

    assert use.by_region == {
        "eu-north-1": (ANSWER_SIZE, 1),
        "us-west-2": (2 * ANSWER_SIZE, 10 + 5 + len("Content-Length: b'5'\r\n")),
    }
    assert use.other == (0, 0)


def test_what_a_head_request_declares_is_not_counted(send: Send) -> None:
    meter = NetworkMeter(None)
    meter.start()
    send(Message(method="HEAD"))

    assert meter.stop().by_region == {"us-west-2": (len("Content-Length: 1000\r\n"), 0)}


def test_an_invocation_starts_at_zero(send: Send) -> None:
    meter = NetworkMeter(None)
    for _ in range(3):
        meter.start()
        send(Message())
        assert meter.stop().by_region == {"us-west-2": (ANSWER_SIZE, 0)}


def test_the_sdks_own_calls_are_not_the_developers(send: Send) -> None:
    counters = [(0, 0), (5_000, 700)]
    meter = NetworkMeter(lambda: counters.pop(0))
    meter.start()
    with sdk_calls():
        send(Message(body=b"x" * 100))
    send(Message(body=b"x" * 10))

    use = meter.stop()

    assert use.by_region == {"us-west-2": (ANSWER_SIZE, 10)}
    assert use.other == (5_000 - 2 * ANSWER_SIZE, 700 - 110)


def test_own_calls_are_own_in_their_thread_only(send: Send) -> None:
    meter = NetworkMeter(None)
    meter.start()
    with sdk_calls():
        with sdk_calls():
            pass
        thread = threading.Thread(target=send, args=(Message(),))
        thread.start()
        thread.join()
        send(Message())

    assert meter.stop().by_region == {"us-west-2": (ANSWER_SIZE, 0)}


def test_counters_that_show_less_than_the_calls_mean_nothing_else(send: Send) -> None:
    meter = NetworkMeter(lambda: (0, 0))
    meter.start()
    send(Message(body=b"x" * 10))

    assert meter.stop().other == (0, 0)


def test_without_botocore_nothing_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "botocore.httpsession", raising=False)
    meter = NetworkMeter(None)
    meter.start()

    assert meter.stop().by_region == {}
    assert "botocore.httpsession" not in sys.modules


@pytest.mark.parametrize(
    ("url", "headers", "region"),
    [
        ("https://x", {"Authorization": SCOPE.format("ca-central-1")}, "ca-central-1"),
        ("https://x", {"Authorization": SCOPE.format("eu-west-1").encode()}, "eu-west-1"),
        ("http://127.0.0.1:5000/", {"Authorization": SCOPE.format("us-gov-west-1")}, "us-gov-west-1"),
        ("https://bucket.s3.ap-southeast-2.amazonaws.com/k", {}, "ap-southeast-2"),
        ("https://dynamodb.us-east-2.amazonaws.com:443", {}, "us-east-2"),
        ("https://sts.amazonaws.com/", {}, "us-east-1"),
    ],
)
def test_the_region_of_a_call(url: str, headers: dict[str, Any], region: str) -> None:
    assert region_of_request(url, headers) == region


PROC_NET_DEV = """\
Inter-|   Receive                          |  Transmit
 face |bytes    packets errs drop fifo ... |bytes    packets errs drop fifo ...
    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0
  eth0: 100 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0
vinternal_1:20 1 0 0 0 0 0 0 3 1 0 0 0 0 0 0
"""


def test_the_loopback_is_not_the_network(tmp_path: Path) -> None:
    file = tmp_path / "dev"
    file.write_text(PROC_NET_DEV)
    read = interface_counters(file)

    assert read is not None
    assert read() == (120, 10)
    assert interface_counters(tmp_path / "missing") is None
