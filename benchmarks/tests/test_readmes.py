"""The README of every benchmark: how to deploy, run and remove it, and a picture of the graph that is deployed."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest

from benchmarks.suite.discovery import Benchmark, find_benchmarks
from multi_x_serverless.deployment.analysis import analyse

BENCHMARKS = find_benchmarks()
EVERY = pytest.mark.parametrize("benchmark_", BENCHMARKS, ids=[one.name for one in BENCHMARKS])

NODE = re.compile(r"(\w+)(?:\[+(\w+)\]+)?")
ARROW = re.compile(r"\s*(?:-->|-\.->|-\. \w+ \.->)\s*")


def pictured_edges(readme: str) -> Counter[tuple[str, str]]:
    """(caller, called) -> how many arrows lead from one to the other."""
    picture = re.search(r"```mermaid\n(?:flowchart|graph) \w+\n(.*?)```", readme, re.DOTALL)
    assert picture is not None, "there is no picture of the graph"
    labels: dict[str, str] = {}
    edges: list[tuple[str, str]] = []
    for line in picture.group(1).splitlines():
        names = []
        for text in ARROW.split(line.strip()):
            found = NODE.fullmatch(text)
            assert found is not None, line
            if found.group(2):
                labels[found.group(1)] = found.group(2)
            names.append(found.group(1))
        edges += pairwise(names)
    return Counter((labels.get(source, source), labels.get(target, target)) for source, target in edges)


@EVERY
def test_the_readme_says_how_to_deploy_run_and_remove_it(benchmark_: Benchmark) -> None:
    readme = (benchmark_.project / "README.md").read_text(encoding="utf-8")
    for command in ("deploy", f"run {benchmark_.name}-0.0.1", f"remove {benchmark_.name}-0.0.1"):
        assert re.search(rf"^\$ multi_x_serverless .*{re.escape(command)}", readme, re.MULTILINE), command


@EVERY
def test_the_picture_shows_the_graph_that_is_deployed(benchmark_: Benchmark) -> None:
    graph = analyse(benchmark_.project).graph
    deployed = Counter((graph.nodes[edge.source].function, graph.nodes[edge.target].function) for edge in graph.edges)
    assert pictured_edges((benchmark_.project / "README.md").read_text(encoding="utf-8")) == deployed


@EVERY
def test_it_names_sample_input_that_is_there(benchmark_: Benchmark) -> None:
    sample = benchmark_.sample()
    assert sample.events
    assert all(file.is_file() for file in sample.objects.values())
