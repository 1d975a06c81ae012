"""Deployment packages for tests, written by hand: a source whose calls carry their edge's number, and its manifest.

A line that ends in ``# edge 3`` is the call of edge 3; ``# via 3`` marks an outer call on the way to it.
"""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Collection, Sequence
from pathlib import Path

from multi_x_serverless.sdk.manifest import (
    MANIFEST_FILE,
    CallStep,
    Manifest,
    ManifestEdge,
    ManifestFunction,
    ManifestNode,
)

HEAD = """\
from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="example", version="0.0.1")
log = []

"""

_module_numbers = itertools.count()


def write_package(
    root: Path,
    source: str,
    nodes: Sequence[tuple[str, bool]],
    edges: Sequence[tuple[int, int]],
    *,
    regions: Sequence[str] = ("us-east-1", "us-west-2", "ca-central-1"),
    home: str = "us-east-1",
    exactly_once: Collection[str] = (),
) -> Manifest:
    """Write source and manifest of a workflow whose functions are named like the Python functions.

    Args:
        root: Directory of the package.
        source: Definitions, without the head.
        nodes: Per node its function and whether it joins.
        edges: Per edge the nodes it leaves and enters.
        regions: Regions of the manifest.
        home: The home region.
        exactly_once: Functions with this delivery.
    """
    module = f"example_app_{next(_module_numbers)}"
    text = HEAD + textwrap.dedent(source)
    root.mkdir(parents=True, exist_ok=True)
    (root / f"{module}.py").write_text(text, encoding="utf-8")
    names = list(dict.fromkeys(name for name, _ in nodes))
    manifest = Manifest(
        workflow_id="example-0.0.1",
        module=module,
        variable="workflow",
        home=home,
        regions=tuple(regions),
        home_share=0.1,
        functions=tuple(
            ManifestFunction(name, name, f"topic-{name}", "exactly_once" if name in exactly_once else "at_least_once")
            for name in names
        ),
        nodes=tuple(ManifestNode(f"{name}:{index}", name, sync) for index, (name, sync) in enumerate(nodes)),
        edges=tuple(
            ManifestEdge(start, end, _site(text, f"{module}.py", edge)) for edge, (start, end) in enumerate(edges)
        ),
    )
    (root / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
    return manifest


def _site(text: str, file: str, edge: int) -> tuple[CallStep, ...]:
    lines = list(enumerate(text.splitlines(), start=1))
    outer = [number for number, line in lines if re.search(rf"# via(?: \d+)* {edge}\b", line)]
    calls = [number for number, line in lines if re.search(rf"# edge(?: \d+)* {edge}\b", line)]
    assert len(calls) == 1, f"edge {edge} is marked {len(calls)} times"
    return tuple(CallStep(file, number, number) for number in [*outer, *calls])
