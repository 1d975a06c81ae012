"""The HTTP client: what it asks for, what it believes, and what it makes of servers that misbehave."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import format_datetime
from importlib.metadata import version
from urllib.parse import urlsplit

import pytest

from multi_x_serverless.collection.http import DOWN_AFTER, HttpClient, RefusedError, default_client
from multi_x_serverless.collection.http_transport import Patience, make_request, redirect_target
from multi_x_serverless.errors import SignalSourceError
from tests.http_server import HttpServer, Reply
from tests.unit.collection.http_clients import IMPATIENCE, NOW, PATIENCE, TestTime, client_for_tests

TOKEN = "secret token/0815"
GOOD = Reply.json({"value": 1})


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


@pytest.fixture
def other() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def failure(client: HttpClient, server: HttpServer, path: str = "/data") -> SignalSourceError:
    """What asking fails with; whatever it is, it must not show what authorizes."""
    with pytest.raises(SignalSourceError) as caught:
        client.get_json(
            server.url + path,
            headers={"auth-token": TOKEN},
            parameters={"zone": "SE"},
            secret_parameters={"key": f"key of {TOKEN}"},
        )
    shown: BaseException | None = caught.value
    while shown is not None:
        for text in (str(shown), repr(shown), repr(vars(shown))):
            assert "secret" not in text
            assert "0815" not in text
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    assert caught.value.code == "signal-source"
    return caught.value


def test_a_document_is_asked_for_by_get_with_parameters_and_token(server: HttpServer) -> None:
    server.play("/v4/data", Reply.json({"zone": "SE-SE3", "values": [1, 2.5, None]}))

    value = client_for_tests().get_json(
        f"{server.url}/v4/data",
        headers={"auth-token": TOKEN},
        parameters={"zone": "SE & more"},
        secret_parameters={"key": "k/1"},
    )

    assert value == {"zone": "SE-SE3", "values": [1, 2.5, None]}
    (request,) = server.requests
    assert request.method == "GET"
    assert request.parameters == {"zone": "SE & more", "key": "k/1"}
    assert request.headers["auth-token"] == TOKEN
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"] == f"multi-x-serverless/{version('multi-x-serverless')}"


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON; charset=UTF-8", "application/geo+json"])
def test_every_name_of_json_is_accepted(server: HttpServer, media_type: str) -> None:
    server.play("/data", Reply.json([], Content_Type=media_type))
    assert client_for_tests().get_json(f"{server.url}/data") == []


@pytest.mark.parametrize(
    ("status", "reason", "attempts"),
    [
        (401, "unauthorized", 1),
        (402, "unauthorized", 1),
        (403, "unauthorized", 1),
        (404, "unknown", 1),
        (410, "unknown", 1),
        (400, "unreadable", 1),
        (204, "unreadable", 1),
        (304, "unreadable", 1),  # nobody asked whether it had changed
        (429, "quota", 3),
        (500, "unavailable", 3),
        (503, "unavailable", 3),
    ],
)
def test_a_status_has_a_reason_and_only_what_may_pass_is_tried_again(
    server: HttpServer, status: int, reason: str, attempts: int
) -> None:
    said = {"error": "not\n\x1b[31mtoday", "token": TOKEN} if status not in {204, 304} else None
    server.play("/data", Reply(status) if said is None else Reply.json(said, status=status))

    error = failure(client_for_tests(), server)

    assert isinstance(error, RefusedError)
    assert (error.status, error.reason) == (status, reason)
    assert f"answered {status}" in str(error)
    if said is not None:
        assert "today" in error.said
        assert "\x1b" not in error.said
        assert "***" in error.said
    assert len(server.requests) == attempts


def test_an_error_that_passes_is_forgotten_after_pauses_that_grow_and_differ(server: HttpServer) -> None:
    server.play("/data", Reply(503), Reply(status=0), GOOD)
    longest, shortest = TestTime(chance=1.0), TestTime(chance=0.0)

    assert client_for_tests(time=longest).get_json(f"{server.url}/data") == {"value": 1}
    server.play("/data", Reply(503), Reply(status=0), GOOD)
    assert client_for_tests(time=shortest).get_json(f"{server.url}/data") == {"value": 1}

    assert longest.pauses == [0.04, 0.06]
    assert shortest.pauses == [0.02, 0.03]


def test_a_server_that_says_when_is_asked_then(server: HttpServer) -> None:
    when = format_datetime(datetime.fromtimestamp(NOW + 2, timezone.utc), usegmt=True)
    past = "Thu, 26 Nov 2020 01:00:00 GMT"
    for retry_after, pause in (("1", 1.0), (when, 2.0), (past, 0.0), ("0", 0.0), ("soon", 0.04), ("-5", 0.04)):
        server.play("/data", Reply.json({}, status=429, Retry_After=retry_after), GOOD)
        clock = TestTime()
        client = client_for_tests(time=clock, patience=Patience(deadline_s=10, first_pause_s=0.04))
        assert client.get_json(f"{server.url}/data") == {"value": 1}
        assert clock.pauses == [pause]


@pytest.mark.parametrize("retry_after", ["3600", "9" * 500, "Fri, 01 Jan 2100 00:00:00 GMT"])
@pytest.mark.parametrize(("status", "reason"), [(429, "quota"), (503, "unavailable")])
def test_nobody_waits_for_longer_than_the_deadline(
    server: HttpServer, status: int, reason: str, retry_after: str
) -> None:
    server.play("/data", Reply.json({}, status=status, Retry_After=retry_after))
    clock = TestTime()

    assert failure(client_for_tests(time=clock), server).reason == reason
    assert clock.pauses == []
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(wait_s=5), id="silent"),
        pytest.param(Reply(drip_s=0.02, headers=GOOD.headers, body=GOOD.body), id="dripping"),
        pytest.param(Reply(headers={"X-" + "a" * 5000: "b"}, drip_s=0.01), id="dripping headers"),
        pytest.param(Reply(headers=GOOD.headers, body=b"[" + b"1," * 4000 + b"1]", drip_s=0.0005), id="dripping body"),
    ],
)
def test_the_deadline_holds_whatever_the_server_does(server: HttpServer, reply: Reply) -> None:
    server.play("/data", reply)
    began = time.monotonic()

    error = failure(client_for_tests(patience=IMPATIENCE), server)

    assert error.reason == "unavailable"
    assert time.monotonic() - began < 4  # not a timing: what it would take to wait is longer
    assert len(server.requests) == 1


def test_an_answer_that_breaks_off_is_asked_for_again(server: HttpServer) -> None:
    broken = Reply(headers=GOOD.headers, body=GOOD.body, sent_bytes=4)
    server.play("/data", broken, GOOD)
    assert client_for_tests().get_json(f"{server.url}/data") == {"value": 1}

    server.play("/data", broken)
    assert failure(client_for_tests(), server).reason == "unavailable"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(headers={"Content-Type": "text/html"}, body=b"<html>Error</html>"), id="page"),
        pytest.param(Reply(headers={"Content-Type": "text/plain"}, body=b"{}"), id="text"),
        pytest.param(Reply(headers={"Content-Type": ""}, body=b"{}"), id="no type"),
        pytest.param(Reply(headers={"Content-Type": f"x/{TOKEN}"}, body=b"{}"), id="token as type"),
        pytest.param(Reply(headers=GOOD.headers, body=b'{"a": '), id="half"),
        pytest.param(Reply(headers=GOOD.headers, body=b'{"a": NaN}'), id="no number"),
        pytest.param(Reply(headers=GOOD.headers, body=b'{"a": "\xff"}'), id="no UTF-8"),
        pytest.param(Reply(headers=GOOD.headers, body=b""), id="nothing"),
        pytest.param(Reply(headers=GOOD.headers, body=b"[" * 50_000), id="deep"),
        pytest.param(Reply(headers=GOOD.headers, body=b'["' + b"a" * 200_000 + b'"]'), id="long"),
        pytest.param(
            Reply(headers={**GOOD.headers, "Content-Encoding": "gzip"}, body=gzip.compress(b"[]" + b" " * 9_000_000)),
            id="gzip bomb",
        ),
    ],
)
def test_what_is_no_json_document_is_unreadable_and_not_asked_for_again(server: HttpServer, reply: Reply) -> None:
    server.play("/data", reply)
    assert failure(client_for_tests(), server).reason == "unreadable"
    assert len(server.requests) == 1


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\r\n", id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 two hundred\r\n\r\n", id="no status"),
        pytest.param(b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\n{}", id="odd status"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", id="many headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", id="long header"),
        pytest.param(PLAIN + b"Content-Length: -5\r\n\r\n{", id="negative length"),
        pytest.param(PLAIN + b"Content-Length: five\r\n\r\n{", id="length in words"),
        pytest.param(PLAIN + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", id="two lengths"),
        pytest.param(CHUNKED + b"five\r\n{}\r\n", id="chunk in words"),
        pytest.param(CHUNKED + b"ffffffffffffffff\r\n{}", id="huge chunk"),
        pytest.param(CHUNKED + b"2\r\n{}\r\n", id="no last chunk"),
        pytest.param(CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n", id="negative chunk"),
    ],
)
def test_noise_is_a_failure_like_any_other(server: HttpServer, raw: bytes) -> None:
    server.play("/data", Reply(raw=raw))
    assert failure(client_for_tests(), server).reason in {"unavailable", "unreadable"}


def test_a_proxy_that_cannot_be_read_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://user:secret@[broken")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(SignalSourceError) as caught:
        client_for_tests().get_json("https://api.example/data")
    assert caught.value.reason == "unavailable"
    assert "secret" not in str(caught.value)


def test_a_compressed_answer_is_not_unpacked(server: HttpServer) -> None:
    """Even what can be read as it is: who packs without being asked may pack anything."""
    server.play("/data", Reply.json({"value": 1}, Content_Encoding="gzip"))
    assert "compressed" in str(failure(client_for_tests(), server))


def test_a_token_that_comes_back_is_not_passed_on(server: HttpServer) -> None:
    server.play("/data", Reply.json({"you sent": TOKEN, "short": "abc"}))
    client = client_for_tests()

    assert client.get_json(f"{server.url}/data", headers={"auth-token": TOKEN}) == {"you sent": "***", "short": "abc"}
    # What is too short to be a secret would be found in every answer.
    assert client.get_json(f"{server.url}/data", headers={"auth-token": "abc"}) == {"you sent": TOKEN, "short": "abc"}

    for form in (TOKEN, "secret+token%2F0815", "secret%20token%2F0815"):
        server.play("/data", Reply.json(f"https://api.example/?key={form}&zone=SE"))
        value = client.get_json(f"{server.url}/data", secret_parameters={"key": TOKEN})
        assert value == "https://api.example/?key=***&zone=SE"


@pytest.mark.parametrize("token", ["", "  ", "two\r\nlines", "ÿ", "日本"])
def test_a_token_that_is_no_header_is_refused_without_being_shown(server: HttpServer, token: str) -> None:
    with pytest.raises(SignalSourceError, match="empty or has characters") as caught:
        client_for_tests().get_json(f"{server.url}/data", headers={"auth-token": token})
    assert caught.value.reason == "unauthorized"
    assert not token.strip() or token not in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/v4",
        "http://127.0.0.1.example/v4",
        "http://[::2]/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://",
        "https://user:secret@api.example/",
        "https://api.example/?key=secret",
        "https://api.example:port/",
        "https://[broken/",
        "no URL",
        "",
    ],
)
def test_a_source_has_an_encrypted_url_or_is_on_this_machine(url: str) -> None:
    with pytest.raises(SignalSourceError, match="must be https") as caught:
        client_for_tests().get_json(url)
    assert caught.value.reason == "unavailable"
    assert "secret" not in str(caught.value)


def test_a_redirect_on_the_same_host_takes_the_token_along(server: HttpServer) -> None:
    server.play("/old", Reply(301, {"Location": "/new?zone=SE"}))
    server.play("/new", GOOD)

    assert client_for_tests().get_json(f"{server.url}/old", headers={"auth-token": TOKEN}) == {"value": 1}
    assert server.requests[1].headers["auth-token"] == TOKEN
    assert server.requests[1].parameters == {"zone": "SE"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_leaves_the_token_behind_even_on_the_way_back(
    server: HttpServer, other: HttpServer, status: int
) -> None:
    server.play("/old", Reply(status, {"Location": f"{other.url}/there"}))
    other.play("/there", Reply(status, {"Location": f"{server.url}/back"}))
    server.play("/back", GOOD)

    value = client_for_tests().get_json(
        f"{server.url}/old", headers={"auth-token": TOKEN}, secret_parameters={"key": "secret-key"}
    )

    assert value == {"value": 1}
    for request in (other.requests[0], server.requests[1]):
        assert "auth-token" not in request.headers
        assert request.parameters == {}


@pytest.mark.parametrize(
    "location",
    [
        "/data",
        "http://api.example/",
        "ftp://127.0.0.1/",
        "http://[broken",
        "https://user:secret@api.example/",
        "",
        "https://",
    ],
)
def test_loops_and_redirects_to_where_nobody_goes_are_refused(server: HttpServer, location: str) -> None:
    server.play("/data", Reply(302, {"Location": location}))
    error = failure(client_for_tests(), server)
    assert error.reason == "unreadable"
    assert "redirects" in str(error)
    assert len(server.requests) == (6 if location == "/data" else 1)


@pytest.mark.parametrize("location", ["http://127.0.0.1/", "https://localhost/", "https://[::1]:8443/"])
def test_nobody_from_outside_redirects_to_this_machine(location: str) -> None:
    outside = urlsplit("https://api.example/data")
    with pytest.raises(SignalSourceError, match="redirects to"):
        redirect_target(outside, location, make_request(outside, {}, {}))
    assert redirect_target(outside, "/new#part", make_request(outside, {}, {})).geturl() == "https://api.example/new"


def test_a_server_that_cannot_be_trusted_is_not_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_without_tls() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                connection.recv(4096)

        thread = threading.Thread(target=answer_without_tls)
        thread.start()
        clock = TestTime()
        with pytest.raises(SignalSourceError, match="does not answer as it should") as caught:
            client_for_tests(time=clock).get_json(f"https://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join()
    assert caught.value.reason == "unavailable"
    assert clock.pauses == []


def test_a_port_on_which_nobody_listens_is_unavailable(server: HttpServer) -> None:
    with HttpServer() as gone:
        url = gone.url
    clock = TestTime()
    with pytest.raises(SignalSourceError, match="does not answer as it should") as caught:
        client_for_tests(time=clock).get_json(f"{url}/data", secret_parameters={"key": "secret-key"})
    assert caught.value.reason == "unavailable"
    assert "secret" not in str(caught.value)
    assert len(clock.pauses) == PATIENCE.attempts - 1


@pytest.mark.parametrize(("replies", "reasons"), [([500], {"unavailable"}), ([429], {"quota"}), ([429, 500], None)])
def test_a_host_that_never_answers_or_is_over_its_quota_is_given_up_and_others_are_not(
    server: HttpServer, other: HttpServer, replies: list[int], reasons: set[str] | None
) -> None:
    server.play("/data", *(Reply.json({}, status=status) for status in replies * DOWN_AFTER))
    other.play("/data", GOOD)
    client = client_for_tests(patience=Patience(attempts=1))

    found = [failure(client, server).reason for _ in range(DOWN_AFTER)]
    given_up = [failure(client, server).reason for _ in range(2)]

    assert set(found) == (reasons or {"quota", "unavailable"})
    assert given_up == ["unavailable"] * 2
    assert len(server.requests) == DOWN_AFTER
    assert "is not asked" in str(failure(client, server))
    assert client.get_json(f"{other.url}/data") == {"value": 1}


def test_a_good_answer_in_between_keeps_a_host_from_being_given_up(server: HttpServer) -> None:
    server.play("/data", Reply(500))
    server.play("/between", GOOD)
    client = client_for_tests(patience=Patience(attempts=1))
    for _ in range(2):
        for _ in range(DOWN_AFTER - 1):
            failure(client, server)
        client.get_json(f"{server.url}/between")
    assert len(server.asked("/data")) == 2 * (DOWN_AFTER - 1)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_refusals_neither_give_a_host_up_nor_keep_it_from_being_given_up(server: HttpServer, status: int) -> None:
    """A plan without ranges refuses them for each zone between two requests that it is over its quota for."""
    server.play("/data", Reply(500))
    server.play("/refused", Reply.json({}, status=status))
    client = client_for_tests(patience=Patience(attempts=1))
    for _ in range(2 * DOWN_AFTER):
        assert isinstance(failure(client, server, "/refused"), RefusedError)
    for _ in range(DOWN_AFTER):
        failure(client, server)
        with contextlib.suppress(SignalSourceError):
            client.get_json(f"{server.url}/refused")
    assert "is not asked" in str(failure(client, server))
    assert len(server.asked("/data")) == DOWN_AFTER


def test_a_proxy_of_the_environment_is_used_but_never_to_this_machine(
    server: HttpServer, other: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, other.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.play("/data", GOOD)
    client = client_for_tests(patience=Patience(attempts=1))

    assert client.get_json(f"{server.url}/data") == {"value": 1}
    assert other.requests == []
    with pytest.raises(SignalSourceError):
        client.get_json("https://api.example/data")
    assert [request.method for request in other.requests] == ["CONNECT"]


def test_no_thread_is_left_when_servers_answer(server: HttpServer) -> None:
    server.play("/data", GOOD)
    client = client_for_tests()
    for _ in range(3):
        client.get_json(f"{server.url}/data")
    client.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "http-request" and thread.is_alive()]


def test_the_cache_is_the_users_but_in_a_lambda_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere/cache")
    on_a_desk, in_lambda = default_client({}), default_client({"AWS_LAMBDA_FUNCTION_NAME": "collect"})
    assert on_a_desk.cache is not None
    assert in_lambda.cache is not None
    assert on_a_desk.cache.directory.name == in_lambda.cache.directory.name == "http"
    assert on_a_desk.cache.directory != in_lambda.cache.directory
