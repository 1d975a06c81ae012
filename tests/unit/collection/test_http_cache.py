"""What is kept of answers: how long, for whom, and what becomes of it when the disk is not as it was."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from multi_x_serverless.collection.http_cache import MAXIMUM_FRESH_S, HttpCache, cache_key, fresh_for
from multi_x_serverless.errors import SignalSourceError
from tests.http_server import HttpServer, ReceivedRequest, Reply
from tests.unit.collection.http_clients import NOW, TestTime, client_for_tests

TOKEN = "secret-token"


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


@pytest.fixture
def cache(tmp_path: Path) -> HttpCache:
    return HttpCache(tmp_path / "cache" / "http")


def files(cache: HttpCache) -> list[Path]:
    return sorted(cache.directory.iterdir()) if cache.directory.exists() else []


def ask(server: HttpServer, cache: HttpCache, clock: TestTime | None = None, token: str = TOKEN) -> object:
    return client_for_tests(cache, time=clock).get_json(f"{server.url}/data", headers={"auth-token": token})


def test_a_fresh_answer_is_not_asked_for_again_until_it_is_old(server: HttpServer, cache: HttpCache) -> None:
    server.play("/data", Reply.json(1, Cache_Control="private, max-age=60", Age="20"), Reply.json(2))
    clock = TestTime()

    assert ask(server, cache, clock) == 1
    clock.now += 39
    assert ask(server, cache, clock) == 1
    assert len(server.requests) == 1
    clock.now += 1
    assert ask(server, cache, clock) == 2
    assert files(cache) == []  # the new answer may not be kept, and the old one is over


def test_a_clock_that_was_set_back_makes_nothing_fresh_for_ever(server: HttpServer, cache: HttpCache) -> None:
    server.play("/data", Reply.json(1, Cache_Control="max-age=60"), Reply.json(2))
    assert ask(server, cache, TestTime()) == 1
    assert ask(server, cache, TestTime(now=NOW - 10 * MAXIMUM_FRESH_S)) == 2


def test_an_old_answer_is_asked_for_with_its_validators(server: HttpServer, cache: HttpCache) -> None:
    modified = "Thu, 26 Nov 2026 01:00:00 GMT"

    def changed_once(request: ReceivedRequest) -> Reply:
        if request.headers.get("if-none-match") == '"one"':
            assert request.headers["if-modified-since"] == modified
            return Reply(304, {"Cache-Control": "max-age=10"})
        return Reply.json("one", ETag='"one"', Last_Modified=modified)

    server.script("/data", changed_once)
    clock = TestTime()

    assert [ask(server, cache, clock) for _ in range(3)] == ["one"] * 3
    assert len(server.requests) == 2  # the third found what the 304 had made fresh
    clock.now += 10
    assert ask(server, cache, clock) == "one"  # the validators outlived a 304 without any
    server.play("/data", Reply.json("two", ETag='"two"'))
    clock.now += 10
    assert ask(server, cache, clock) == "two"
    assert len(files(cache)) == 1


def test_an_answer_is_kept_per_token_and_neither_is_readable_by_others(server: HttpServer, cache: HttpCache) -> None:
    server.script("/data", lambda request: Reply.json(request.headers["auth-token"][:3], Cache_Control="max-age=60"))

    assert ask(server, cache, token="one-token") == "one"
    assert ask(server, cache, token="two-token") == "two"
    assert ask(server, cache, token="one-token") == "one"
    assert len(server.requests) == 2
    assert len(files(cache)) == 2
    for path in files(cache):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"token" not in path.read_bytes()
        assert "token" not in path.name
    assert stat.S_IMODE(cache.directory.stat().st_mode) == 0o700


def test_a_directory_that_others_could_read_is_closed(server: HttpServer, cache: HttpCache) -> None:
    cache.directory.mkdir(parents=True)
    cache.directory.chmod(0o755)
    server.play("/data", Reply.json(1, Cache_Control="max-age=60"))
    ask(server, cache)
    assert stat.S_IMODE(cache.directory.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("damage"),
    [
        lambda text: b"",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace(b"4711", b"4712"),
        lambda text: b"\xff\xfe" + text,
        lambda text: text.replace(b'"version":1', b'"version":2'),
        lambda text: text.replace(b'"fresh_until"', b'"fresh"'),
    ],
    ids=["empty", "half", "changed", "binary", "newer", "other"],
)
def test_a_damaged_answer_is_asked_for_again_and_replaced(server: HttpServer, cache: HttpCache, damage: object) -> None:
    assert callable(damage)
    server.play("/data", Reply.json({"value": 4711}, Cache_Control="max-age=60", ETag='"e"'))
    ask(server, cache)
    (path,) = files(cache)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))

    assert ask(server, cache) == {"value": 4711}
    assert len(server.requests) == 2
    assert "if-none-match" not in server.requests[1].headers
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "reply",
    [
        Reply.json(1),
        Reply.json(1, Cache_Control="no-store, max-age=60", ETag='"e"'),
        Reply.json(1, Cache_Control="max-age=60", Vary="*"),
        Reply.json(1, Cache_Control="max-age=soon"),
    ],
    ids=["nothing said", "no-store", "varies", "nonsense"],
)
def test_what_may_not_or_need_not_be_kept_is_not(server: HttpServer, cache: HttpCache, reply: Reply) -> None:
    server.play("/data", reply)
    assert ask(server, cache) == 1
    assert ask(server, cache) == 1
    assert len(server.requests) == 2
    assert files(cache) == []


@pytest.mark.parametrize(
    "reply", [Reply(500), Reply.json({}, status=404, Cache_Control="max-age=60"), Reply(body=b"<html>")]
)
def test_a_failure_is_not_kept_and_takes_nothing_with_it(server: HttpServer, cache: HttpCache, reply: Reply) -> None:
    server.play("/data", Reply.json(1, ETag='"e"'), reply)
    ask(server, cache)
    before = files(cache)[0].read_bytes()
    with pytest.raises(SignalSourceError):
        ask(server, cache)
    assert [path.read_bytes() for path in files(cache)] == [before]


def test_validators_are_not_taken_to_where_a_server_redirects(server: HttpServer, cache: HttpCache) -> None:
    server.play("/data", Reply.json(1, ETag='"e"'), Reply(307, {"Location": "/other"}))
    server.play("/other", Reply.json(2, ETag='"f"'))
    assert [ask(server, cache) for _ in range(2)] == [1, 2]
    assert ["if-none-match" in request.headers for request in server.requests] == [False, True, False]


def test_an_answer_from_elsewhere_is_not_kept(server: HttpServer, cache: HttpCache) -> None:
    server.play("/data", Reply(302, {"Location": "/other"}))
    server.play("/other", Reply.json(1, Cache_Control="max-age=60"))
    assert ask(server, cache) == 1
    assert files(cache) == []


def test_the_oldest_answers_make_room_and_what_was_left_unfinished_goes(tmp_path: Path, server: HttpServer) -> None:
    cache = HttpCache(tmp_path, maximum_bytes=3000)
    client = client_for_tests(cache)
    for path in "abcd":
        server.play(f"/{path}", Reply.json(path * 900, Cache_Control="max-age=60"))
        client.get_json(f"{server.url}/{path}")
        for age, found in enumerate(sorted(tmp_path.iterdir(), key=lambda found: found.stat().st_mtime)):
            os.utime(found, (NOW + age, NOW + age))
    left_over = tmp_path / "x.unfinished"
    left_over.touch()
    os.utime(left_over, (NOW - 10_000, NOW - 10_000))
    foreign = tmp_path / "notes.txt"
    foreign.write_text("not ours")
    os.utime(foreign, (0, 0))

    server.play("/e", Reply.json("e" * 900, Cache_Control="max-age=60"))
    client.get_json(f"{server.url}/e")

    kept = {json.loads(path.read_text())["body"][1] for path in tmp_path.glob("*.answer")}
    assert kept == {"d", "e"}
    assert not left_over.exists()
    assert foreign.exists()


def test_the_newest_answer_stays_when_the_clock_was_set_back(tmp_path: Path, server: HttpServer) -> None:
    cache = HttpCache(tmp_path, maximum_bytes=1500)
    later = tmp_path / "later.answer"
    later.write_text("a" * 900)
    os.utime(later, (NOW * 2, NOW * 2))
    server.play("/data", Reply.json("b" * 900, Cache_Control="max-age=60"))
    ask(server, cache)
    assert [path for path in files(cache) if path != later]
    assert not later.exists()


def test_an_answer_larger_than_the_cache_is_used_and_not_kept(tmp_path: Path, server: HttpServer) -> None:
    cache = HttpCache(tmp_path, maximum_bytes=500)
    server.play("/data", Reply.json("a" * 900, Cache_Control="max-age=60"))
    assert ask(server, cache) == "a" * 900
    assert files(cache) == []


def test_a_cache_that_cannot_be_written_loses_no_answer_and_says_so(tmp_path: Path, server: HttpServer) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    cache = HttpCache(in_the_way / "http")
    server.play("/data", Reply.json(1, Cache_Control="max-age=60"))

    assert ask(server, cache) == 1
    assert cache.failure is not None
    assert str(cache.directory) in cache.failure


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"cache-control": "max-age=60"}, 60),
        ({"cache-control": 'Public, Max-Age="60"'}, 60),
        ({"cache-control": "max-age=60", "age": "90"}, 0),
        ({"cache-control": "max-age=60, no-cache"}, 0),
        ({"cache-control": f"max-age={10**400}"}, MAXIMUM_FRESH_S),
        ({"cache-control": "max-age=60", "age": str(10**400)}, 0),
        ({"cache-control": "max-age=-1"}, 0),
        ({"cache-control": "no-store"}, None),
        ({"vary": "*"}, None),
        ({"vary": "Accept-Encoding", "cache-control": "max-age=5"}, 5),
    ],
)
def test_how_long_an_answer_is_fresh(headers: dict[str, str], seconds: float | None) -> None:
    assert fresh_for(headers) == seconds


def test_a_key_tells_requests_apart_and_shows_nothing() -> None:
    keys = {
        cache_key("https://a/?x=1", {}),
        cache_key("https://a/?x=2", {}),
        cache_key("https://a/?x=1", {"a": "bc"}),
        cache_key("https://a/?x=1", {"ab": "c"}),
        cache_key("https://a/?x=1", {"a": "b", "c": "d"}),
        cache_key("https://a/?x=1", {"a": "b 1 c 1 d"}),
    }
    assert len(keys) == 6
    assert cache_key("https://a/", {"A": "1", "b": "2"}) == cache_key("https://a/", {"B": "2", "a": "1"})
    assert all(len(key) == 64 for key in keys)
