"""Functions (the function port): their specifications here, their execution in `runtime`."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Protocol

from multi_x_serverless.cloud.function_limits import find_problem, require_event, require_payload
from multi_x_serverless.cloud.local.database import Database
from multi_x_serverless.cloud.local.identity import LocalIdentity, resource_name
from multi_x_serverless.cloud.local.images import LocalImageRegistry
from multi_x_serverless.cloud.local.messages import LocalMessageService
from multi_x_serverless.cloud.local.objects import LocalObjectStore
from multi_x_serverless.cloud.local.packages import PackageCache
from multi_x_serverless.cloud.local.regions import Regions
from multi_x_serverless.cloud.ports import FunctionDescription, FunctionSpecification, InvocationResult
from multi_x_serverless.errors import CloudError, ResourceNotFoundError


class Runner(Protocol):
    """What runs functions."""

    def run(self, function: FunctionDescription, request_id: str, payload: bytes) -> InvocationResult:
        """Run a function once and wait for its answer."""

    def retire(self, region: str, function: str) -> None:
        """Run a function's present code no longer."""


class LocalFunctionService:
    """See `multi_x_serverless.cloud.ports.FunctionService`."""

    def __init__(
        self,
        database: Database,
        regions: Regions,
        objects: LocalObjectStore,
        identity: LocalIdentity,
        packages: PackageCache,
        *,
        runner: Callable[[], Runner],
        running: Callable[[], Runner | None],
        new_request_id: Callable[[], str],
        messages: LocalMessageService,
    ) -> None:
        self._database = database
        self._regions = regions
        self._objects = objects
        self._identity = identity
        self._packages = packages
        self._runner = runner
        self._running = running
        self._new_request_id = new_request_id
        self._messages = messages

    def put_function(self, region: str, specification: FunctionSpecification) -> FunctionDescription:
        """Create or update a function; its package is unzipped before it is one."""
        self._regions.require(region, "put_function")
        if specification.package_format == "image":
            LocalImageRegistry().require_available()
        problem = find_problem(specification)
        if problem is not None:
            raise CloudError(
                f"the function '{specification.name}' cannot be made: {problem}.",
                operation="put_function",
                region=region,
            )
        if not self._identity.knows(specification.role):
            raise ResourceNotFoundError(
                f"the function '{specification.name}' cannot be made: there is no role '{specification.role}'.",
                operation="put_function",
                region=region,
            )
        if specification.code_key not in self._objects.list_objects(region, specification.code_key):
            raise ResourceNotFoundError(
                f"the function '{specification.name}' cannot be made: there is no code '{specification.code_key}'.",
                operation="put_function",
                region=region,
            )
        self._packages.provide(
            specification.code_sha256, lambda: self._objects.get_object(region, specification.code_key)
        )
        text = json.dumps(asdict(specification), sort_keys=True)
        with self._database.transaction("put_function") as connection:
            row = connection.execute(
                "SELECT specification FROM function WHERE region = ? AND name = ?",
                (region, specification.name),
            ).fetchone()
            connection.execute(
                "INSERT OR REPLACE INTO function (region, name, specification) VALUES (?, ?, ?)",
                (region, specification.name, text),
            )
        if row is not None and row[0] != text:
            self._retire(region, specification.name)
        return _describe(region, text)

    def get_function(self, region: str, name: str) -> FunctionDescription | None:
        """Describe a function."""
        self._regions.require(region, "get_function")
        return self.find(region, name)

    def find(self, region: str, name: str) -> FunctionDescription | None:
        """Describe a function, whether or not its region is out."""
        row = self._database.row("SELECT specification FROM function WHERE region = ? AND name = ?", (region, name))
        return None if row is None else _describe(region, row[0])

    def list_functions(self, region: str, prefix: str) -> tuple[FunctionDescription, ...]:
        """Functions whose name starts with `prefix`, sorted by name."""
        self._regions.require(region, "list_functions")
        rows = self._database.rows(
            "SELECT specification FROM function WHERE region = ? AND substr(name, 1, length(?)) = ? ORDER BY name",
            (region, prefix, prefix),
        )
        return tuple(_describe(region, row[0]) for row in rows)

    def delete_function(self, region: str, name: str) -> None:
        """Delete a function; invocations under way end first, and what is queued for it becomes dead letters.

        A queue stands still between two commands: what stayed in it would run in a later function of this name, and
        what was deleted would be a run that nobody hears of again.
        """
        self._regions.require(region, "delete_function")
        with self._database.transaction("delete_function") as connection:
            connection.execute("DELETE FROM function WHERE region = ? AND name = ?", (region, name))
            given_up = self._messages.give_up_all(connection, region, name)
        self._messages.announce_given_up(given_up)
        self._retire(region, name)

    def invoke(self, region: str, name: str, payload: bytes, *, timeout_s: float) -> InvocationResult:
        """Invoke synchronously and return the answer; it goes on when nobody waits any longer."""
        function = self.get_function(region, name)
        if function is None:
            raise ResourceNotFoundError(
                f"there is no function '{name}' in {region}.", operation="invoke", region=region
            )
        require_payload(payload, region)
        call = _Call(self._runner(), function, self._new_request_id(), payload)
        result = call.wait(timeout_s)
        if result is None:
            raise CloudError(
                f"the function '{name}' in {region} gave no answer within {timeout_s:g} s.",
                operation="invoke",
                region=region,
                retryable=True,
            )
        return result

    def invoke_async(self, region: str, name: str, payload: bytes) -> None:
        """Queue an invocation; it is delivered while a host is open, like a message."""
        if self.get_function(region, name) is None:
            raise ResourceNotFoundError(
                f"there is no function '{name}' in {region}.", operation="invoke_async", region=region
            )
        require_event(payload, region)
        self._messages.enqueue(region, name, payload)

    def used_packages(self) -> frozenset[str]:
        """Hashes of the packages that functions use."""
        return frozenset(
            _describe("", row[0]).specification.code_sha256
            for row in self._database.rows("SELECT specification FROM function")
        )

    def _retire(self, region: str, name: str) -> None:
        running = self._running()
        if running is not None:
            running.retire(region, name)


class _Call:
    """One invocation in a thread of its own, so that its caller can stop waiting."""

    def __init__(self, runner: Runner, function: FunctionDescription, request_id: str, payload: bytes) -> None:
        self._arguments = (function, request_id, payload)
        self._runner = runner
        self._result: InvocationResult | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"invoke-{request_id}", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> InvocationResult | None:
        """The result, or `None` if it is not there in time."""
        self._thread.join(timeout_s)
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._runner.run(*self._arguments)
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that waits
            self._error = error


def _describe(region: str, text: str) -> FunctionDescription:
    specification = FunctionSpecification(**json.loads(text))
    return FunctionDescription(resource_name("lambda", region, f"function:{specification.name}"), region, specification)
