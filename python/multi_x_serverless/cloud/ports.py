"""What the product needs of a cloud, as small Protocols by capability.

Two implementations pass the same contract tests: `multi_x_serverless.cloud.local` (embedded, SQLite and worker
processes) and `multi_x_serverless.cloud.aws` (boto3). Rules that hold for every port:

* Regions are named like AWS's; every resource lives in one region.
* "Create" is idempotent: creating what exists with equal properties succeeds, with other properties updates it.
* "Delete" of what does not exist succeeds.
* A failure is a `multi_x_serverless.errors.CloudError`; a missing resource `ResourceNotFoundError`. What only tells of
  the outside world (prices, regions) fails with a `SignalSourceError`: others can be asked instead.
* Conditional operations return whether the condition held; they never raise for a failed condition.
* Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from multi_x_serverless.errors import SignalSourceError

Attribute: TypeAlias = str | bytes | int | float
Attributes: TypeAlias = Mapping[str, Attribute]


# --- key-value -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """Key of an item: all items of one `partition` can be listed in order of `sort`."""

    partition: str
    sort: str = ""


@dataclass(frozen=True)
class Item:
    """An item as it is stored. `version` starts at 1 and grows by one with every write."""

    key: Key
    attributes: Attributes
    version: int


@dataclass(frozen=True)
class Condition:
    """When a write may happen: the item must be absent (`version == 0`) or have exactly this version."""

    version: int


ABSENT = Condition(version=0)


class KeyValueStore(Protocol):
    """Tables of items with conditional writes and strongly consistent reads. One item is at most 400 KB."""

    def create_table(self, region: str, table: str) -> None:
        """Make a table."""

    def delete_table(self, region: str, table: str) -> None:
        """Delete a table with all it holds."""

    def list_tables(self, region: str) -> tuple[str, ...]:
        """Names of the tables in a region, sorted."""

    def get(self, region: str, table: str, key: Key) -> Item | None:
        """Read one item, strongly consistent. Expired items count as absent."""

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
        """Write a whole item if the condition holds; returns its new version, `None` if the condition failed."""

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
        """Set one attribute unless it has a value, creating the item if needed; returns the item as it is then.

        Atomic: of several writers of different attributes exactly one sees the complete item first.
        """

    def delete(self, region: str, table: str, key: Key, *, condition: Condition | None = None) -> bool:
        """Delete an item; `False` if the condition failed."""

    def query(self, region: str, table: str, partition: str, *, prefix: str = "") -> Iterator[Item]:
        """All items of a partition whose sort key starts with `prefix`, ordered by sort key, through all pages."""

    def scan(self, region: str, table: str) -> Iterator[Item]:
        """All items of a table ordered by key, through all pages."""

    def keys(self, region: str, table: str) -> tuple[Key, ...]:
        """The keys of all items of a table, in order, without what the items hold."""


# --- objects -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ObjectDescription:
    """An object without its body; `stored_at` in seconds since the epoch."""

    key: str
    size_bytes: int
    stored_at: float


class ObjectStore(Protocol):
    """One bucket per region and installation; keys are paths with `/`."""

    def put_object(self, region: str, key: str, body: bytes, *, is_prepared: bool = False) -> None:
        """Store an object, replacing any of the same key.

        Args:
            is_prepared: The region is known to be prepared (`Cloud.prepare_region`): only the object is written, and
                nothing is made or set right for it. Whoever writes so needs no right to make anything.
        """

    def get_object(self, region: str, key: str) -> bytes:
        """Read an object; `ResourceNotFoundError` if there is none."""

    def delete_object(self, region: str, key: str) -> None:
        """Delete an object."""

    def has_object(self, region: str, key: str) -> bool:
        """Whether there is an object of exactly this key."""

    def list_objects(self, region: str, prefix: str) -> tuple[str, ...]:
        """Keys that start with `prefix`, sorted, through all pages."""

    def describe_objects(self, region: str, prefix: str) -> tuple[ObjectDescription, ...]:
        """What `list_objects` lists, with size and time."""

    def copy_object(self, source_region: str, key: str, target_region: str) -> int:
        """Copy an object between regions under the same key; returns the bytes moved."""


# --- functions -----------------------------------------------------------------------------------------------

Architecture: TypeAlias = Literal["x86_64", "arm64"]
PackageFormat: TypeAlias = Literal["zip", "image"]


@dataclass(frozen=True)
class FunctionSpecification:
    """A function as it should be.

    Attributes:
        timeout_s: Longest duration of one invocation, 1-900 s.
        memory_mb: Memory in MiB, 128-10240; also sets the CPU share (1,769 MB = 1 vCPU).
        code_key: Of a zip: its key in the object store of the same region. Of an image: ``repository@sha256:digest`` in
            the registry of the same region.
        code_sha256: Hex digest of the zip or of the image's manifest; two specifications with equal digest run equal
            code.
        role: Id of the role the function runs under, as `Identity.create_role` returned it.
        environment: Variables; not in the `repr`, because the developer's secrets may be among them.
        package_format: What `code_key` names. A function never changes it: AWS knows no way.
        reserved_concurrency: How many invocations may run at once, taken from what the account has; `None`: as many as
            the account allows.
    """

    name: str
    handler: str
    runtime: str
    architecture: Architecture
    memory_mb: int
    timeout_s: int
    code_key: str
    code_sha256: str
    role: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    package_format: PackageFormat = "zip"
    reserved_concurrency: int | None = None


@dataclass(frozen=True)
class FunctionDescription:
    """A function as it is. `id` is what the cloud calls it (an ARN on AWS)."""

    id: str
    region: str
    specification: FunctionSpecification


@dataclass(frozen=True)
class InvocationResult:
    """Answer of a synchronous invocation; `error` is set when the function raised, timed out or did not start.

    Attributes:
        duration_s: Without the start of a container, in seconds.
        init_s: What starting a container for it took, in seconds; 0 if there was one, `None` if the cloud does not
            tell (then `duration_s` may contain it).
    """

    payload: bytes
    error: str | None
    duration_s: float
    init_s: float | None = None


class FunctionService(Protocol):
    """Functions that run deployed code. Asynchronous invocations are retried twice, then dead-lettered."""

    def put_function(self, region: str, specification: FunctionSpecification) -> FunctionDescription:
        """Create or update a function and wait until it can be invoked."""

    def get_function(self, region: str, name: str) -> FunctionDescription | None:
        """Describe a function."""

    def list_functions(self, region: str, prefix: str) -> tuple[FunctionDescription, ...]:
        """Functions whose name starts with `prefix`, sorted by name."""

    def delete_function(self, region: str, name: str) -> None:
        """Delete a function; invocations under way end first or are retried elsewhere.

        What is queued for it never reaches a later function of the same name. AWS Lambda does not say what becomes of
        it, and it is taken for lost; the embedded cloud makes it dead letters.
        """

    def invoke(self, region: str, name: str, payload: bytes, *, timeout_s: float) -> InvocationResult:
        """Invoke synchronously and return the answer."""

    def invoke_async(self, region: str, name: str, payload: bytes) -> None:
        """Queue an invocation, at least once; returns when it is durable."""


# --- images --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ImageDescription:
    """A container image in a registry.

    Attributes:
        digest: ``sha256:`` and the hex digest of its manifest: the name that always means the same content.
        size_bytes: Bytes of its (compressed) layers and its configuration.
    """

    digest: str
    size_bytes: int


@dataclass(frozen=True)
class PushTarget:
    """Where an image is pushed to, and with which credentials (which expire within hours).

    Attributes:
        registry: Host of the registry, with its port if it is not the usual one.
    """

    registry: str
    repository: str
    username: str
    password: str = field(repr=False)


class ImageRegistry(Protocol):
    """Container images: one registry per region. Tags are written once; whatever runs is named by digest."""

    def require_available(self) -> None:
        """Refuse if this cloud runs no images; `UnsupportedError` says what to do instead."""

    def create_repository(self, region: str, repository: str) -> str:
        """Make a repository whose images functions of the same region may run; returns its id."""

    def delete_repository(self, region: str, repository: str) -> None:
        """Delete a repository with all images in it."""

    def list_repositories(self, region: str, prefix: str) -> tuple[str, ...]:
        """Names of the repositories that start with `prefix`, sorted, through all pages."""

    def has_repository(self, region: str, repository: str) -> bool:
        """Whether there is a repository of exactly this name."""

    def push_target(self, region: str, repository: str) -> PushTarget:
        """Where to push to."""

    def find_image(self, region: str, repository: str, reference: str) -> ImageDescription | None:
        """An image by its tag or its digest; `None` if it, or the repository, is not there."""

    def check_image(self, region: str, repository: str, tag: str, architecture: Architecture) -> ImageDescription:
        """Make sure that functions can run a pushed image: one platform, the right one, within the size limit."""

    def copy_image(self, source_region: str, repository: str, digest: str, target_region: str, tag: str) -> int:
        """Copy an image, by digest, to the repository of the same name in another region; returns the bytes moved.

        Its digest there is the same, and is checked. What is there already is not moved again.
        """

    def delete_image(self, region: str, repository: str, tag: str) -> None:
        """Delete an image of that tag."""


# --- messages ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up after its retries."""

    id: str
    region: str
    function: str
    body: bytes
    error: str
    failed_at: float


