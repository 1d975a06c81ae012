"""A cloud in memory for tests: every port, no processes, no sleep, and failures at any chosen call.

Functions are not run: an invocation is answered as the SDK answers a probe, from the manifest in the function's own
package, so a function with the wrong package is noticed.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from multi_x_serverless.cloud.local.prices import LocalPriceList, LocalRegionDirectory
from multi_x_serverless.cloud.ports import (
    Attribute,
    Attributes,
    Check,
    Condition,
    DeadLetter,
    Finding,
    FunctionDescription,
    FunctionSpecification,
    Host,
    ImageDescription,
    InvocationResult,
    Item,
    Key,
    LogEvent,
    ObjectDescription,
    PriceList,
    PushTarget,
    RegionDirectory,
    ScheduleSpecification,
    TrustedService,
)
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.errors import CloudError, ResourceNotFoundError
from multi_x_serverless.sdk.environment import FUNCTION
from multi_x_serverless.sdk.manifest import MANIFEST_FILE

REGIONS = ("us-east-1", "us-west-1", "us-west-2", "ca-central-1", "eu-west-1")

Result = TypeVar("Result")
Place = tuple[str, str]
Fault = Callable[["Call"], Exception | None]


@dataclass(frozen=True)
class Call:
    """One call of a port: `number` counts from 0, `arguments` are the positional ones."""

    number: int
    operation: str
    arguments: tuple[object, ...]


class Faults:
    """What goes wrong: `before` refuses a call, `after` lets it take effect and loses the answer."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.before: Fault = lambda call: None
        self.after: Fault = lambda call: None
        self._lock = threading.RLock()

    def run(self, operation: str, work: Callable[[], Result], *arguments: object) -> Result:
        with self._lock:
            call = Call(len(self.calls), operation, arguments)
            self.calls.append(call)
            error = self.before(call)
            if error is not None:
                raise error
            result = work()
            error = self.after(call)
            if error is not None:
                raise error
            return result

    def reset(self) -> None:
        """No faults, no calls so far."""
        self.calls.clear()
        self.before = lambda call: None
        self.after = lambda call: None


def refuse_call(number: int, *, retryable: bool = False) -> Fault:
    """Refuse exactly one call."""

    def fault(call: Call) -> Exception | None:
        if call.number != number:
            return None
        return CloudError(f"injected at {call.operation}", operation=call.operation, retryable=retryable)

    return fault


