"""The Runtime API towards clients that are not AWS's, or not well."""

from __future__ import annotations

import http.client
import socket
import threading

from multi_x_serverless.cloud.local.runtime_api import Answer, Invocation, RuntimeApi

NEXT = "/2018-06-01/runtime/invocation/next"


def ask(api: RuntimeApi, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(api.address, timeout=10)
    connection.request(method, path, body)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def take_next(api: RuntimeApi) -> tuple[threading.Thread, list[tuple[int, bytes]]]:
    seen: list[tuple[int, bytes]] = []
    thread = threading.Thread(target=lambda: seen.append(ask(api, "GET", NEXT)))
    thread.start()
    return thread, seen


def test_an_invocation_is_given_and_answered_once() -> None:
    api = RuntimeApi()
    thread, seen = take_next(api)
    assert api.wait_until(lambda: api.is_ready, 10)
    api.offer(Invocation("id-1", b'{"a": 1}', 0.0, "arn"))
    thread.join()
    assert seen == [(200, b'{"a": 1}')]
    assert not api.is_ready
    assert ask(api, "POST", "/2018-06-01/runtime/invocation/other/response", b"1")[0] == 404
    assert api.take_answer() is None
    assert ask(api, "POST", "/2018-06-01/runtime/invocation/id-1/response", b"42")[0] == 202
    assert api.take_answer() == Answer(b"42", None)
    assert ask(api, "POST", "/2018-06-01/runtime/invocation/id-1/response", b"43")[0] == 404
    assert api.take_answer() == Answer(b"42", None)
    api.close()


def test_an_error_is_described_even_if_it_is_no_document() -> None:
    api = RuntimeApi()
    for body, expected in (
        (b'{"errorType": "ValueError", "errorMessage": "no"}', "ValueError: no"),
        (b'{"errorType": "ValueError"}', "ValueError"),
        (b"broken", "Runtime.Unknown: the runtime client reported an error without a description"),
    ):
        thread, _ = take_next(api)
        assert api.wait_until(lambda: api.is_ready, 10)
        api.offer(Invocation("id", b"", 0.0, "arn"))
        thread.join()
        assert ask(api, "POST", "/2018-06-01/runtime/invocation/id/error", body)[0] == 202
        answer = api.take_answer()
        assert answer is not None
        assert answer.error == expected
    api.close()


def test_what_is_not_part_of_the_api_is_not_found() -> None:
    api = RuntimeApi()
    assert ask(api, "GET", "/")[0] == 404
    assert ask(api, "POST", NEXT, b"")[0] == 404
    api.close()


def test_noise_on_the_port_disturbs_nobody() -> None:
    api = RuntimeApi()
    host, port = api.address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"this is no HTTP\r\n\r\n")
        assert connection.recv(100) == b""
    assert ask(api, "GET", "/")[0] == 404
    api.close()


def test_a_client_that_waits_is_released_by_closing() -> None:
    api = RuntimeApi()
    outcome: list[BaseException] = []

    def wait_for_ever() -> None:
        try:
            ask(api, "GET", NEXT)
        except (OSError, http.client.HTTPException) as error:
            outcome.append(error)

    thread = threading.Thread(target=wait_for_ever)
    thread.start()
    assert api.wait_until(lambda: api.is_ready, 10)
    api.close()
    thread.join(10)
    assert len(outcome) == 1
