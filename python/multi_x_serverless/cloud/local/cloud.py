"""The embedded cloud: all ports over one directory and one machine."""

from __future__ import annotations

import math
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Literal

from multi_x_serverless.cloud.local.data_operations import DataOperations
from multi_x_serverless.cloud.local.database import Database, open_database, open_database_for_reading
from multi_x_serverless.cloud.local.dispatcher import Dispatcher
from multi_x_serverless.cloud.local.endpoint import DataEndpoint
from multi_x_serverless.cloud.local.faults import FaultInjector, FaultPlan, read_fault_plan
from multi_x_serverless.cloud.local.functions import LocalFunctionService
from multi_x_serverless.cloud.local.health import LocalHealth
from multi_x_serverless.cloud.local.identity import LocalIdentity, role_id
from multi_x_serverless.cloud.local.images import LocalImageRegistry
from multi_x_serverless.cloud.local.key_value import LocalKeyValueStore
from multi_x_serverless.cloud.local.logs import LocalLogService
from multi_x_serverless.cloud.local.messages import LocalMessageService, topic_id
from multi_x_serverless.cloud.local.objects import LocalObjectStore
from multi_x_serverless.cloud.local.packages import PackageCache
from multi_x_serverless.cloud.local.prices import LocalPriceList, LocalRegionDirectory
from multi_x_serverless.cloud.local.regions import Regions
from multi_x_serverless.cloud.local.runtime import LocalRuntime
from multi_x_serverless.cloud.local.schedules import LocalScheduleService
from multi_x_serverless.cloud.local.settings import LocalSettings
from multi_x_serverless.cloud.local.state_directory import StateDirectory
from multi_x_serverless.errors import CloudError, UsageError


