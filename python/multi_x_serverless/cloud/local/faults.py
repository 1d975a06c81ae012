"""Faults on purpose: what may go wrong in the embedded cloud, how often, and the seeded dice that decide.

A `FaultPlan` is data (from code or from ``faults.yml`` in the state directory)::

    seed: 7
    delivery: {duplicate: 0.05, delay: 0.1, delay_s: 0.5, reorder: 0.1, drop: 0.05, crash: 0.02}
    operations:
      publish: {throttle: 0.05, crash_after: 0.01}
      "*": {throttle: 0.01}
    outages:
      - {region: us-west-2, start_s: 10, end_s: 30}

The n-th decision of a kind depends on the seed, the kind and n alone. Which message is the n-th depends on the threads'
timing, so two runs of a concurrent workflow meet the same number of faults, not necessarily at the same messages.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TypeVar

import yaml

from multi_x_serverless.errors import InvalidConfigurationError

DATA_OPERATIONS = (
    "publish",
    "get",
    "put",
    "set_if_absent",
    "query",
    "put_object",
    "get_object",
)
"""What functions ask of the embedded cloud; see `multi_x_serverless.cloud.local.endpoint`."""

ANY_OPERATION = "*"


@dataclass(frozen=True)
class DeliveryFaults:
    """What may happen to a message. Probabilities per message; times in seconds.

    Attributes:
        duplicate: The message is queued twice.
        delay: The message may only be delivered after `delay_s`.
        reorder: The message is held back for `reorder_s`, so that later ones overtake it.
        drop: The first delivery is lost on the way to the function; the next follows after `redelivery_s`.
        crash: The worker is killed within the first `crash_within_s` of the invocation.
        crashed_attempts: Only the first so many attempts at a message are crashed, by `crash` or by an operation.
    """

    duplicate: float = 0.0
    delay: float = 0.0
    delay_s: float = 0.5
    reorder: float = 0.0
    reorder_s: float = 0.2
    drop: float = 0.0
    redelivery_s: float = 0.5
    crash: float = 0.0
    crash_within_s: float = 0.1
    crashed_attempts: int = 1


@dataclass(frozen=True)
class OperationFaults:
    """What may happen to an operation that a function asks for. Probabilities per operation.

    Attributes:
        throttle: Refused with a retryable error; nothing was done.
        lost_answer: Done, but the connection breaks before the answer: the caller cannot know.
        crash_before: The worker is killed before the operation is done.
        crash_after: The worker is killed after the operation was done and before it is answered.
    """

    throttle: float = 0.0
    lost_answer: float = 0.0
    crash_before: float = 0.0
    crash_after: float = 0.0


@dataclass(frozen=True)
class Outage:
    """A region that cannot be used for a while; seconds since the embedded cloud was opened."""

    region: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class FaultPlan:
    """All that may go wrong. The default plan is that nothing does."""

    seed: int = 0
    delivery: DeliveryFaults = field(default_factory=DeliveryFaults)
    operations: Mapping[str, OperationFaults] = field(default_factory=dict)
    outages: tuple[Outage, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InvalidConfigurationError: A probability is not in [0, 1], a time is negative, an operation is unknown.
        """
        _check_numbers("delivery", self.delivery, times=("delay_s", "reorder_s", "redelivery_s", "crash_within_s"))
        if self.delivery.crashed_attempts < 0:
            raise InvalidConfigurationError("delivery.crashed_attempts must not be negative")
        for name, faults in self.operations.items():
            if name not in (*DATA_OPERATIONS, ANY_OPERATION):
                known = ", ".join((*DATA_OPERATIONS, ANY_OPERATION))
                raise InvalidConfigurationError(f"operations.{name} is no operation; there are {known}")
            _check_numbers(f"operations.{name}", faults, times=())
        for outage in self.outages:
            if not 0 <= outage.start_s < outage.end_s:
                raise InvalidConfigurationError(f"the outage of {outage.region} must end after it starts")

    def of_operation(self, operation: str) -> OperationFaults:
        """Faults of one operation: its own, else those of ``*``."""
        return self.operations.get(operation) or self.operations.get(ANY_OPERATION) or OperationFaults()


