"""Random workflows with a given number of nodes and sync nodes.

Every number is drawn by what it is for (seed, purpose, node), never in a row: a sync node more or another pinned share
changes nothing else of the workflow.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from benchmarks.solver_benchmarks.cases import FIRST_POSSIBLE_SYNC_NODE
from multi_x_serverless.model.graph import Edge, Graph, Node
from tests.oracles.counters import uniform

CONDITIONAL_SHARE = 0.2
"""Share of the calls that a run may decline."""


class Stream(IntEnum):
    """What a number is drawn for; far from the engine's own streams, which draw scenarios of the same seed."""

    SYNC = 1000
    CALLER = 1001
    CALLERS = 1002
    CONDITIONAL = 1003
    PINNED = 1004
    REGION = 1005
    MEMORY = 1006
    MEDIAN = 1007
    PAYLOAD = 1008
    OFFSET = 1009
    PACE = 1010
    NODE_PACE = 1011
    UTILIZATION = 1012
    DATA = 1013
    CALLED = 1014
    SENT = 1015
    LATENCY = 1016


def first_by_rank(candidates: Iterable[int], count: int, seed: int, stream: Stream) -> frozenset[int]:
    """So many of the candidates, at random; a larger count adds to those of a smaller one."""
    ranked = sorted(candidates, key=lambda candidate: uniform(seed, stream, 0, candidate))
    return frozenset(ranked[:count])


def random_dag(nodes: int, sync_nodes: int, seed: int) -> Graph:
    """A workflow whose nodes are called by any of the earlier ones, each as likely.

    A sync node joins the calls of two or three nodes (of two where there are no more), every other one has one caller.
    Nothing bounds how far a call reaches, so the graphs are wide, and the elimination has larger tables than on
    layered ones.
    """
    joins = first_by_rank(range(FIRST_POSSIBLE_SYNC_NODE, nodes), sync_nodes, seed, Stream.SYNC)
    edges = [
        Edge(caller, node, (), conditional=uniform(seed, Stream.CONDITIONAL, caller, node) < CONDITIONAL_SHARE)
        for node in range(1, nodes)
        for caller in sorted(_callers(node, node in joins, seed))
    ]
    return Graph(
        tuple(Node(f"function_{node}:site:{node}", f"function_{node}", node in joins) for node in range(nodes)),
        tuple(edges),
    )


def _callers(node: int, joins: bool, seed: int) -> frozenset[int]:
    count = 1 if not joins else 2 + int(2 * uniform(seed, Stream.CALLERS, 0, node))
    # The earlier nodes by a rank of this node's own: whether it joins or not, its first caller is the same.
    ranked = sorted(range(node), key=lambda caller: uniform(seed, Stream.CALLER, node, caller))
    return frozenset(ranked[:count])