class MessageService(Protocol):
    """A topic in front of each function: at-least-once delivery, in any order."""

    def create_topic(self, region: str, name: str) -> str:
        """Make a topic; returns its id."""

    def subscribe(self, region: str, topic: str, function: str) -> None:
        """Deliver the topic's messages to a function of the same region."""

    def delete_topic(self, region: str, name: str) -> None:
        """Delete a topic and its subscription."""

    def has_topic(self, region: str, name: str) -> bool:
        """Whether there is a topic of exactly this name."""

    def list_topics(self, region: str, prefix: str) -> tuple[str, ...]:
        """Names of topics that start with `prefix`, sorted."""

    def publish(self, region: str, topic: str, body: bytes) -> None:
        """Publish; returns when the message is durable."""

    def dead_letters(self, region: str, prefix: str) -> tuple[DeadLetter, ...]:
        """Messages given up, of functions whose name starts with `prefix`, oldest first."""

    def redrive(self, region: str, letter_id: str) -> None:
        """Put a dead letter back on its topic."""

    def discard(self, region: str, *letter_ids: str) -> int:
        """Delete dead letters for good; returns how many of them were there."""


# --- logs ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LogEvent:
    """One line of a function's log. `id` is unique in its log and orders lines of equal time.

    Attributes:
        stream: Which container wrote it, or what the platform said about that one; a container works on one invocation
            at a time. Empty where that is not known.
    """

    id: str
    timestamp: float
    message: str
    stream: str = ""


