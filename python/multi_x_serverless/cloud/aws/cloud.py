"""AWS: all ports over one account."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal

from multi_x_serverless.cloud.aws.dead_letters import DeadLetterQueues
from multi_x_serverless.cloud.aws.functions import AwsFunctionService
from multi_x_serverless.cloud.aws.health import AwsHealth
from multi_x_serverless.cloud.aws.identity import AwsIdentity
from multi_x_serverless.cloud.aws.images import AwsImageRegistry
from multi_x_serverless.cloud.aws.key_value import AwsKeyValueStore
from multi_x_serverless.cloud.aws.logs import AwsLogService
from multi_x_serverless.cloud.aws.messages import AwsMessageService
from multi_x_serverless.cloud.aws.names import DEAD_LETTER_QUEUE
from multi_x_serverless.cloud.aws.objects import AwsObjectStore
from multi_x_serverless.cloud.aws.prices import AwsPriceList
from multi_x_serverless.cloud.aws.region_directory import AwsRegionDirectory
from multi_x_serverless.cloud.aws.schedules import AwsScheduleService
from multi_x_serverless.cloud.aws.session import AwsSession
from multi_x_serverless.errors import UsageError


class AwsCloud:
    """See `multi_x_serverless.cloud.ports.Cloud`. Nothing is asked of AWS before a port is used.

    Args:
        regions: Regions that can be used.
        system_region: Region of the framework's own tables.
        installation: Value of the tag that everything carries.
        profile: Profile of the AWS configuration files; by default the environment's.
        clock: Seconds since the epoch.
        pause: Waits a number of seconds.
    """

    def __init__(
        self,
        *,
        regions: tuple[str, ...],
        system_region: str,
        installation: str = "default",
        profile: str | None = None,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        if system_region not in regions:
            raise UsageError(f"the system region '{system_region}' is none of {', '.join(regions)}.")
        self._session = AwsSession(regions, system_region, installation=installation, profile=profile, pause=pause)
        self._clock = clock
        self._lock = threading.Lock()
        self._usable: tuple[str, ...] | None = None
        letters = self._letters = DeadLetterQueues(self._session)
        self._key_value = AwsKeyValueStore(self._session, clock)
        self._objects = AwsObjectStore(self._session)
        self._logs = AwsLogService(self._session)
        self._images = AwsImageRegistry(self._session)
        self._functions = AwsFunctionService(self._session, self._objects, self._images, self._logs, letters)
        self._messages = AwsMessageService(self._session, letters)
        self._identity = AwsIdentity(self._session)
        self._schedules = AwsScheduleService(self._session, letters)
        self._price_list = AwsPriceList(self._session)
        self._region_directory = AwsRegionDirectory(self._session)
        self._health = AwsHealth(self._session, letters, clock)

    @property
    def name(self) -> Literal["aws"]:
        """Which cloud this is."""
        return "aws"

    @property
    def system_region(self) -> str:
        """Region of the framework's own tables."""
        return self._session.system_region

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions that can be named."""
        return self._session.regions

    def usable_regions(self) -> tuple[str, ...]:
        """Regions that the account has enabled, asked once."""
        with self._lock:
            if self._usable is None:
                with self._session.errors("usable_regions", None, "the account's regions"):
                    found = self._session.regions_service().describe_regions(AllRegions=False)["Regions"]
                enabled = {entry["RegionName"] for entry in found if entry["OptInStatus"] != "not-opted-in"}
                self._usable = tuple(region for region in self.regions if region in enabled)
            return self._usable

    def prepare_region(self, region: str) -> None:
        """Make a region's bucket and its queue of dead letters."""
        self._objects.provide_bucket(region)
        self._letters.provide(region)

    def clear_region(self, region: str) -> tuple[str, ...]:
        """Delete a region's bucket and queue with all they hold."""
        deleted = []
        if self._objects.delete_bucket(region):
            deleted.append(f"bucket {self._objects.bucket(region)}")
        if self._letters.remove(region):
            deleted.append(f"queue {DEAD_LETTER_QUEUE}")
        return tuple(deleted)

    def tagged_resources(self, region: str) -> tuple[str, ...]:
        """ARNs of everything in a region that carries the installation's tag, and of its roles in the system region."""
        filters: Any = [{"Key": key, "Values": [value]} for key, value in self._session.tags.items()]
        client = self._session.tagging(region)
        with self._session.errors("tagged_resources", region, "tagged resources"):
            pages = client.get_paginator("get_resources").paginate(TagFilters=filters)
            found = [entry["ResourceARN"] for page in pages for entry in page["ResourceTagMappingList"]]
        roles = self._identity.tagged_roles() if region == self.system_region else ()
        return tuple(sorted({*found, *roles}))

    @property
    def installation(self) -> str:
        """Value of the tag on everything that is made."""
        return self._session.installation

    @property
    def key_value(self) -> AwsKeyValueStore:
        """Tables."""
        return self._key_value

    @property
    def objects(self) -> AwsObjectStore:
        """Objects."""
        return self._objects

    @property
    def functions(self) -> AwsFunctionService:
        """Functions."""
        return self._functions

    @property
    def images(self) -> AwsImageRegistry:
        """Container images."""
        return self._images

    @property
    def messages(self) -> AwsMessageService:
        """Topics."""
        return self._messages

    @property
    def logs(self) -> AwsLogService:
        """Logs of functions."""
        return self._logs

    @property
    def identity(self) -> AwsIdentity:
        """Accounts and roles."""
        return self._identity

    @property
    def schedules(self) -> AwsScheduleService:
        """Schedules."""
        return self._schedules

    @property
    def price_list(self) -> AwsPriceList:
        """List prices."""
        return self._price_list

    @property
    def region_directory(self) -> AwsRegionDirectory:
        """Names and countries of regions."""
        return self._region_directory

    @property
    def health(self) -> AwsHealth:
        """What is wrong with the account and what was made in it."""
        return self._health

    def now(self) -> float:
        """The time of this machine, which AWS takes for its own (it refuses requests that are minutes off)."""
        return self._clock()

    @contextmanager
    def host(self) -> Iterator[AwsHost]:
        """Nothing to keep moving: AWS delivers by itself."""
        yield AwsHost()

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def __enter__(self) -> AwsCloud:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AwsHost:
    """See `multi_x_serverless.cloud.ports.Host`: AWS does not tell what is under way."""

    def wait_until_idle(self, timeout_s: float) -> bool:  # noqa: ARG002  # the port's signature
        """Returns at once; whoever waits for runs looks at their logs."""
        return True

    def pending(self) -> int:
        """Not known."""
        return 0