@dataclass
class FakeKeyValueStore:
    """Tables as dictionaries."""

    faults: Faults
    tables: dict[Place, dict[Key, Item]] = field(default_factory=dict)

    @classmethod
    def of(cls, region: str, *tables: str) -> FakeKeyValueStore:
        """A store without faults that has some of the product's tables, by their logical names."""
        store = cls(Faults())
        for table in tables:
            store.create_table(region, physical_name(table))
        return store

    @property
    def items(self) -> dict[tuple[str, str, Key], Item]:
        """All items by place."""
        return {(*place, key): item for place, items in self.tables.items() for key, item in items.items()}

    def _table(self, region: str, table: str) -> dict[Key, Item]:
        if (region, table) not in self.tables:
            raise ResourceNotFoundError(f"no table {table}", operation="key_value", region=region)
        return self.tables[region, table]

    def create_table(self, region: str, table: str) -> None:
        self.faults.run("create_table", lambda: self.tables.setdefault((region, table), {}), region, table)

    def delete_table(self, region: str, table: str) -> None:
        self.faults.run("delete_table", lambda: self.tables.pop((region, table), None), region, table)

    def list_tables(self, region: str) -> tuple[str, ...]:
        return self.faults.run(
            "list_tables", lambda: tuple(sorted(name for place, name in self.tables if place == region)), region
        )

    def get(self, region: str, table: str, key: Key) -> Item | None:
        return self.faults.run("get", lambda: self._table(region, table).get(key), region, table, key)

    def put(
        self,
        region: str,
        table: str,
        key: Key,
        attributes: Attributes,
        *,
        condition: Condition | None = None,
        expires_at: float | None = None,
    ) -> int | None:
        def work() -> int | None:
            items = self._table(region, table)
            version = items[key].version if key in items else 0
            if condition is not None and condition.version != version:
                return None
            items[key] = Item(key, dict(attributes), version + 1)
            return version + 1

        return self.faults.run("put", work, region, table, key)

    def set_if_absent(
        self,
        region: str,
        table: str,
        key: Key,
        attribute: str,
        value: Attribute,
        *,
        expires_at: float | None = None,
    ) -> Item:
        def work() -> Item:
            items = self._table(region, table)
            item = items.get(key, Item(key, {}, 0))
            if attribute not in item.attributes:
                items[key] = Item(key, {**item.attributes, attribute: value}, item.version + 1)
            return items[key]

        return self.faults.run("set_if_absent", work, region, table, key)

    def delete(self, region: str, table: str, key: Key, *, condition: Condition | None = None) -> bool:
        def work() -> bool:
            items = self._table(region, table)
            version = items[key].version if key in items else 0
            if condition is not None and condition.version != version:
                return False
            items.pop(key, None)
            return True

        return self.faults.run("delete", work, region, table, key)

    def query(self, region: str, table: str, partition: str, *, prefix: str = "") -> Iterator[Item]:
        def work() -> list[Item]:
            found = self._table(region, table).items()
            return [item for key, item in found if key.partition == partition and key.sort.startswith(prefix)]

        found = self.faults.run("query", work, region, table, partition)
        return iter(sorted(found, key=lambda item: item.key.sort))

    def scan(self, region: str, table: str) -> Iterator[Item]:
        found = self.faults.run("scan", lambda: list(self._table(region, table).values()), region, table)
        return iter(sorted(found, key=lambda item: (item.key.partition, item.key.sort)))

    def keys(self, region: str, table: str) -> tuple[Key, ...]:
        found = self.faults.run("keys", lambda: list(self._table(region, table)), region, table)
        return tuple(sorted(found, key=lambda key: (key.partition, key.sort)))


@dataclass
class FakeObjectStore:
    """Objects as a dictionary."""

    faults: Faults
    objects: dict[Place, bytes] = field(default_factory=dict)

    def put_object(self, region: str, key: str, body: bytes, *, is_prepared: bool = False) -> None:
        self.faults.run("put_object", lambda: self.objects.update({(region, key): body}), region, key)

    def get_object(self, region: str, key: str) -> bytes:
        return self.faults.run("get_object", lambda: self._object(region, key), region, key)

    def delete_object(self, region: str, key: str) -> None:
        self.faults.run("delete_object", lambda: self.objects.pop((region, key), None), region, key)

    def has_object(self, region: str, key: str) -> bool:
        return self.faults.run("has_object", lambda: (region, key) in self.objects, region, key)

    def list_objects(self, region: str, prefix: str) -> tuple[str, ...]:
        def work() -> tuple[str, ...]:
            return tuple(sorted(key for place, key in self.objects if place == region and key.startswith(prefix)))

        return self.faults.run("list_objects", work, region, prefix)

    def describe_objects(self, region: str, prefix: str) -> tuple[ObjectDescription, ...]:
        return tuple(
            ObjectDescription(key, len(self.objects[region, key]), 0.0) for key in self.list_objects(region, prefix)
        )

    def copy_object(self, source_region: str, key: str, target_region: str) -> int:
        def work() -> int:
            body = self._object(source_region, key)
            self.objects[target_region, key] = body
            return len(body)

        return self.faults.run("copy_object", work, source_region, key, target_region)

    def _object(self, region: str, key: str) -> bytes:
        if (region, key) not in self.objects:
            raise ResourceNotFoundError(f"no object {key}", operation="get_object", region=region)
        return self.objects[region, key]


