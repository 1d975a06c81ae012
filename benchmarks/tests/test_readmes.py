"""The README of every benchmark: how to deploy, run and remove it, and a picture of the graph that is deployed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection
from itertools import pairwise, product

import pytest

from benchmarks.suite.discovery import BENCHMARKS, Benchmark, find_benchmarks
from multi_x_serverless.deployment.analysis import analyse
from multi_x_serverless.testing import WorkflowTest

FOUND = find_benchmarks()
EVERY = pytest.mark.parametrize("benchmark_", FOUND, ids=[one.name for one in FOUND])

NODE = re.compile(r"(\w+)(?:[\[({]+(\w+)[^\])}]*[\])}]+)?")
ARROW = re.compile(r"\s*(?:-->|-\.->)(?:\|[^|]*\|)?\s*|\s*(?:--|-\.) [^>]*? (?:-->|\.->)\s*")


def pictured_edges(readme: str, functions: Collection[str]) -> Counter[tuple[str, str]]:
    """(caller, called) -> how many arrows lead from one to the other. A node is named by its id or by its label."""
    picture = re.search(r"```mermaid\n(?:flowchart|graph) \w+\n(.*?)```", readme, re.DOTALL)
    assert picture is not None, "there is no picture of the graph"
    names: dict[str, str] = {}
    edges: list[tuple[str, str]] = []
    for line in picture.group(1).splitlines():
        groups = []
        for text in ARROW.split(line.strip()):
            nodes = [NODE.fullmatch(part.strip()) for part in text.split("&")]
            group = [node for node in nodes if node is not None]
            assert len(group) == len(nodes), line
            for node in group:
                names.setdefault(node[1], node[1] if node[1] in functions or node[2] is None else node[2])
            groups.append([node[1] for node in group])
        edges += [edge for sources, targets in pairwise(groups) for edge in product(sources, targets)]
    return Counter((names[source], names[target]) for source, target in edges)


@EVERY
def test_the_readme_says_how_to_deploy_run_and_remove_it(benchmark_: Benchmark) -> None:
    readme = (benchmark_.project / "README.md").read_text(encoding="utf-8")
    for command in ("deploy", f"run {benchmark_.name}-0.0.1", f"remove {benchmark_.name}-0.0.1"):
        assert re.search(rf"^\$ multi_x_serverless .*{re.escape(command)}", readme, re.MULTILINE), command


@EVERY
def test_the_picture_shows_the_graph_that_is_deployed(benchmark_: Benchmark) -> None:
    graph = analyse(benchmark_.project).graph
    deployed = Counter((graph.nodes[edge.source].function, graph.nodes[edge.target].function) for edge in graph.edges)
    readme = (benchmark_.project / "README.md").read_text(encoding="utf-8")
    assert pictured_edges(readme, graph.functions) == deployed


@EVERY
def test_it_names_sample_input_that_is_there(benchmark_: Benchmark) -> None:
    sample = benchmark_.sample()
    assert sample.events
    assert all(file.is_file() for file in sample.objects.values())


def test_pictures_are_read_as_they_are_drawn() -> None:
    picture = """```mermaid
graph LR
    a --> first[b] -. sometimes .-> c{{c: join}}
    a -->|often| second[b] & d -.-> c
```"""
    assert pictured_edges(picture, {"a", "b", "c", "d"}) == {
        ("a", "b"): 2,
        ("b", "c"): 2,
        ("a", "d"): 1,
        ("d", "c"): 1,
    }


def test_the_table_of_the_smallest_example_holds() -> None:
    project = BENCHMARKS / "small_sync_example"
    rows = re.findall(
        r"^\| (true|false) \| (true|false) \| (true|false) \| (.+?) \| (.+?) \| (?:`(.+)`|none.*) \|$",
        (project / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len({row[:3] for row in rows}) == 8
    with WorkflowTest(project) as test:
        for *flags, sync, last, result in rows:
            run = test.run({f"execute_{number}": flag == "true" for number, flag in enumerate(flags, start=1)})
            functions = {step.function: step.returned for step in run.steps}
            assert ("sync_function" in functions) == (sync == "runs")
            assert ("second_sync_function" in functions) == (last == "runs")
            assert functions.get("second_sync_function") == (json.loads(result) if result else None)