class LogService(Protocol):
    """The logs of functions."""

    def read_logs(self, region: str, function: str, start: float, end: float) -> Iterator[LogEvent]:
        """Lines with `start <= timestamp < end`, ordered by (timestamp, id), through all pages."""

    def delete_logs(self, region: str, function: str) -> None:
        """Delete a function's log."""

    def list_logs(self, region: str, prefix: str) -> tuple[str, ...]:
        """Names of functions that have a log and start with `prefix`, sorted."""


# --- identity ------------------------------------------------------------------------------------------------

TrustedService: TypeAlias = Literal["functions", "schedules"]
"""Who may use a role: functions that run under it, or schedules that invoke by it."""


class Identity(Protocol):
    """Accounts and roles. Roles have no region."""

    def account_id(self) -> str:
        """Who is calling; also the check that credentials work."""

    def create_role(self, name: str, policy: str, *, trusted: TrustedService = "functions") -> str:
        """Make or update a role with an inline policy (JSON); returns its id, usable at once."""

    def delete_role(self, name: str) -> None:
        """Delete a role."""

    def has_role(self, name: str) -> bool:
        """Whether there is a role of exactly this name."""

    def list_roles(self, prefix: str) -> tuple[str, ...]:
        """Names of roles that start with `prefix`, sorted."""


