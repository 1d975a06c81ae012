"""Delivery exactly once: one run of the function is what everything behind it follows from."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from multi_x_serverless.sdk.errors import BackendError, ClaimHeldError, DamagedStateError, ObjectNotFoundError
from multi_x_serverless.sdk.outbox import INLINE_OUTBOX_BYTES, FunctionRun, Outbox
from multi_x_serverless.sdk.payload import ABSENT_PAYLOAD, INLINE_LIMIT_BYTES, Payload
from multi_x_serverless.sdk.tables import CLAIMS
from multi_x_serverless.testing import MemoryCloud, QueuedMessage, TestContext
from tests.unit.sdk.conftest import PackageWriter

# Each run of `first` calls with another number, and every second one calls `second` instead of `third`.
FORK = """
@workflow.serverless_function(entry_point=True)
def first(event):
    log.append("first")
    number = len(log)
    workflow.invoke_serverless_function(second, number, conditional=number % 2 == 0)  # edge 0
    workflow.invoke_serverless_function(third, number, conditional=number % 2 == 1)  # edge 1
    workflow.invoke_serverless_function(fourth, event)  # edge 2
    return number

@workflow.serverless_function()
def second(event):
    log.append(("second", event))

@workflow.serverless_function()
def third(event):
    log.append(("third", event))

@workflow.serverless_function()
def fourth(event):
    log.append(("fourth", event))
"""
FORK_SHAPE = ([("first", False), ("second", False), ("third", False), ("fourth", False)], [(0, 1), (0, 2), (0, 3)])


class ProcessDiedError(BaseException):
    """What a test lets an operation raise in place of a death of the process."""


@pytest.fixture
def cloud(deploy: PackageWriter) -> MemoryCloud:
    return deploy(FORK, *FORK_SHAPE, exactly_once=["first"])


def log_of(cloud: MemoryCloud) -> list[Any]:
    log = importlib.import_module(cloud.manifest.module).log
    assert isinstance(log, list)
    return log


def fails(cloud: MemoryCloud, operation: str, error: BaseException, *, moment: str = "before", after: int = 0) -> None:
    """Let the operation fail once, when it has been done `after` times."""
    left = [after]

    def hook(now: str, name: str, region: str) -> None:
        if (now, name) == (moment, operation):
            left[0] -= 1
            if left[0] == -1:
                raise error

    cloud.backend.hook = hook


def handle(cloud: MemoryCloud, message: QueuedMessage, request_id: str) -> str:
    event = {"Records": [{"Sns": {"Message": message.body}}]}
    answer = cloud.application(message.region, "first").handle(event, TestContext(request_id))
    outcome = answer["deliveries"][0]["outcome"]  # type: ignore[index]  # plain JSON
    assert isinstance(outcome, str)
    return outcome


def test_calls_leave_when_the_function_has_returned(deploy: PackageWriter) -> None:
    source = FORK.replace("    return number", '    raise ValueError("late")')
    cloud = deploy(source, *FORK_SHAPE, exactly_once=["first"])
    cloud.start("x")
    message = cloud.backend.queue.pop()

    for request in ("one", "another"):  # which need not wait: the claim was given back
        with pytest.raises(ValueError, match="late"):
            handle(cloud, message, request)

    assert cloud.backend.queue == []


def test_a_claim_that_was_given_back_keeps_its_version(deploy: PackageWriter) -> None:
    """Were versions to begin anew, an attempt that was taken over from could meet the one that it knows again."""
    source = FORK.replace("    return number", '    raise ValueError("late")')
    cloud = deploy(source, *FORK_SHAPE, exactly_once=["first"])
    cloud.start("x")
    message = cloud.backend.queue.pop()
    versions = []

    for request in ("one", "two"):
        with pytest.raises(ValueError, match="late"):
            handle(cloud, message, request)
        versions += [item.version for key, item in cloud.backend.items.items() if (key[1], key[3]) == (CLAIMS, "n0")]

    assert versions == [2, 4]


def test_a_claim_that_cannot_be_taken_is_logged(cloud: MemoryCloud) -> None:
    cloud.start("x")
    fails(cloud, "put", BackendError("out", operation="put", region="us-east-1"), after=1)

    with pytest.raises(BackendError):
        handle(cloud, cloud.backend.queue.pop(), "one")

    (failed,) = cloud.records_of("node_failed")
    assert (failed["node"], failed["error"]) == (0, "BackendError")
    assert len(cloud.records_of("node_started")) == 1


def test_a_message_that_comes_twice_runs_nothing(cloud: MemoryCloud) -> None:
    cloud.start("x")
    message = cloud.backend.queue.pop()

    assert [handle(cloud, message, request) for request in ("one", "two", "one")] == [
        "finished",
        "duplicate",
        "duplicate",
    ]
    cloud.deliver_all()
    assert sorted(map(str, log_of(cloud))) == ["('fourth', 'x')", "('third', 1)", "first"]


@pytest.mark.parametrize("after", range(2))
def test_what_was_written_down_is_sent_by_the_next_attempt(cloud: MemoryCloud, after: int) -> None:
    """The process dies before the first call, and between the calls; the function does not run again."""
    cloud.start("x")
    message = cloud.backend.queue.pop()
    fails(cloud, "publish", ProcessDiedError(), after=after)
    # The death is seen by whoever waits for the calls, as if it were the end of the process.
    with pytest.raises(ProcessDiedError):
        handle(cloud, message, "one")

    assert handle(cloud, message, "one") == "finished"

    cloud.deliver_all()
    log = log_of(cloud)
    assert log.count("first") == 1
    assert ("third", 1) in log
    assert not [entry for entry in log if entry[0] == "second"]
    (finished,) = (record for record in cloud.records_of("node_finished") if record["node"] == 0)
    assert finished["restored"] is True
    # The calls left when the earlier attempt's function had returned: their offsets count from its start.
    assert all(finished["user"] <= record["offset"] <= finished["wall"] for record in cloud.records_of("edge_called"))
    assert cloud.dead_letters == []


def test_an_attempt_that_dies_before_it_wrote_down_its_calls_has_called_nobody(cloud: MemoryCloud) -> None:
    cloud.start("x")
    message = cloud.backend.queue.pop()
    fails(cloud, "put", ProcessDiedError(), after=2)  # the placement, the claim; then the outbox
    with pytest.raises(ProcessDiedError):
        handle(cloud, message, "one")
    assert cloud.backend.queue == []

    assert handle(cloud, message, "one") == "finished"

    cloud.deliver_all()
    assert ("second", 2) in log_of(cloud)
    assert not [entry for entry in log_of(cloud) if entry[0] == "third"]


def test_a_call_that_fails_is_repeated_by_the_retry_alone(cloud: MemoryCloud) -> None:
    cloud.start("x")
    message = cloud.backend.queue.pop()
    fails(cloud, "publish", BackendError("no", operation="publish", region="us-east-1"))
    with pytest.raises(BackendError):
        handle(cloud, message, "one")

    # Another request may take over at once: the claim was given back with what it holds.
    assert handle(cloud, message, "two") == "finished"
    cloud.deliver_all()
    assert log_of(cloud).count("first") == 1


def test_a_lost_answer_to_the_write_of_the_outbox_is_no_loss(cloud: MemoryCloud) -> None:
    """The write is done, its answer is lost and the backend's own repetition meets it: the condition fails."""
    cloud.start("x")
    put, calls = cloud.backend.put, 0

    def twice(*arguments: Any, **settings: Any) -> int | None:
        nonlocal calls
        calls += 1
        if calls == 3:
            put(*arguments, **settings)
        return put(*arguments, **settings)

    cloud.backend.put = twice  # type: ignore[method-assign]  # the fault under test

    assert handle(cloud, cloud.backend.queue.pop(), "one") == "finished"
    cloud.deliver_all()
    assert log_of(cloud).count("first") == 1
    assert ("third", 1) in log_of(cloud)


