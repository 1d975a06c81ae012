"""Deploying: what is made, what is not made again, what is updated and deleted, and dry runs."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from multi_x_serverless.cloud.locks import lock
from multi_x_serverless.cloud.ports import InvocationResult, Key
from multi_x_serverless.cloud.tables import PlanStore, workflow_table
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.effort import EffortLog
from multi_x_serverless.deployment.manifest import manifest_of
from multi_x_serverless.deployment.migrate import migrate
from multi_x_serverless.deployment.names import function_name, workflow_prefix
from multi_x_serverless.deployment.remove import remove
from multi_x_serverless.deployment.state import write_record
from multi_x_serverless.deployment.withdrawal import GRACE_S, WithdrawnPlan
from multi_x_serverless.errors import (
    CloudError,
    ConflictError,
    DeploymentError,
    InvalidConfigurationError,
    InvalidWorkflowError,
)
from multi_x_serverless.model.deployments import Deployment, Deployments
from multi_x_serverless.model.graph import CallStep, Edge, Graph, Node
from multi_x_serverless.sdk.environment import ACCOUNT, BUCKET_PREFIX, FUNCTION, TABLE_PREFIX
from tests.fakes import FakeCloud
from tests.unit.deployment.conftest import no_sleep
from tests.unit.deployment.projects import (
    CONFIGURATION,
    SOURCE,
    WORKFLOW_ID,
    check_consistent,
    functions,
    left_behind,
    make_project,
    record_of,
    stage,
)

if TYPE_CHECKING:
    from pathlib import Path

HOME_FUNCTIONS = {"first in us-east-1", "left in us-east-1", "join in us-east-1"}
FIRST_ACTIONS = [
    "create role",
    "create package",
    *["create function"] * 3,
    *["create topic"] * 3,
    "create plan",
    "create workflow",
]


def verbs(actions: object) -> list[str]:
    assert isinstance(actions, tuple)
    return [f"{action.verb} {action.kind}" for action in actions]


class Steps:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def start(self, title: str, steps: int) -> None:
        self.told.append(f"start {title}")

    def advance(self, step: str) -> None:
        self.told.append(step)

    def finish(self) -> None:
        self.told.append("finish")


def test_first_deployment_makes_everything_at_home(cloud: FakeCloud, project: Path) -> None:
    result = deploy(cloud, project)
    assert result.workflow_id == WORKFLOW_ID
    assert verbs(result.actions) == FIRST_ACTIONS
    assert result.left == ()
    record = check_consistent(cloud)
    assert functions(cloud) == HOME_FUNCTIONS
    assert record.regions == ("us-east-1", "ca-central-1", "us-west-1")
    plan = PlanStore(cloud).active(WORKFLOW_ID)
    assert plan is not None
    assert (plan.version, plan.solver, plan.regions) == (1, "none", frozenset({"us-east-1"}))
    assert plan.expires_at > cloud.now() + 365 * 24 * 3600


def test_record_holds_the_packaged_manifest(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    record = check_consistent(cloud)
    manifest = manifest_of(record)
    assert manifest.id == record.manifest_id
    assert [node.name for node in manifest.nodes] == [node.name for node in record.graph.nodes]
    assert {function.topic for function in manifest.functions} == {name for _, name in cloud.messages.topics}


def test_functions_are_specified_by_configuration_and_product(project: Path) -> None:
    cloud = FakeCloud(name="aws")
    configuration = CONFIGURATION + "  providers: {aws: {config: {timeout: 30, memory: 1024, architecture: arm64}}}\n"
    configuration += "environment_variables: [{key: GREETING, value: hi}]\n"
    deploy(cloud, make_project(project, configuration=configuration))
    specification = cloud.functions.functions["us-east-1", function_name(WORKFLOW_ID, "left")]
    assert (specification.timeout_s, specification.memory_mb, specification.architecture) == (30, 1024, "arm64")
    assert specification.handler == "multi_x_serverless.sdk.lambda_handler.handler"
    assert specification.role in cloud.identity.roles
    assert specification.environment == {
        "GREETING": "hi",
        FUNCTION: "left",
        TABLE_PREFIX: "multi-x-serverless-",
        ACCOUNT: "123456789012",
        BUCKET_PREFIX: "multi-x-serverless-123456789012-",
    }


def test_same_project_again_changes_nothing(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    before = cloud.contents()
    cloud.time += 3600
    cloud.faults.reset()
    assert deploy(cloud, project).actions == ()
    assert cloud.contents() == before
    writes = {call.operation for call in cloud.faults.calls if call.operation not in _READS}
    # The lock is taken and given back.
    assert writes == {"put", "delete"}


_READS = {
    "get",
    "get_function",
    "has_object",
    "has_role",
    "has_topic",
    "list_tables",
    "query",
    "scan",
    "usable_regions",
}


def test_dry_run_reports_the_same_actions_and_changes_nothing(cloud: FakeCloud, project: Path) -> None:
    planned = deploy(cloud, project, dry_run=True)
    assert cloud.key_value.tables == {}
    assert left_behind(cloud) == {}
    assert planned.actions == deploy(cloud, project).actions
    assert deploy(cloud, project, dry_run=True).actions == ()


def test_changed_code_updates_functions_wherever_the_plan_needs_them(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    stage(cloud, left="ca-central-1")
    migrate(cloud, WORKFLOW_ID)
    old_key = check_consistent(cloud).package.key
    make_project(project, SOURCE + "\n# a comment changes the package, not the graph\n")
    cloud.time += 60
    result = deploy(cloud, project)
    record = check_consistent(cloud)
    assert functions(cloud) == HOME_FUNCTIONS | {"left in ca-central-1"}
    assert record.package.key != old_key
    assert verbs(result.actions) == [
        *["create package"] * 2,
        *["update function"] * 4,
        *["delete package"] * 2,
        "update workflow",
    ]
    plan = PlanStore(cloud).active(WORKFLOW_ID)
    assert plan is not None
    assert plan.version == 2


def test_moved_lines_change_the_package_but_not_the_plan(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    stage(cloud, left="ca-central-1")
    migrate(cloud, WORKFLOW_ID)
    before = check_consistent(cloud)
    make_project(project, SOURCE.replace("workflow = ", "\n\nworkflow = "))
    deploy(cloud, project)
    record = check_consistent(cloud)
    assert record.manifest_id == before.manifest_id
    assert record.package.sha256 != before.package.sha256
    assert functions(cloud) == HOME_FUNCTIONS | {"left in ca-central-1"}


def deployments_of(cloud: FakeCloud) -> list[tuple[float, str, tuple[str, ...]]]:
    return [(entry.at, entry.manifest_id, entry.functions) for entry in check_consistent(cloud).deployments.entries]


def test_the_record_keeps_which_manifests_are_of_the_graph(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    first, begun = check_consistent(cloud).manifest_id, cloud.now()
    everything = ("first", "join", "left")
    assert deployments_of(cloud) == [(begun, first, everything)]
    cloud.time += 60
    make_project(project, "# a comment\n" + SOURCE, CONFIGURATION + "home_share: 0.2\n")
    deploy(cloud, project)
    second = check_consistent(cloud)
    assert second.manifest_id != first
    assert deployments_of(cloud) == [(begun, first, everything), (begun + 60, second.manifest_id, everything)]
    assert second.manifest_ids == {first, second.manifest_id}
    assert second.origins[first].home_share == 0.1
    assert second.origins[second.manifest_id].home_share == 0.2
    stage(cloud, left="ca-central-1")
    cloud.time += 60
    migrate(cloud, WORKFLOW_ID)
    assert check_consistent(cloud).deployments == second.deployments, "a migration deploys nothing at home"


def test_only_functions_that_changed_at_home_are_kept_with_a_deployment(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    stage(cloud, left="ca-central-1")
    migrate(cloud, WORKFLOW_ID)
    before = deployments_of(cloud)
    cloud.time += 60
    more = "    regions_and_providers={'providers': {'aws': {'config': {'memory': 512}}}},\n"
    source = SOURCE.replace('name="left")', f'name="left",\n{more})')
    del cloud.functions.functions["ca-central-1", function_name(WORKFLOW_ID, "left")]
    deploy(cloud, project)
    assert deployments_of(cloud) == before, "what was made anew away changes nothing at home"
    deploy(cloud, make_project(project, configuration=CONFIGURATION + "solver: heuristic\n"))
    assert deployments_of(cloud) == before, "nor does what no function reads"
    del cloud.functions.functions["us-east-1", function_name(WORKFLOW_ID, "left")]
    deploy(cloud, project)
    assert deployments_of(cloud) == [*before, (cloud.now(), before[0][1], ("left",))]
    deploy(cloud, make_project(project, source, CONFIGURATION + "solver: heuristic\n"))
    assert deployments_of(cloud)[-1][2] == ("first", "join", "left"), "one package for all"


def test_functions_that_run_differently_are_kept_with_a_deployment(cloud: FakeCloud, project: Path) -> None:
    def changed() -> tuple[str, ...]:
        cloud.time += 60
        deploy(cloud, project)
        return check_consistent(cloud).deployments.entries[-1].changed

    everything = ("first", "join", "left")
    assert changed() == (), "nothing ran before"
    make_project(project, configuration=CONFIGURATION + "home_share: 0.2\n")
    assert changed() == (), "where runs go is no matter of the functions"
    make_project(project, "# a comment\n" + SOURCE, CONFIGURATION + "home_share: 0.2\n")
    assert changed() == everything
    stored = workflow_table(cloud).get(Key(WORKFLOW_ID))
    assert stored is not None
    of_an_older_program = replace(stored.value, package=replace(stored.value.package, own_sha256=""))
    workflow_table(cloud).put(Key(WORKFLOW_ID), of_an_older_program)
    make_project(project, "# another\n" + SOURCE)
    assert changed() == (), "what was there before is not known"
    make_project(project, "# a third\n" + SOURCE)
    assert changed() == everything


def test_a_record_that_is_full_of_past_deployments_drops_the_oldest(
    cloud: FakeCloud, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Graphs that change with each deployment, up to what an item can hold."""
    deploy(cloud, project)
    full, random = check_consistent(cloud), Random(1)
    deployments = full.deployments
    for number in range(40):
        names = [f"step_{random.getrandbits(64):x}" for _ in range(20)]
        nodes = tuple(Node(f"{name}:x:{at}", name, False) for at, name in enumerate(names))
        edges = tuple(Edge(0, at, (CallStep("app.py", at, at),), conditional=False) for at in range(1, len(names)))
        graph = Graph(nodes, edges)
        entry = Deployment(cloud.now(), f"m{number}", graph.id, "us-east-1", 0.1, tuple(names))
        deployments = deployments.followed_by(entry, graph)
    full = replace(full, deployments=deployments)
    room = len(zlib.compress(full.to_document(), 6))
    monkeypatch.setattr("multi_x_serverless.cloud.documents.MAXIMUM_STORED_BYTES", room)
    workflow_table(cloud).put(Key(WORKFLOW_ID), full)

    (project / "app.py").write_text((project / "app.py").read_text() + "\n# other\n")
    deploy(cloud, project)
    record = check_consistent(cloud)
    kept = record.deployments.entries
    assert kept[-1].manifest_id == record.manifest_id
    assert 0 < len(kept) < len(deployments.entries)
    assert kept[:-1] == deployments.entries[-len(kept) + 1 :], "the newest"
    assert set(record.deployments.graphs) == {entry.graph_id for entry in kept}
    stage(cloud, left="ca-central-1")
    migrate(cloud, WORKFLOW_ID)
    check_consistent(cloud)


