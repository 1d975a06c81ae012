"""A cloud in memory for unit tests of workflows: no processes, no network, no waiting, one step at a time.

The functions are the real ones, from their package directory (manifest and source), run by the real SDK; only what
lies below `multi_x_serverless.sdk.backend.Backend` is replaced. Messages queue until a test delivers them, in the order
it likes, twice if it likes; a delivery that raises is put back, as a cloud would do.

Example:
    >>> cloud = MemoryCloud(Path("package"))                                            # doctest: +SKIP
    >>> run_id = cloud.start({"name": "Ada"})                                           # doctest: +SKIP
    >>> cloud.deliver_all()                                                             # doctest: +SKIP
    >>> [record["node"] for record in cloud.records_of("node_finished")]                # doctest: +SKIP
    [0, 1]
"""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar

from multi_x_serverless.sdk.application import Answer, Application, load_package
from multi_x_serverless.sdk.backend import Attribute, Attributes, Backend, StoredItem
from multi_x_serverless.sdk.envelope import new_trigger
from multi_x_serverless.sdk.errors import BackendError, ObjectNotFoundError
from multi_x_serverless.sdk.manifest import MANIFEST_FILE, Manifest
from multi_x_serverless.sdk.payload import Payload
from multi_x_serverless.sdk.plan_replica import PlanReplica
from multi_x_serverless.sdk.records import parse_line
from multi_x_serverless.sdk.routing import Router
from multi_x_serverless.sdk.tables import PLAN_DOCUMENT, PLAN_REPLICAS

Moment: TypeAlias = Literal["before", "after"]
OperationHook: TypeAlias = Callable[[Moment, str, str], None]
"""Called with the moment, the operation's name and its region; may raise to fail the operation there."""

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_ItemKey: TypeAlias = tuple[str, str, str, str]


def _oldest(length: int) -> int:  # noqa: ARG001 - the form of a choice
    return 0


START_TIME = 1_700_000_000.0
RETRIES = 2


@dataclass(frozen=True)
class QueuedMessage:
    """A message on a topic that waits for its delivery.

    Attributes:
        region: Region of the topic.
        topic: Name of the topic.
        body: The envelope's text.
        request_id: Id of the invocation that will deliver it, kept over retries.
        attempts: Deliveries that failed so far.
    """

    region: str
    topic: str
    body: str
    request_id: str
    attempts: int = 0


class MemoryBackend:
    """Tables, objects and topics of all regions in memory; safe to use from several threads.

    Args:
        clock: Seconds since the epoch.
        hook: Called before and after every operation.
    """

    earliest_retry_s = 0.0
    owns_network = False
    shows_traffic = False

    def __init__(self, clock: Callable[[], float], hook: OperationHook | None = None) -> None:
        self._clock = clock
        self.hook = hook
        self.items: dict[_ItemKey, StoredItem] = {}
        self.objects: dict[tuple[str, str], bytes] = {}
        self.queue: list[QueuedMessage] = []
        self.unavailable_regions: set[str] = set()
        self._expiry: dict[_ItemKey, float] = {}
        self._published = 0
        self._lock = threading.Lock()

    def publish(self, region: str, topic: str, body: str) -> None:
        """Queue a message."""
        with self._operation("publish", region):
            self._published += 1
            self.queue.append(QueuedMessage(region, topic, body, f"request-{self._published}"))

    def get(self, region: str, table: str, partition: str, sort: str) -> StoredItem | None:
        """Read one item."""
        with self._operation("get", region):
            return self._live((region, table, partition, sort))

    def put(
        self,
        region: str,
        table: str,
        partition: str,
        sort: str,
        attributes: Attributes,
        *,
        condition: int,
        expires_at: float,
    ) -> int | None:
        """Write an item on a condition."""
        with self._operation("put", region):
            key = (region, table, partition, sort)
            found = self._live(key)
            if condition != (0 if found is None else found.version):
                return None
            self._write(key, StoredItem(dict(attributes), condition + 1), expires_at)
            return condition + 1

    def set_if_absent(
        self,
        region: str,
        table: str,
        partition: str,
        sort: str,
        attribute: str,
        value: Attribute,
        *,
        expires_at: float,
    ) -> StoredItem:
        """Set an attribute unless it has a value."""
        with self._operation("set_if_absent", region):
            key = (region, table, partition, sort)
            found = self._live(key) or StoredItem({}, 0)
            item = StoredItem({attribute: value, **found.attributes}, found.version + 1)
            self._write(key, item, expires_at)
            return item

    def query(self, region: str, table: str, partition: str, prefix: str) -> list[tuple[str, StoredItem]]:
        """Read the items of a partition in order."""
        with self._operation("query", region):
            live = ((key, self._live(key)) for key in sorted(self.items) if key[:3] == (region, table, partition))
            return [(key[3], item) for key, item in live if item is not None and key[3].startswith(prefix)]

    def overwrite(self, region: str, table: str, partition: str, sort: str, attributes: Attributes) -> None:
        """Write an item that never expires whatever was there; for a test to prepare what functions find."""
        with self._lock:
            self._write((region, table, partition, sort), StoredItem(dict(attributes), 1), math.inf)

    def put_object(self, region: str, key: str, body: bytes) -> None:
        """Store an object."""
        with self._operation("put_object", region):
            self.objects[region, key] = body

    def get_object(self, region: str, key: str) -> bytes:
        """Read an object."""
        with self._operation("get_object", region):
            if (region, key) not in self.objects:
                raise ObjectNotFoundError(key, region=region)
            return self.objects[region, key]

    @contextmanager
    def _operation(self, operation: str, region: str) -> Iterator[None]:
        if self.hook is not None:
            self.hook("before", operation, region)
        if region in self.unavailable_regions:
            raise BackendError("the region is unavailable", operation=operation, region=region)
        with self._lock:
            yield
        if self.hook is not None:
            self.hook("after", operation, region)

    def _live(self, key: _ItemKey) -> StoredItem | None:
        return self.items.get(key) if self._expiry.get(key, 0.0) > self._clock() else None

    def _write(self, key: _ItemKey, item: StoredItem, expires_at: float) -> None:
        self.items[key] = item
        self._expiry[key] = expires_at


