"""The one HTTP client of the collectors: JSON by GET, from servers that are slow, wrong or hostile.

    fresh in the cache?  ->  ask (again after a pause while it may help)  ->  follow redirects  ->  check  ->  cache

Nothing that a server sends is believed before it is checked: status, type, length and form. An answer must be there
before a deadline that no dripping of bytes moves. What authorizes a request (every header that a source adds, and its
secret parameters) goes to the host that was asked and to no other, and into no message, no file and no value returned.

It stands on urllib3, which boto3 needs anyway and Lambda's runtime has; `requests` with CacheControl would bring seven
more packages into the deployed framework and still leave us the deadline, the limit of size, the rules for redirects,
and a cache that knows tokens apart. `urllib3.Retry` is not used: it knows no deadline, cuts a long `Retry-After` short
where we give up, and does not try again when a body breaks off.
"""

from __future__ import annotations

import random
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlencode

import orjson

from multi_x_serverless.collection.http_cache import CachedAnswer, HttpCache, cache_key, fresh_for
from multi_x_serverless.collection.http_transport import (
    MAXIMUM_BODY_BYTES,
    REDIRECTS,
    Answer,
    PassingError,
    Patience,
    Request,
    Transport,
    checked_url,
    make_request,
    one_line,
    redirect_target,
    whole_number,
)
from multi_x_serverless.errors import InvalidDocumentError, SignalSourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

DOWN_AFTER = 6
"""So many calls without a good answer in between that a host did not answer, or only with its quota; from then on it is
not asked any more. A refusal of what was asked for (no right, no such thing) is an answer, but shows no good host."""

_DOWN_REASONS = frozenset({"unavailable", "quota"})

_APPLICATION = "multi-x-serverless"
_MAXIMUM_REDIRECTS = 5
_RETRYABLE = frozenset({408, 425, 429})


class RefusedError(SignalSourceError):
    """A server answered with a status that is not one of success.

    Args:
        message: As for `SignalSourceError`.
        reason: As for `SignalSourceError`.
        status: The status.
        said: What the server said, as text, cut short and without secrets.
    """

    def __init__(self, message: str, *, reason: str, status: int, said: str) -> None:
        self.status = status
        self.said = said
        super().__init__(message, reason=reason)


