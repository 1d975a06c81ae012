"""Runs one node: what `protocol` says must follow is done here, over a backend.

::

    message ─► entry: choose the placement ─► elsewhere? hand the trigger on, done
            └► sync node, or delivery exactly once: claim the start
            └► sync node: read what its predecessors left
            ─► call the developer's function; its calls go out at once, in parallel
               (exactly once: they are kept, written into the claim when it has returned, and go out then; an attempt
               that finds them there does not call the function again)
            ─► wait until all of them are accepted
            ─► decline every edge that was not called, through dead nodes and dead joins
            ─► close the claim

If anything raises, nothing (more) is declined, the claim is given back and the exception goes to the platform, which
delivers the message again.
"""

from __future__ import annotations

import contextvars
import json
import time
from collections.abc import Callable
from contextlib import suppress

from multi_x_serverless.sdk.envelope import Envelope
from multi_x_serverless.sdk.errors import BackendError, DamagedStateError
from multi_x_serverless.sdk.network import sdk_calls
from multi_x_serverless.sdk.node_run import Container, Delivery, NodeRun, elapsed_s
from multi_x_serverless.sdk.outbox import FunctionRun
from multi_x_serverless.sdk.payload import Payload, PayloadReference
from multi_x_serverless.sdk.plan_replica import encode_placement
from multi_x_serverless.sdk.running import current_node
from multi_x_serverless.sdk.telemetry import cpu_seconds, describe_failure, peak_memory_mb

LONGEST_RESULT_BYTES = 8 * 1024
"""A longer result is not logged: the log is for looking at results, not for keeping them."""


def call_developers_function(function: Callable[..., object], arguments: tuple[object, ...]) -> object:
    """Call the developer's function. Frames outside of this one are ours: `CallSites` stops here."""
    return function(*arguments)


def run_node(
    container: Container,
    envelope: Envelope,
    delivery: Delivery,
    function: Callable[..., object],
    *,
    takes_payload: bool,
) -> bool:
    """Run the node a message is for, with everything that follows from it.

    Args:
        container: What the container's invocations share.
        envelope: A message with a placement.
        delivery: The invocation.
        function: The developer's function.
        takes_payload: Whether it takes an argument.

    Returns:
        `False` if the message was a duplicate and nothing was run.

    Raises:
        BaseException: Whatever the developer's function raised.
        WorkflowError: A step before or after it failed; the delivery must be repeated.
    """
    if envelope.placement is None:
        raise DamagedStateError(f"run {envelope.run_id} has no placement yet")
    started, cpu_before, log_before = time.perf_counter(), cpu_seconds(), container.records.bytes_written
    container.meter.start()
    node = NodeRun(container, envelope, envelope.placement, delivery, started=started)
    try:
        with sdk_calls():
            claim = node.claim() if node.is_claimed else None
    except (BackendError, DamagedStateError) as error:
        _record_start(container, node, envelope, delivery)
        _record_failure(node, error, delivery, started)
        raise
    if node.is_claimed and claim is None:
        node.record("duplicate", edge=envelope.edge)
        return False
    _record_start(container, node, envelope, delivery)
    try:
        with sdk_calls():
            restored = None if claim is None else node.restore(claim)
        earlier_wall_s, earlier_cpu_s = (0.0, 0.0) if restored is None else (restored.wall_s, restored.cpu_s)
        if restored is None:
            with sdk_calls():
                arguments = node.arguments(takes_payload)
            user_s, returned = _run_developers_function(node, function, arguments)
            run = FunctionRun(
                wall_s=elapsed_s(started),
                user_s=user_s,
                cpu_s=round(cpu_seconds() - cpu_before, 6),
                result=_loggable_result(container, envelope.node, returned),
            )
            if claim is not None and node.keeps_calls:
                with sdk_calls():
                    claim = node.commit(claim, run)
        else:
            run = restored
        returned_s = node.offset()
        node.send_kept()
        node.settle()
        node.decline_the_rest()
        network = container.meter.stop()
        # Before the claim is closed: an attempt that dies in between is repeated and its record with it, while a
        # record that came after would be lost with the attempt, for nobody runs the node again.
        node.record(
            "node_finished",
            wall=round(earlier_wall_s + elapsed_s(started), 6),
            user=run.user_s,
            cpu=round(earlier_cpu_s + cpu_seconds() - cpu_before, 6),
            memory=round(peak_memory_mb(), 2),
            cold=delivery.is_cold,
            init=delivery.init_s,
            network=dict(network.by_region),
            other_in=network.other[0],
            other_out=network.other[1],
            log_bytes=container.records.bytes_written - log_before,
            result=run.result,
            restored=None if restored is None else True,
            returned=returned_s,
        )
        if claim is not None:
            with sdk_calls():
                node.complete(claim)
    except BaseException as error:
        node.wait_for_calls()
        if claim is not None:
            # If the cloud does not take it back, its lease and the retry's equal request id still free it.
            with suppress(BackendError), sdk_calls():
                node.release(claim)
        _record_failure(node, error, delivery, started)
        raise
    return True


def _record_failure(node: NodeRun, error: BaseException, delivery: Delivery, started: float) -> None:
    failure = describe_failure(error, call_developers_function.__code__)
    node.record(
        "node_failed",
        wall=elapsed_s(started),
        error=failure.error,
        message=failure.message,
        traceback=failure.traceback,
        cold=delivery.is_cold,
    )


def _run_developers_function(
    node: NodeRun, function: Callable[..., object], arguments: tuple[object, ...]
) -> tuple[float, object]:
    """Call the function in a context of its own, so that nothing it sets outlives it.

    Returns:
        Its duration in seconds and what it returned.
    """
    context = contextvars.copy_context()
    context.run(current_node.set, node)
    started = time.perf_counter()
    returned = context.run(call_developers_function, function, arguments)
    return elapsed_s(started), returned


def _loggable_result(container: Container, node: int, returned: object) -> object:
    """What the last nodes of a run returned, if it is logged and fits into a record; else `None`."""
    if not container.logs_results or returned is None or container.manifest.outgoing[node]:
        return None
    try:
        text = json.dumps(returned, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        # The developer may return anything; only what is JSON can be shown.
        return None
    return returned if len(text) <= LONGEST_RESULT_BYTES else None


def _record_start(container: Container, node: NodeRun, envelope: Envelope, delivery: Delivery) -> None:
    placement = envelope.placement
    if envelope.edge is None and placement is not None:
        node.record(
            "run_started",
            manifest=container.manifest.id,
            plan=placement.plan_version,
            key=placement.key,
            place=encode_placement(placement.regions),
            sent=envelope.sent_at,
            bytes=payload_size(envelope.payload),
            reason=placement.why,
            forwarded=envelope.hop > 0,
        )
    node.record("node_started", edge=envelope.edge, sent=envelope.sent_at, hop=envelope.hop, cold=delivery.is_cold)


def payload_size(payload: Payload | PayloadReference) -> int:
    """Bytes of a payload in encoded form, wherever it lies."""
    return payload.size if isinstance(payload, PayloadReference) else len(payload.body)
