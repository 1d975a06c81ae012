"""One HTTP request: sent where it may go, and answered in full before a deadline or given up.

What is foreign (texts of servers and of the HTTP library) leaves this module on one line, cut short, and without what
authorizes the request. What is slow to import is imported when somebody is asked.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, quote_plus, urljoin, urlsplit

from multi_x_serverless.errors import SignalSourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import urllib3

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAXIMUM_BODY_BYTES = 4 * 1024 * 1024
"""Many times what any source answers with."""

_CHUNK_BYTES = 16 * 1024
_SAID_BYTES = 8 * 1024
_SAID_CHARACTERS = 200
_SHORTEST_SECRET = 6
"""Shorter texts are in every answer by chance; replacing them would only destroy it."""


@dataclass(frozen=True)
class Patience:
    """How long a server may take, in seconds, and how often it is asked.

    Attributes:
        connect_s: Until a connection is made.
        read_s: Until the next bytes come.
        deadline_s: Until the whole answer is there, all attempts and pauses included.
        attempts: How often it is asked at most.
        first_pause_s: Longest pause before the second attempt; doubles with every further one. The pause is drawn
            between half of it and all of it, so that many clients do not come back at once.
        longest_pause_s: No pause of ours is longer.
    """

    connect_s: float = 5.0
    read_s: float = 10.0
    deadline_s: float = 30.0
    attempts: int = 4
    first_pause_s: float = 1.0
    longest_pause_s: float = 8.0


@dataclass(frozen=True)
class Request:
    """What is asked of whom.

    Attributes:
        url: With its query.
        headers: Those that authorize it.
        secrets: Texts that must not be seen: they are replaced in everything that comes back.
    """

    url: SplitResult = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def shown(self) -> str:
        """The URL without its query, for messages."""
        return self.without_secrets(f"{self.url.scheme}://{self.url.netloc}{self.url.path}")

    def without_secrets(self, text: str) -> str:
        """Foreign text fit to be shown."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def make_request(url: SplitResult, headers: Mapping[str, str], secret_parameters: Mapping[str, str]) -> Request:
    """A request whose secrets are known, in every form in which they may come back."""
    secrets = [value for value in (*headers.values(), *secret_parameters.values()) if len(value) >= _SHORTEST_SECRET]
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), quote_plus(secret))}
    return Request(url, headers, tuple(sorted(forms, key=len, reverse=True)))


