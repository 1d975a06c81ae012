"""An error at every request to AWS in turn: what deploys, migrates and removes can be repeated and leaves nothing.

Each request of an operation is broken once: refused for good, not available, carried out with its answer lost, or the
process dies with it. The workflow that was live answers throughout, the repeated command reaches its end, and the
account then holds exactly what it holds without the fault. By default each request meets one of the four kinds, in
turn; ``MULTI_X_SERVERLESS_FAULTS=all`` has every request meet every kind.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from moto.moto_api._internal.models import moto_api_backend

from multi_x_serverless.adaptation.check_deployment import check_deployment
from multi_x_serverless.adaptation.removal import remove_workflow
from multi_x_serverless.adaptation.runs import start_runs
from multi_x_serverless.adaptation.workflows import deployed_workflow, log_sources
from multi_x_serverless.cloud import parallel
from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.aws.session import AwsSession
from multi_x_serverless.cloud.tables import PlanStore, create_tables
from multi_x_serverless.deployment.build import Build, build
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.migrate import migrate
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.errors import MultiXServerlessError, NothingToDoError
from multi_x_serverless.model.plan import home_plan
from multi_x_serverless.observation.trace import trace_runs
from tests.aws.account import AwsAccount, aws_account
from tests.aws.calls import ApiCall, ApiCalls, FaultKind, ProcessDiedError
from tests.aws.inventory import inventory

HOME, AWAY = "us-east-1", "us-west-2"
REGIONS = (HOME, AWAY)
WORKFLOW_ID = "pair-0.0.1"
KINDS: tuple[FaultKind, ...] = ("refused", "unavailable", "lost", "died")
LEASE_S = 1_000.0  # longer than the lock of a process that died

CONFIGURATION = """
workflow_name: pair
workflow_version: 0.0.1
home_region: {provider: aws, region: us-east-1}
home_share: 0.0
regions_and_providers:
  allowed_regions: [us-east-1, us-west-2]
  providers: {aws: {config: {timeout: 30, memory: 256}}}
"""

SOURCE = """
from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="pair", version="0.0.1")

@workflow.serverless_function(name="first", entry_point=True)
def first(event):
    workflow.invoke_serverless_function(second, {"said": EDITION})

@workflow.serverless_function(name="second")
def second(event):
    return event["said"]