def read_fault_plan(path: Path) -> FaultPlan:
    """Read a plan from a YAML file; a file that is not there plans no faults.

    Raises:
        InvalidConfigurationError: The file is not a plan.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return FaultPlan()
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidConfigurationError(f"this is not YAML: {error}", file=str(path)) from None
    try:
        return _parse_plan({} if document is None else document)
    except InvalidConfigurationError as error:
        raise InvalidConfigurationError(str(error), file=str(path)) from None


class FaultInjector:
    """Decides, from a plan and its seed, what goes wrong next. Safe to use from many threads."""

    def __init__(self, plan: FaultPlan, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.plan = plan
        self._monotonic = monotonic
        self._opened_at = monotonic()
        self._lock = threading.Lock()
        self._decisions: Counter[str] = Counter()
        self._forced_outages: set[str] = set()

    def happens(self, kind: str, probability: float) -> bool:
        """Whether a fault of this kind happens now."""
        return probability > 0 and self.draw(kind) < probability

    def draw(self, kind: str) -> float:
        """The next number of a kind, uniform in [0, 1)."""
        with self._lock:
            number = self._decisions[kind]
            self._decisions[kind] += 1
        digest = hashlib.blake2b(f"{self.plan.seed}|{kind}|{number}".encode(), digest_size=8).digest()
        return (int.from_bytes(digest, "big") >> 11) / 2**53

    def begin_outage(self, region: str) -> None:
        """Make a region unavailable until `end_outage`."""
        with self._lock:
            self._forced_outages.add(region)

    def end_outage(self, region: str) -> None:
        """End what `begin_outage` began; planned outages stay."""
        with self._lock:
            self._forced_outages.discard(region)

    def region_is_out(self, region: str) -> bool:
        """Whether a region is unavailable now."""
        with self._lock:
            if region in self._forced_outages:
                return True
        since = self._monotonic() - self._opened_at
        return any(outage.region == region and outage.start_s <= since < outage.end_s for outage in self.plan.outages)


_Faults = TypeVar("_Faults", DeliveryFaults, OperationFaults, Outage)


def _check_numbers(path: str, faults: DeliveryFaults | OperationFaults, *, times: tuple[str, ...]) -> None:
    for member in fields(faults):
        value = getattr(faults, member.name)
        if member.name in times:
            if not (math.isfinite(value) and value >= 0):
                raise InvalidConfigurationError(f"{path}.{member.name} must be a finite number and not negative")
        elif member.name != "crashed_attempts" and not 0 <= value <= 1:
            raise InvalidConfigurationError(f"{path}.{member.name} must be a probability between 0 and 1")


def _parse_plan(document: object) -> FaultPlan:
    members = _mapping("", document, known=("seed", "delivery", "operations", "outages"))
    seed = members.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise InvalidConfigurationError("seed must be an integer")
    outages = members.get("outages", [])
    if not isinstance(outages, list):
        raise InvalidConfigurationError("outages must be a list")
    operations = _mapping("operations", members.get("operations", {}), known=None)
    return FaultPlan(
        seed=seed,
        delivery=_parse_faults("delivery", members.get("delivery", {}), DeliveryFaults),
        operations={
            name: _parse_faults(f"operations.{name}", faults, OperationFaults) for name, faults in operations.items()
        },
        outages=tuple(_parse_faults(f"outages[{index}]", outage, Outage) for index, outage in enumerate(outages)),
    )


def _parse_faults(path: str, document: object, kind: type[_Faults]) -> _Faults:
    members = _mapping(path, document, known=tuple(member.name for member in fields(kind)))
    arguments: dict[str, str | int | float] = {}
    for name, value in members.items():
        if name == "region":
            accepted = isinstance(value, str)
        elif name == "crashed_attempts":
            accepted = isinstance(value, int) and not isinstance(value, bool)
        else:
            accepted = isinstance(value, int | float) and not isinstance(value, bool)
        if not accepted or not isinstance(value, str | int | float):
            raise InvalidConfigurationError(f"{path}.{name} has a value of the wrong type: {value!r}")
        arguments[name] = value
    try:
        return kind(**arguments)  # type: ignore[arg-type]  # names and types were checked above
    except TypeError:
        missing = [member.name for member in fields(kind) if member.name not in arguments]
        raise InvalidConfigurationError(f"{path} lacks {', '.join(missing)}") from None


def _mapping(path: str, document: object, *, known: tuple[str, ...] | None) -> dict[str, object]:
    if not isinstance(document, dict):
        raise InvalidConfigurationError(f"{path or 'the plan'} must be a mapping")
    for name in document:
        if known is not None and name not in known:
            raise InvalidConfigurationError(
                f"{path}{'.' if path else ''}{name} is unknown; known are {', '.join(known)}"
            )
    return {str(name): value for name, value in document.items()}