@dataclass(frozen=True)
class Clocks:
    """Time and chance, replaced in tests.

    Attributes:
        monotonic: Seconds that only go forward.
        wall: Seconds since the epoch.
        sleep: Waits some seconds.
        chance: A number from 0 to 1.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


class HttpClient:
    """Asks servers for JSON.

    Args:
        cache: Where answers are kept; none if `None`.
        patience: How long a server may take.
        clocks: Time and chance.
        maximum_body_bytes: Longer answers are refused.
    """

    def __init__(
        self,
        cache: HttpCache | None = None,
        *,
        patience: Patience | None = None,
        clocks: Clocks | None = None,
        maximum_body_bytes: int = MAXIMUM_BODY_BYTES,
    ) -> None:
        self.cache = cache
        self._patience = patience or Patience()
        self._clocks = clocks or Clocks()
        self._transport = Transport(self._patience, maximum_body_bytes, self._clocks.monotonic)
        self._failures_since_a_good_answer: dict[str, int] = {}

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def get_json(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
        secret_parameters: Mapping[str, str] | None = None,
    ) -> Json:
        """Ask for a JSON document.

        Args:
            url: Without a query; ``https``, or ``http`` to this very machine.
            headers: They authorize the request; all of them are secret.
            parameters: Of the query.
            secret_parameters: Of the query, too, such as an API key.

        Raises:
            RefusedError: The server answered with an error; the reason follows from the status.
            SignalSourceError: No answer in time (``unavailable``), or none that can be used (``unreadable``).
        """
        headers, secret_parameters = headers or {}, secret_parameters or {}
        query = urlencode({**(parameters or {}), **secret_parameters})
        request = make_request(checked_url(url, query), headers, secret_parameters)
        if not all(value.isascii() and value.isprintable() and value.strip() for value in headers.values()):
            # Said here, for the HTTP library would show the value.
            raise SignalSourceError(
                f"the key or token for {request.shown} is empty or has characters that no header may have.",
                reason="unauthorized",
            )
        key = cache_key(request.url.geturl(), headers)
        cached = None if self.cache is None else self.cache.get(key)
        if cached is not None and cached.is_fresh(self._clocks.wall()):
            return _parsed(cached.body, request)
        return self._refresh(request, key, cached)

    def _refresh(self, request: Request, key: str, cached: CachedAnswer | None) -> Json:
        host = request.url.netloc
        failures = self._failures_since_a_good_answer.get(host, 0)
        if failures >= DOWN_AFTER:
            raise SignalSourceError(
                f"{request.shown} is not asked: {DOWN_AFTER} times its host gave no answer or only that it was asked "
                "too often, and no good answer in between.",
                reason="unavailable",
            )
        try:
            answer, is_redirected = self._insist(request, {} if cached is None else cached.validators)
        except SignalSourceError as error:
            if error.reason in _DOWN_REASONS:
                self._failures_since_a_good_answer[host] = failures + 1
            raise
        self._failures_since_a_good_answer[host] = 0
        known = cached if answer.status == 304 else None
        value = _parsed(answer.body if known is None else known.body, request)
        if self.cache is not None:
            fresh_s = None if is_redirected else fresh_for(answer.headers)
            kept = CachedAnswer(
                body=answer.body if known is None else known.body,
                etag=answer.headers.get("etag", None if known is None else known.etag),
                last_modified=answer.headers.get("last-modified", None if known is None else known.last_modified),
                fresh_until=self._clocks.wall() + (fresh_s or 0.0),
            )
            if fresh_s is not None and (fresh_s or kept.validators):
                self.cache.put(key, kept)
            else:
                self.cache.remove(key)
        return value

    def _insist(self, request: Request, validators: Mapping[str, str]) -> tuple[Answer, bool]:
        """The answer, asked for again while that may help and time allows, and whether it came from elsewhere."""
        deadline = self._clocks.monotonic() + self._patience.deadline_s
        pause_s = self._patience.first_pause_s
        attempts_left = self._patience.attempts
        while True:
            attempts_left -= 1
            try:
                return self._follow(request, validators, deadline)
            except PassingError as failure:
                wait_s = failure.after_s
                if wait_s is None:
                    wait_s = min(pause_s, self._patience.longest_pause_s) * (0.5 + 0.5 * self._clocks.chance())
                if attempts_left <= 0 or self._clocks.monotonic() + wait_s >= deadline:
                    raise failure.error from None
            self._clocks.sleep(wait_s)
            pause_s *= 2

    def _follow(self, request: Request, validators: Mapping[str, str], deadline: float) -> tuple[Answer, bool]:
        """One attempt, redirects included."""
        here, headers = request.url, request.headers
        for hop in range(_MAXIMUM_REDIRECTS + 1):
            # Validators are those of the URL that was asked for, not of any other.
            answer = self._transport.send(request, here, {**headers, **validators} if hop == 0 else headers, deadline)
            if answer.status not in REDIRECTS:
                self._require_document(answer, request, may_be_unchanged=hop == 0 and bool(validators))
                return answer, hop > 0
            there = redirect_target(here, answer.headers.get("location", ""), request)
            if (there.scheme, there.netloc) != (here.scheme, here.netloc):
                headers = {}  # What authorizes is for the host that was asked, and does not come back either.
            here = there
        raise SignalSourceError(f"{request.shown} redirects more than {_MAXIMUM_REDIRECTS} times.", reason="unreadable")

    def _require_document(self, answer: Answer, request: Request, *, may_be_unchanged: bool) -> None:
        status = answer.status
        if status == 304 and may_be_unchanged:
            return
        if status == 200:
            media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json" and not (
                media_type.startswith("application/") and media_type.endswith("+json")
            ):
                shown = request.without_secrets(one_line(media_type)) or "no content type"
                raise SignalSourceError(f"{request.shown} answered with '{shown}', not with JSON.", reason="unreadable")
            if answer.headers.get("content-encoding", "").strip().lower() not in {"", "identity"}:
                raise SignalSourceError(
                    f"{request.shown} compressed its answer, which it was asked not to do.", reason="unreadable"
                )
            return
        said = one_line(answer.body.decode(errors="replace"))
        message = f"{request.shown} answered {status}" + (f" ({said})." if said else ".")
        error = RefusedError(message, reason=_reason_of(status), status=status, said=said)
        if status in _RETRYABLE or status >= 500:
            raise PassingError(error, self._retry_after(answer.headers.get("retry-after", "").strip()))
        raise error

    def _retry_after(self, text: str) -> float | None:
        """Seconds until the server wants to be asked again; None if it did not say so in a way to be understood."""
        from email.utils import parsedate_to_datetime  # noqa: PLC0415  # slow

        seconds = whole_number(text)
        if seconds is not None:
            return seconds
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._clocks.wall())
        except (ValueError, TypeError, OverflowError):
            return None


def default_client(environment: Mapping[str, str]) -> HttpClient:
    """The client with a cache in the user's cache directory, or, in a Lambda function, where it may write."""
    import platformdirs  # noqa: PLC0415

    if "AWS_LAMBDA_FUNCTION_NAME" in environment:
        directory = Path(tempfile.gettempdir()) / _APPLICATION
    else:
        directory = platformdirs.user_cache_path(_APPLICATION)
    return HttpClient(HttpCache(directory / "http"))


@contextmanager
def reading(what: str) -> Iterator[None]:
    """While the fields of an answer are read: one that is missing or of another form is the source's failure."""
    try:
        yield
    except InvalidDocumentError as error:
        raise SignalSourceError(
            f"the answer about {what} is not as expected: {one_line(str(error))}.", reason="unreadable"
        ) from None


def _parsed(body: bytes, request: Request) -> Json:
    try:
        value: Json = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise SignalSourceError(
            f"{request.shown} answered with what is not JSON ({one_line(str(error))}).", reason="unreadable"
        ) from None  # The library's error holds the whole text.
    return value


def _reason_of(status: int) -> str:
    if status in {401, 402, 403}:
        return "unauthorized"
    if status == 429:
        return "quota"
    if status in {404, 410}:
        return "unknown"
    if status >= 500 or status in _RETRYABLE:
        return "unavailable"
    return "unreadable"  # Success without a document, or a refusal of how we ask: the API is not the one we know.