@dataclass(frozen=True)
class Answer:
    """What a server sent; the names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class PassingError(Exception):
    """An attempt failed in a way that may pass. No error of the product: the client turns it into one.

    Args:
        error: What to raise if it does not pass.
        after_s: In how many seconds the server wants to be asked again; None if it did not say.
    """

    def __init__(self, error: SignalSourceError, after_s: float | None = None) -> None:
        self.error = error
        self.after_s = after_s
        super().__init__(str(error))


class Transport:
    """Sends requests.

    Args:
        patience: How long a server may take.
        maximum_body_bytes: Longer answers are refused.
        monotonic: The clock that deadlines are on.
    """

    def __init__(
        self,
        patience: Patience,
        maximum_body_bytes: int = MAXIMUM_BODY_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience = patience
        self._maximum_body_bytes = maximum_body_bytes
        self._monotonic = monotonic
        self._pools: dict[str, urllib3.PoolManager] = {}

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.clear()

    def send(self, request: Request, url: SplitResult, headers: Mapping[str, str], deadline: float) -> Answer:
        """Send a request to `url`; whatever the server does, come back by the deadline.

        Names are looked up, certificates shown and headers sent at the other side's pace, and no timeout of a socket
        bounds the sum of it. So a thread waits for that, and we wait for the thread, but not for ever.

        Args:
            request: Named in messages.
            url: Where to: that of the request or where it was redirected.
            headers: What goes there.
            deadline: On the monotonic clock, in seconds.

        Raises:
            PassingError: It failed, and may succeed later.
            SignalSourceError: It failed.
        """
        left_s = deadline - self._monotonic()
        outcome: Future[Answer] = Future()

        def work() -> None:
            try:
                outcome.set_result(self._exchange(request, url, headers, deadline, left_s))
            except BaseException as error:  # noqa: BLE001  # handed to whoever waits, and raised there
                outcome.set_exception(error)

        if left_s <= 0:
            raise self._late(request)
        threading.Thread(target=work, name="http-request", daemon=True).start()
        try:
            return outcome.result(timeout=left_s)
        except FutureTimeoutError:
            raise self._late(request) from None

    def _late(self, request: Request) -> SignalSourceError:
        limit_s = self._patience.deadline_s
        return SignalSourceError(f"{request.shown} did not answer in full within {limit_s:g} s.", reason="unavailable")

    def _exchange(
        self, request: Request, url: SplitResult, headers: Mapping[str, str], deadline: float, left_s: float
    ) -> Answer:
        import urllib3  # noqa: PLC0415

        with _network(request):
            response: Any = self._pool(url).request(
                "GET",
                url.geturl(),
                headers={
                    "Accept": "application/json",
                    # No small answer unpacks to a huge one when none is packed.
                    "Accept-Encoding": "identity",
                    "User-Agent": user_agent(),
                    **headers,
                },
                preload_content=False,
                redirect=False,
                retries=False,
                enforce_content_length=True,
                timeout=urllib3.Timeout(
                    connect=min(self._patience.connect_s, left_s), read=min(self._patience.read_s, left_s)
                ),
            )
            try:
                names = {name.lower(): value for name, value in response.headers.items()}
                body = b"" if response.status in REDIRECTS else self._read(response, request, deadline)
                return Answer(response.status, names, body)
            finally:
                response.close()

    def _read(self, response: Any, request: Request, deadline: float) -> bytes:
        is_document = response.status == 200
        limit = self._maximum_body_bytes if is_document else _SAID_BYTES
        body = b""
        while chunk := response.read(_CHUNK_BYTES, decode_content=False):
            body += chunk
            if self._monotonic() >= deadline:
                raise self._late(request)
            if len(body) > limit and not is_document:
                break  # Enough to know what the server complains about.
            if len(body) > limit:
                raise SignalSourceError(
                    f"{request.shown} answered with more than {limit:,} bytes.", reason="unreadable"
                )
        for secret in request.secrets:
            body = body.replace(secret.encode(), b"***")
        return body

    def _pool(self, url: SplitResult) -> urllib3.PoolManager:
        """Connections to a host, by the proxy of the environment if it has one for it."""
        import urllib.request  # noqa: PLC0415

        import urllib3  # noqa: PLC0415

        host = url.hostname or ""
        proxy = urllib.request.getproxies().get(url.scheme)
        # To this machine there is no detour: what is not encrypted must not leave it.
        if proxy is not None and (is_loopback(host) or urllib.request.proxy_bypass(host)):
            proxy = None
        if (proxy or "") not in self._pools:
            if proxy is None:
                self._pools[""] = urllib3.PoolManager()
            else:
                user = urlsplit(proxy)
                credentials = None if user.username is None else f"{user.username}:{user.password or ''}"
                basic = urllib3.make_headers(proxy_basic_auth=credentials)
                self._pools[proxy] = urllib3.ProxyManager(proxy, proxy_headers=basic)
        return self._pools[proxy or ""]


@contextmanager
def _network(request: Request) -> Iterator[None]:
    """Turn failures of the network into ours; they may pass, but for what is not trusted or cannot be read at all."""
    from http.client import HTTPException  # noqa: PLC0415

    from urllib3.exceptions import HTTPError, SSLError  # noqa: PLC0415

    try:
        yield
    # Two errors of an answer that is no HTTP pass through urllib3 as they are.
    except (HTTPError, OSError, HTTPException, ValueError) as error:
        if isinstance(error, ValueError):
            # Its text may be the URL that could not be read, with its query, or a proxy's with its password.
            said = f"what came, or the URL of a proxy, cannot be read ({type(error).__name__})"
        else:
            said = one_line(request.without_secrets(str(error)))
        failure = SignalSourceError(f"{request.shown} does not answer as it should: {said}.", reason="unavailable")
        # From None: the library's error may hold the whole URL.
        if isinstance(error, SSLError | ValueError):
            raise failure from None
        raise PassingError(failure) from None


def user_agent() -> str:
    """Name and version of the program, as servers see it."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return f"multi-x-serverless/{version('multi-x-serverless')}"
    except PackageNotFoundError:  # run from its source, without having been installed
        return "multi-x-serverless"


def is_loopback(host: str) -> bool:
    """Whether a host is this very machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def checked_url(url: str, query: str) -> SplitResult:
    """The URL of a source with a query.

    Raises:
        SignalSourceError: It is none that a source may have.
    """
    parts = _split(url)
    if parts is None or not _is_private(parts) or parts.username is not None or parts.query or parts.fragment:
        # Not shown: it may hold a password.
        raise SignalSourceError(
            "the address of a source (in the environment a variable that ends in _BASE_URL) must be https, or http to "
            "this machine, without user, query and fragment.",
            reason="unavailable",
        )
    return parts._replace(query=query)


def redirect_target(here: SplitResult, location: str, request: Request) -> SplitResult:
    """Where a server sends us: never to an unencrypted place, and to this machine only from it.

    Raises:
        SignalSourceError: It sends us where we do not go.
    """
    there = _split(location, here.geturl()) if location else None
    if (
        there is None
        or not _is_private(there)
        or there.username is not None
        or (is_loopback(there.hostname or "") and not is_loopback(here.hostname or ""))
    ):
        shown = "nowhere" if there is None else f"{there.scheme}://{there.hostname}"
        raise SignalSourceError(
            f"{request.shown} redirects to {one_line(request.without_secrets(shown))}, which is not followed.",
            reason="unreadable",
        )
    return there._replace(fragment="")


def one_line(text: str) -> str:
    """Foreign text fit for a message: printable, on one line, not long."""
    printable = "".join(character if character.isprintable() else " " for character in text[: 4 * _SAID_CHARACTERS])
    return " ".join(printable.split())[:_SAID_CHARACTERS]


def whole_number(text: str) -> float | None:
    """A header's whole number, however many digits a server may send; None if it is none."""
    return float(text) if text.isascii() and text.isdigit() else None


def _split(url: str, base: str = "") -> SplitResult | None:
    try:
        parts = urlsplit(urljoin(base, url))
        is_complete = bool(parts.hostname) and parts.port != 0  # `port` raises if it is none
    except ValueError:
        return None
    return parts if is_complete else None


def _is_private(parts: SplitResult) -> bool:
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
