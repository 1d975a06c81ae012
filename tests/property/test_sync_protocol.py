"""Joins under any interleaving: random workflows, run step by step with duplicates, crashes and redeliveries.

A schedule decides, before every operation on the cloud, which invocation goes on, whether a message is duplicated and
whether an invocation dies right there. Whatever it decides, when nothing is left to do: every node that should run has
run, no other has, a sync node has run once (again only where its own attempt died), and it has read exactly what the
edges that called it carried.
"""

from __future__ import annotations

import importlib
import itertools
import random
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from multi_x_serverless.sdk.manifest import (
    MANIFEST_FILE,
    CallStep,
    Manifest,
    ManifestEdge,
    ManifestFunction,
    ManifestNode,
)
from multi_x_serverless.sdk.plan_replica import PlanReplica
from multi_x_serverless.testing import START_TIME, MemoryBackend, MemoryCloud, Moment, QueuedMessage

REGIONS = ("us-east-1", "us-west-2", "ca-central-1")
RUN = "run"

_module_numbers = itertools.count()


@dataclass(frozen=True)
class Example:
    """A workflow and how it behaves.

    Attributes:
        sync: Per node whether it joins.
        once: Per node whether its delivery is exactly once.
        edges: (source, target, whether it is called).
        placement: Per node the index of its region.
    """

    sync: tuple[bool, ...]
    once: tuple[bool, ...]
    edges: tuple[tuple[int, int, bool], ...]
    placement: tuple[int, ...]

    def ran(self) -> set[int]:
        """The nodes that should run: the reference that the protocol is held against."""
        ran = {0}
        for node in range(1, len(self.sync)):
            if any(called and target == node and source in ran for source, target, called in self.edges):
                ran.add(node)
        return ran

    def received(self, node: int) -> list[object]:
        """What a sync node should read."""
        ran = self.ran()
        return [
            {"edge": index}
            for index, (source, target, called) in enumerate(self.edges)
            if target == node and called and source in ran
        ]


@st.composite
def examples(draw: st.DrawFn) -> Example:
    count = draw(st.integers(2, 7))
    sync = [False]
    edges: list[tuple[int, int, bool]] = []
    for node in range(1, count):
        joins = draw(st.booleans())
        sources = draw(st.lists(st.integers(0, node - 1), min_size=1, max_size=4 if joins else 1))
        sync.append(joins)
        edges += [(source, node, draw(st.booleans())) for source in sources]
    placement = draw(st.tuples(*[st.integers(0, len(REGIONS) - 1)] * count))
    once = draw(st.tuples(*[st.booleans()] * count))
    return Example(tuple(sync), once, tuple(edges), placement)


def write_package(root: Path, example: Example) -> Manifest:
    """Source and manifest of an example: one function per node, one line per call."""
    module = f"sync_protocol_app_{next(_module_numbers)}"
    lines = [
        "from multi_x_serverless import MultiXServerlessWorkflow",
        "workflow = MultiXServerlessWorkflow(name='example', version='0.0.1')",
        "started = []",
    ]
    sites: dict[int, CallStep] = {}
    for node, joins in enumerate(example.sync):
        lines += [
            f"@workflow.serverless_function(entry_point={node == 0})",
            f"def node{node}(payload):",
            f"    started.append(({node}, {'workflow.get_predecessor_data()' if joins else 'payload'}))",
        ]
        for index, (source, target, called) in enumerate(example.edges):
            if source != node:
                continue
            # Half of the declined edges are calls with conditional=False, the others are not reached.
            if not called and index % 2:
                lines.append("    if False:")
            indent = "        " if not called and index % 2 else "    "
            lines.append(
                f"{indent}workflow.invoke_serverless_function(node{target}, {{'edge': {index}}}, conditional={called})"
            )
            sites[index] = CallStep(f"{module}.py", len(lines), len(lines))
    (root / f"{module}.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    manifest = Manifest(
        workflow_id="example-0.0.1",
        module=module,
        variable="workflow",
        home=REGIONS[0],
        regions=REGIONS,
        home_share=0.0,
        functions=tuple(
            ManifestFunction(f"node{node}", f"node{node}", f"t{node}", "exactly_once" if once else "at_least_once")
            for node, once in enumerate(example.once)
        ),
        nodes=tuple(ManifestNode(f"n{node}", f"node{node}", joins) for node, joins in enumerate(example.sync)),
        edges=tuple(
            ManifestEdge(source, target, (sites[index],)) for index, (source, target, _) in enumerate(example.edges)
        ),
    )
    (root / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
    return manifest


class CrashError(BaseException):
    """The invocation's process has died; no handler of errors runs in a dead process."""


class Attempt:
    """One delivery, on a thread that stops before every operation until it is told to go on."""

    _current = threading.local()

    def __init__(self, cloud: MemoryCloud, message: QueuedMessage) -> None:
        self.message = message
        self.finished = False
        self.crashed = False
        self.error: BaseException | None = None
        self._resume = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, args=(cloud,), daemon=True)
        self._thread.start()
        self._stopped.acquire()

    @classmethod
    def hook(cls, moment: Moment, operation: str, region: str) -> None:
        """Stop the attempt that is about to do an operation."""
        attempt: Attempt | None = getattr(cls._current, "attempt", None)
        if attempt is not None and moment == "before":
            attempt._stop()

    def step(self, *, crash: bool = False) -> None:
        """Let it go on to its next operation, or die where it is."""
        self.crashed = crash
        self._resume.release()
        self._stopped.acquire()
        if self.finished:
            self._thread.join()

    def _stop(self) -> None:
        if not self.crashed:
            self._stopped.release()
            self._resume.acquire()
        if self.crashed:
            raise CrashError

    def _run(self, cloud: MemoryCloud) -> None:
        Attempt._current.attempt = self
        try:
            self._stop()
            cloud.deliver(self.message)
            self._stop()  # it may also die after its last operation, before the platform hears of its end
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            self.error = error
        finally:
            self.finished = True
            self._stopped.release()