# --- schedules -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScheduleSpecification:
    """A schedule as it should be: a function of the same region, invoked again and again.

    What cannot be delivered after some retries is dead-lettered.

    Attributes:
        every_minutes: From one invocation to the next.
        window_minutes: Each invocation comes at some moment within this time after it is due, so that schedules with
            one period do not all fire at once; 0: when it is due.
        function: Name of the function.
        payload: What it is invoked with, JSON.
        role: Id of the role that may invoke it, as `Identity.create_role` returned it.
    """

    name: str
    every_minutes: int
    window_minutes: int
    function: str
    payload: str
    role: str


class ScheduleService(Protocol):
    """Schedules that invoke functions; a cloud without them raises `UnsupportedError` for each of these."""

    def put_schedule(self, region: str, specification: ScheduleSpecification) -> None:
        """Create or update a schedule."""

    def delete_schedule(self, region: str, name: str) -> None:
        """Delete a schedule; invocations that it has begun go on."""

    def list_schedules(self, region: str, prefix: str) -> tuple[ScheduleSpecification, ...]:
        """Schedules whose name starts with `prefix`, sorted by name."""


# --- prices and regions --------------------------------------------------------------------------------------

Product: TypeAlias = Literal[
    "lambda_compute_x86_64",
    "lambda_compute_arm64",
    "lambda_requests",
    "transfer_to_regions",
    "transfer_to_internet",
    "sns_publishes",
    "dynamodb_writes",
    "dynamodb_reads",
    "s3_storage",
    "s3_puts",
    "s3_gets",
    "ecr_storage",
    "logs_ingested",
]
"""What has a price in a region. `transfer_to_regions` has one for each region that data can leave for."""


@dataclass(frozen=True)
class PriceTier:
    """Price of each unit beyond an amount used in a month, in USD, as the list writes it."""

    from_units: Decimal
    usd: Decimal


@dataclass(frozen=True)
class ListPrice:
    """What a provider's price list says of one product.

    Attributes:
        unit: What a price is for, as the list names it, for example ``GB-Mo``.
        tiers: From 0 units on and in ascending order. An allowance that is free of charge is no tier.
        published_on: Day on which the list was published, for example ``2026-11-20``.
        effective_from: Day from which on the price holds.
    """

    unit: str
    tiers: tuple[PriceTier, ...]
    published_on: str
    effective_from: str


@dataclass(frozen=True)
class QuoteFailure:
    """A price that could not be had, and why; `to_region` if it is that of the transfer to one region."""

    product: Product
    error: SignalSourceError
    to_region: str | None = None


@dataclass(frozen=True)
class RegionQuotes:
    """The list prices of a region.

    Attributes:
        prices: By product, without `transfer_to_regions`.
        transfers: Prices of data that leaves for another region, by that region.
        failures: What is in neither, or not complete in it; each fails alone.
    """

    prices: Mapping[Product, ListPrice]
    transfers: Mapping[str, ListPrice]
    failures: tuple[QuoteFailure, ...]


class PriceList(Protocol):
    """A provider's list prices; a cloud without a list raises `UnsupportedError`."""

    def quote(self, regions: Sequence[str]) -> Mapping[str, RegionQuotes]:
        """Ask for the prices of all products in some regions.

        Raises:
            SignalSourceError: Nothing at all can be asked: the caller may not, or the list cannot be reached.
            UnsupportedError: This cloud has no price list.
        """


@dataclass(frozen=True)
class RegionDescription:
    """What a provider says of a region: its name for people, and the ISO 3166 code of its country."""

    code: str
    name: str
    country: str


class RegionDirectory(Protocol):
    """What a provider says of its regions; a cloud that has none of its own raises `UnsupportedError`."""

    def codes(self) -> tuple[str, ...]:
        """All regions that there are, whether the account has enabled them or not, sorted.

        Raises:
            SignalSourceError: They cannot be asked for.
            UnsupportedError: This cloud has no directory.
        """

    def describe(self, region: str) -> RegionDescription:
        """Describe a region.

        Raises:
            SignalSourceError: It cannot be asked for, or the directory knows no such region.
            UnsupportedError: This cloud has no directory.
        """