"""


def write_project(directory: Path, edition: str) -> Path:
    (directory / ".multi-x-serverless").mkdir(parents=True)
    (directory / ".multi-x-serverless" / "config.yml").write_text(CONFIGURATION, encoding="utf-8")
    (directory / "app.py").write_text(SOURCE.replace("EDITION", repr(edition)), encoding="utf-8")
    return directory


class NotTidyError(MultiXServerlessError):
    """It is deployed, but something could not be cleared away; the next deployment does it."""


@dataclass
class World:
    """An account and the processes that work on it, one after the other."""

    account: AwsAccount
    builds: dict[str, Build]
    skipped_s: float = 0.0

    def reset(self) -> None:
        """An empty account with its tables, and no container that remembers another one."""
        self.account.plane.forget()
        self.skipped_s = 0.0
        moto_api_backend.reset()
        create_tables(self.process(), REGIONS)

    def process(self) -> AwsCloud:
        """The account as a new process sees it."""
        return AwsCloud(
            regions=REGIONS,
            system_region=HOME,
            clock=lambda: time.time() + self.skipped_s,
            pause=lambda _seconds: None,
        )

    def deploy(self, edition: str) -> None:
        result = deploy(self.process(), Path(edition), sleep=lambda _seconds: None)
        if result.left:
            raise NotTidyError("; ".join(result.left))

    def stage(self) -> None:
        """Stage the plan that has `second` away."""
        cloud = self.process()
        record = deployed_workflow(cloud, WORKFLOW_ID)
        now = cloud.now()
        plan = home_plan(WORKFLOW_ID, record.graph, HOME, version=1, created_at=now, expires_at=now + 86_400.0)
        away = {node.name: AWAY if node.function == "second" else HOME for node in record.graph.nodes}
        hours = tuple(replace(hour, placement=away) for hour in plan.hours)
        PlanStore(cloud).stage(replace(plan, hours=hours))

    def migrate(self) -> None:
        migrate(self.process(), WORKFLOW_ID, sleep=lambda _seconds: None)

    def remove(self) -> None:
        result = remove_workflow(self.process(), WORKFLOW_ID, keep_logs=False, progress=SILENT)
        if result.left:
            raise MultiXServerlessError("; ".join(result.left))

    def answer(self) -> tuple[set[str], int]:
        """Regions in which a run of the live workflow ran, and how many of its calls went elsewhere than planned."""
        cloud = self.process()
        started = start_runs(cloud, WORKFLOW_ID, [None])
        assert self.account.plane.wait_until_idle(60.0)
        sources = log_sources(cloud, started.record)
        since = started.started_at - LEASE_S * 2
        [trace] = trace_runs(cloud, WORKFLOW_ID, started.record.graph, sources, started.run_ids, since)
        assert trace.status == "complete", trace
        assert trace.failures == ()
        return {node.region for node in trace.nodes}, len(trace.nodes)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("faults")
    clients: dict[tuple[str, str, int, float], Any] = {}
    make_client = AwsSession._make_client

    def make_client_once(session: AwsSession, service: str, region: str, attempts: int, read_timeout_s: float) -> Any:
        key = (service, region, attempts, read_timeout_s)
        if key not in clients:
            clients[key] = make_client(session, *key)
        return clients[key]

    with aws_account(directory / "aws") as account, pytest.MonkeyPatch.context() as patch:
        # Clients are slow to make and hold no state; one step at a time, so that a request has a number.
        patch.setattr(AwsSession, "_make_client", make_client_once)
        patch.setattr(parallel, "PARALLEL_STEPS", 1)
        world = World(account, {})
        for edition in ("one", "two"):
            world.builds[edition] = build(world.process(), write_project(directory / edition, edition))
        patch.setattr(
            "multi_x_serverless.deployment.deploy.build",
            lambda _cloud, project, _format, **_checked: world.builds[project.name],
        )
        yield world


def faults_of(calls: list[ApiCall]) -> list[tuple[int, FaultKind]]:
    """Which request meets what."""
    if os.environ.get("MULTI_X_SERVERLESS_FAULTS") == "all":
        return [(index, kind) for index in range(len(calls)) for kind in KINDS]
    return [(index, KINDS[index % len(KINDS)]) for index in range(len(calls))]


def record(operation: Callable[[], None]) -> list[ApiCall]:
    with ApiCalls().recording() as recorded:
        operation()
    return recorded.calls


def disturb(operation: Callable[[], None], index: int, kind: FaultKind) -> tuple[ApiCall | None, BaseException | None]:
    """Do it with one fault; returns the request that met it, and what the operation raised."""
    faults = ApiCalls(fault=lambda at, _call: kind if at == index else None)
    with faults.recording():
        try:
            operation()
        except (MultiXServerlessError, ProcessDiedError) as error:
            return faults.calls[index], error
    return (faults.calls[index] if index < len(faults.calls) else None), None


def repeat(world: World, operation: Callable[[], None], error: BaseException | None) -> None:
    """What the developer does after a failure: the same again. A dead process's lock ends with its lease."""
    if error is None:
        return
    world.skipped_s += LEASE_S
    with suppress(NothingToDoError):
        operation()


def without_logs(things: frozenset[str]) -> frozenset[str]:
    return frozenset(thing for thing in things if not thing.startswith("log "))


def of_plans(things: frozenset[str]) -> frozenset[str]:
    """A plan's number that was taken and not used is not given again: numbers are left out."""
    return frozenset(thing for thing in things if " multi-x-serverless-plans " not in thing)