@dataclass
class FakeImageRegistry:
    """Images by region and ``repository:tag``; the body of an image is a zip that holds the manifest."""

    faults: Faults
    repositories: set[Place] = field(default_factory=set)
    images: dict[Place, bytes] = field(default_factory=dict)
    copies: list[tuple[str, str, str]] = field(default_factory=list)

    def require_available(self) -> None:
        pass

    def create_repository(self, region: str, repository: str) -> str:
        self.faults.run("create_repository", lambda: self.repositories.add((region, repository)), region, repository)
        return f"repository/{region}/{repository}"

    def delete_repository(self, region: str, repository: str) -> None:
        def work() -> None:
            self.repositories.discard((region, repository))
            for place in [place for place in self.images if place[0] == region]:
                if place[1].startswith(f"{repository}:"):
                    del self.images[place]

        self.faults.run("delete_repository", work, region, repository)

    def list_repositories(self, region: str, prefix: str) -> tuple[str, ...]:
        def work() -> tuple[str, ...]:
            return tuple(sorted(name for place, name in self.repositories if place == region))

        return tuple(name for name in self.faults.run("list_repositories", work, region) if name.startswith(prefix))

    def has_repository(self, region: str, repository: str) -> bool:
        return self.faults.run("has_repository", lambda: (region, repository) in self.repositories, region, repository)

    def push_target(self, region: str, repository: str) -> PushTarget:
        return self.faults.run("push_target", lambda: PushTarget(region, repository, "AWS", "secret"), region)

    def push(self, region: str, name: str, body: bytes) -> None:
        """What Docker does; the registry refuses what has no repository."""

        def work() -> None:
            if (region, name.partition(":")[0]) not in self.repositories:
                raise ResourceNotFoundError(f"no repository for {name}", operation="push", region=region)
            self.images[region, name] = body

        self.faults.run("push", work, region, name)

    def find_image(self, region: str, repository: str, reference: str) -> ImageDescription | None:
        return self.faults.run("find_image", lambda: self._find(region, repository, reference), region, reference)

    def check_image(self, region: str, repository: str, tag: str, architecture: str) -> ImageDescription:
        def work() -> ImageDescription:
            found = self._find(region, repository, tag)
            if found is None:
                raise ResourceNotFoundError(f"no image {tag}", operation="check_image", region=region)
            return found

        return self.faults.run("check_image", work, region, tag)

    def copy_image(self, source_region: str, repository: str, digest: str, target_region: str, tag: str) -> int:
        def work() -> int:
            body = self.body(source_region, repository, digest)
            if body is None or (target_region, repository) not in self.repositories:
                raise ResourceNotFoundError("no image or repository", operation="copy_image", region=target_region)
            self.images[target_region, f"{repository}:{tag}"] = body
            self.copies.append((source_region, digest, target_region))
            return len(body)

        return self.faults.run("copy_image", work, source_region, digest, target_region)

    def delete_image(self, region: str, repository: str, tag: str) -> None:
        name = f"{repository}:{tag}"
        self.faults.run("delete_image", lambda: self.images.pop((region, name), None), region, name)

    def body(self, region: str, repository: str, digest: str) -> bytes | None:
        """The image of a digest."""
        for (place, name), body in self.images.items():
            if place == region and name.partition(":")[0] == repository and _digest(body) == digest:
                return body
        return None

    def _find(self, region: str, repository: str, reference: str) -> ImageDescription | None:
        if reference.startswith("sha256:"):
            body = self.body(region, repository, reference)
        else:
            body = self.images.get((region, f"{repository}:{reference}"))
        return None if body is None else ImageDescription(_digest(body), len(body))


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@dataclass
class FakeFunctionService:
    """Functions as a dictionary; `answers` replaces the answer to an invocation.

    Attributes:
        times_s: Duration of an invocation and start of a container for it, in seconds.
    """

    faults: Faults
    objects: FakeObjectStore
    images: FakeImageRegistry
    roles: dict[str, str]
    functions: dict[Place, FunctionSpecification] = field(default_factory=dict)
    code: dict[Place, bytes] = field(default_factory=dict)
    answers: Callable[[str, str], InvocationResult | None] = field(default=lambda region, name: None)
    queued: list[tuple[str, str, bytes]] = field(default_factory=list)
    times_s: tuple[float, float | None] = (0.0, None)

    def put_function(self, region: str, specification: FunctionSpecification) -> FunctionDescription:
        def work() -> FunctionDescription:
            if specification.package_format == "image":
                repository, _, digest = specification.code_key.partition("@")
                body = self.images.body(region, repository, digest)
            else:
                body = self.objects.objects.get((region, specification.code_key))
            before = self.functions.get((region, specification.name), specification)
            if before.package_format != specification.package_format:
                raise CloudError("a function cannot change its package format", operation="put_function")
            if body is None or specification.role not in self.roles:
                raise ResourceNotFoundError("no package or role", operation="put_function", region=region)
            self.functions[region, specification.name] = specification
            self.code[region, specification.name] = body
            return self._describe(region, specification)

        return self.faults.run("put_function", work, region, specification.name)

    def get_function(self, region: str, name: str) -> FunctionDescription | None:
        def work() -> FunctionDescription | None:
            found = self.functions.get((region, name))
            return None if found is None else self._describe(region, found)

        return self.faults.run("get_function", work, region, name)

    def list_functions(self, region: str, prefix: str) -> tuple[FunctionDescription, ...]:
        def work() -> tuple[FunctionDescription, ...]:
            return tuple(
                self._describe(region, specification)
                for (place, name), specification in sorted(self.functions.items())
                if place == region and name.startswith(prefix)
            )

        return self.faults.run("list_functions", work, region, prefix)

    def delete_function(self, region: str, name: str) -> None:
        self.faults.run("delete_function", lambda: self.functions.pop((region, name), None), region, name)

    def invoke(self, region: str, name: str, payload: bytes, *, timeout_s: float) -> InvocationResult:
        return self.faults.run("invoke", lambda: self._answer(region, name, payload), region, name)

    def invoke_async(self, region: str, name: str, payload: bytes) -> None:
        self.faults.run("invoke_async", lambda: self.queued.append((region, name, payload)), region, name)

    def _answer(self, region: str, name: str, payload: bytes) -> InvocationResult:
        special = self.answers(region, name)
        if special is not None:
            return special
        if (region, name) not in self.functions:
            raise ResourceNotFoundError(f"no function {name}", operation="invoke", region=region)
        with zipfile.ZipFile(io.BytesIO(self.code[region, name])) as archive:
            manifest = json.loads(archive.read(MANIFEST_FILE))
        answer = {
            "probe": json.loads(payload)["multi_x_serverless_probe"],
            "manifest": manifest["id"],
            "function": self.functions[region, name].environment[FUNCTION],
            "region": region,
        }
        return InvocationResult(json.dumps(answer).encode(), None, *self.times_s)

    def _describe(self, region: str, specification: FunctionSpecification) -> FunctionDescription:
        return FunctionDescription(f"function/{region}/{specification.name}", region, specification)


