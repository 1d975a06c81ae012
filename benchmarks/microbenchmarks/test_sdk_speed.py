"""The run-time SDK without a network: one delivery of a node's message, and imports.

Deliveries run over the cloud in memory, so what is measured beyond the bare function is the SDK's own work and a
dictionary's; the operations that go over a network in a real cloud are in `extra_info`.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import multi_x_serverless
from benchmarks.microbenchmarks.child_processes import children_processor_s
from multi_x_serverless.sdk.manifest import MANIFEST_FILE, Delivery
from multi_x_serverless.testing import MemoryCloud, Moment, QueuedMessage
from tests.unit.sdk.packages import write_package

ROUNDS = 500
JOINED = 5
IMPORT_ROUNDS = 11


def fan_out(calls: int) -> tuple[str, list[tuple[str, bool]], list[tuple[int, int]]]:
    """A first node that calls so many others."""
    lines = ["@workflow.serverless_function(entry_point=True)", "def first(event):", "    pass"]
    lines += [f"    workflow.invoke_serverless_function(leaf{call}, event)  # edge {call}" for call in range(calls)]
    for call in range(calls):
        lines += ["@workflow.serverless_function()", f"def leaf{call}(event):", "    pass"]
    nodes = [("first", False), *((f"leaf{call}", False) for call in range(calls))]
    return "\n".join(lines) + "\n", nodes, [(0, call + 1) for call in range(calls)]


def fan_in(width: int) -> tuple[str, list[tuple[str, bool]], list[tuple[int, int]]]:
    """A first node, so many workers, and a node that joins them."""
    source, nodes, edges = fan_out(width)
    for worker in range(width):
        source = source.replace(
            f"def leaf{worker}(event):\n    pass",
            f"def leaf{worker}(event):\n    workflow.invoke_serverless_function(join, event)  # edge {width + worker}",
        )
    source += "@workflow.serverless_function()\ndef join():\n    workflow.get_predecessor_results()\n"
    return source, [*nodes, ("join", True)], [*edges, *((worker + 1, width + 1) for worker in range(width))]


def cloud_of(root: Path, source: str, nodes: list[tuple[str, bool]], edges: list[tuple[int, int]]) -> MemoryCloud:
    write_package(root, source, nodes, edges)
    return MemoryCloud(root)


def with_delivery(cloud: MemoryCloud, delivery: Delivery) -> MemoryCloud:
    functions = tuple(replace(function, delivery=delivery) for function in cloud.manifest.functions)
    (cloud.root / MANIFEST_FILE).write_text(replace(cloud.manifest, functions=functions).to_json(), encoding="utf-8")
    return MemoryCloud(cloud.root)


def message_to(cloud: MemoryCloud, topic: str) -> QueuedMessage:
    """The message of a new run that starts a function; what came before it was delivered."""
    # The cloud in memory sorts all items for a query; those of earlier runs would be measured as the SDK's time.
    cloud.backend.items.clear()
    cloud.backend.queue.clear()
    cloud.start("x")
    while True:
        message = cloud.backend.queue.pop(0)
        if message.topic == topic:
            return message
        cloud.deliver(message)


def measure(benchmark: BenchmarkFixture, cloud: MemoryCloud, topic: str) -> None:
    counted: Counter[str] = Counter()

    def count(moment: Moment, operation: str, _region: str) -> None:
        if moment == "before":
            counted[operation] += 1

    message = message_to(cloud, topic)
    cloud.backend.hook = count
    cloud.deliver(message)
    cloud.backend.hook = None

    def prepare() -> tuple[tuple[QueuedMessage], dict[str, object]]:
        message = message_to(cloud, topic)
        cloud.stream.seek(0)
        cloud.stream.truncate()
        return (message,), {}

    benchmark.pedantic(cloud.deliver, setup=prepare, rounds=ROUNDS, warmup_rounds=20)  # type: ignore[no-untyped-call]  # pytest-benchmark leaves it untyped
    benchmark.extra_info["operations"] = dict(counted)


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
@pytest.mark.parametrize("calls", [0, 1, 5])
def test_a_node_that_calls(benchmark: BenchmarkFixture, tmp_path: Path, calls: int, delivery: Delivery) -> None:
    """A node behind the entry, so that no placement is chosen: a worker between `first` and so many leaves."""
    source, nodes, edges = fan_out(calls)
    source = source.replace("(entry_point=True)", "()").replace("def first(", "def worker(")
    for edge in reversed(range(calls)):
        source = source.replace(f"# edge {edge}\n", f"# edge {edge + 1}\n")
    entry = (
        "@workflow.serverless_function(entry_point=True)\ndef entry(event):\n"
        "    workflow.invoke_serverless_function(worker, event)  # edge 0\n"
    )
    shifted = [(0, 1), *((start + 1, end + 1) for start, end in edges)]
    cloud = cloud_of(tmp_path, entry + source, [("entry", False), ("worker", False), *nodes[1:]], shifted)
    measure(benchmark, with_delivery(cloud, delivery), "topic-worker")


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_a_node_that_joins(benchmark: BenchmarkFixture, tmp_path: Path, delivery: Delivery) -> None:
    cloud = cloud_of(tmp_path, *fan_in(JOINED))
    measure(benchmark, with_delivery(cloud, delivery), "topic-join")


def test_the_bare_function(benchmark: BenchmarkFixture) -> None:
    def function(event: object) -> object:
        return event

    benchmark(function, "x")


IMPORTS = {
    "nothing": "pass",
    "workflow": "from multi_x_serverless import MultiXServerlessWorkflow",
    "application": "import multi_x_serverless.sdk.application",
    "application after boto3": "import multi_x_serverless.sdk.application",
    "boto3": "import boto3",
}
BEFORE = {"application after boto3": "import boto3"}
IMPORT = """
import sys, time
sys.path.insert(0, {path!r})
{before}
started = time.process_time()
{statement}
print(time.process_time() - started)
"""


@pytest.mark.benchmark(timer=children_processor_s)
@pytest.mark.parametrize("name", IMPORTS)
def test_import(benchmark: BenchmarkFixture, name: str) -> None:
    """The processor time of a whole interpreter; that of the import alone is in `extra_info`."""
    path = multi_x_serverless.__path__[0].rpartition("/")[0]
    code = IMPORT.format(path=path, before=BEFORE.get(name, ""), statement=IMPORTS[name])
    seconds: list[float] = []

    def work() -> None:
        command = [sys.executable, "-I", "-c", code]
        seconds.append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))

    benchmark.pedantic(work, rounds=IMPORT_ROUNDS, warmup_rounds=1)  # type: ignore[no-untyped-call]  # pytest-benchmark leaves it untyped
    ordered = sorted(seconds)
    benchmark.extra_info["import_ms_min"] = round(1000 * ordered[0], 2)
    benchmark.extra_info["import_ms_median"] = round(1000 * ordered[len(ordered) // 2], 2)
