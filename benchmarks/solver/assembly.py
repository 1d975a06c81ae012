"""Random workflows as the solver's problem document, over the embedded regions, prices, round trips and intensities.

What is random is drawn by those who ask: this is what every such workflow has in common.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from multi_x_serverless.model.config import (
    Constraints,
    FunctionConfiguration,
    Limit,
    Limits,
    ProviderSettings,
    WorkflowConfiguration,
)
from multi_x_serverless.model.graph import Graph
from multi_x_serverless.model.run import EdgeObservation, NodeObservation, ObservedRun
from multi_x_serverless.solving.problem import WorkflowModel

HOME = "us-east-1"
HOUR = 12
OBSERVED_RUNS = 200
FIRST_RUN_AT = 1_700_000_000.0
TIMEOUT_S = 900
TRIGGER_BYTES = 2000.0
MEMORIES_MB = (512, 1024, 1769, 3008)


def random_workflow(
    name: str,
    graph: Graph,
    regions: tuple[str, ...],
    memories_mb: Sequence[int],
    *,
    pinned: Collection[int] = (),
    tail_limit: float | None = None,
) -> WorkflowModel:
    """A workflow with its home in `HOME` whose every node is a function of its own.

    Args:
        name: Of the workflow, and of its package.
        graph: Its nodes and edges.
        regions: Where nodes may run that are not pinned; home is among them.
        memories_mb: Memory of each node's function.
        pinned: Nodes that have to run at home.
        tail_limit: Limit of the 95th percentile of run time, as a fraction of home's.
    """
    limits = Limits() if tail_limit is None else Limits(runtime=Limit("relative", tail_limit))
    return WorkflowModel(
        configuration=WorkflowConfiguration(
            workflow_name=name,
            workflow_version="0.0.1",
            home_region=HOME,
            constraints=Constraints(hard=limits),
            provider=_provider(MEMORIES_MB[0]),
        ),
        functions={
            node.function: FunctionConfiguration(
                name=node.function,
                allowed_regions=(HOME,) if index in pinned else regions,
                environment_variables={},
                provider=_provider(memories_mb[index]),
            )
            for index, node in enumerate(graph.nodes)
        },
        graph=graph,
        manifest_id=name,
    )


def _provider(memory_mb: int) -> ProviderSettings:
    return ProviderSettings(timeout_s=TIMEOUT_S, memory_mb=memory_mb, architecture="x86_64")


def home_node(duration_s: float, cpu_s: float, received_bytes: float) -> NodeObservation:
    """A node that ran at home on a warm container, and received some bytes from nobody knows where."""
    return NodeObservation(
        region=HOME,
        duration_s=duration_s,
        cpu_s=cpu_s,
        cold=False,
        sent_bytes={},
        received_bytes={},
        other_sent_bytes=0.0,
        other_received_bytes=received_bytes,
    )


def home_run(
    name: str, number: int, nodes: Mapping[int, NodeObservation], edges: Mapping[int, EdgeObservation]
) -> ObservedRun:
    """A finished run of the workflow `name` at home, one second after the run before it."""
    started_at = FIRST_RUN_AT + number
    return ObservedRun(
        run_id=f"run{number}",
        manifest_id=name,
        status="complete",
        started_at=started_at,
        finished_at=started_at + sum(node.duration_s for node in nodes.values()),
        plan_version=0,
        placement_key="home",
        reason="no plan",
        trigger_bytes=TRIGGER_BYTES,
        nodes=nodes,
        edges=edges,
    )
