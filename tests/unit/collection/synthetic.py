"""Runs of a made-up installation whose round trips and speeds are known, for tests of what estimates them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from multi_x_serverless.adaptation.statistics import summarise
from multi_x_serverless.model.config import FunctionConfiguration, ProviderSettings, WorkflowConfiguration
from multi_x_serverless.model.graph import Edge, Graph, Node
from multi_x_serverless.model.run import EdgeObservation, NodeObservation, ObservedRun
from multi_x_serverless.model.shared_constants import BANDWIDTH_BYTES_PER_S, MESSAGE_ENVELOPE_BYTES
from multi_x_serverless.solving.problem import WorkflowModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from multi_x_serverless.model.statistics import WorkflowStatistics

NOW = 1_700_000_000.0
EAST, WEST, CANADA, IRELAND = "us-east-1", "us-west-2", "ca-central-1", "eu-west-1"

GRAPH = Graph(
    nodes=(
        Node("first:entry_point:0", "first", sync=False),
        Node("second:first_0_0:1", "second", sync=False),
        Node("third:second_1_0:2", "third", sync=False),
        Node("join:sync:3", "join", sync=True),
    ),
    edges=(Edge(0, 1, (), False), Edge(1, 2, (), True), Edge(1, 3, (), False), Edge(2, 3, (), False)),
)
BASELINES_S = (0.030, 0.055, 0.020, 0.020)
"""How long a call of each edge within a region takes until it is accepted."""

DURATIONS_S = (0.2, 1.5, 0.4, 0.05)
"""Duration of each node where the speed is 1."""


@dataclass(frozen=True)
class World:
    """What is true of it.

    Attributes:
        added_s: From a region to a region -> seconds that distance adds until a call is accepted.
        speeds: Region -> speed; 1 where it is not named.
        noise: Standard deviation of the logarithm of latencies and durations.
        busy_share: Share of its time that a node computes.
        payload_bytes: Of every call.
        memory_mb: Of every function.
    """

    added_s: Mapping[tuple[str, str], float] = field(default_factory=dict)
    speeds: Mapping[str, float] = field(default_factory=dict)
    noise: float = 0.1
    busy_share: float = 0.9
    payload_bytes: float = 2_000.0
    memory_mb: int = 1769

    def runs(self, placement: Sequence[str], count: int, seed: int = 0, *, started_at: float = NOW - 3_600.0) -> Runs:
        """Runs whose nodes are placed so, node by node."""
        source = random.Random(f"{seed}-{','.join(placement)}")
        return tuple(self._run(tuple(placement), source, number, seed, started_at) for number in range(count))

    def workflow(self, *groups: Runs, workflow_id: str = "text-0.0.1") -> WorkflowStatistics:
        """What the runs of a workflow say, after they were sorted by time as the history does."""
        runs = sorted((run for group in groups for run in group), key=lambda run: (run.started_at, run.run_id))
        return summarise(self.model(workflow_id), runs, NOW)

    def model(self, workflow_id: str = "text-0.0.1") -> WorkflowModel:
        """The workflow whose runs these are."""
        name, _, version = workflow_id.partition("-")
        provider = ProviderSettings(timeout_s=60, memory_mb=self.memory_mb, architecture="x86_64")
        return WorkflowModel(
            configuration=WorkflowConfiguration(
                workflow_name=name, workflow_version=version or "0.0.1", home_region=EAST, provider=provider
            ),
            functions={
                function: FunctionConfiguration(function, (CANADA, EAST, IRELAND, WEST), {}, provider)
                for function in GRAPH.functions
            },
            graph=GRAPH,
            manifest_id="m1",
        )

    def _run(
        self, placement: tuple[str, ...], source: random.Random, number: int, seed: int, started_at: float
    ) -> ObservedRun:
        nodes = {}
        for index, region in enumerate(placement):
            duration = DURATIONS_S[index] / self.speeds.get(region, 1.0) * source.lognormvariate(0.0, self.noise)
            cpu_s = duration * self.busy_share * min(1.0, self.memory_mb / 1769)
            nodes[index] = NodeObservation(region, duration, cpu_s, False, {}, {}, 0.0, 0.0)
        edges = {}
        for index, edge in enumerate(GRAPH.edges):
            pair = placement[edge.source], placement[edge.target]
            publish = BASELINES_S[index] * source.lognormvariate(0.0, self.noise) + self.added_s.get(pair, 0.0)
            if pair[0] != pair[1]:
                publish += (self.payload_bytes + MESSAGE_ENVELOPE_BYTES) / BANDWIDTH_BYTES_PER_S
            # A called node starts before the answer is back, and a cold one long after it.
            latency = None if GRAPH.nodes[edge.target].sync else 0.6 * publish
            edges[index] = EdgeObservation(True, self.payload_bytes, 0.01, latency, publish)
        return ObservedRun(
            run_id=f"{seed}-{'-'.join(placement)}-{number}",
            manifest_id="m1",
            status="complete",
            started_at=started_at + number,
            finished_at=started_at + number + 3.0,
            plan_version=1,
            placement_key="home",
            reason="plan",
            trigger_bytes=100.0,
            nodes=nodes,
            edges=edges,
        )


Runs = tuple[ObservedRun, ...]


def with_nodes(runs: Runs, change: Callable[[NodeObservation], NodeObservation]) -> Runs:
    """The runs with each node changed."""
    return tuple(replace(run, nodes={index: change(node) for index, node in run.nodes.items()}) for run in runs)


def with_publishes(runs: Runs, change: Callable[[float], float]) -> Runs:
    """The runs with each time changed that calls take until they are accepted."""
    return tuple(
        replace(
            run,
            edges={
                index: edge if edge.publish_s is None else replace(edge, publish_s=change(edge.publish_s))
                for index, edge in run.edges.items()
            },
        )
        for run in runs
    )


def cold(runs: Runs, seconds: float = 4.0) -> Runs:
    """The runs as if every node had started cold: calls and durations longer by some seconds."""
    renamed = tuple(replace(run, run_id=f"cold-{run.run_id}") for run in with_publishes(runs, lambda s: s + seconds))
    return with_nodes(renamed, lambda node: replace(node, cold=True, duration_s=node.duration_s + seconds))