class LocalCloud:
    """See `multi_x_serverless.cloud.ports.Cloud`.

    Args:
        state_dir: The directory that holds the cloud; made if needed.
        regions: Regions that there are; by default all of the embedded data.
        system_region: Region of the framework's own tables.
        time_scale: Factor on all simulated waits (round trips between regions, back-off of retries); 0 waits for none.
        round_trip_seconds: Seconds of a round trip between two regions; by default from the embedded data.
        fault_plan: What goes wrong on purpose; by default what ``faults.yml`` in the state directory says, or nothing.
        settings: Sizes and times; see there.
        exclusive: As the owner of the directory, or else beside one, for reading only.
        clock: The cloud's time, in seconds since the epoch.

    Raises:
        StateDirectoryBusyError: Somebody else owns the directory.
        CorruptedStateError: The database is damaged or of another program.
        NewerSchemaError: A newer version of the product wrote the database.
        InvalidConfigurationError: ``faults.yml`` is no fault plan.
        UsageError: `time_scale` is no factor.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        regions: tuple[str, ...] | None = None,
        system_region: str = "us-east-1",
        time_scale: float = 1.0,
        round_trip_seconds: Callable[[str, str], float] | None = None,
        fault_plan: FaultPlan | None = None,
        settings: LocalSettings | None = None,
        exclusive: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not (math.isfinite(time_scale) and time_scale >= 0):
            raise UsageError(f"a time_scale of {time_scale:g}: expected a finite number, 0 or more.")
        self._directory = StateDirectory(state_dir)
        self._settings = settings or LocalSettings()
        self._time_scale = time_scale
        self._clock = clock
        plan = read_fault_plan(self._directory.fault_plan) if fault_plan is None else fault_plan
        self.faults = FaultInjector(plan)
        self._regions = Regions(
            _embedded_regions() if regions is None else regions,
            round_trip_seconds=round_trip_seconds or _embedded_round_trip_seconds,
            time_scale=time_scale,
            faults=self.faults,
        )
        self._regions.require_known(system_region)
        self._system_region = system_region
        self._exclusive = exclusive
        self._lock = Lock()
        self._runtime: LocalRuntime | None = None
        self._dispatcher: Dispatcher | None = None
        self._closed = False
        self._database = self._open()
        self._packages = PackageCache(self._directory.packages)
        self._key_value = LocalKeyValueStore(self._database, self._regions, clock)
        self._objects = LocalObjectStore(self._database, self._regions, self._directory.objects, clock)
        self._identity = LocalIdentity(self._database)
        self._images = LocalImageRegistry()
        self._logs = LocalLogService(self._database, self._regions)
        self._messages = LocalMessageService(
            self._database,
            self._regions,
            self.faults,
            has_function=lambda region, name: self._functions.find(region, name) is not None,
            clock=clock,
        )
        self._functions = LocalFunctionService(
            self._database,
            self._regions,
            self._objects,
            self._identity,
            self._packages,
            runner=self._started_runtime,
            running=lambda: self._runtime,
            new_request_id=lambda: str(uuid.uuid4()),
            messages=self._messages,
        )
        if exclusive:
            try:
                self._sweep()
            except BaseException:
                self.close()
                raise

    @property
    def name(self) -> Literal["local", "aws"]:
        """Which cloud this is."""
        return "local"

    @property
    def system_region(self) -> str:
        """Region of the framework's own tables."""
        return self._system_region

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions that can be used."""
        return self._regions.codes

    def usable_regions(self) -> tuple[str, ...]:
        """All of them."""
        return self._regions.codes

    def prepare_region(self, region: str) -> None:
        """Nothing has to be made: objects and dead letters lie in the one database."""
        self._regions.require(region, "prepare_region")

    def clear_region(self, region: str) -> tuple[str, ...]:
        """Delete a region's objects, and the messages that are queued there or were given up."""
        keys = self._objects.list_objects(region, "")
        for key in keys:
            self._objects.delete_object(region, key)
        counts = {"objects": len(keys), "messages": self._messages.clear(region)}
        return tuple(f"{count} {what}" for what, count in counts.items() if count)

    def tagged_resources(self, region: str) -> tuple[str, ...]:
        """All functions and topics of a region, and in the system region all roles: nothing here is anybody else's."""
        functions = (description.id for description in self._functions.list_functions(region, ""))
        topics = (topic_id(region, name) for name in self._messages.list_topics(region, ""))
        roles = self._identity.list_roles("") if region == self._system_region else ()
        return tuple(sorted({*functions, *topics, *(role_id(name) for name in roles)}))

    @property
    def installation(self) -> str:
        """The directory is the installation; nothing in it has a tag."""
        return "default"

    @property
    def key_value(self) -> LocalKeyValueStore:
        """Tables."""
        return self._key_value

    @property
    def objects(self) -> LocalObjectStore:
        """Objects."""
        return self._objects

    @property
    def functions(self) -> LocalFunctionService:
        """Functions."""
        return self._functions

    @property
    def images(self) -> LocalImageRegistry:
        """Container images, which are refused."""
        return self._images

    @property
    def messages(self) -> LocalMessageService:
        """Topics and dead letters."""
        return self._messages

    @property
    def logs(self) -> LocalLogService:
        """Logs of functions."""
        return self._logs

    @property
    def identity(self) -> LocalIdentity:
        """Account and roles."""
        return self._identity

    @property
    def schedules(self) -> LocalScheduleService:
        """Schedules, of which there are none here."""
        return LocalScheduleService()

    @property
    def price_list(self) -> LocalPriceList:
        """List prices, of which there are none here."""
        return LocalPriceList()

    @property
    def region_directory(self) -> LocalRegionDirectory:
        """What a provider says of its regions: nothing, there is no provider."""
        return LocalRegionDirectory()

    @property
    def health(self) -> LocalHealth:
        """What is wrong with it."""
        return LocalHealth(self._directory, self._database, self._regions, self.faults.plan)

    def now(self) -> float:
        """The cloud's time."""
        return self._clock()

    def data_endpoint(self) -> DataEndpoint:
        """The endpoint that running functions use; starts it if need be."""
        return self._started_runtime().endpoint

    @contextmanager
    def host(self) -> Iterator[Dispatcher]:
        """Deliver what is queued inside the `with` block; one at a time.

        What is left when the block ends is durable and waits for the next host.
        """
        runtime = self._started_runtime()
        dispatcher = Dispatcher(
            self._database,
            self._messages,
            self._functions,
            self._logs,
            runtime,
            self.faults,
            self._settings,
            time_scale=self._time_scale,
            clock=self._clock,
        )
        with self._lock:
            if self._dispatcher is not None:
                raise CloudError("this embedded cloud has a host already.", operation="host")
            self._dispatcher = dispatcher
        try:
            dispatcher.open()
            yield dispatcher
        finally:
            dispatcher.close()
            self._logs.flush()
            with self._lock:
                self._dispatcher = None

    def close(self) -> None:
        """End workers and threads, write everything to the disk, give the directory free. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            runtime = self._runtime
        try:
            if runtime is not None:
                runtime.close()
            if self._exclusive:
                self._logs.close()
        finally:
            self._database.close()
            self._directory.release()

    def __enter__(self) -> LocalCloud:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> Database:
        if not self._exclusive:
            return open_database_for_reading(self._directory.database)
        self._directory.acquire()
        try:
            return open_database(self._directory.database, synchronous=self._settings.synchronous)
        except BaseException:
            self._directory.release()
            raise

    def _sweep(self) -> None:
        """Delete what is used no more, and what a process left that was killed."""
        self._key_value.sweep_expired()
        self._objects.sweep_expired()
        self._objects.sweep()
        self._packages.sweep(self._functions.used_packages())
        shutil.rmtree(self._directory.workers, ignore_errors=True)

    def _started_runtime(self) -> LocalRuntime:
        with self._lock:
            if self._closed:
                raise CloudError("the embedded cloud is closed.", operation="invoke")
            if not self._exclusive:
                raise CloudError(
                    "this embedded cloud was opened for reading only and runs nothing: "
                    "open it as the owner of its state directory.",
                    operation="invoke",
                )
            if self._runtime is None:
                endpoint = DataEndpoint(
                    DataOperations(self._key_value, self._objects, self._messages),
                    self._regions,
                    self.faults,
                    on_waiting_changed=self._wake_dispatcher,
                )
                self._runtime = LocalRuntime(
                    self._directory,
                    self._settings,
                    objects=self._objects,
                    packages=self._packages,
                    logs=self._logs,
                    endpoint=endpoint,
                    clock=self._clock,
                )
            return self._runtime

    def _wake_dispatcher(self) -> None:
        dispatcher = self._dispatcher
        if dispatcher is not None:
            dispatcher.wake()


def _embedded_regions() -> tuple[str, ...]:
    from multi_x_serverless import data  # noqa: PLC0415  # not loaded by those who bring their own regions

    return tuple(data.regions())


def _embedded_round_trip_seconds(region: str, other_region: str) -> float:
    from multi_x_serverless import data  # noqa: PLC0415  # not loaded by those who bring their own matrix

    return data.round_trip_seconds(region, other_region).value
