"""Random layered workflows with observed runs, planned over the embedded regions, prices and intensities.

Every third node is pinned home, as by data residency: without pins the greenest single region is nearly always optimal
and every solver looks good.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.solver.assembly import HOME, HOUR, MEMORIES_MB, OBSERVED_RUNS, home_node, home_run, random_workflow
from multi_x_serverless import data
from multi_x_serverless.model.graph import Edge, Graph, Node
from multi_x_serverless.model.run import EdgeObservation, NodeObservation, ObservedRun
from multi_x_serverless.solving.problem import SolveSettings, build_problem
from tests.unit.solving.workflows import embedded_signals

NAME = "layered"
PIN_EVERY = 3
LAYER_WIDTH = 4


@dataclass(frozen=True)
class Shape:
    """Size and difficulty of a problem.

    Attributes:
        tightness: Limit on the 95th percentile of run time, over home's. At 1.02 it binds: the rest is easy. `None`:
            no limit, and no node pinned.
        observed_runs: Runs that scenarios are drawn from.
    """

    nodes: int = 32
    regions: int = 10
    scenarios: int = 1000
    tightness: float | None = 1.02
    observed_runs: int = OBSERVED_RUNS


def layered_problem(shape: Shape, seed: int, deadline_s: float, hours: tuple[int, ...] = (HOUR,)) -> bytes:
    """The problem document of a random workflow; equal arguments give equal documents."""
    source = random.Random(seed)
    return _problem(_graph(shape.nodes, source), shape, seed, source, deadline_s, hours)


def map_reduce_problem(workers: int, regions: int, deadline_s: float) -> bytes:
    """The problem document of one hour of a workflow that calls many workers and joins them; no limit, no pins."""
    nodes = ["split", *(f"work_{number}" for number in range(workers)), "reduce"]
    graph = Graph(
        tuple(Node(f"{name}:site:{index}", name, name == "reduce") for index, name in enumerate(nodes)),
        (
            *(Edge(0, number, (), conditional=False) for number in range(1, workers + 1)),
            *(Edge(number, workers + 1, (), conditional=False) for number in range(1, workers + 1)),
        ),
    )
    shape = Shape(nodes=len(nodes), regions=regions, tightness=None)
    return _problem(graph, shape, 0, random.Random(0), deadline_s, (HOUR,))


def _problem(
    graph: Graph, shape: Shape, seed: int, source: random.Random, deadline_s: float, hours: tuple[int, ...]
) -> bytes:
    # Of their own random numbers: more regions add to the fewer and change nothing of the workflow.
    others = sorted(set(data.regions()) - {HOME})
    random.Random(seed).shuffle(others)
    regions = (HOME, *others[: shape.regions - 1])
    memory = [source.choice(MEMORIES_MB) for _ in graph.nodes]
    pinned = range(0) if shape.tightness is None else range(0, len(graph.nodes), PIN_EVERY)
    workflow = random_workflow(NAME, graph, regions, memory, pinned=pinned, tail_limit=shape.tightness)
    settings = SolveSettings(
        hours=hours,
        seed=seed,
        scenarios=shape.scenarios,
        transmission="worst",
        # The certificate's check of the finished plan: as many as it is planned with, so that one number drives all.
        validation_scenarios=shape.scenarios,
        deadline_s=deadline_s,
    )
    return build_problem(
        workflow, _runs(graph, memory, source, shape.observed_runs), embedded_signals(regions), settings
    )


def _graph(count: int, source: random.Random) -> Graph:
    layers: list[list[int]] = [[0]]
    while sum(map(len, layers)) < count:
        first = sum(map(len, layers))
        layers.append(list(range(first, min(count, first + source.randint(1, LAYER_WIDTH)))))
    edges: list[Edge] = []
    joins = {0: False}
    for above, layer in pairwise(layers):
        for node in layer:
            callers = sorted(source.sample(above, min(len(above), source.choice([1, 1, 1, 2, 3]))))
            joins[node] = len(callers) > 1
            edges.extend(Edge(caller, node, (), conditional=source.random() < 0.2) for caller in callers)
    nodes = tuple(Node(f"function_{index}:site:{index}", f"function_{index}", joins[index]) for index in range(count))
    return Graph(nodes, tuple(edges))


def _runs(graph: Graph, memory: list[int], source: random.Random, count: int) -> tuple[ObservedRun, ...]:
    median = [source.uniform(0.05, 0.8) for _ in graph.nodes]
    payload = [source.choice([1e3, 3e4, 2e5, 2e6]) for _ in graph.edges]
    leaves_at = [source.choice([1.0, 1.0, 0.5]) for _ in graph.edges]
    runs = []
    for number in range(count):
        # Large inputs are slow everywhere: durations of one run go together.
        pace = source.lognormvariate(0.0, 0.3)
        nodes: dict[int, NodeObservation] = {}
        edges: dict[int, EdgeObservation] = {}
        for index in range(len(graph.nodes)):
            if index and not any(edges[edge].called for edge in graph.incoming[index] if edge in edges):
                continue
            duration = median[index] * pace * source.lognormvariate(0.0, 0.15)
            cpu_s = duration * (memory[index] / 1769.0) * source.uniform(0.3, 0.9)
            nodes[index] = home_node(duration, cpu_s, source.uniform(0.0, 1e5))
            for edge in graph.outgoing[index]:
                called = not graph.edges[edge].conditional or source.random() < 0.7
                joins = graph.nodes[graph.edges[edge].target].sync
                edges[edge] = EdgeObservation(
                    called=called,
                    payload_bytes=payload[edge] * source.uniform(0.5, 1.5) if called else 0.0,
                    offset_s=duration * leaves_at[edge],
                    latency_s=source.uniform(0.02, 0.06) if called and not joins else None,
                )
        runs.append(home_run(NAME, number, nodes, edges))
    return tuple(runs)
