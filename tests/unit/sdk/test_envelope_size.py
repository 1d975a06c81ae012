"""What a message costs over its payload, by the size of the workflow."""

from __future__ import annotations

import itertools
import json

import pytest

from multi_x_serverless.sdk.envelope import Envelope, Placement
from multi_x_serverless.sdk.manifest import Manifest, ManifestEdge, ManifestFunction, ManifestNode
from multi_x_serverless.sdk.payload import Payload
from multi_x_serverless.sdk.plan_replica import PlanReplica
from multi_x_serverless.testing import MemoryCloud
from tests.unit.sdk.conftest import PackageWriter

WORKFLOW_SIZES = (5, 50, 500)
PAYLOAD = Payload.of("x" * 100)
MOST_BYTES_PER_NODE = 2


def chain(nodes: int, regions: int) -> Manifest:
    return Manifest(
        workflow_id="example-0.0.1",
        module="app",
        variable="workflow",
        home="region-0",
        regions=tuple(f"region-{index}" for index in range(regions)),
        home_share=0.1,
        functions=(ManifestFunction("work", "work", "topic"),),
        nodes=tuple(ManifestNode(f"work:{index}", "work", sync=False) for index in range(nodes)),
        edges=tuple(ManifestEdge(index, index + 1, ()) for index in range(nodes - 1)),
    )


def bytes_over_payload(nodes: int, regions: int) -> int:
    """Of the message to the last node of a chain, whose indices have the most digits."""
    manifest = chain(nodes, regions)
    call = Envelope(
        run_id="r" * 32,
        workflow_id=manifest.workflow_id,
        manifest_id=manifest.id,
        node=nodes - 1,
        edge=nodes - 2,
        hop=nodes - 1,
        placement=Placement(1234, 23, tuple(node % regions for node in range(nodes))),
        sent_at=1_700_000_000.25,
        payload=PAYLOAD,
    )
    return len(call.encode().encode()) - len(PAYLOAD.body)


@pytest.mark.parametrize("regions", [2, 33, 36, 37, 62])
def test_a_message_grows_by_at_most_two_bytes_a_node(regions: int) -> None:
    sizes = {nodes: bytes_over_payload(nodes, regions) for nodes in WORKFLOW_SIZES}

    for fewer, more in itertools.pairwise(WORKFLOW_SIZES):
        assert sizes[more] - sizes[fewer] <= MOST_BYTES_PER_NODE * (more - fewer)
    assert sizes[5] < 300


CHAIN = """
@workflow.serverless_function(entry_point=True)
def first(event):
    workflow.invoke_serverless_function(second, event)  # edge 0

@workflow.serverless_function()
def second(event):
    pass
"""
CHAIN_SHAPE = ([("first", False), ("second", False)], [(0, 1)])


def messages_under(cloud: MemoryCloud, hours: int) -> list[str]:
    plan = PlanReplica(
        version=7,
        manifest_id=cloud.manifest.id,
        expires_at=cloud.now + 86_400.0,
        home_share=0.0,
        regions=cloud.manifest.regions,
        hours=tuple((hour, (0, 1)) for hour in range(hours)),
    )
    cloud.set_plan(plan)
    cloud.start("x", run_id="r" * 32)
    bodies = []
    while cloud.backend.queue:
        message = cloud.backend.queue.pop(0)
        bodies.append(message.body)
        cloud.deliver(message)
    return bodies


def test_a_plan_of_24_hours_never_travels(deploy: PackageWriter) -> None:
    cloud = deploy(CHAIN, *CHAIN_SHAPE)

    bodies = messages_under(cloud, 24)

    assert len(bodies) == 2
    called = json.loads(bodies[1])
    assert called["plan"] == 7
    assert called["place"] == "01"
    assert isinstance(called["key"], int)
    for body in bodies:
        assert "hours" not in body
        assert len(body) < 300
