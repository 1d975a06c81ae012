"""One worker: a process that runs AWS's runtime client with a function's code, one invocation at a time."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from multi_x_serverless.cloud.local.output import OutputReader
from multi_x_serverless.cloud.local.runtime_api import Invocation, RuntimeApi
from multi_x_serverless.cloud.ports import FunctionDescription, InvocationResult

MAXIMUM_ANSWER_BYTES = 6_291_556
"""Largest answer of a synchronous invocation (AWS Lambda quotas)."""

_MEBIBYTE = 1024 * 1024
_ADDRESS_SPACE_HEADROOM_BYTES = 4 * 1024 * _MEBIBYTE
_LOOK_INTERVAL_S = 0.05  # between looks at the memory of a busy worker
_DRAIN_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class WorkerPlaces:
    """What a worker is made from besides its function.

    Attributes:
        task_root: The unzipped package.
        runtime: Directory with what Lambda's runtime holds, or `None` for all packages of this interpreter.
        scratch: Directory for homes of workers.
        environment: Variables that point to the embedded cloud's data endpoint.
    """

    task_root: Path
    runtime: Path | None
    scratch: Path
    environment: Mapping[str, str]


class ProcessGroupWatcher(Protocol):
    """Somebody who ends process groups that would outlive the host."""

    def add(self, group: int) -> None:
        """Watch a group."""

    def remove(self, group: int) -> None:
        """Watch it no longer."""


class WorkerStartError(Exception):
    """The process did not get as far as asking for work; the text says why, as Lambda would."""


class Worker:
    """A process and the conversation with it. `invoke` is for one thread at a time, `kill` for any."""

    def __init__(
        self,
        function: FunctionDescription,
        places: WorkerPlaces,
        *,
        take_line: Callable[[float, str], None],
        watcher: ProcessGroupWatcher,
        on_close: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.function = function
        self.id = uuid.uuid4().hex
        self.is_usable = True
        self.may_be_crashed = False
        self._clock = clock
        self._take_line = take_line
        self._watcher = watcher
        self._on_close = on_close
        self._home = places.scratch / self.id
        self._home.mkdir(parents=True)
        self._killed_because: str | None = None
        self._request_id: str | None = None  # of the invocation under way
        self._lock = threading.Lock()
        self._closed = False
        self._init_s: float | None = None  # of the start, until an invocation has told it
        self._spawned = time.monotonic()
        self._api = RuntimeApi()
        self._output = OutputReader(lambda line: take_line(clock(), line))
        try:
            self._process = self._spawn(places)
        except OSError as error:
            self._release()
            raise WorkerStartError(f"Runtime.StartError: the process could not be started: {error}") from error

    def wait_until_ready(self, timeout_s: float) -> None:
        """Wait until the handler is loaded.

        Raises:
            WorkerStartError: It could not be loaded, or not in time.
        """
        deadline = time.monotonic() + timeout_s
        while not self._api.is_ready:
            if self._api.initialisation_error is not None:
                problem = self._api.initialisation_error
            elif self._process.poll() is not None:
                problem = f"Runtime.ExitError: {self._describe_exit()} during initialisation"
            elif time.monotonic() >= deadline:
                problem = f"Sandbox.Timedout: initialisation took longer than {timeout_s:.2f} seconds"
            else:
                self._api.wait_until(self._has_started_or_failed, _LOOK_INTERVAL_S)
                continue
            self.is_usable = False
            self._output.drain(_DRAIN_TIMEOUT_S)
            raise WorkerStartError(problem)
        self._init_s = time.monotonic() - self._spawned

    def invoke(self, request_id: str, payload: bytes) -> InvocationResult:
        """Run the handler once, within the function's limits of time and memory."""
        with self._lock:
            self._request_id = request_id
        init_s, self._init_s = self._init_s or 0.0, None
        try:
            return replace(self._converse(request_id, payload), init_s=init_s)
        finally:
            with self._lock:
                self._request_id = None
                self.may_be_crashed = False

    def _converse(self, request_id: str, payload: bytes) -> InvocationResult:
        specification = self.function.specification
        started = time.monotonic()
        deadline = started + specification.timeout_s
        invocation = Invocation(request_id, payload, self._clock() + specification.timeout_s, self.function.id)
        self._api.offer(invocation)
        error: str | None = None
        while (answer := self._api.take_answer()) is None and error is None:
            now = time.monotonic()
            if now >= deadline:
                error = self._fail(
                    request_id, f"Task timed out after {specification.timeout_s:.2f} seconds", "Timedout"
                )
            elif self._process.poll() is not None:
                error = self._fail(request_id, self._describe_exit(), "ExitError")
            elif (used := _resident_bytes(self._process.pid)) > specification.memory_mb * _MEBIBYTE:
                text = f"Memory {used // _MEBIBYTE} MB used of {specification.memory_mb} MB: the worker was killed"
                error = self._fail(request_id, text, "OutOfMemory")
            else:
                self._api.wait_until(self._has_answered, min(_LOOK_INTERVAL_S, deadline - now))
        duration_s = time.monotonic() - started
        self._output.drain(_DRAIN_TIMEOUT_S)
        if answer is None:
            return InvocationResult(b"", error, duration_s)
        if len(answer.payload) > MAXIMUM_ANSWER_BYTES:
            return InvocationResult(
                b"",
                f"Function.ResponseSizeTooLarge: the answer has {len(answer.payload):,} bytes and may have "
                f"{MAXIMUM_ANSWER_BYTES:,}",
                duration_s,
            )
        return InvocationResult(answer.payload, answer.error, duration_s)

    def is_alive(self) -> bool:
        """Whether the process runs and may be used again."""
        return self.is_usable and self._process.poll() is None

    def kill(self, reason: str, *, request_id: str | None = None) -> None:
        """End the process and its children at once; an invocation under way fails with this reason.

        With a `request_id` only if that invocation is still under way.
        """
        with self._lock:
            if self._closed or (request_id is not None and request_id != self._request_id):
                return
            self.is_usable = False
            self._killed_because = reason
            self._signal(signal.SIGKILL)

    def close(self, grace_s: float) -> None:
        """End the process (kindly, then not) and release all that belongs to it. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self.is_usable = False
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        self._signal(signal.SIGKILL)  # also what the function has started and left
        self._process.wait()
        self._watcher.remove(self._process.pid)
        self._release()
        self._on_close()

    def _release(self) -> None:
        self._api.close()
        self._output.close()
        shutil.rmtree(self._home, ignore_errors=True)

    def _spawn(self, places: WorkerPlaces) -> subprocess.Popen[bytes]:
        flags = [] if places.runtime is None else ["-S"]
        process = subprocess.Popen(
            [sys.executable, *flags, "-m", "awslambdaric", self.function.specification.handler],
            stdin=subprocess.DEVNULL,
            stdout=self._output.write_end,
            stderr=self._output.write_end,
            cwd=places.task_root,
            env=self._environment(places),
            start_new_session=True,
        )
        self._watcher.add(process.pid)
        _limit_address_space(process.pid, self.function.specification.memory_mb)
        return process

    def _environment(self, places: WorkerPlaces) -> dict[str, str]:
        """The variables that Lambda sets, and nothing of the user's environment."""
        specification = self.function.specification
        region = self.function.region
        packages = [places.task_root, *([places.runtime] if places.runtime else [])]
        date = time.strftime("%Y/%m/%d", time.gmtime(self._clock()))
        return {
            **specification.environment,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self._home),
            "TMPDIR": str(self._home),
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": os.pathsep.join(map(str, packages)),
            "PYTHONNOUSERSITE": "1",
            "LAMBDA_TASK_ROOT": str(places.task_root),
            "LAMBDA_RUNTIME_DIR": str(places.runtime or places.task_root),
            "_HANDLER": specification.handler,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{specification.runtime}",
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_LAMBDA_FUNCTION_NAME": specification.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(specification.memory_mb),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{specification.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{date}/[$LATEST]{self.id}",
            "MULTI_X_SERVERLESS_CLOUD": "local",
            **places.environment,
        }

    def _fail(self, request_id: str, text: str, kind: str) -> str:
        """Kill the process and say so in the log, as Lambda does."""
        self.is_usable = False
        self._signal(signal.SIGKILL)
        # Its last words come first: they may still lie in the pipe.
        self._output.drain(_DRAIN_TIMEOUT_S)
        self._take_line(self._clock(), f"{request_id} {text}")
        return f"Sandbox.{kind}: RequestId: {request_id} Error: {text}"

    def _describe_exit(self) -> str:
        if self._killed_because is not None:
            return self._killed_because
        code = self._process.returncode
        how = f"exit status {code}" if code >= 0 else f"signal: {signal.Signals(-code).name}"
        return f"Runtime exited with error: {how}"

    def _has_started_or_failed(self) -> bool:
        return self._api.is_ready or self._api.initialisation_error is not None or self._process.poll() is not None

    def _has_answered(self) -> bool:
        return self._api.take_answer() is not None or self._process.poll() is not None

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def _limit_address_space(process_id: int, memory_mb: int) -> None:
    """Stop a runaway allocation between two looks at the resident memory.

    Libraries reserve far more addresses than they use (a thread's arena 64 MiB), so this is a backstop well above the
    limit that counts. Linux only: elsewhere one process cannot limit another, and macOS does not honour this limit.
    """
    if sys.platform == "linux":
        limit = memory_mb * _MEBIBYTE + _ADDRESS_SPACE_HEADROOM_BYTES
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(process_id, resource.RLIMIT_AS, (limit, limit))


def _resident_bytes(process_id: int) -> int:
    """Resident memory of a process; 0 where it cannot be known (gone, or no /proc)."""
    try:
        pages = int(Path(f"/proc/{process_id}/statm").read_bytes().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * resource.getpagesize()
