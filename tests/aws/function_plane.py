"""The half of Lambda that moto leaves out: the deployed zip runs, topics reach functions, failures are dead-lettered.

Functions run as on the embedded cloud, in processes of AWS's runtime client that see nothing but their package and what
Lambda's runtime holds; here they reach moto over loopback (`AWS_ENDPOINT_URL`). A message reaches a function only if
the function's own policy lets its topic invoke it, and a function does what its role allows (`policies`) and nothing if
the role is gone: what AWS would refuse at run time does not happen here either.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.utils import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.sns.models import Subscription
from moto.sqs.models import sqs_backends

from multi_x_serverless.cloud.local.packages import PackageCache, link_runtime
from multi_x_serverless.cloud.local.pool import WorkerPool
from multi_x_serverless.cloud.local.process_groups import ProcessGroupReaper
from multi_x_serverless.cloud.local.worker import Worker, WorkerPlaces, WorkerStartError
from multi_x_serverless.cloud.ports import FunctionDescription, FunctionSpecification, InvocationResult
from tests.aws.policies import access_key_of

RETRY_DELAY_S = 0.02
"""Lambda waits a minute; what is retried does not depend on it."""

_TAIL_BYTES = 4096  # of the log, in the answer of an invocation (Lambda API, Invoke)
_MAXIMUM_WORKERS = 12
_CONCURRENCY = 4
_START_TIMEOUT_S = 60.0
_GRACE_S = 2.0


class FunctionPlane:
    """Runs the functions of moto's Lambda while it is `installed`."""

    def __init__(self, directory: Path) -> None:
        self.endpoint = ""
        self._directory = directory
        self._runtime = directory / "runtime"
        link_runtime(self._runtime)
        (directory / "workers").mkdir(parents=True, exist_ok=True)
        self._packages = PackageCache(directory / "packages")
        self._reaper = ProcessGroupReaper()
        self._pool = WorkerPool(self._start_worker, maximum_workers=_MAXIMUM_WORKERS, grace_s=_GRACE_S)
        self._executor = ThreadPoolExecutor(_CONCURRENCY, thread_name_prefix="deliveries")
        self._changed = threading.Condition()
        self._under_way = 0
        self._logging = threading.Lock()
        self._streams: dict[str, str] = {}  # worker id -> log stream
        self.answer: Callable[[LambdaFunction, bytes], bytes] | None = None
        """Answers in the place of all functions, for tests of what is around them."""
        self.broken: dict[tuple[str, str], str] = {}
        """(region, function) -> the error that its invocations end with, for tests that want one to fail."""

    @contextmanager
    def installed(self) -> Iterator[None]:
        """In the place of moto's own execution, which needs Docker."""
        plane = self

        def invoke(
            backend: LambdaBackend, name: str, qualifier: str | None, body: Any, headers: Any, answered: dict[str, str]
        ) -> bytes:
            function: LambdaFunction = backend.get_function(name, qualifier)
            payload = body if isinstance(body, bytes) else str(body or "{}").encode()
            kind = headers.get("X-Amz-Invocation-Type", "RequestResponse")
            if kind == "Event":
                plane._deliver(function, payload)
                return b""
            if kind == "DryRun":
                return b""
            if plane.answer is not None:
                return plane.answer(function, payload)
            result, tail = plane._run(function, payload)
            answered["X-Amz-Log-Result"] = base64.b64encode(tail[-_TAIL_BYTES:]).decode()
            if result.error is not None:
                answered["X-Amz-Function-Error"] = "Unhandled"
                return _error_document(result)
            return result.payload

        def publish(subscription: Subscription, message: str, message_id: str, *rest: Any, **named: Any) -> None:
            if subscription.protocol != "lambda":
                return unpatched_publish(subscription, message, message_id, *rest, **named)
            return plane._notify(subscription, message, message_id)

        unpatched_publish = Subscription.publish
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LambdaBackend, "invoke", invoke)
            patch.setattr(Subscription, "publish", publish)
            yield

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until nothing is being delivered."""
        with self._changed:
            return self._changed.wait_for(lambda: self._under_way == 0, timeout_s)

    def pending(self) -> int:
        """Messages that are being delivered."""
        with self._changed:
            return self._under_way

    def forget(self) -> None:
        """End all idle containers, so that the next invocation finds one that remembers nothing."""
        with self._pool._changed:
            idle = {(worker.function.region, worker.function.specification.name) for worker in self._pool._idle}
        for region, name in idle:
            self._pool.retire(region, name)

    def close(self) -> None:
        """End all workers."""
        self.wait_until_idle(30.0)
        self._executor.shutdown(cancel_futures=True)
        self._pool.close()
        self._reaper.close()

    def _notify(self, subscription: Subscription, message: str, message_id: str) -> None:
        topic = subscription.topic
        region, name = subscription.endpoint.split(":")[3], subscription.endpoint.split(":")[6]
        backend = _lambda_backend(region)
        try:
            function = backend.get_function(name)
        except UnknownFunctionException:  # SNS drops what it cannot deliver
            return
        if not _may_invoke(function, topic.arn):
            return
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        event = {
            "Records": [
                {
                    "EventSource": "aws:sns",
                    "EventVersion": "1.0",
                    "EventSubscriptionArn": subscription.arn,
                    "Sns": {
                        "Type": "Notification",
                        "MessageId": message_id,
                        "TopicArn": topic.arn,
                        "Subject": None,
                        "Message": message,
                        "Timestamp": now,
                        "SignatureVersion": "1",
                        "Signature": "",
                        "SigningCertUrl": "",
                        "UnsubscribeUrl": "",
                        "MessageAttributes": {},
                    },
                }
            ]
        }
        self._deliver(function, json.dumps(event).encode())

    def _deliver(self, function: LambdaFunction, payload: bytes) -> None:
        with self._changed:
            self._under_way += 1
        self._executor.submit(self._attempt_all, function, payload)

    def _attempt_all(self, function: LambdaFunction, payload: bytes) -> None:
        try:
            region, name = function.region, function.function_name
            configured = function.event_invoke_config[-1].config if function.event_invoke_config else {}
            attempts = 1 + int(configured.get("MaximumRetryAttempts", 2))
            result = InvocationResult(b"", "it was deleted", 0.0)
            for attempt in range(attempts):
                if attempt:
                    time.sleep(RETRY_DELAY_S)
                try:
                    present = _lambda_backend(region).get_function(name)
                except UnknownFunctionException:
                    break
                result, _ = self._run(present, payload)
                if result.error is None:
                    return
            destination = configured.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
            if destination is not None:
                _give_up(function, destination, payload, result, attempts)
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _run(self, function: LambdaFunction, payload: bytes) -> tuple[InvocationResult, bytes]:
        """Run a function once; returns its answer and what it logged."""
        request_id = str(uuid.uuid4())
        region, name = function.region, function.function_name
        if (region, name) in self.broken:
            return InvocationResult(b"", self.broken[region, name], 0.0), b""
        if all(role.arn != function.role for role in iam_backends[DEFAULT_ACCOUNT_ID]["aws"].roles.values()):
            return InvocationResult(b"", "AccessDenied: Lambda cannot assume the role", 0.0), b""
        started, stream = time.monotonic(), "no worker"
        try:
            with self._pool.lend(_describe(function)) as worker:
                stream = self._streams[worker.id]
                self._log(region, name, time.time(), f"START RequestId: {request_id} Version: $LATEST", stream)
                result = worker.invoke(request_id, payload)
        except WorkerStartError as error:
            result = InvocationResult(b"", str(error), time.monotonic() - started)
        report = f"REPORT RequestId: {request_id}\tDuration: {result.duration_s * 1000:.2f} ms\t"
        if result.init_s:
            report += f"Init Duration: {result.init_s * 1000:.2f} ms\t"
        self._log(region, name, time.time(), report, stream)
        return result, report.encode()

    def _start_worker(self, description: FunctionDescription) -> Worker:
        region, name = description.region, description.specification.name
        function: LambdaFunction = _lambda_backend(region).get_function(name)
        task_root = self._packages.provide(description.specification.code_sha256, lambda: function.code_bytes)
        stream = f"2026/01/01/{uuid.uuid4().hex}"
        worker = Worker(
            description,
            WorkerPlaces(
                task_root=task_root,
                runtime=self._runtime,
                scratch=self._directory / "workers",
                environment={
                    "AWS_ENDPOINT_URL": self.endpoint,
                    "AWS_ACCESS_KEY_ID": access_key_of(description.specification.role),
                    "AWS_SECRET_ACCESS_KEY": "testing",
                    "AWS_SESSION_TOKEN": "testing",
                    "MULTI_X_SERVERLESS_CLOUD": "aws",
                },
            ),
            take_line=lambda timestamp, line: self._log(region, name, timestamp, line, stream),
            watcher=self._reaper,
        )
        self._streams[worker.id] = stream
        try:
            worker.wait_until_ready(_START_TIMEOUT_S)
        except BaseException:
            worker.close(_GRACE_S)
            raise
        return worker

    def _log(self, region: str, name: str, timestamp: float, line: str, stream: str) -> None:
        with self._logging:
            backend = logs_backends[DEFAULT_ACCOUNT_ID][region]
            group = f"/aws/lambda/{name}"
            if group not in backend.groups:
                backend.create_log_group(group, {})
            if stream not in backend.groups[group].streams:
                backend.create_log_stream(group, stream)
            event = {"timestamp": int(timestamp * 1000), "message": line + "\n"}
            backend.groups[group].put_log_events(stream, [event])


def _lambda_backend(region: str) -> LambdaBackend:
    return get_backend(DEFAULT_ACCOUNT_ID, region)


def _describe(function: LambdaFunction) -> FunctionDescription:
    return FunctionDescription(
        id=function.function_arn,
        region=function.region,
        specification=FunctionSpecification(
            name=function.function_name,
            handler=str(function.handler),
            runtime=str(function.run_time),
            architecture=function.architectures[0],  # type: ignore[arg-type]  # moto checks it
            memory_mb=int(function.memory_size),
            timeout_s=int(function.timeout),
            code_key="",
            code_sha256=base64.b64decode(function.code_sha_256).hex(),
            role=function.role,
            environment=dict(function.environment_vars),
        ),
    )


def _may_invoke(function: LambdaFunction, topic: str) -> bool:
    """Whether the function's policy lets a topic invoke it."""
    return any(
        statement.get("Principal") == {"Service": "sns.amazonaws.com"}
        and statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn") == topic
        for statement in function.policy.statements
    )


def _error_document(result: InvocationResult) -> bytes:
    """What Lambda answers for a function that failed: the runtime client's own document, or one of the platform."""
    try:
        document = json.loads(result.payload)
    except ValueError:
        document = None
    if isinstance(document, dict) and "errorMessage" in document:
        return result.payload
    return json.dumps({"errorMessage": result.error}).encode()


def _give_up(
    function: LambdaFunction, destination: str, payload: bytes, result: InvocationResult, attempts: int
) -> None:
    """The record of a failed asynchronous invocation (Lambda developer guide, "Adding a destination")."""
    record: Mapping[str, Any] = {
        "version": "1.0",
        "timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": f"{function.function_arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": attempts,
        },
        "requestPayload": json.loads(payload),
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": json.loads(_error_document(result)),
    }
    _, _, _, region, _, queue = destination.split(":")
    sqs_backends[DEFAULT_ACCOUNT_ID][region].send_message(queue, json.dumps(record))
