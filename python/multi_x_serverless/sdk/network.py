"""How many bytes an invocation moved, and with which regions.

Two sources. The machine's network counters (Linux, ``/proc/net/dev``) know every byte on the wire but not its other
end. The HTTP layer of botocore knows the region of each call to AWS. What the counters show beyond the calls that
botocore made belongs to no known region: TLS, name look-ups, and the developer's other connections.

The SDK's own calls are counted apart, by `sdk_calls`, so that they are not taken for the developer's.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_COUNTERS_FILE = Path("/proc/net/dev")
_SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/([a-z0-9-]+)/")
_HOST_REGION = re.compile(r"[./]((?:af|ap|ca|cn|eu|il|me|mx|sa|us)(?:-[a-z]+)+-\d+)[./:]")
_SEND_HOOK_MARK = "_multi_x_serverless_send"

_own_call = threading.local()


@contextmanager
def sdk_calls() -> Iterator[None]:
    """Calls to AWS made inside, in this thread, are the SDK's own."""
    before = getattr(_own_call, "active", False)
    _own_call.active = True
    try:
        yield
    finally:
        _own_call.active = before


@dataclass(frozen=True)
class NetworkUse:
    """Bytes moved; pairs are (in, out).

    Attributes:
        by_region: The developer's own calls to AWS.
        other: On the wire, but neither of those nor the SDK's own.
    """

    by_region: Mapping[str, tuple[int, int]]
    other: tuple[int, int]


class NetworkMeter:
    """Counts bytes between `start` and `stop`; one per container, one invocation at a time.

    Args:
        read_counters: Total bytes (in, out) of the machine's interfaces; `None` where they say nothing about this
            function (machine shared with others, or no such counters).
    """

    def __init__(self, read_counters: Callable[[], tuple[int, int]] | None) -> None:
        self._read_counters = read_counters
        self._lock = threading.Lock()
        self._regions: dict[str, list[int]] = {}
        self._own = [0, 0]
        self._first = (0, 0)

    def start(self) -> None:
        """Begin an invocation."""
        self._watch_botocore()
        with self._lock:
            self._regions = {}
            self._own = [0, 0]
        self._first = self._counters()

    def stop(self) -> NetworkUse:
        """End an invocation."""
        last = self._counters()
        with self._lock:
            by_region = {region: (use[0], use[1]) for region, use in sorted(self._regions.items())}
            attributed = [self._own[way] + sum(use[way] for use in self._regions.values()) for way in (0, 1)]
        other_in, other_out = (max(0, last[way] - self._first[way] - attributed[way]) for way in (0, 1))
        return NetworkUse(by_region, (other_in, other_out))

    def count(self, region: str, received: int, sent: int) -> None:
        """Add one call to AWS, to the developer's or to the SDK's own account."""
        own = getattr(_own_call, "active", False)
        with self._lock:
            account = self._own if own else self._regions.setdefault(region, [0, 0])
            account[0] += received
            account[1] += sent

    def _counters(self) -> tuple[int, int]:
        return (0, 0) if self._read_counters is None else self._read_counters()

    def _watch_botocore(self) -> None:
        """Put ourselves into botocore's HTTP layer, as soon as something has imported it; it is never imported here."""
        module: Any = sys.modules.get("botocore.httpsession")
        session_class = getattr(module, "URLLib3Session", None)
        if session_class is None:
            return
        original = getattr(session_class.send, _SEND_HOOK_MARK, session_class.send)

        def send(session: Any, request: Any) -> Any:
            response = original(session, request)
            # What a HEAD request declares is not sent.
            received = _header_size(response) if request.method == "HEAD" else _size(response)
            self.count(region_of_request(request.url, request.headers), received, _size(request))
            return response

        setattr(send, _SEND_HOOK_MARK, original)
        session_class.send = send


def interface_counters(file: Path = _COUNTERS_FILE) -> Callable[[], tuple[int, int]] | None:
    """A reader of the bytes (in, out) of all interfaces but the loopback; `None` where there are no counters."""
    if not file.exists():
        return None

    def read() -> tuple[int, int]:
        received = sent = 0
        for line in file.read_text(encoding="ascii").splitlines()[2:]:
            name, _, counters = line.partition(":")
            if name.strip() != "lo":
                columns = counters.split()
                received += int(columns[0])
                sent += int(columns[8])
        return received, sent

    return read


def region_of_request(url: str, headers: Mapping[str, Any]) -> str:
    """Region a call to AWS goes to: from its signature, else from its host, else ``us-east-1`` (global services)."""
    authorization = headers.get("Authorization", b"")
    text = authorization.decode("latin-1") if isinstance(authorization, bytes) else str(authorization)
    found = _SCOPE.search(text) or _HOST_REGION.search(url)
    return found.group(1) if found else "us-east-1"


def _size(message: Any) -> int:
    """Bytes of a request or response: headers as they are, body by its declared or actual length."""
    size = _header_size(message)
    declared = message.headers.get("Content-Length")
    if declared is not None:
        return size + int(declared)
    body = getattr(message, "body", None)
    return size + (len(body) if isinstance(body, bytes | bytearray | str) else 0)


def _header_size(message: Any) -> int:
    return sum(len(str(name)) + len(str(value)) + 4 for name, value in message.headers.items())
