"""What runs functions: packages, workers and the data endpoint, started when first needed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path

from multi_x_serverless.cloud.local.endpoint import DataEndpoint
from multi_x_serverless.cloud.local.logs import LocalLogService
from multi_x_serverless.cloud.local.objects import LocalObjectStore
from multi_x_serverless.cloud.local.packages import PackageCache, link_runtime
from multi_x_serverless.cloud.local.pool import WorkerPool
from multi_x_serverless.cloud.local.process_groups import ProcessGroupReaper
from multi_x_serverless.cloud.local.settings import LocalSettings
from multi_x_serverless.cloud.local.state_directory import StateDirectory
from multi_x_serverless.cloud.local.worker import Worker, WorkerPlaces, WorkerStartError
from multi_x_serverless.cloud.ports import FunctionDescription, InvocationResult
from multi_x_serverless.errors import CloudError


class LocalRuntime:
    """Runs functions in worker processes; owns all that has to be ended when the cloud is closed."""

    def __init__(
        self,
        directory: StateDirectory,
        settings: LocalSettings,
        *,
        objects: LocalObjectStore,
        packages: PackageCache,
        logs: LocalLogService,
        endpoint: DataEndpoint,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._objects = objects
        self._packages = packages
        self._logs = logs
        self._clock = clock
        if settings.visible_packages == "runtime":
            link_runtime(directory.runtime)
        self.endpoint = endpoint
        self._reaper = ProcessGroupReaper()
        self._pool = WorkerPool(
            self._start_worker, maximum_workers=settings.maximum_workers, grace_s=settings.termination_grace_s
        )

    def run(
        self,
        function: FunctionDescription,
        request_id: str,
        payload: bytes,
        *,
        take_worker: Callable[[Worker], None] | None = None,
    ) -> InvocationResult:
        """Run a function once and wait for its answer. `take_worker` is shown the worker before it begins."""
        started = time.monotonic()
        try:
            with self._pool.lend(function) as worker:
                if take_worker is not None:
                    take_worker(worker)
                return worker.invoke(request_id, payload)
        except WorkerStartError as error:
            return InvocationResult(b"", str(error), time.monotonic() - started)

    def retire(self, region: str, function: str) -> None:
        """Run a function's present code no longer."""
        self._pool.retire(region, function)

    def kill_busy(self, reason: str) -> None:
        """Kill the workers that run an invocation."""
        self._pool.kill_busy(reason)

    def close(self) -> None:
        """End workers, reaper and endpoint."""
        self._pool.close()
        self._reaper.close()
        self.endpoint.close()

    def _start_worker(self, function: FunctionDescription) -> Worker:
        region, specification = function.region, function.specification
        try:
            task_root = self._packages.provide(
                specification.code_sha256, lambda: self._objects.get_object(region, specification.code_key)
            )
        except CloudError as error:
            raise WorkerStartError(f"Runtime.CodeError: {error}") from error
        token = self.endpoint.issue_token()
        try:
            worker = self._make_worker(function, task_root, token)
        except BaseException:
            self.endpoint.revoke_token(token)
            raise
        self.endpoint.assign_token(token, worker)
        try:
            worker.wait_until_ready(self._settings.initialisation_timeout_s)
        except BaseException:
            worker.close(self._settings.termination_grace_s)
            raise
        return worker

    def _make_worker(self, function: FunctionDescription, task_root: Path, token: str) -> Worker:
        region, name = function.region, function.specification.name
        stream = uuid.uuid4().hex
        return Worker(
            function,
            WorkerPlaces(
                task_root=task_root,
                runtime=self._directory.runtime if self._settings.visible_packages == "runtime" else None,
                scratch=self._directory.workers,
                environment={
                    "MULTI_X_SERVERLESS_LOCAL_ENDPOINT": self.endpoint.url,
                    "MULTI_X_SERVERLESS_LOCAL_TOKEN": token,
                },
            ),
            take_line=lambda timestamp, line: self._logs.append(region, name, timestamp, line, stream),
            watcher=self._reaper,
            on_close=lambda: self.endpoint.revoke_token(token),
            clock=self._clock,
        )