# --- health --------------------------------------------------------------------------------------------------

FindingStatus: TypeAlias = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: Name of the check.
        status: ``note`` is worth knowing but keeps nothing from working, ``problem`` is to be mended.
        message: What is the case, in one sentence without a full stop.
        remedy: Lines for a shell: the commands that mend it, and ``#`` before what no command does.
        regions: Where; none if it is about no region.
    """

    check: str
    status: FindingStatus
    message: str
    remedy: str = ""
    regions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """Something to look at: `look` reads, changes nothing, and may raise like any port."""

    name: str
    look: Callable[[], tuple[Finding, ...]]


class Health(Protocol):
    """What can be wrong with a cloud itself; nothing here changes anything."""

    def access(self) -> tuple[Finding, ...]:
        """Whether the cloud lets the caller in; with a problem, nothing else of it can be looked at."""

    def is_alone(self) -> bool:
        """Whether certainly no other command is at work on the cloud; most clouds cannot know."""

    def reach(self, region: str) -> Finding:
        """Whether a region is open to the caller and answers; with a problem, nothing in it can be looked at."""

    def checks(self) -> tuple[Check, ...]:
        """Checks that are about no region."""

    def region_checks(self, region: str, *, in_use: bool) -> tuple[Check, ...]:
        """Checks of a region; what is made with the first function must be there only where one is (`in_use`)."""

    def waiting_letters(self, region: str) -> int:
        """How many messages of the region were given up, counted without taking them from anybody."""


# --- execution -----------------------------------------------------------------------------------------------


class Host(Protocol):
    """What keeps messages moving while a command waits for runs."""

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no message is queued or being worked on; `False` on time-out."""

    def pending(self) -> int:
        """Messages queued or being worked on (a cloud that cannot know returns 0)."""


class Cloud(Protocol):
    """One cloud as a bundle of its ports."""

    @property
    def name(self) -> Literal["local", "aws"]:
        """Which cloud this is."""

    @property
    def system_region(self) -> str:
        """Region of the framework's own tables."""

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions that can be named; whether the account may use them, `usable_regions` tells."""

    def usable_regions(self) -> tuple[str, ...]:
        """Regions that the account may use now; asks the cloud."""

    def prepare_region(self, region: str) -> None:
        """Make what all workflows of a region share beside tables: its bucket and its queue of dead letters."""

    def clear_region(self, region: str) -> tuple[str, ...]:
        """The inverse of `prepare_region`, with all that is held there; returns what was deleted, in words."""

    def tagged_resources(self, region: str) -> tuple[str, ...]:
        """Everything in a region that carries the installation's tag, by its id (an ARN on AWS), sorted.

        The cloud may list what was just deleted for a while longer.
        """

    @property
    def installation(self) -> str:
        """Value of the tag on everything that is made, where there are tags."""

    @property
    def key_value(self) -> KeyValueStore:
        """Tables."""

    @property
    def objects(self) -> ObjectStore:
        """Objects."""

    @property
    def functions(self) -> FunctionService:
        """Functions."""

    @property
    def images(self) -> ImageRegistry:
        """Container images."""

    @property
    def messages(self) -> MessageService:
        """Topics."""

    @property
    def logs(self) -> LogService:
        """Logs of functions."""

    @property
    def identity(self) -> Identity:
        """Accounts and roles."""

    @property
    def schedules(self) -> ScheduleService:
        """Schedules."""

    @property
    def price_list(self) -> PriceList:
        """List prices."""

    @property
    def region_directory(self) -> RegionDirectory:
        """Names and places of regions."""

    @property
    def health(self) -> Health:
        """What is wrong with it."""

    def now(self) -> float:
        """The cloud's time."""

    def host(self) -> AbstractContextManager[Host]:
        """Keep messages moving inside the `with` block.

        AWS does so by itself; the embedded cloud lives only as long as the command that uses it, and delivers
        what is queued while a host is open. Messages left when it closes are durable and wait for the next one.
        """

    def close(self) -> None:
        """Release what the cloud holds (workers, database, lock)."""