def test_nothing_of_another_graph_or_home_counts_but_all_is_known(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    old = check_consistent(cloud)
    twice = "    workflow.invoke_serverless_function(join, event)\n"
    deploy(cloud, make_project(project, SOURCE.replace(twice, twice * 2, 1)))
    other = check_consistent(cloud)
    assert other.manifest_ids == {other.manifest_id}
    assert other.origins[old.manifest_id].graph == old.graph.without_lines()
    deploy(cloud, make_project(project, "# back\n" + SOURCE))
    again = check_consistent(cloud)
    assert again.manifest_ids == {old.manifest_id, again.manifest_id}
    moved = CONFIGURATION.replace("home_region: us-east-1", "home_region: us-west-1")
    deploy(cloud, make_project(project, SOURCE, moved))
    record = record_of(cloud)
    assert record is not None
    assert record.manifest_ids == {record.manifest_id}, "plans are compared with another home"


def test_deploying_over_what_an_older_program_deployed_keeps_what_is_known_of_it(
    cloud: FakeCloud, project: Path
) -> None:
    deploy(cloud, project)
    stored = workflow_table(cloud).get(Key(WORKFLOW_ID))
    assert stored is not None
    write_record(cloud, replace(stored.value, deployments=Deployments()), stored)
    assert deploy(cloud, project).actions == (), "that alone is nothing to deploy"
    make_project(project, "# a comment\n" + SOURCE)
    old, begun = stored.value, cloud.now()
    cloud.time += 60
    deploy(cloud, project)
    record = check_consistent(cloud)
    assert record.manifest_ids == {old.manifest_id, record.manifest_id}
    assert deployments_of(cloud)[0] == (begun, old.manifest_id, ()), "when it replaced containers is not known"
    assert len(deployments_of(cloud)) == 2


def test_other_nodes_bring_the_workflow_home(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    stage(cloud, left="ca-central-1")
    migrate(cloud, WORKFLOW_ID)
    stage(cloud, join="us-west-1")
    without_left = SOURCE.replace("    workflow.invoke_serverless_function(left, event)\n", "")
    start = without_left.index('@workflow.serverless_function(name="left")')
    end = without_left.index('@workflow.serverless_function(name="join")')
    make_project(project, without_left[:start] + without_left[end:])
    cloud.time += 60
    result = deploy(cloud, project)
    record = check_consistent(cloud)
    assert functions(cloud) == {"first in us-east-1", "join in us-east-1"}
    assert "update plan" in verbs(result.actions)
    plans = PlanStore(cloud)
    active = plans.active(WORKFLOW_ID)
    assert active is not None
    assert active.regions == {"us-east-1"}
    assert plans.staged(WORKFLOW_ID) is None
    assert record.plan_activated_at == cloud.now()


MOVED = CONFIGURATION.replace("home_region: us-east-1", "home_region: us-west-1")


def test_another_home_withdraws_the_plans_that_were_made_for_the_first(cloud: FakeCloud, project: Path) -> None:
    """What they expect is against the first home, and all of their regions are allowed still."""
    deploy(cloud, project)
    stage(cloud, left="ca-central-1")
    migrate(cloud, WORKFLOW_ID)
    stage(cloud, join="ca-central-1")
    make_project(project, configuration=MOVED)
    cloud.time += 60
    preview = deploy(cloud, project, dry_run=True)
    assert preview.preview is not None
    assert preview.preview.plan_after is None
    result = deploy(cloud, project)
    why = "it was made for the home us-east-1"
    assert result.withdrawn == (WithdrawnPlan(2, False, why), WithdrawnPlan(3, True, why)) == preview.withdrawn
    assert result.actions == preview.actions
    record = check_consistent(cloud)
    assert record.plan_activated_at == cloud.now()
    assert functions(cloud) == {"first in us-west-1", "left in us-west-1", "join in us-west-1"}
    plans = PlanStore(cloud)
    active = plans.active(WORKFLOW_ID)
    assert active is not None
    assert (active.version, active.regions) == (4, frozenset({"us-west-1"}))
    assert plans.staged(WORKFLOW_ID) is None
    stage(cloud, left="us-west-1", join="us-west-1", first="us-west-1")
    assert deploy(cloud, project).actions == ()
    assert plans.staged(WORKFLOW_ID) is not None


def test_another_home_withdraws_a_plan_with_everything_at_the_first_in_silence(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    result = deploy(cloud, make_project(project, configuration=MOVED))
    assert result.withdrawn == ()
    check_consistent(cloud)
    active = PlanStore(cloud).active(WORKFLOW_ID)
    assert active is not None
    assert active.regions == {"us-west-1"}


def test_code_is_not_brought_to_regions_of_a_plan_that_has_expired(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    staged = stage(cloud, left="ca-central-1")
    migrate(cloud, WORKFLOW_ID)
    cloud.time = staged.expires_at - 1.0
    make_project(project, SOURCE + "\n# in time\n")
    assert deploy(cloud, project).withdrawn == ()
    assert functions(cloud) == HOME_FUNCTIONS | {"left in ca-central-1"}
    cloud.time += 1.0 + GRACE_S / 2
    make_project(project, SOURCE + "\n# its last runs are under way\n")
    assert deploy(cloud, project).withdrawn == ()
    assert functions(cloud) == HOME_FUNCTIONS | {"left in ca-central-1"}
    cloud.time += GRACE_S / 2
    make_project(project, SOURCE + "\n# too late\n")
    preview = deploy(cloud, project, dry_run=True)
    assert preview.preview is not None
    assert preview.preview.plan_after is None
    effort = EffortLog()
    result = deploy(cloud, project, effort=effort)
    assert result.withdrawn == preview.withdrawn == (WithdrawnPlan(2, False, "it has expired"),)
    assert effort.copies == []
    assert {probe.region for probe in effort.probes} == {"us-east-1"}
    check_consistent(cloud)
    assert functions(cloud) == HOME_FUNCTIONS
    active = PlanStore(cloud).active(WORKFLOW_ID)
    assert active is not None
    assert (active.version, active.regions) == (3, frozenset({"us-east-1"}))


def test_plan_in_a_region_that_is_no_longer_allowed_goes_home(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    stage(cloud, left="ca-central-1")
    migrate(cloud, WORKFLOW_ID)
    result = deploy(cloud, make_project(project, configuration=CONFIGURATION.replace(", ca-central-1", "")))
    assert result.withdrawn == (WithdrawnPlan(2, False, "left may not run in ca-central-1 any longer"),)
    check_consistent(cloud)
    assert functions(cloud) == HOME_FUNCTIONS


def test_configuration_alone_changes_the_record_alone(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    stage(cloud, left="ca-central-1")
    migrate(cloud, WORKFLOW_ID)
    result = deploy(cloud, make_project(project, configuration=CONFIGURATION + "solver: heuristic\n"))
    assert verbs(result.actions) == ["update workflow"]
    assert check_consistent(cloud).configuration.solver == "heuristic"
    assert "left in ca-central-1" in functions(cloud)


def test_what_was_deleted_from_outside_is_made_again(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    name = function_name(WORKFLOW_ID, "left")
    del cloud.functions.functions["us-east-1", name]
    del cloud.messages.topics["us-east-1", name]
    result = deploy(cloud, project)
    assert verbs(result.actions) == ["create function", "create topic", "update workflow"]
    check_consistent(cloud)


def test_function_that_does_not_start_is_not_deployed(cloud: FakeCloud, project: Path) -> None:
    left = function_name(WORKFLOW_ID, "left")
    cloud.functions.answers = lambda region, name: (
        InvocationResult(b"", "ImportError: no module named numpy", 0.1) if name == left else None
    )
    with pytest.raises(
        DeploymentError,
        match=r"'left' in us-east-1 does not start: ImportError.*numpy\. Nothing was left behind\.",
    ):
        deploy(cloud, project)
    assert left_behind(cloud) == {}


@pytest.mark.parametrize("answer", [b"{}", b"no json", json.dumps({"probe": "other"}).encode()])
def test_wrong_answer_to_a_probe_is_not_deployed(cloud: FakeCloud, project: Path, answer: bytes) -> None:
    cloud.functions.answers = lambda region, name: InvocationResult(answer, None, 0.1)
    with pytest.raises(DeploymentError, match="not as this package would"):
        deploy(cloud, project)
    assert left_behind(cloud) == {}


def test_lock_of_another_command_is_respected(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    with lock(cloud, WORKFLOW_ID), pytest.raises(ConflictError, match="another command"):
        deploy(cloud, project)


def test_record_that_changed_meanwhile_is_not_overwritten(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    stored = workflow_table(cloud).get(Key(WORKFLOW_ID))
    assert stored is not None
    workflow_table(cloud).put(Key(WORKFLOW_ID), stored.value)
    with pytest.raises(ConflictError, match=r"changed 'example-0\.0\.1' meanwhile"):
        write_record(cloud, stored.value, stored)
    with pytest.raises(ConflictError):
        write_record(cloud, stored.value, None)


def test_functions_cannot_be_left_out_of_their_package(cloud: FakeCloud, project: Path) -> None:
    configuration = project / ".multi-x-serverless" / "config.yml"
    configuration.write_text(configuration.read_text() + 'package_exclude: ["*.py"]\n')
    with pytest.raises(InvalidConfigurationError, match=r"has '\*\.py', which leaves out app\.py with the function"):
        deploy(cloud, project)


def test_refused_projects_change_nothing(cloud: FakeCloud, project: Path) -> None:
    other_version = SOURCE.replace("0.0.1", "0.0.2")
    with pytest.raises(InvalidWorkflowError, match=r"app.py:3: the workflow is 'example-0.0.2' here"):
        deploy(cloud, make_project(project, other_version))
    mixed = SOURCE.replace(
        'name="left"',
        'name="left", regions_and_providers={"providers": {"aws": {"config": {"architecture": "arm64"}}}}',
    )
    with pytest.raises(InvalidConfigurationError, match="they need one architecture"):
        deploy(cloud, make_project(project, mixed))
    assert cloud.key_value.tables == {}


def test_progress_is_told_of_every_step(cloud: FakeCloud, project: Path) -> None:
    steps = Steps()
    deploy(cloud, project, progress=steps)
    assert steps.told[:3] == ["start analysing and packaging", "finish", f"start deploying {WORKFLOW_ID}"]
    assert sorted(steps.told[3:-1]) == sorted(
        [
            f"create role {workflow_prefix(WORKFLOW_ID)}role",
            f"create package {record_key(cloud)} in us-east-1",
            *(
                f"create {kind} {name} in us-east-1"
                for kind in ("function", "topic")
                for name in ("first", "left", "join")
            ),
            *(f"probe function {name} in us-east-1" for name in ("first", "left", "join")),
        ]
    )
    assert steps.told[-1] == "finish"


def record_key(cloud: FakeCloud) -> str:
    record = record_of(cloud)
    assert record is not None
    return record.package.key


def test_unfinished_removal_is_not_deployed_over(cloud: FakeCloud, project: Path) -> None:
    deploy(cloud, project)
    cloud.faults.before = lambda call: CloudError("refused") if call.operation == "delete_role" else None
    result = remove(cloud, WORKFLOW_ID, sleep=no_sleep)
    assert len(result.left) == 1
    cloud.faults.reset()
    with pytest.raises(DeploymentError, match=r"run 'multi_x_serverless remove example-0\.0\.1' first"):
        deploy(cloud, project)
    assert remove(cloud, WORKFLOW_ID).left == ()
    assert left_behind(cloud) == {}
