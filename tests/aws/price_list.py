"""The Price List API for tests, which moto has not: entries of `tests/data/pricing`, filtered and paged as AWS does.

It answers this process's botocore (`PriceListStub.installed`) and, in front of moto's server, everybody else
(`PriceListStub.in_front_of`). What it says can be spoilt entry by entry, and requests be refused.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore import handlers
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

ENTRIES = Path(__file__).parents[1] / "data" / "pricing"
TARGET = "AWSPriceListService.GetProducts"
CONTENT_TYPE = "application/x-amz-json-1.1"
SIGNING_NAME = "pricing"

Entry = dict[str, Any]
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True)
class Refusal:
    """An error instead of an answer."""

    code: str
    status: int = 400
    message: str = "on purpose"


def denied() -> Refusal:
    """What AWS says to whoever lacks the permission."""
    user = "arn:aws:iam::123456789012:user/somebody"
    return Refusal(
        "AccessDeniedException",
        message=f"User: {user} is not authorized to perform: pricing:GetProducts because no identity-based policy "
        "allows the pricing:GetProducts action",
    )


@cache
def read_entries(service: str) -> tuple[str, ...]:
    """The entries of a service as JSON; none for a service without a file."""
    path = ENTRIES / f"{service}.json"
    return tuple(json.dumps(entry) for entry in json.loads(path.read_text(encoding="utf-8"))) if path.exists() else ()


@dataclass
class PriceListStub:
    """What is said, and what was asked.

    Attributes:
        spoil: An entry as it is, and what is served in its place: an entry, a text, or nothing.
        refuse: Whether a request is refused, by its number (from 0) and content.
        page_size: Entries on a page, if fewer than are asked for.
        requests: What was asked.
    """

    spoil: Callable[[Entry], Entry | str | None] = lambda entry: entry
    refuse: Callable[[int, Entry], Refusal | None] = lambda _number, _request: None
    page_size: int = 100
    requests: list[Entry] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to a request."""
        request = json.loads(body)
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
        refusal = self.refuse(number, request)
        if refusal is not None:
            return refusal.status, json.dumps({"__type": refusal.code, "Message": refusal.message}).encode()
        entries = [entry for entry in map(json.loads, read_entries(request["ServiceCode"])) if _matches(entry, request)]
        served = [found if isinstance(found, str) else json.dumps(found) for found in map(self.spoil, entries) if found]
        start = int(request.get("NextToken", "0"))
        end = start + min(self.page_size, request.get("MaxResults", 100))
        page: Entry = {"FormatVersion": "aws_v1", "PriceList": served[start:end]}
        if end < len(served):
            page["NextToken"] = str(end)
        return 200, json.dumps(page).encode()

    @contextmanager
    def installed(self) -> Iterator[PriceListStub]:
        """Answer the clients that this process makes inside the `with` block."""

        def before_send(request: AWSPreparedRequest, **_arguments: object) -> AWSResponse:
            assert isinstance(request.body, bytes)
            status, body = self.answer(request.body)
            raw = io.BytesIO(body)
            raw.stream = lambda **_kwargs: iter([body])  # type: ignore[attr-defined]  # as urllib3's has it
            return AWSResponse(request.url, status, HTTPHeaders.from_pairs([("Content-Type", CONTENT_TYPE)]), raw)

        added = ("before-send.pricing.GetProducts", before_send)
        with pytest.MonkeyPatch.context() as patch:
            # botocore gives these to each session that it makes, as moto's own; the closest event is answered first.
            patch.setattr(handlers, "BUILTIN_HANDLERS", [*handlers.BUILTIN_HANDLERS, added])
            yield self

    def in_front_of(self, application: Application) -> Application:
        """A server that answers requests for prices itself and leaves the others to another."""

        def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if environ.get("HTTP_X_AMZ_TARGET") != TARGET:
                return application(environ, start_response)
            status, body = self.answer(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
            start_response(f"{status} {'OK' if status == 200 else 'Refused'}", [("Content-Type", CONTENT_TYPE)])
            return [body]

        return serve


def _matches(entry: Entry, request: Entry) -> bool:
    product = entry["product"]
    named = {"productFamily": product.get("productFamily"), **product["attributes"]}
    for chosen in request.get("Filters", ()):
        assert chosen["Type"] == "TERM_MATCH", "the stub knows no other"
        if named.get(chosen["Field"]) != chosen["Value"]:
            return False
    return True
