"""Every request that this process makes to AWS: recorded, held to the service's own model, and broken on purpose.

botocore checks a request's members and types before it sends it; lengths, ranges, patterns and enumerations, which are
in the same service models, it leaves to the service, and moto to nobody. Here they are checked.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

FaultKind: TypeAlias = Literal["refused", "not enabled", "unavailable", "throttled", "lost", "died"]
"""What becomes of a request: refused for good (as to anybody, or as in a region that the account has not enabled); not
carried out and worth another try (two ways); carried out, but the answer does not arrive; or the process dies before it
is sent, and sends nothing any more."""


@dataclass(frozen=True)
class ApiCall:
    """A request, by the names of its service's model."""

    service: str
    operation: str
    region: str
    parameters: Mapping[str, Any]

    @property
    def action(self) -> str:
        """As policies name it, for the services that are used here (`s3:GetObject` is more than one request)."""
        return f"{self.service}:{self.operation}"


_ERRORS: Mapping[str | None, tuple[str, int]] = {
    "refused": ("AccessDenied", 403),
    "not enabled": ("UnrecognizedClientException", 403),
    "unavailable": ("ServiceUnavailable", 503),
    "throttled": ("ThrottlingException", 400),
}


class InvalidRequestError(AssertionError):
    """A request that its service would refuse."""


class ProcessDiedError(BaseException):
    """The process is dead: nothing below may catch it, nothing more is sent."""


@dataclass
class ApiCalls:
    """What is recorded inside `recording`.

    Attributes:
        calls: Requests in the order in which they were begun.
        fault: Which fault the request of an index meets, if any.
        is_dead: Whether the process has died.
        most_at_once: Most requests that were under way at the same time.
    """

    calls: list[ApiCall] = field(default_factory=list)
    fault: Callable[[int, ApiCall], FaultKind | None] = lambda _index, _call: None
    is_dead: bool = False
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def recording(self) -> Iterator[ApiCalls]:
        """Record this process's requests inside the `with` block."""
        unpatched: Any = vars(BaseClient)["_make_api_call"]

        def make_api_call(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
            model = client.meta.service_model.operation_model(operation)
            call = ApiCall(client.meta.service_model.service_name, operation, client.meta.region_name, dict(parameters))
            problems = list(find_problems(model.input_shape, parameters)) if model.input_shape is not None else []
            if problems:
                raise InvalidRequestError(f"{call.action}: " + "; ".join(problems))
            with self._lock:
                index = len(self.calls)
                self.calls.append(call)
            if self.is_dead:
                raise ProcessDiedError
            kind = self.fault(index, call)
            if kind == "died":
                self.is_dead = True
                raise ProcessDiedError
            if kind in _ERRORS:
                code, status = _ERRORS[kind]
                raise ClientError(
                    {
                        "Error": {"Code": code, "Message": "on purpose"},
                        "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]  # as far as read
                    },
                    operation,
                )
            with self._under_way():
                answer = unpatched(client, operation, parameters)
            if kind == "lost":
                raise ReadTimeoutError(endpoint_url=f"https://{call.service}.{call.region}")
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", make_api_call)
            yield self

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1


def find_problems(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """What a value of a request breaks of its shape's limits, each in words."""
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            if name in shape.members:
                yield from find_problems(shape.members[name], member, f"{path}.{name}")
        return
    if isinstance(shape, ListShape):
        yield from _outside(shape, len(value), f"{path} has {len(value)} entries")
        for index, member in enumerate(value):
            yield from find_problems(shape.member, member, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        yield from _outside(shape, len(value), f"{path} has {len(value)} entries")
        for key, member in value.items():
            yield from find_problems(shape.key, key, f"{path} key {key!r}")
            yield from find_problems(shape.value, member, f"{path}[{key!r}]")
    elif isinstance(shape, StringShape):
        if isinstance(value, str):  # what is not is made text by botocore, as the source of a copy
            yield from _text_problems(shape, value, path)
    elif isinstance(value, bytes):
        yield from _outside(shape, len(value), f"{path} has {len(value)} bytes")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _outside(shape, value, f"{path} is {value}")


def _text_problems(shape: StringShape, value: str, path: str) -> Iterator[str]:
    yield from _outside(shape, len(value), f"{path} has {len(value)} characters")
    if shape.enum and value not in shape.enum:
        yield f"{path} is {value!r}, expected one of {shape.enum}"
    pattern = shape.metadata.get("pattern")
    if pattern is not None and not _matches(pattern, value):
        yield f"{path} is {value!r}, expected {pattern}"


def _outside(shape: Shape, number: float, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and number < least:
        yield f"{what}, at least {least} expected"
    if most is not None and number > most:
        yield f"{what}, at most {most} expected"


def _matches(pattern: str, value: str) -> bool:
    # The models' patterns are Java's: properties of characters are the one thing in them that Python does not know.
    translated = re.sub(r"\\p\{(?:L|Z|N|M|P|S|IsLetter|Alnum)\}|\\p\{[A-Za-z]+\}", r"\\w\\s", pattern)
    try:
        return re.fullmatch(translated, value, re.DOTALL) is not None
    except re.error:
        return True
