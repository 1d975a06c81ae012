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
from multi_x_serverless.sdk.envelope import Envelope, Placement
from multi_x_serverless.sdk.errors import NotASyncNodeError, RepeatedCallError
from multi_x_serverless.sdk.joins import Claim, Join
from multi_x_serverless.sdk.manifest import Manifest
from multi_x_serverless.sdk.network import NetworkMeter, sdk_calls
from multi_x_serverless.sdk.payload import ABSENT_PAYLOAD, Payload, PayloadReference
from multi_x_serverless.sdk.predecessors import PredecessorResult
from multi_x_serverless.sdk.protocol import JoinState, JoinStep, spread_declines
from multi_x_serverless.sdk.sending import Sender
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
        self._started = started
        self._decided: set[int] = set()
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
    def is_sync(self) -> bool:
        """Whether the node joins edges, so that its start is claimed."""
        return self._manifest.nodes[self._node].sync

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
        if conditional:
            self._calls[edge] = self._container.executor.submit(self._call, edge, payload, self._offset())

    def claim(self) -> Claim | None:
        """Claim a sync node's start; `None` if this delivery is a duplicate."""
        attempt = os.urandom(8).hex()
        return self._join(self._node).claim(
            self._delivery.request_id, attempt, self._delivery.remaining_s + LEASE_GRACE_S
        )

    def complete(self, claim: Claim) -> None:
        """Close the claim after success."""
        self._join(self._node).complete(claim)

    def release(self, claim: Claim) -> None:
        """Give the claim back after a failure."""
        self._join(self._node).release(claim)

    def arguments(self, takes_payload: bool) -> tuple[object, ...]:
        """What the developer's function is called with; reads predecessor data and large payloads."""
        if self.is_sync:
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
                    offset=self._offset(),
                    origin=self._node,
                )
            declined.update(declines.edges)
            dead = self._report_declines(declines.reports)
            waiting = [edge for node in dead for edge in self._manifest.outgoing[node] if edge not in declined]

    def _report_declines(self, edges: tuple[int, ...]) -> list[int]:
        """Report declines, at once if there are several; returns the joins that are dead now."""
        if len(edges) == 1:
            states = [self._decline(edges[0])]
        else:
            states = _results_of([self._container.executor.submit(self._decline, edge) for edge in edges])
        dead: list[int] = []
        for edge, state in zip(edges, states, strict=True):
            target = self._manifest.edges[edge].target
            if state.next_step is JoinStep.DECLINE and target not in dead:
                dead.append(target)
        return dead

    def _call(self, edge: int, payload: Payload, offset_s: float) -> None:
        with sdk_calls():
            target = self._manifest.edges[edge].target
            started = time.perf_counter()
            if self._manifest.nodes[target].sync:
                region = self._region_of(target)
                self._report(edge, "called", payload)
                is_fallback, is_large = False, payload.is_large
            else:
                sent = self._container.sender.send_or_fall_back(
                    self._message(target, edge, payload), self._region_of(target)
                )
                region, is_fallback, is_large = sent.region, sent.is_fallback, sent.is_large
            self.record(
                "edge_called",
                edge=edge,
                to=region,
                bytes=len(payload.body),
                offset=round(offset_s, 6),
                publish=elapsed_s(started),
                fallback=is_fallback or None,
                large=is_large or None,
            )

    def _decline(self, edge: int) -> JoinState:
        with sdk_calls():
            return self._report(edge, "declined", ABSENT_PAYLOAD)

    def _report(self, edge: int, state: str, payload: Payload) -> JoinState:
        """Report an edge at its join, and fire the join if the report completes it."""
        started = time.perf_counter()
        target = self._manifest.edges[edge].target
        join = self._join(target)
        after = join.report_called(edge, payload) if state == "called" else join.report_declined(edge)
        fires = after.next_step is JoinStep.FIRE
        if fires:
            message = replace(self._message(target, edge, ABSENT_PAYLOAD), called=after.called)
            self._container.sender.send_or_fall_back(message, self._region_of(target))
            join.mark_fired()
        self.record(
            "sync_reported",
            edge=edge,
            to=self._region_of(target),
            state=state,
            bytes=len(payload.body),
            complete=after.complete,
            fired=fires,
            duration=elapsed_s(started),
        )
        return after

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

    def _region_of(self, node: int) -> str:
        return self._manifest.regions[self._placement.regions[node]]

    def _offset(self) -> float:
        return elapsed_s(self._started)

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
