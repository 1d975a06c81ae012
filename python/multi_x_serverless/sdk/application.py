"""A deployed function: the package it is in, the cloud it is on, and what it does with an event.

Events are SNS notifications whose message is an envelope, and probes, by which a deployment makes sure that the right
package answers: ``{"multi_x_serverless_probe": "<nonce>"}`` is answered without running anything.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeAlias

from multi_x_serverless.sdk import environment
from multi_x_serverless.sdk.backend import Backend, backend_from_environment, required
from multi_x_serverless.sdk.call_sites import CallSites
from multi_x_serverless.sdk.envelope import Envelope, Placement, decode_envelope
from multi_x_serverless.sdk.errors import (
    BackendError,
    OtherManifestError,
    PackageError,
    RejectedMessageError,
)
from multi_x_serverless.sdk.execution import call_developers_function, payload_size, run_node
from multi_x_serverless.sdk.manifest import MANIFEST_FILE, Manifest
from multi_x_serverless.sdk.network import NetworkMeter, interface_counters
from multi_x_serverless.sdk.node_run import Container, Delivery, elapsed_s
from multi_x_serverless.sdk.routing import Choice, Router
from multi_x_serverless.sdk.sending import Sender
from multi_x_serverless.sdk.telemetry import RecordWriter, TextStream, process_age_s
from multi_x_serverless.sdk.workflow import MultiXServerlessWorkflow

PROBE = "multi_x_serverless_probe"
PARALLEL_CALLS = 16
"""Calls and declines that one function sends at once."""

DEFAULT_REMAINING_S = 900.0
"""Lambda's longest time limit, assumed where the platform does not tell the time left."""

Answer: TypeAlias = dict[str, object]


class LambdaContext(Protocol):
    """What is used of Lambda's context object."""

    @property
    def aws_request_id(self) -> str:
        """Id of the invocation; the same for its retries."""

    def get_remaining_time_in_millis(self) -> int:
        """Time until the platform ends the invocation."""


@dataclass(frozen=True)
class Package:
    """What a deployment package holds for one function.

    Attributes:
        root: Directory of the package.
        manifest: Its manifest.
        function_name: The workflow function that this deployed function runs.
        function: Its Python function.
    """

    root: Path
    manifest: Manifest
    function_name: str
    function: Callable[..., object]


def load_package(root: Path, function_name: str) -> Package:
    """Read the manifest, import the developer's module and find a function in it.

    Raises:
        PackageError: Manifest, module and function do not fit together.
        ManifestError: The manifest is damaged.
    """
    file = root / MANIFEST_FILE
    try:
        manifest = Manifest.from_json(file.read_bytes())
    except OSError as error:
        raise PackageError(f"the package has no readable manifest ({error}); deploy the workflow again") from error
    declared = manifest.function_by_name.get(function_name)
    if declared is None:
        raise PackageError(f"workflow '{manifest.workflow_id}' has no function '{function_name}'")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    module = importlib.import_module(manifest.module)
    workflow = getattr(module, manifest.variable, None)
    if not isinstance(workflow, MultiXServerlessWorkflow) or workflow.id != manifest.workflow_id:
        raise PackageError(
            f"'{manifest.variable}' in module '{manifest.module}' is {workflow!r}, not workflow "
            f"'{manifest.workflow_id}'"
        )
    function = getattr(module, declared.attribute, None)
    if function_name not in workflow.functions or not callable(function):
        raise PackageError(f"module '{manifest.module}' defines no function '{function_name}'")
    return Package(root, manifest, function_name, function)