class InlineExecutor(Executor):
    """Runs what is submitted at once, in the submitting thread: the order of operations is the order of calls."""

    def submit(
        self, fn: Callable[_Parameters, _Result], /, *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> Future[_Result]:
        """Run a call now."""
        future: Future[_Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - an executor hands every error on to whoever asks
            future.set_exception(error)
        return future


@dataclass(frozen=True)
class TestContext:
    """Lambda's context object, as far as the SDK uses it."""

    __test__ = False  # not a test, in spite of its name

    aws_request_id: str
    remaining_ms: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        """Time until the invocation would be ended."""
        return self.remaining_ms


@dataclass
class MemoryCloud:
    """All functions of one package, in all regions of its manifest.

    Attributes:
        root: The package's directory, with the manifest in it.
        now: What the clock shows, seconds since the epoch; set it to let time pass.
        uniform: Draws for the home share.
        backend: Tables, objects and queue.
        dead_letters: Messages given up.
    """

    root: Path
    now: float = START_TIME
    uniform: Callable[[], float] = lambda: 1.0
    dead_letters: list[QueuedMessage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.manifest = Manifest.from_json((self.root / MANIFEST_FILE).read_bytes())
        self.backend = MemoryBackend(lambda: self.now)
        self.stream = io.StringIO()
        self._applications: dict[tuple[str, str], Application] = {}

    def application(self, region: str, function: str) -> Application:
        """The container of a function in a region; made when first asked for."""
        key = (region, function)
        if key not in self._applications:
            self._applications[key] = self.new_application(region, function, self.backend)
        return self._applications[key]

    def new_application(self, region: str, function: str, backend: Backend) -> Application:
        """Another container of a function."""
        return Application(
            load_package(self.root, function),
            backend,
            region,
            stream=self.stream,
            executor=InlineExecutor(),
            clock=lambda: self.now,
            router=Router(self.manifest, region, backend, clock=lambda: self.now, uniform=self.uniform),
        )

    def set_plan(self, plan: PlanReplica) -> None:
        """Put a plan replica into every region; containers notice when their cache is over."""
        for region in self.manifest.regions:
            self.backend.overwrite(
                region, PLAN_REPLICAS, self.manifest.workflow_id, "", {PLAN_DOCUMENT: plan.to_json()}
            )

    def start(self, payload: object = None, *, run_id: str | None = None) -> str:
        """Queue a trigger at the home region's entry; returns the run's id."""
        trigger = new_trigger(self.manifest, Payload.of(payload), now=self.now, run_id=run_id)
        self.backend.publish(self.manifest.home, self.manifest.function_of(0).topic, trigger.encode())
        return trigger.run_id

    def deliver(self, message: QueuedMessage) -> Answer:
        """Deliver one message to its function; what the function raises comes out here."""
        function = next(entry.name for entry in self.manifest.functions if entry.topic == message.topic)
        event = {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": message.body}}]}
        return self.application(message.region, function).handle(event, TestContext(message.request_id))

    def deliver_all(self, choose: Callable[[int], int] = _oldest) -> None:
        """Deliver until the queue is empty; a failed delivery is retried twice, then dead-lettered.

        Args:
            choose: Picks the next message by its place among so many; the oldest unless said otherwise.
        """
        while self.backend.queue:
            message = self.backend.queue.pop(choose(len(self.backend.queue)))
            try:
                self.deliver(message)
            except Exception:  # noqa: BLE001 - this is the platform: whatever a function raises is retried
                if message.attempts < RETRIES:
                    self.backend.queue.append(replace(message, attempts=message.attempts + 1))
                else:
                    self.dead_letters.append(message)

    @property
    def records(self) -> list[dict[str, Any]]:
        """Everything that was logged, in order."""
        parsed = (parse_line(line) for line in self.stream.getvalue().splitlines())
        return [record for record in parsed if record is not None]

    def records_of(self, record_type: str) -> list[dict[str, Any]]:
        """What was logged of one type."""
        return [record for record in self.records if record["t"] == record_type]