@dataclass
class FakeMessageService:
    """Topics with their subscribers; `published` keeps what was sent."""

    faults: Faults
    topics: dict[Place, str | None] = field(default_factory=dict)
    published: list[tuple[str, str, bytes]] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)

    def create_topic(self, region: str, name: str) -> str:
        self.faults.run("create_topic", lambda: self.topics.setdefault((region, name), None), region, name)
        return f"topic/{region}/{name}"

    def subscribe(self, region: str, topic: str, function: str) -> None:
        self.faults.run("subscribe", lambda: self.topics.update({(region, topic): function}), region, topic)

    def delete_topic(self, region: str, name: str) -> None:
        self.faults.run("delete_topic", lambda: self.topics.pop((region, name), None), region, name)

    def has_topic(self, region: str, name: str) -> bool:
        return self.faults.run("has_topic", lambda: (region, name) in self.topics, region, name)

    def list_topics(self, region: str, prefix: str) -> tuple[str, ...]:
        def work() -> tuple[str, ...]:
            return tuple(sorted(name for place, name in self.topics if place == region and name.startswith(prefix)))

        return self.faults.run("list_topics", work, region, prefix)

    def publish(self, region: str, topic: str, body: bytes) -> None:
        self.faults.run("publish", lambda: self.published.append((region, topic, body)), region, topic)

    def dead_letters(self, region: str, prefix: str) -> tuple[DeadLetter, ...]:
        def work() -> tuple[DeadLetter, ...]:
            return tuple(
                letter for letter in self.letters if letter.region == region and letter.function.startswith(prefix)
            )

        return self.faults.run("dead_letters", work, region, prefix)

    def redrive(self, region: str, letter_id: str) -> None:
        def work() -> None:
            for letter in self.letters:
                if (letter.region, letter.id) == (region, letter_id):
                    self.letters.remove(letter)
                    self.published.append((region, letter.function, letter.body))
                    return
            raise ResourceNotFoundError(f"no dead letter {letter_id}", operation="redrive", region=region)

        self.faults.run("redrive", work, region, letter_id)

    def discard(self, region: str, *letter_ids: str) -> int:
        def work() -> int:
            found = [letter for letter in self.letters if letter.region == region and letter.id in letter_ids]
            for letter in found:
                self.letters.remove(letter)
            return len(found)

        return self.faults.run("discard", work, region, *letter_ids)


