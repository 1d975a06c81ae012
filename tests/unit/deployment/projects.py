"""A small project to deploy, and what must hold of a cloud that it was deployed to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.problems import PROBLEM_OBJECT_PREFIX
from multi_x_serverless.cloud.tables import PlanStore, physical_name, workflow_table
from multi_x_serverless.deployment.journal import Journal
from multi_x_serverless.deployment.replicas import plan_replica
from multi_x_serverless.sdk.plan_replica import PlanReplica
from multi_x_serverless.sdk.tables import PLAN_DOCUMENT, PLAN_REPLICAS

if TYPE_CHECKING:
    from pathlib import Path

    from multi_x_serverless.model.plan import Plan
    from multi_x_serverless.model.workflow import WorkflowRecord
    from tests.fakes import FakeCloud

WORKFLOW_ID = "example-0.0.1"

SOURCE = """\
from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="example", version="0.0.1")


@workflow.serverless_function(name="first", entry_point=True)
def first(event):
    workflow.invoke_serverless_function(left, event)
    workflow.invoke_serverless_function(join, event)


@workflow.serverless_function(name="left")
def left(event):
    workflow.invoke_serverless_function(join, event)


@workflow.serverless_function(name="join")
def join():
    return workflow.get_predecessor_data()
"""

CONFIGURATION = """\
workflow_name: example
workflow_version: 0.0.1
iam_policy_file: iam_policy.json
home_region: us-east-1
regions_and_providers:
  allowed_regions: [us-east-1, us-west-1, ca-central-1]
"""


def make_project(directory: Path, source: str = SOURCE, configuration: str = CONFIGURATION) -> Path:
    """Write a project, over one that is there."""
    (directory / ".multi-x-serverless").mkdir(parents=True, exist_ok=True)
    (directory / ".multi-x-serverless" / "config.yml").write_text(configuration, encoding="utf-8")
    (directory / "iam_policy.json").write_text('{"Version": "2012-10-17", "Statement": []}', encoding="utf-8")
    (directory / "app.py").write_text(source, encoding="utf-8")
    return directory


def record_of(cloud: FakeCloud) -> WorkflowRecord | None:
    """The record of the example."""
    stored = workflow_table(cloud).get(Key(WORKFLOW_ID))
    return None if stored is None else stored.value


def stage(cloud: FakeCloud, **regions: str) -> Plan:
    """Stage a plan that places functions in regions, all others at home."""
    plans = PlanStore(cloud)
    active = plans.active(WORKFLOW_ID)
    assert active is not None
    hour = active.hours[0]
    placement = {node: regions.get(node.partition(":")[0], "us-east-1") for node in hour.placement}
    return plans.stage(replace(active, hours=(replace(hour, placement=placement),), created_at=cloud.now()))


def functions(cloud: FakeCloud) -> set[str]:
    """``function in region`` of everything that is deployed."""
    return {
        f"{specification.environment['MULTI_X_SERVERLESS_FUNCTION']} in {region}"
        for (region, _), specification in cloud.functions.functions.items()
    }


def check_consistent(cloud: FakeCloud) -> WorkflowRecord:
    """Assert that the example is deployed and that cloud, record, plan, replicas and journal agree."""
    record = record_of(cloud)
    assert record is not None
    assert record.status == "deployed"
    made = {
        *(("function", *place) for place in cloud.functions.functions),
        *(("topic", *place) for place in cloud.messages.topics),
        # What plans were made of lies beside them, and is no resource.
        *(("package", *place) for place in cloud.objects.objects if not place[1].startswith(PROBLEM_OBJECT_PREFIX)),
        *(("repository", *place) for place in cloud.images.repositories),
        *(("image", *place) for place in cloud.images.images),
        *(("role", "", role.removeprefix("role/")) for role in cloud.identity.roles),
    }
    assert made == {resource.key for resource in record.resources}
    assert len(record.resources) == len(made)
    plan = PlanStore(cloud).active(WORKFLOW_ID)
    assert plan is not None
    needed = plan.regions_of_functions(record.graph)
    for function in record.graph.functions:
        for region in needed[function] | {record.home_region}:
            assert f"{function} in {region}" in functions(cloud)
    for (region, name), specification in cloud.functions.functions.items():
        assert specification.package_format == record.package_format
        if record.package_format == "image":
            digests = {resource.id for resource in record.resources if resource.kind == "image"}
            assert {f"sha256:{specification.code_sha256}"} == digests
        else:
            assert specification.code_sha256 == record.package.sha256
        assert cloud.messages.topics[region, name] == name
    for region in {region for region, _ in cloud.functions.functions}:
        assert replica_of(cloud, record, region) == plan_replica(record, plan)
    assert Journal(cloud, WORKFLOW_ID).read() == ()
    return record


def replica_of(cloud: FakeCloud, record: WorkflowRecord, region: str) -> PlanReplica:
    """The plan as functions in a region read it."""
    item = cloud.key_value.get(region, physical_name(PLAN_REPLICAS), Key(WORKFLOW_ID))
    assert item is not None
    document = item.attributes[PLAN_DOCUMENT]
    assert isinstance(document, str)
    return PlanReplica.from_json(document, len(record.graph.nodes))


def left_behind(cloud: FakeCloud) -> dict[str, dict[str, object]]:
    """Everything there is but the tables themselves, a lock that could not be given back, and numbers of last plans."""
    contents = cloud.contents()
    items = {
        key: item
        for key, item in contents.pop("items", {}).items()
        if " multi-x-serverless-locks " not in key
        and not (" multi-x-serverless-plan_pointers " in key and key.endswith(" last"))
    }
    return {**contents, **({"items": items} if items else {})}
