"""Problem documents of random workflows, over the embedded regions, prices, round trips and intensities."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TypeVar

from benchmarks.solver.assembly import HOME, HOUR, MEMORIES_MB, OBSERVED_RUNS, home_node, home_run, random_workflow
from benchmarks.solver_benchmarks.cases import Shape
from benchmarks.solver_benchmarks.random_dag import Stream, first_by_rank, random_dag
from multi_x_serverless import data
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.run import EdgeObservation, NodeObservation, ObservedRun
from multi_x_serverless.solving.model_constants import TransmissionPreset
from multi_x_serverless.solving.problem import SolveSettings, build_problem
from tests.oracles.counters import uniform
from tests.unit.solving.workflows import embedded_signals

NAME = "random"

MEDIANS_S = (0.05, 0.8)
"""Between these lie the medians of the functions' durations."""
PACE_SIGMA, NODE_PACE_SIGMA = 0.3, 0.15
"""Of the logarithms: a run with a large input is slow everywhere, and each node differs by itself."""
PAYLOADS_BYTES = (1e3, 3e4, 2e5, 2e6)
OFFSETS = (1.0, 1.0, 0.5)
"""Fractions of the caller's duration after which a call leaves."""
CALLED_SHARE = 0.7
"""Of a conditional call."""
LEAST_UNIFORM = 2.0**-54
"""The normal quantile of 0 is infinite."""
TRANSMISSION: TransmissionPreset = "best"
"""With the other preset, which makes bytes between regions dear, half of the graphs of 16 nodes stay home whole."""

T = TypeVar("T")


def random_problem(shape: Shape, seed: int, scenarios: int) -> bytes:
    """The problem document of one hour of a random workflow; equal arguments give equal documents.

    The plan is checked on as many fresh scenarios as it is made with. Which random numbers the engine draws, and those
    of the heuristic, follows from the seed, too.
    """
    graph = random_dag(shape.nodes, shape.sync_nodes, seed)
    regions = _regions(shape.regions, seed)
    pinned = first_by_rank(range(shape.nodes), shape.pinned_nodes, seed, Stream.PINNED)
    memory = [_one_of(MEMORIES_MB, uniform(seed, Stream.MEMORY, 0, node)) for node in range(shape.nodes)]
    workflow = random_workflow(NAME, graph, regions, memory, pinned=pinned, tail_limit=shape.tail_limit)
    settings = SolveSettings(
        hours=(HOUR,), seed=seed, scenarios=scenarios, validation_scenarios=scenarios, transmission=TRANSMISSION
    )
    runs = tuple(_run(graph, memory, seed, number) for number in range(OBSERVED_RUNS))
    return build_problem(workflow, runs, embedded_signals(regions), settings)


def _regions(count: int, seed: int) -> tuple[str, ...]:
    """Home and others at random; more regions add to the fewer."""
    others = sorted(set(data.regions()) - {HOME})
    chosen = first_by_rank(range(len(others)), count - 1, seed, Stream.REGION)
    return (HOME, *(region for index, region in enumerate(others) if index in chosen))


def _run(graph: Graph, memory_mb: list[int], seed: int, run: int) -> ObservedRun:
    """One run at home; its numbers are drawn by (seed, purpose, run, node or edge)."""
    pace = _log_normal(PACE_SIGMA, uniform(seed, Stream.PACE, run, 0))
    nodes: dict[int, NodeObservation] = {}
    edges: dict[int, EdgeObservation] = {}
    for index in range(len(graph.nodes)):
        if index and not any(edges[edge].called for edge in graph.incoming[index] if edge in edges):
            continue
        median_s = _between(*MEDIANS_S, uniform(seed, Stream.MEDIAN, 0, index))
        duration_s = median_s * pace * _log_normal(NODE_PACE_SIGMA, uniform(seed, Stream.NODE_PACE, run, index))
        utilization = _between(0.3, 0.9, uniform(seed, Stream.UTILIZATION, run, index))
        cpu_s = duration_s * utilization * memory_mb[index] / 1769.0
        nodes[index] = home_node(duration_s, cpu_s, _between(0.0, 1e5, uniform(seed, Stream.DATA, run, index)))
        for edge in graph.outgoing[index]:
            edges[edge] = _call(graph, edge, duration_s, seed, run)
    return home_run(NAME, run, nodes, edges)


def _call(graph: Graph, edge: int, caller_s: float, seed: int, run: int) -> EdgeObservation:
    """A call, or its decline. The edge is known by its ends, so that edges elsewhere change nothing here."""
    source, target = graph.edges[edge].source, graph.edges[edge].target
    ends = (source << 32) | target
    called = not graph.edges[edge].conditional or uniform(seed, Stream.CALLED, run, ends) < CALLED_SHARE
    payload = _one_of(PAYLOADS_BYTES, uniform(seed, Stream.PAYLOAD, source, target))
    leaves_at = _one_of(OFFSETS, uniform(seed, Stream.OFFSET, source, target))
    latency_s = _between(0.02, 0.06, uniform(seed, Stream.LATENCY, run, ends))
    return EdgeObservation(
        called=called,
        payload_bytes=payload * _between(0.5, 1.5, uniform(seed, Stream.SENT, run, ends)) if called else 0.0,
        offset_s=caller_s * leaves_at,
        latency_s=latency_s if called and not graph.nodes[target].sync else None,
    )


def _one_of(values: tuple[T, ...], at: float) -> T:
    return values[int(at * len(values))]


def _between(low: float, high: float, at: float) -> float:
    return low + (high - low) * at


def _log_normal(sigma: float, at: float) -> float:
    """Median 1."""
    return math.exp(sigma * NormalDist().inv_cdf(max(LEAST_UNIFORM, at)))