# The longest first: the others are done beside it.
def test_removal(world: World) -> None:
    def deployed_in_two_regions() -> None:
        world.reset()
        world.deploy("one")
        world.stage()
        world.migrate()

    world.reset()
    empty = inventory(REGIONS)
    deployed_in_two_regions()
    calls = record(world.remove)
    assert inventory(REGIONS) == empty
    for index, kind in faults_of(calls):
        deployed_in_two_regions()
        call, error = disturb(world.remove, index, kind)
        where = f"{kind} at request {index}: {call}: {error}"
        with suppress(MultiXServerlessError):  # it may be gone altogether
            repeat(world, world.remove, error)
        assert inventory(REGIONS) == empty, where


def test_first_deployment(world: World) -> None:
    world.reset()
    empty = inventory(REGIONS)
    calls = record(lambda: world.deploy("one"))
    whole = inventory(REGIONS)
    assert len(calls) > 50
    for index, kind in faults_of(calls):
        world.reset()
        call, error = disturb(lambda: world.deploy("one"), index, kind)
        where = f"{kind} at request {index}: {call}: {error}"
        if isinstance(error, MultiXServerlessError) and not isinstance(error, NotTidyError):
            if "Undoing it did not succeed" in str(error):
                pytest.fail(f"one fault broke the undo too: {where}")
            assert inventory(REGIONS) == empty, where
        repeat(world, lambda: world.deploy("one"), error)
        assert of_plans(inventory(REGIONS)) == of_plans(whole), where
        if kind == "died":
            assert world.answer() == ({HOME}, 2), where
            world.remove()
            assert inventory(REGIONS) == empty, where


def test_update_of_a_live_workflow(world: World) -> None:
    world.reset()
    world.deploy("one")
    calls = record(lambda: world.deploy("two"))
    whole = without_logs(inventory(REGIONS))
    for index, kind in faults_of(calls):
        world.reset()
        world.deploy("one")
        call, error = disturb(lambda: world.deploy("two"), index, kind)
        where = f"{kind} at request {index}: {call}: {error}"
        assert world.answer() == ({HOME}, 2), where
        repeat(world, lambda: world.deploy("two"), error)
        assert of_plans(without_logs(inventory(REGIONS))) == of_plans(whole), where


def test_migration_of_a_live_workflow(world: World) -> None:
    world.reset()
    world.deploy("one")
    world.stage()
    calls = record(world.migrate)
    whole = without_logs(inventory(REGIONS))
    assert world.answer() == ({HOME, AWAY}, 2)
    for index, kind in faults_of(calls):
        world.reset()
        world.deploy("one")
        world.stage()
        call, error = disturb(world.migrate, index, kind)
        where = f"{kind} at request {index}: {call}: {error}"
        regions, nodes = world.answer()
        assert nodes == 2, where
        assert regions in ({HOME}, {HOME, AWAY}), where
        if error is None:
            assert regions == {HOME, AWAY}, where
        repeat(world, world.migrate, error)
        world.account.plane.forget()  # containers know the old plan for a minute
        assert world.answer() == ({HOME, AWAY}, 2), where
        assert of_plans(without_logs(inventory(REGIONS))) >= of_plans(whole), where


@pytest.mark.parametrize(
    ("kind", "said"),
    [("not enabled", "aws account enable-region --region-name us-west-2"), ("throttled", "Throttling")],
)
def test_a_region_that_cannot_be_used_leaves_the_plan_in_force(world: World, kind: FaultKind, said: str) -> None:
    world.reset()
    world.deploy("one")
    world.stage()
    before = without_logs(inventory(REGIONS))
    with ApiCalls(fault=lambda _index, call: kind if call.region == AWAY else None).recording():
        outcomes = check_deployment(world.process(), progress=SILENT)
    assert [outcome.outcome for outcome in outcomes] == ["failed"]
    assert said in outcomes[0].message
    assert world.answer() == ({HOME}, 2)
    assert without_logs(inventory(REGIONS)) == before
    [outcome] = check_deployment(world.process(), progress=SILENT)
    assert outcome.outcome == "migrated"
    world.account.plane.forget()
    assert world.answer() == ({HOME, AWAY}, 2)
