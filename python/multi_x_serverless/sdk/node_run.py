"""One attempt to run one node: its calls, its declines, its claim."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from types import FrameType
from typing import TypeVar

from multi_x_serverless.sdk.backend import Backend
from multi_x_serverless.sdk.call_sites import CallSites
from multi_x_serverless.sdk.claims import Claim, NodeClaims
from multi_x_serverless.sdk.envelope import Envelope, Placement
from multi_x_serverless.sdk.errors import NotASyncNodeError, RepeatedCallError
from multi_x_serverless.sdk.joins import Join
from multi_x_serverless.sdk.manifest import Manifest
from multi_x_serverless.sdk.network import NetworkMeter, sdk_calls
from multi_x_serverless.sdk.objects import WorkflowObjects
from multi_x_serverless.sdk.outbox import FunctionRun, Outbox
from multi_x_serverless.sdk.payload import ABSENT_PAYLOAD, Payload, PayloadReference
from multi_x_serverless.sdk.predecessors import PredecessorResult
from multi_x_serverless.sdk.protocol import EdgeStep, EdgeTask, begin_call, begin_decline, spread_declines
from multi_x_serverless.sdk.sending import Sender, Sent
from multi_x_serverless.sdk.tables import payload_object_key
from multi_x_serverless.sdk.telemetry import RecordWriter

_Result = TypeVar("_Result")

LEASE_GRACE_S = 5.0
"""What a claim's lease exceeds the invocation's time limit by: clocks of two machines may differ."""


@dataclass(frozen=True)
class Delivery:
    """One invocation as the platform made it.

    Attributes:
        request_id: Id of the invocation; a retry has the same.
        remaining_s: Seconds until the platform ends it.
        is_cold: Whether it is the first of its container.
        init_s: How long the container took to start, for a cold one.
    """

    request_id: str
    remaining_s: float
    is_cold: bool
    init_s: float | None


@dataclass(frozen=True)
class Container:
    """What the invocations of one container share."""

    manifest: Manifest
    region: str
    backend: Backend
    sender: Sender
    records: RecordWriter
    call_sites: CallSites
    executor: Executor
    meter: NetworkMeter
    clock: Callable[[], float]
    logs_results: bool = False


class NodeRun:
    """One attempt to run one node; what the workflow object sees as the running node."""

    def __init__(
        self,
        container: Container,
        envelope: Envelope,
        placement: Placement,
        delivery: Delivery,
        *,
        started: float,
    ) -> None:
        self._container = container
        self._manifest = container.manifest
        self._envelope = envelope
        self._placement = placement
        self._delivery = delivery
        self._node = envelope.node
        self._objects = WorkflowObjects(container.backend, container.manifest, container.meter)
        self._started = started
        self._earlier_s = 0.0
        self._decided: set[int] = set()
        self._kept: dict[int, Payload] = {}
        self._calls: dict[int, Future[None]] = {}
        self._results: tuple[PredecessorResult, ...] | None = None

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return self._envelope.run_id

    @property
    def workflow_id(self) -> str:
        """Id of the workflow."""
        return self._manifest.workflow_id

    @property
    def is_claimed(self) -> bool:
        """Whether only one delivery may start the node: it joins edges, or its delivery is exactly once."""
        return self._manifest.nodes[self._node].sync or self.keeps_calls

    @property
    def keeps_calls(self) -> bool:
        """Whether the function's calls are kept back until it has returned."""
        return self._manifest.function_of(self._node).delivery == "exactly_once"

    def predecessor_results(self) -> tuple[PredecessorResult, ...]:
        """What was passed to this sync node.

        Raises:
            NotASyncNodeError: It is none.
        """
        if self._results is None:
            raise NotASyncNodeError(
                f"node '{self._manifest.nodes[self._node].name}' joins nothing; only a function that the analysis "
                "found to call get_predecessor_data() has predecessor data"
            )
        return self._results

    def call(self, function: str, payload: Payload, conditional: bool, frame: FrameType) -> None:
        """Call an edge in the background, or leave it to be declined when the function has returned.

        Raises:
            CallSiteError: The call stands where no edge is.
            RepeatedCallError: The edge was called or declined before in this invocation.
        """
        edge = self._container.call_sites.locate(frame, self._node, function)
        if edge in self._decided:
            raise RepeatedCallError(
                f"the call of '{function}' at line {frame.f_lineno} is reached twice in one invocation; every call "
                "needs a place of its own in the source: write the calls out, or pass a list as one payload",
                line=frame.f_lineno,
            )
        self._decided.add(edge)
        if conditional and self.keeps_calls:
            self._kept[edge] = payload
        elif conditional:
            self._calls[edge] = self._container.executor.submit(self._call, edge, payload, self.offset())

    def read_object(self, key: str) -> bytes:
        """Read an object of the workflow."""
        return self._objects.read(key)

    def write_object(self, key: str, body: bytes) -> None:
        """Store an object of the workflow."""
        self._objects.write(key, body)

    def claim(self) -> Claim | None:
        """Claim the node's start; `None` if this delivery is a duplicate."""
        attempt = os.urandom(8).hex()
        return self._claims.take(self._delivery.request_id, attempt, self._delivery.remaining_s + LEASE_GRACE_S)

    def restore(self, claim: Claim) -> FunctionRun | None:
        """Take over what an earlier attempt's function called; `None` if none got so far."""
        stored = self._claims.outbox_of(claim)
        if stored is None:
            return None
        outbox = Outbox.decode(stored)
        self._kept = dict(outbox.calls)
        self._earlier_s = outbox.run.wall_s
        return outbox.run

    def commit(self, claim: Claim, run: FunctionRun) -> Claim:
        """Make certain what the function called and returned.

        Raises:
            ClaimHeldError: Another attempt has taken over.
        """
        return self._claims.commit(claim, Outbox(run, self._kept).encode())

    def send_kept(self) -> None:
        """Call what was kept back, in the background."""
        for edge, payload in self._kept.items():
            self._calls[edge] = self._container.executor.submit(self._call, edge, payload, self.offset())

    def complete(self, claim: Claim) -> None:
        """Close the claim after success."""
        self._claims.complete(claim)

    def release(self, claim: Claim) -> None:
        """Give the claim back after a failure."""
        self._claims.release(claim)

    def arguments(self, takes_payload: bool) -> tuple[object, ...]:
        """What the developer's function is called with; reads predecessor data and large payloads."""
        if self._manifest.nodes[self._node].sync:
            self._results = self._join(self._node).results(self._envelope.called)
        if not takes_payload:
            return ()
        payload = self._envelope.payload
        if isinstance(payload, PayloadReference):
            key = payload_object_key(self.workflow_id, self.run_id, self._envelope.edge)
            region = self._manifest.regions[payload.region]
            payload = Payload(payload.kind, self._container.backend.get_object(region, key))
        return (payload.value(),)

    def settle(self) -> None:
        """Wait until every call is accepted.

        Raises:
            BackendError: One was not.
        """
        _results_of(self._calls[edge] for edge in sorted(self._calls))

    def wait_for_calls(self) -> None:
        """Wait until every call has come to an end, whichever: nothing goes on after the invocation."""
        for call in self._calls.values():
            call.exception()

    def decline_the_rest(self) -> None:
        """Decline every edge that was not called, as far as declines lead."""
        declined: set[int] = set()
        waiting = [edge for edge in self._manifest.outgoing[self._node] if edge not in self._calls]
        while waiting:
            declines = spread_declines(self._manifest, waiting)
            for edge in declines.edges:
                self.record(
                    "edge_declined",
                    node=self._manifest.edges[edge].source,
                    edge=edge,
                    offset=self.offset(),
                    origin=self._node,
                )
            declined.update(declines.edges)
            dead = self._report_declines(declines.reports)
            waiting = [edge for node in dead for edge in self._manifest.outgoing[node] if edge not in declined]

    def _report_declines(self, edges: tuple[int, ...]) -> list[int]:
        """Report declines, at once if there are several; returns the joins that are dead now."""
        if len(edges) == 1:
            ended = [self._decline(edges[0])]
        else:
            ended = _results_of([self._container.executor.submit(self._decline, edge) for edge in edges])
        return list(dict.fromkeys(self._manifest.edges[task.edge].target for task in ended if task.is_dead_end))

    def _call(self, edge: int, payload: Payload, offset_s: float) -> None:
        with sdk_calls():
            started = time.perf_counter()
            task, sent = self._work_off(begin_call(self._manifest, edge), payload)
            if sent is None or task.join is not None:
                # The payload lies at the join, whichever way the join's own message took.
                region = self._region_of(self._manifest.edges[edge].target)
                sent = Sent(region, is_fallback=False, is_large=payload.is_large)
            self.record(
                "edge_called",
                edge=edge,
                to=sent.region,
                bytes=len(payload.body),
                offset=round(offset_s, 6),
                publish=elapsed_s(started),
                fallback=sent.is_fallback or None,
                large=sent.is_large or None,
            )

    def _decline(self, edge: int) -> EdgeTask:
        with sdk_calls():
            return self._work_off(begin_decline(edge), ABSENT_PAYLOAD)[0]

    def _work_off(self, task: EdgeTask, payload: Payload) -> tuple[EdgeTask, Sent | None]:
        """Do what is to be done about an edge, as `protocol` says.

        Returns:
            The task at its end, and how the last message went, if any did.
        """
        started = time.perf_counter()
        edge, sent = task.edge, None
        target = self._manifest.edges[edge].target
        region = self._region_of(target)
        join = self._join(target)
        while task.step is not EdgeStep.ENDED:
            if task.step is EdgeStep.SEND:
                sent = self._container.sender.send_or_fall_back(self._message(target, edge, payload), region)
                task = task.after()
            elif task.step is EdgeStep.STORE:
                join.store(edge, payload)
                task = task.after()
            elif task.step is EdgeStep.REPORT:
                task = task.after(join.report(edge, is_called=task.is_called))
            elif task.step is EdgeStep.FIRE:
                called = () if task.join is None else task.join.called
                message = replace(self._message(target, edge, ABSENT_PAYLOAD), called=called)
                sent = self._container.sender.send_or_fall_back(message, region)
                task = task.after()
            else:
                join.mark_fired()
                task = task.after()
        if task.join is not None:
            self.record(
                "sync_reported",
                edge=edge,
                to=region,
                state="called" if task.is_called else "declined",
                bytes=len(payload.body),
                complete=task.join.complete,
                fired=task.fires,
                duration=elapsed_s(started),
            )
        return task, sent

    def _message(self, target: int, edge: int, payload: Payload) -> Envelope:
        return Envelope(
            run_id=self.run_id,
            workflow_id=self.workflow_id,
            manifest_id=self._manifest.id,
            node=target,
            edge=edge,
            hop=self._envelope.hop + 1,
            placement=replace(self._placement, why=""),
            sent_at=self._container.clock(),
            payload=payload,
        )

    def _join(self, node: int) -> Join:
        return Join(
            self._container.backend,
            self._manifest,
            run_id=self.run_id,
            node=node,
            region=self._region_of(node),
            clock=self._container.clock,
        )

    @property
    def _claims(self) -> NodeClaims:
        return NodeClaims(
            self._container.backend,
            self._region_of(self._node),
            workflow_id=self.workflow_id,
            run_id=self.run_id,
            node=self._node,
            clock=self._container.clock,
        )

    def _region_of(self, node: int) -> str:
        return self._manifest.regions[self._placement.regions[node]]

    def offset(self) -> float:
        """Seconds of the node so far, with those of the attempt whose calls this one sends."""
        return round(self._earlier_s + elapsed_s(self._started), 6)

    def record(self, record_type: str, *, node: int | None = None, **members: object) -> None:
        """Write a record of this run; of this node unless another is named."""
        self._container.records.write(
            record_type,
            self.run_id,
            self._delivery.request_id,
            node=self._node if node is None else node,
            **members,
        )


def elapsed_s(started: float) -> float:
    """Seconds since a reading of `time.perf_counter`, to the microsecond."""
    return round(time.perf_counter() - started, 6)


def _results_of(futures: Iterable[Future[_Result]]) -> list[_Result]:
    """Results of all, after all have ended; the first error is raised only then."""
    ended = list(futures)
    errors = [future.exception() for future in ended]
    for error in errors:
        if error is not None:
            raise error
    return [future.result() for future in ended]
