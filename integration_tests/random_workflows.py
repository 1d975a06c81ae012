"""Random workflows that write down what happened to them, and what should have happened.

Every function appends a line to a file when it begins: its node, the run, a number drawn at random (its nonce), and
what it was given by whom, with their nonces. Which calls a run makes is decided by its input, so that the reference is
known.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multi_x_serverless.model.graph import Graph

HEAD = """
import json
import os

from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="{name}", version="0.0.1"{delivery})


def begin(node, event, given):
    nonce = os.urandom(6).hex()
    line = json.dumps({{"node": node, "run": event["run"], "nonce": nonce, "given": given}}) + "\\n"
    file = os.open(event["log"], os.O_APPEND | os.O_WRONLY | os.O_CREAT)
    os.write(file, line.encode())
    os.close(file)
    return nonce


def carry(event, edge, nonce):
    return {{"run": event["run"], "log": event["log"], "calls": event["calls"], "edge": edge, "nonce": nonce}}
"""
ENTRY = """

@workflow.serverless_function(name="node0", entry_point=True{delivery})
def node0(event):
    nonce = begin(0, event, [])
"""
PLAIN = """

@workflow.serverless_function(name="node{node}"{delivery})
def node{node}(event):
    nonce = begin({node}, event, [[event["edge"], event["nonce"]]])
"""
SYNC = """

@workflow.serverless_function(name="node{node}"{delivery})
def node{node}():
    results = workflow.get_predecessor_results()
    event = results[0].payload
    for result in results:
        assert result.function == SENDERS[result.payload["edge"]], result
    nonce = begin({node}, event, [[result.payload["edge"], result.payload["nonce"]] for result in results])
"""
CALL = (
    "    workflow.invoke_serverless_function("
    'node{target}, carry(event, {edge}, nonce), conditional=event["calls"][{edge}])\n'
)
BRANCH = (
    '    if event["calls"][{edge}]:\n'
    "        workflow.invoke_serverless_function(node{target}, carry(event, {edge}, nonce))\n"
)


@dataclass(frozen=True)
class RandomWorkflow:
    """A graph: per node whether it joins and whether its delivery is exactly once; per edge (source, target).

    Attributes:
        whole: Whether exactly-once delivery is said once for the whole workflow.
    """

    name: str
    joins: tuple[bool, ...]
    exactly_once: tuple[bool, ...]
    edges: tuple[tuple[int, int], ...]
    whole: bool

    @property
    def source(self) -> str:
        """The workflow's source file."""
        parts = [HEAD.format(name=self.name, delivery=', delivery="exactly_once"' if self.whole else "")]
        parts.append(f"\n\nSENDERS = {[f'node{source}' for source, _ in self.edges]}\n")
        for node, joins in enumerate(self.joins):
            once = ', delivery="exactly_once"' if self.exactly_once[node] and not self.whole else ""
            template = SYNC if joins else PLAIN if node else ENTRY
            parts.append(template.format(node=node, delivery=once))
            for edge, (source, target) in enumerate(self.edges):
                if source == node:
                    call = BRANCH if edge % 2 else CALL
                    parts.append(call.format(target=target, edge=edge))
        return "".join(parts)

    def ran(self, calls: list[bool]) -> set[int]:
        """The nodes that should run."""
        ran = {0}
        for node in range(1, len(self.joins)):
            if any(
                calls[edge] and target == node and source in ran for edge, (source, target) in enumerate(self.edges)
            ):
                ran.add(node)
        return ran

    def given(self, node: int, calls: list[bool]) -> list[int]:
        """Edges whose payloads a node should be given, in order."""
        ran = self.ran(calls)
        return [
            edge for edge, (source, target) in enumerate(self.edges) if target == node and calls[edge] and source in ran
        ]

    def configuration(self, regions: Iterable[str]) -> str:
        """The project's configuration."""
        return (
            f"workflow_name: {self.name}\nworkflow_version: 0.0.1\nhome_region: us-east-1\n"
            f"regions_and_providers: {{allowed_regions: [{', '.join(regions)}]}}\nhome_share: 0.2\n"
        )


def draw_workflow(dice: random.Random, number: int) -> RandomWorkflow:
    """A graph of three to seven nodes, about half of them joins of up to three edges."""
    count = dice.randint(3, 7)
    joins, edges = [False], list[tuple[int, int]]()
    for node in range(1, count):
        joins.append(dice.random() < 0.5)
        sources = [dice.randrange(node) for _ in range(dice.randint(1, 3) if joins[-1] else 1)]
        edges += [(source, node) for source in sorted(sources)]
    edges.sort()
    whole = number % 4 == 3
    once = tuple(whole or dice.random() < 0.4 for _ in range(count))
    return RandomWorkflow(f"random_{number}", tuple(joins), once, tuple(edges), whole)


@dataclass(frozen=True)
class Begun:
    """One line of the file: a function has begun. `given` has an (edge, nonce of its sender) per payload."""

    node: int
    nonce: str
    given: tuple[tuple[int, str], ...]


def read_log(file: Path) -> dict[str, list[Begun]]:
    """What began, by run."""
    begun: dict[str, list[Begun]] = defaultdict(list)
    for line in file.read_text(encoding="utf-8").splitlines():
        entry: dict[str, Any] = json.loads(line)
        given = tuple((int(edge), str(nonce)) for edge, nonce in entry["given"])
        begun[entry["run"]].append(Begun(entry["node"], entry["nonce"], given))
    return begun


def edge_order(flow: RandomWorkflow, graph: Graph) -> list[int]:
    """The workflow's edges in the order that the analysis gave them."""
    lines = flow.source.splitlines()
    line_of = {
        number: edge
        for edge in range(len(flow.edges))
        for number, line in enumerate(lines, start=1)
        if f"carry(event, {edge}, nonce)" in line
    }
    return [line_of[edge.site[-1].line] for edge in graph.edges]


def check_run(
    flow: RandomWorkflow, order: list[int], calls: list[bool], begun: list[Begun], killed: Mapping[int, int]
) -> None:
    """Assert the protocol's promises for one run.

    Args:
        order: The edges in the order in which joins are given payloads.
        calls: Per edge whether the run should call it.
        killed: Node -> attempts at it that were killed.
    """
    by_node: dict[int, list[Begun]] = defaultdict(list)
    for one in begun:
        by_node[one.node].append(one)
    assert set(by_node) == flow.ran(calls), f"{sorted(by_node)} ran, not {sorted(flow.ran(calls))}"
    nonces: dict[int, set[str]] = defaultdict(set)
    for node, starts in by_node.items():
        if flow.joins[node]:
            assert {start.given for start in starts} == {starts[0].given}, "a join was given different things"
            assert [edge for edge, _ in starts[0].given] == sorted(flow.given(node, calls), key=order.index)
        if flow.joins[node] or flow.exactly_once[node]:
            assert len(starts) <= 1 + killed.get(node, 0), f"node {node} began {len(starts)} times"
        for start in starts:
            for edge, nonce in start.given:
                nonces[flow.edges[edge][0]].add(nonce)
    for node, seen in nonces.items():
        if flow.exactly_once[node] or (flow.joins[node] and not killed.get(node)):
            assert len(seen) == 1, f"what follows from node {node} is of {len(seen)} runs of its function"
        assert seen <= {start.nonce for start in by_node[node]}