class Application:
    """One deployed function in one container.

    Args:
        package: What it runs.
        backend: The cloud it is on.
        region: Its own region.
        stream: Where records go.
        init_s: How long the container took to start, if known.
        executor: Runs calls in parallel; threads of its own if missing.
        clock: Seconds since the epoch.
        router: Chooses placements; the usual one if missing.
        logs_results: Whether nodes without successors log what they return.
    """

    def __init__(
        self,
        package: Package,
        backend: Backend,
        region: str,
        *,
        stream: TextStream,
        init_s: float | None = None,
        executor: Executor | None = None,
        clock: Callable[[], float] = time.time,
        router: Router | None = None,
        logs_results: bool = False,
    ) -> None:
        manifest = package.manifest
        self._package = package
        self._router = router or Router(manifest, region, backend, clock=clock)
        self._takes_payload = _takes_argument(package.function)
        self._init_s = init_s
        self._is_cold = True
        self._container = Container(
            manifest=manifest,
            region=region,
            backend=backend,
            sender=Sender(backend, manifest),
            records=RecordWriter(stream, workflow_id=manifest.workflow_id, region=region, clock=clock),
            call_sites=CallSites(manifest, str(package.root), call_developers_function.__code__),
            executor=executor or ThreadPoolExecutor(PARALLEL_CALLS, thread_name_prefix="multi-x-serverless"),
            meter=NetworkMeter(interface_counters() if backend.owns_network else None),
            clock=clock,
            logs_results=logs_results,
        )

    @classmethod
    def from_environment(cls) -> Application:
        """The function that this process was started for.

        Raises:
            WorkflowError: Environment and package do not fit together.
        """
        beside = Path(__file__).resolve().parents[2]
        root = Path(os.environ.get(environment.TASK_ROOT) or beside)
        package = load_package(root, required(os.environ, environment.FUNCTION))
        return cls(
            package,
            backend_from_environment(os.environ),
            required(os.environ, environment.REGION),
            stream=sys.stdout,
            init_s=process_age_s(),
            logs_results=os.environ.get(environment.LOG_RESULTS) == "1",
        )

    def handle(self, event: object, context: LambdaContext | None) -> Answer:
        """Handle one event.

        Returns:
            What became of it: the answer to a probe, or an outcome per message (finished, duplicate, forwarded,
            rejected). The developer's return value is not part of it: results travel by calls.

        Raises:
            BaseException: The developer's function raised, or a message could not be handled; the platform delivers
                it again.
        """
        is_cold, self._is_cold = self._is_cold, False
        if isinstance(event, Mapping) and PROBE in event:
            return {
                "probe": event[PROBE],
                "manifest": self._package.manifest.id,
                "function": self._package.function_name,
                "region": self._container.region,
            }
        delivery = Delivery(
            request_id="" if context is None else context.aws_request_id,
            remaining_s=DEFAULT_REMAINING_S if context is None else context.get_remaining_time_in_millis() / 1000,
            is_cold=is_cold,
            init_s=self._init_s if is_cold else None,
        )
        try:
            messages = _messages_of(event)
        except RejectedMessageError as error:
            return {"deliveries": [self._reject(error, delivery)]}
        return {"deliveries": [self._deliver(message, delivery) for message in messages]}

    def _deliver(self, message: object, delivery: Delivery) -> Answer:
        try:
            envelope = decode_envelope(message, self._package.manifest, self._package.function_name)
        except RejectedMessageError as error:
            return self._reject(error, delivery)
        except OtherManifestError as error:
            self._container.records.write("rejected", "", delivery.request_id, reason=error.code, detail=str(error))
            raise
        placed = envelope if envelope.placement is not None else self._place(envelope, delivery)
        if placed is None:
            outcome = "forwarded"
        elif run_node(self._container, placed, delivery, self._package.function, takes_payload=self._takes_payload):
            outcome = "finished"
        else:
            outcome = "duplicate"
        return {"run": envelope.run_id, "node": envelope.node, "outcome": outcome}

    def _place(self, trigger: Envelope, delivery: Delivery) -> Envelope | None:
        """Give a run its placement; `None` if its entry is elsewhere and the trigger was handed on."""
        choice = self._router.choose(trigger.run_id)
        region = self._entry_region(choice.placement)
        if region == self._container.region:
            return replace(trigger, placement=choice.placement)
        try:
            self._forward(trigger, choice.placement, region, delivery)
        except BackendError as error:
            if self._container.region != self._package.manifest.home:
                raise
            return replace(trigger, placement=self._placement_after(error, choice, trigger.run_id))
        return None

    def _placement_after(self, error: BackendError, choice: Choice, run_id: str) -> Placement:
        """The placement of a run whose planned entry region did not take the trigger; the entry runs at home.

        The rest goes home too, but only if it is certain that the planned region has not taken the trigger after all,
        now or at an earlier delivery: a run under two placements would meet at two joins.
        """
        if error.outcome_unknown or not choice.is_new:
            return choice.placement
        return self._router.send_home(choice, run_id).placement

    def _forward(self, trigger: Envelope, placement: Placement, region: str, delivery: Delivery) -> None:
        started = time.perf_counter()
        self._container.sender.send(replace(trigger, placement=placement, hop=trigger.hop + 1), region)
        self._container.records.write(
            "run_forwarded",
            trigger.run_id,
            delivery.request_id,
            node=trigger.node,
            to=region,
            sent=trigger.sent_at,
            bytes=payload_size(trigger.payload),
            wall=elapsed_s(started),
        )

    def _entry_region(self, placement: Placement) -> str:
        return self._package.manifest.regions[placement.regions[0]]

    def _reject(self, error: RejectedMessageError, delivery: Delivery) -> Answer:
        self._container.records.write("rejected", "", delivery.request_id, reason=error.reason, detail=error.detail)
        return {"outcome": "rejected", "reason": error.reason}


def _messages_of(event: object) -> list[object]:
    """The messages of an SNS event.

    Raises:
        RejectedMessageError: The event is none.
    """
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list) or not records:
        raise RejectedMessageError("unknown_event", "the event is neither an SNS notification nor a probe")
    notifications = [record.get("Sns") if isinstance(record, Mapping) else None for record in records]
    return [
        notification.get("Message") if isinstance(notification, Mapping) else None for notification in notifications
    ]


def _takes_argument(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:
        # A callable without a signature, such as a builtin; what it is meant for is to be called with something.
        return True
    return True