@dataclass
class FakeLogService:
    """Logs as a dictionary."""

    faults: Faults
    logs: dict[Place, list[LogEvent]] = field(default_factory=dict)

    def read_logs(self, region: str, function: str, start: float, end: float) -> Iterator[LogEvent]:
        events = self.faults.run("read_logs", lambda: self.logs.get((region, function), []), region, function)
        return (event for event in events if start <= event.timestamp < end)

    def delete_logs(self, region: str, function: str) -> None:
        self.faults.run("delete_logs", lambda: self.logs.pop((region, function), None), region, function)

    def list_logs(self, region: str, prefix: str) -> tuple[str, ...]:
        def work() -> tuple[str, ...]:
            return tuple(sorted(name for place, name in self.logs if place == region and name.startswith(prefix)))

        return self.faults.run("list_logs", work, region, prefix)


@dataclass
class FakeIdentity:
    """Roles with their policies, by id."""

    faults: Faults
    roles: dict[str, str] = field(default_factory=dict)

    def account_id(self) -> str:
        return "123456789012"

    def create_role(self, name: str, policy: str, *, trusted: TrustedService = "functions") -> str:
        self.faults.run("create_role", lambda: self.roles.update({f"role/{name}": policy}), name)
        return f"role/{name}"

    def delete_role(self, name: str) -> None:
        self.faults.run("delete_role", lambda: self.roles.pop(f"role/{name}", None), name)

    def has_role(self, name: str) -> bool:
        return self.faults.run("has_role", lambda: f"role/{name}" in self.roles, name)

    def list_roles(self, prefix: str) -> tuple[str, ...]:
        def work() -> tuple[str, ...]:
            names = sorted(role.removeprefix("role/") for role in self.roles)
            return tuple(name for name in names if name.startswith(prefix))

        return self.faults.run("list_roles", work, prefix)


@dataclass
class FakeScheduleService:
    """Schedules as a dictionary."""

    faults: Faults
    schedules: dict[Place, ScheduleSpecification] = field(default_factory=dict)

    def put_schedule(self, region: str, specification: ScheduleSpecification) -> None:
        place = (region, specification.name)
        self.faults.run("put_schedule", lambda: self.schedules.update({place: specification}), *place)

    def delete_schedule(self, region: str, name: str) -> None:
        self.faults.run("delete_schedule", lambda: self.schedules.pop((region, name), None), region, name)

    def list_schedules(self, region: str, prefix: str) -> tuple[ScheduleSpecification, ...]:
        def work() -> tuple[ScheduleSpecification, ...]:
            return tuple(
                specification
                for (place, name), specification in sorted(self.schedules.items())
                if place == region and name.startswith(prefix)
            )

        return self.faults.run("list_schedules", work, region, prefix)


@dataclass
class FakeHealth:
    """Nothing is wrong but what a test says: `closed` regions, findings of `access`, checks."""

    letters: list[DeadLetter]
    entrance: tuple[Finding, ...] = ()
    alone: bool = False
    closed: set[str] = field(default_factory=set)
    general: list[Check] = field(default_factory=list)
    regional: Callable[[str, bool], tuple[Check, ...]] = field(default=lambda region, in_use: ())

    def access(self) -> tuple[Finding, ...]:
        return self.entrance

    def is_alone(self) -> bool:
        return self.alone

    def reach(self, region: str) -> Finding:
        if region in self.closed:
            return Finding("region", "problem", "is closed", f"open {region}", (region,))
        return Finding("region", "ok", "answers", regions=(region,))

    def checks(self) -> tuple[Check, ...]:
        return tuple(self.general)

    def region_checks(self, region: str, *, in_use: bool) -> tuple[Check, ...]:
        return self.regional(region, in_use)

    def waiting_letters(self, region: str) -> int:
        return sum(letter.region == region for letter in self.letters)


