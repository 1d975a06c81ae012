"""A forged or damaged message cannot reach anything outside of its workflow.

Real messages of a run are taken from the queue and changed: members replaced, removed, added, swapped between messages.
Whatever the function makes of one, all that it touches are the topics and regions of its own manifest and the items and
objects of its own workflow; and what it does not take, it has logged.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from multi_x_serverless.sdk.errors import WorkflowError
from multi_x_serverless.testing import MemoryBackend, MemoryCloud, TestContext
from tests.unit.sdk.packages import write_package

SOURCE = """
@workflow.serverless_function(entry_point=True)
def first(event):
    workflow.invoke_serverless_function(second, event)  # edge 0
    workflow.invoke_serverless_function(join, event)  # edge 1

@workflow.serverless_function()
def second(event):
    workflow.invoke_serverless_function(join, event)  # edge 2

@workflow.serverless_function()
def join():
    log.append(workflow.get_predecessor_data())
"""
SHAPE = ([("first", False), ("second", False), ("join", True)], [(0, 1), (0, 2), (1, 2)])
WORDS = (
    "arn:aws:sns:us-east-1:1:other",
    "other-0.0.1",
    "../other-0.0.1/run",
    "eu-west-1",
    "topic-second",
    "home",
    "",
    "999",
    "AAA",
    "\x00",
)
MEMBERS = (
    "v",
    "run",
    "wf",
    "mf",
    "node",
    "edge",
    "hop",
    "plan",
    "key",
    "place",
    "why",
    "called",
    "sent",
    "payload",
    "to",
)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 200) | st.floats() | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(("j", "b", "r", "x")), inner, max_size=2)
    ),
    max_leaves=6,
)
changes = st.dictionaries(st.sampled_from(MEMBERS), values | st.just(...), min_size=1, max_size=4)


class WatchedBackend(MemoryBackend):
    """Notes every topic, item and object that is touched, with its region."""

    def __init__(self) -> None:
        super().__init__(lambda: 1_700_000_000.0)
        self.topics: set[str] = set()
        self.regions: set[str] = set()
        self.hook = lambda _moment, _operation, region: self.regions.add(region)

    def publish(self, region: str, topic: str, body: str) -> None:
        self.topics.add(topic)
        super().publish(region, topic, body)


@contextmanager
def small_workflow() -> Iterator[MemoryCloud]:
    with tempfile.TemporaryDirectory() as directory:
        manifest = write_package(Path(directory), SOURCE, *SHAPE)
        try:
            yield MemoryCloud(Path(directory))
        finally:
            sys.path.remove(directory)
            sys.modules.pop(manifest.module, None)


def messages_of_a_run(cloud: MemoryCloud) -> list[str]:
    cloud.start({"a": 1}, run_id="run")
    seen = []
    while cloud.backend.queue:
        message = cloud.backend.queue.pop(0)
        seen.append(message.body)
        cloud.deliver(message)
    return seen


def changed(body: str, change: dict[str, Any]) -> str:
    document = {**json.loads(body), **change}
    return json.dumps({name: value for name, value in document.items() if value is not ...})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["first", "second", "join"]), changes), min_size=20))
def test_nothing_outside_the_workflow_is_touched(forgeries: list[tuple[int, str, dict[str, Any]]]) -> None:
    with small_workflow() as cloud:
        real = messages_of_a_run(cloud)
        backend = WatchedBackend()
        for number, (original, function, change) in enumerate(forgeries):
            application = cloud.new_application("us-east-1", function, backend)
            body = changed(real[original % len(real)], change)
            records = len(cloud.records)
            try:
                answer = application.handle({"Records": [{"Sns": {"Message": body}}]}, TestContext(f"forged-{number}"))
            except WorkflowError as error:
                event(f"failed: {error.code}")  # nobody reports to this join, or another deployment's: tried again
                assert len(cloud.records) > records
                continue
            delivery = answer["deliveries"][0]  # type: ignore[index]  # plain JSON
            event(f"outcome: {delivery['outcome']}")
            if delivery["outcome"] == "rejected":
                assert cloud.records[-1]["t"] == "rejected"

        assert backend.topics <= {function.topic for function in cloud.manifest.functions}
        assert backend.regions <= set(cloud.manifest.regions)
        assert all(f"{partition}/".startswith("example-0.0.1/") for _, _, partition, _ in backend.items)
        assert all(key.startswith("payloads/example-0.0.1/") for _, key in backend.objects)