def test_an_attempt_that_was_taken_over_drops_its_calls(cloud: MemoryCloud) -> None:
    """Its lease ran out while its function was at work; the other attempt's calls count."""
    cloud.start("x")
    message = cloud.backend.queue.pop()
    done = []

    def hook(moment: str, operation: str, region: str) -> None:
        if (moment, operation) == ("before", "put") and log_of(cloud) == ["first"]:
            cloud.backend.hook = None
            cloud.now += 120
            done.append(handle(cloud, message, "two"))

    cloud.backend.hook = hook

    with pytest.raises(ClaimHeldError, match="taken over"):
        handle(cloud, message, "one")

    assert done == ["finished"]
    cloud.deliver_all()
    assert ("second", 2) in log_of(cloud)
    assert not [entry for entry in log_of(cloud) if entry[0] == "third"]


@pytest.mark.parametrize("size", [INLINE_OUTBOX_BYTES, INLINE_LIMIT_BYTES + 1])
def test_large_calls_are_kept_as_an_object(cloud: MemoryCloud, size: int) -> None:
    cloud.start("x" * size)
    message = cloud.backend.queue.pop()
    if size > INLINE_LIMIT_BYTES:  # the trigger itself would have gone by the object store
        message = QueuedMessage(message.region, message.topic, message.body, message.request_id)
    fails(cloud, "publish", ProcessDiedError())
    with pytest.raises(ProcessDiedError):
        handle(cloud, message, "one")

    assert handle(cloud, message, "one") == "finished"

    assert [key for key in cloud.backend.objects if "/n0-" in key[1]]
    cloud.deliver_all()
    assert ("fourth", "x" * size) in log_of(cloud)
    assert log_of(cloud).count("first") == 1


def test_a_lost_outbox_object_is_not_taken_for_no_calls(cloud: MemoryCloud) -> None:
    cloud.start("x" * INLINE_OUTBOX_BYTES)
    message = cloud.backend.queue.pop()
    fails(cloud, "publish", ProcessDiedError())
    with pytest.raises(ProcessDiedError):
        handle(cloud, message, "one")
    cloud.backend.objects.clear()

    with pytest.raises(ObjectNotFoundError):
        handle(cloud, message, "one")


OUTBOX = Outbox(
    FunctionRun(1.5, 1.25, 0.5, {"a": [None]}),
    {4: Payload.of({"x": "ü\n"}), 1: Payload.of(b"\n\x00"), 2: ABSENT_PAYLOAD, 3: Payload.of(None)},
)


def test_an_outbox_survives_its_encoding() -> None:
    decoded = Outbox.decode(OUTBOX.encode())

    assert decoded == OUTBOX
    assert {edge: payload.kind for edge, payload in decoded.calls.items()} == {
        1: "bytes",
        2: "absent",
        3: "json",
        4: "json",
    }


@pytest.mark.parametrize(
    "damaged",
    [b"", b"{}\n", b"[]\n", OUTBOX.encode()[:-1], OUTBOX.encode() + b"x", OUTBOX.encode().replace(b"bytes", b"bites")],
)
def test_a_damaged_outbox_is_refused(damaged: bytes) -> None:
    with pytest.raises(DamagedStateError):
        Outbox.decode(damaged)
