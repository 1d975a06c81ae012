"""A server on this machine that plays scripted answers: good ones as recorded, and those of hostile servers.

    with HttpServer() as server:
        server.play("/latest", Reply.json({"a": 1}), Reply(status=503))
        ...
        assert server.requests[0].headers["auth-token"] == "secret"

It writes to the socket itself, so that it can do what no well-behaved server does: break off, drip, lie about lengths.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import parse_headers, responses
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

RECORDED = Path(__file__).parent / "data" / "http"
"""Answers as the real services give them, written down by hand after their documentation."""


@dataclass(frozen=True)
class ReceivedRequest:
    """What a client asked; names of headers in lower case, the first value of each parameter."""

    method: str
    path: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """What the server does with a request.

    Attributes:
        status: 0: close the connection without a word.
        headers: Sent after those that are made up (type and length), which they replace.
        body: Sent as it is.
        wait_s: Before the first byte.
        drip_s: Between any two bytes of head and body; None: all at once.
        sent_bytes: How much of the body is sent before the connection is closed; None: all.
        raw: Sent in the place of head and body, for what is no HTTP.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    wait_s: float = 0.0
    drip_s: float | None = None
    sent_bytes: int | None = None
    raw: bytes | None = None

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Reply:
        """An answer in JSON; underscores in the names of headers are dashes."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status, {"Content-Type": "application/json; charset=utf-8", **named}, json.dumps(value).encode())

    @classmethod
    def recorded(cls, name: str, status: int = 200) -> Reply:
        """An answer from the files of recorded ones."""
        return cls(status, {"Content-Type": "application/json"}, (RECORDED / name).read_bytes())

    def head(self) -> bytes:
        """Status line and headers."""
        lengths = {"Content-Length": str(len(self.body))} if self.status not in {204, 304} else {}
        headers = {"Content-Type": "text/html", **lengths, "Connection": "close", **self.headers}
        lines = [f"HTTP/1.1 {self.status} {responses.get(self.status, 'Odd')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


Script = Callable[[ReceivedRequest], Reply]


class HttpServer:
    """Plays its script on a port of its own until it is left."""

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self._scripts: dict[str, Script] = {}
        self._left = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def play(self, path: str, *replies: Reply) -> None:
        """Answer requests for a path with these replies in order, and with the last of them from then on."""
        left = list(replies)
        self.script(path, lambda _: left.pop(0) if len(left) > 1 else left[0])

    def script(self, path: str, script: Script) -> None:
        """Answer requests for a path with what `script` makes of them."""
        self._scripts[path] = script

    def asked(self, path: str) -> list[ReceivedRequest]:
        """The requests for a path."""
        return [request for request in self.requests if request.path == path]

    def reply_to(self, request: ReceivedRequest) -> Reply:
        """What is to be done with a request, which is noted."""
        self.requests.append(request)
        script = self._scripts.get(request.path)
        return Reply.json({"error": "not found"}, status=404) if script is None else script(request)

    def pause(self, seconds: float) -> bool:
        """Wait; False if the test is over meanwhile."""
        return not self._left.wait(seconds)

    def __enter__(self) -> HttpServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    owner: HttpServer


class _Handler(socketserver.StreamRequestHandler):
    timeout = 5.0  # no test waits for a client that says nothing

    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        owner = self.server.owner
        method, _, rest = self.rfile.readline().decode("latin-1").partition(" ")
        if not rest:
            return
        target = urlsplit(rest.split(" ")[0])
        headers = {name.lower(): value for name, value in parse_headers(self.rfile).items()}
        parameters = {name: values[0] for name, values in parse_qs(target.query, keep_blank_values=True).items()}
        reply = owner.reply_to(ReceivedRequest(method, target.path, parameters, headers))
        if reply.status == 0 or not owner.pause(reply.wait_s):
            return
        sent = reply.head() + reply.body[: reply.sent_bytes] if reply.raw is None else reply.raw
        try:
            if reply.drip_s is None:
                self.wfile.write(sent)
                return
            for position in range(len(sent)):
                self.wfile.write(sent[position : position + 1])
                if not owner.pause(reply.drip_s):
                    return
        except OSError:
            return  # The client has gone, as it should when this goes on for too long.