class FakeCloud:
    """See `multi_x_serverless.cloud.ports.Cloud`; `time` is its clock."""

    def __init__(self, *, name: Literal["local", "aws"] = "local", regions: tuple[str, ...] = REGIONS) -> None:
        self.name: Literal["local", "aws"] = name
        self.system_region = "us-east-1"
        self.regions = regions
        self.installation = "mine"
        self.time = 1_700_000_000.0
        self.faults = Faults()
        self.key_value = FakeKeyValueStore(self.faults)
        self.objects = FakeObjectStore(self.faults)
        self.identity = FakeIdentity(self.faults)
        self.images = FakeImageRegistry(self.faults)
        self.functions = FakeFunctionService(self.faults, self.objects, self.images, self.identity.roles)
        self.messages = FakeMessageService(self.faults)
        self.logs = FakeLogService(self.faults)
        self.schedules = FakeScheduleService(self.faults)
        self.health = FakeHealth(self.messages.letters)
        self.price_list: PriceList = LocalPriceList()
        self.region_directory: RegionDirectory = LocalRegionDirectory()

    def now(self) -> float:
        return self.time

    def usable_regions(self) -> tuple[str, ...]:
        return self.faults.run("usable_regions", lambda: self.regions)

    def prepare_region(self, region: str) -> None:
        self.faults.run("prepare_region", lambda: None, region)

    def clear_region(self, region: str) -> tuple[str, ...]:
        return ()

    def tagged_resources(self, region: str) -> tuple[str, ...]:
        return ()

    @contextmanager
    def host(self) -> Iterator[Host]:
        yield _IdleHost()

    def close(self) -> None:
        pass

    def copy(self) -> FakeCloud:
        """A cloud with the same contents that goes its own way from here, without faults."""
        other = FakeCloud(name=self.name, regions=self.regions)
        other.time = self.time
        for place, items in self.key_value.tables.items():
            other.key_value.tables[place] = dict(items)
        other.objects.objects.update(self.objects.objects)
        other.images.repositories.update(self.images.repositories)
        other.images.images.update(self.images.images)
        other.identity.roles.update(self.identity.roles)
        other.functions.functions.update(self.functions.functions)
        other.functions.code.update(self.functions.code)
        other.messages.topics.update(self.messages.topics)
        other.schedules.schedules.update(self.schedules.schedules)
        for place, events in self.logs.logs.items():
            other.logs.logs[place] = list(events)
        return other

    def contents(self) -> dict[str, dict[str, object]]:
        """All that there is but empty tables, for comparison; versions of items are left out."""
        items = {
            f"{region} {table} {key.partition} {key.sort}": dict(item.attributes)
            for (region, table), rows in self.key_value.tables.items()
            for key, item in rows.items()
        }
        everything: dict[str, dict[str, object]] = {
            "items": dict(items),
            "objects": {" ".join(place): body for place, body in self.objects.objects.items()},
            "repositories": {" ".join(place): True for place in self.images.repositories},
            "images": {" ".join(place): body for place, body in self.images.images.items()},
            "functions": {" ".join(place): made for place, made in self.functions.functions.items()},
            "topics": {" ".join(place): function for place, function in self.messages.topics.items()},
            "roles": dict(self.identity.roles),
            "logs": {" ".join(place): events for place, events in self.logs.logs.items()},
            "schedules": {" ".join(place): made for place, made in self.schedules.schedules.items()},
        }
        return {kind: things for kind, things in everything.items() if things}


class _IdleHost:
    def wait_until_idle(self, timeout_s: float) -> bool:
        return True

    def pending(self) -> int:
        return 0