MakeBackend = Callable[[Callable[[], float]], AbstractContextManager[MemoryBackend]]
"""Makes the backend of an example from its clock."""


@contextmanager
def in_memory(clock: Callable[[], float]) -> Iterator[MemoryBackend]:
    yield MemoryBackend(clock)


@contextmanager
def loaded_cloud(example: Example, make_backend: MakeBackend) -> Iterator[MemoryCloud]:
    """A cloud with the example deployed, and a plan that places it."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        manifest = write_package(Path(directory), example)
        cloud = MemoryCloud(Path(directory))
        cloud.backend = stack.enter_context(make_backend(lambda: cloud.now))
        cloud.set_plan(
            PlanReplica(
                version=1,
                manifest_id=manifest.id,
                expires_at=START_TIME + 3600,
                home_share=0.5,
                regions=REGIONS,
                hours=((0, example.placement),),
            )
        )
        try:
            yield cloud
        finally:
            sys.path.remove(directory)
            sys.modules.pop(manifest.module, None)


@dataclass
class Outcome:
    """What a schedule led to: (node, what it received) per start, finishes per node, and the faults injected."""

    starts: list[tuple[int, object]]
    finished: Counter[int]
    crashes: Counter[int]
    duplicates: int
    errors: list[BaseException]


def play(example: Example, seed: int, *, faults: int, make_backend: MakeBackend = in_memory) -> Outcome:
    """Run an example to its end under the schedule that a seed gives, with up to `faults` faults of each kind."""
    schedule = random.Random(seed)
    outcome = Outcome([], Counter(), Counter(), 0, [])
    with loaded_cloud(example, make_backend) as cloud:
        cloud.uniform = schedule.random  # a trigger that comes again would be placed otherwise half of the time
        cloud.start({"edge": None}, run_id=RUN)
        queue = cloud.backend.queue
        cloud.backend.hook = Attempt.hook
        attempts: list[Attempt] = []
        while queue or attempts:
            if queue and outcome.duplicates < faults and schedule.random() < 0.1:
                outcome.duplicates += 1
                message = schedule.choice(queue)
                queue.append(replace(message, request_id=f"copy-{outcome.duplicates}"))
            elif queue and (not attempts or schedule.random() < 0.4):
                attempts.append(Attempt(cloud, queue.pop(schedule.randrange(len(queue)))))
            else:
                attempt = schedule.choice(attempts)
                attempt.step(crash=outcome.crashes.total() < faults and schedule.random() < 0.1)
                if attempt.finished:
                    attempts.remove(attempt)
                    if attempt.crashed:
                        outcome.crashes[int(attempt.message.topic[1:])] += 1
                        queue.append(attempt.message)
                    elif attempt.error is not None:
                        outcome.errors.append(attempt.error)
        outcome.finished = Counter(record["node"] for record in cloud.records_of("node_finished"))
        outcome.starts = list(importlib.import_module(cloud.manifest.module).started)
    return outcome


SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(examples(), SEEDS)
def test_every_node_that_should_run_runs_and_a_join_runs_once(example: Example, seed: int) -> None:
    outcome = play(example, seed, faults=5)
    event(f"crashes: {outcome.crashes.total()}")
    event(f"duplicates: {outcome.duplicates}")

    check(example, outcome)


def check(example: Example, outcome: Outcome) -> None:
    """Assert what the module's text promises."""
    assert outcome.errors == []
    starts = Counter(node for node, _ in outcome.starts)
    assert set(starts) == example.ran()
    for node, received in outcome.starts:
        if example.sync[node]:
            assert received == example.received(node)
    for node in example.ran():
        if example.sync[node] or example.once[node]:
            assert starts[node] <= 1 + outcome.crashes[node]
            # An attempt that only sends what an earlier one had called finishes without a start of the function.
            assert 1 <= outcome.finished[node] <= 1 + outcome.crashes[node]
        elif not outcome.duplicates and not outcome.crashes:
            assert starts[node] == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(examples(), SEEDS)
def test_without_faults_every_node_runs_exactly_once(example: Example, seed: int) -> None:
    outcome = play(example, seed, faults=0)

    assert outcome.errors == []
    assert Counter(node for node, _ in outcome.starts) == dict.fromkeys(example.ran(), 1)
