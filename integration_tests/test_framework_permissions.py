"""Every job's role allows what the job does, and nothing that it never does.

Each job is run through all that it may meet (first, again, much later, interrupted, failed), and every request that it
makes to AWS is held against the policy of its role, in both directions.
"""

from __future__ import annotations

import fnmatch
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from integration_tests.test_aws_under_faults import AWAY, HOME, REGIONS, WORKFLOW_ID, write_project
from multi_x_serverless.adaptation import staging
from multi_x_serverless.adaptation.framework import JobContext, run_job
from multi_x_serverless.adaptation.framework_bill import Machine
from multi_x_serverless.adaptation.runs import start_runs
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.ports import FunctionSpecification
from multi_x_serverless.cloud.tables import PlanStore, create_tables
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.framework_policy import IMAGE_ACTIONS, job_policy
from multi_x_serverless.deployment.names import framework_name, function_name
from multi_x_serverless.deployment.policy import MAXIMUM_POLICY_CHARACTERS
from multi_x_serverless.errors import MultiXServerlessError
from multi_x_serverless.model.framework import JOBS, FrameworkEvent, Job
from multi_x_serverless.model.plan import home_plan
from multi_x_serverless.model.run import EdgeObservation, NodeObservation, ObservedRun
from multi_x_serverless.observation import sync
from multi_x_serverless.observation.history import History
from tests.aws.account import AwsAccount, aws_account
from tests.aws.calls import ApiCalls
from tests.aws.operator import ACCOUNT, needed
from tests.aws.policies import Access
from tests.contract.function_package import ECHO, digest_of, make_package

DAY_S = 86_400.0

UNUSED = {
    "logs:CreateLogStream": "Lambda itself writes the function's log, under the function's role",
    "logs:PutLogEvents": "as above",
    **dict.fromkeys(
        (*IMAGE_ACTIONS, "ecr:GetAuthorizationToken"),
        "workflows packed as images, which need registries that moto does not have; see the test of the guide",
    ),
}
"""What a role allows and the job's code never asks for, and why."""


@dataclass(frozen=True)
class Grant:
    """One action on one pattern of resources, as a policy allows it."""

    action: str
    resource: str

    def allows(self, need: Access) -> bool:
        """Whether it covers a need."""
        return self.action == need.action and fnmatch.fnmatchcase(need.resource, self.resource)


def grants_of(job: Job) -> tuple[Grant, ...]:
    """Everything that the policy of a job's role allows, taken apart."""
    grants: list[Grant] = []
    for statement in json.loads(job_policy(job, ACCOUNT, HOME))["Statement"]:
        assert statement["Effect"] == "Allow"
        if "Condition" in statement:  # it holds for all that these jobs pass roles to
            assert statement["Action"] == ["iam:PassRole"]
            assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
        grants += [Grant(action, resource) for action in statement["Action"] for resource in statement["Resource"]]
    return tuple(grants)


class Account:
    """The account, the time in it, and what the jobs do in it."""

    def __init__(self, account: AwsAccount) -> None:
        self.account = account
        self.skipped_s = 0.0
        self.runs = 0
        self.needs: dict[Job, set[Access]] = {job: set() for job in JOBS}

    def process(self) -> AwsCloud:
        """The account as a new process sees it."""
        return AwsCloud(
            regions=REGIONS,
            system_region=HOME,
            clock=lambda: time.time() + self.skipped_s,
            pause=lambda _seconds: None,
        )

    def run(
        self,
        job: Job,
        workflow_id: str | None = WORKFLOW_ID,
        *,
        fault_at: int | None = None,
        steps: int = 10_000,
    ) -> str:
        """Run a job as its function would; keep what it needed.

        Args:
            fault_at: Number of the request that is refused.
            steps: How often it is told that there is time left.
        """
        cloud = self.process()
        self.runs += 1
        time_left = iter([900.0] * steps)

        def invoke(event: FrameworkEvent) -> None:
            cloud.functions.invoke_async(HOME, framework_name(job), event.to_json())

        lines: list[str] = []
        machine = Machine(512, "x86_64")
        context = JobContext(f"request {self.runs}", lambda: next(time_left, 0.0), invoke, lines.append, machine)
        calls = ApiCalls(fault=lambda index, _call: "refused" if index == fault_at else None)
        with calls.recording(), suppress(MultiXServerlessError):
            run_job(cloud, FrameworkEvent(job, workflow_id), context)
        self.needs[job] |= {need for call in calls.calls for need in needed(call)}
        return str(json.loads(lines[-1])["outcome"])

    def start_runs(self, count: int) -> None:
        """Run the workflow, so that there are logs."""
        start_runs(self.process(), WORKFLOW_ID, [None] * count)
        assert self.account.plane.wait_until_idle(60.0)

    def add_history(self, count: int) -> None:
        """Runs of the last hour that need not be run."""
        cloud = self.process()
        record = deployed_workflow(cloud, WORKFLOW_ID)
        node = NodeObservation(HOME, 0.5, 0.1, False, {}, {}, 0.0, 0.0)
        History(cloud).add(
            WORKFLOW_ID,
            [
                ObservedRun(
                    run_id=f"{self.skipped_s}-{number}",
                    manifest_id=record.manifest_id,
                    status="complete",
                    started_at=cloud.now() - 3_000.0 + number,
                    finished_at=cloud.now() - 2_999.0 + number,
                    plan_version=1,
                    placement_key="0",
                    reason="plan",
                    trigger_bytes=100.0,
                    nodes={0: node, 1: node},
                    edges={0: EdgeObservation(True, 500.0, 0.1, 0.01)},
                )
                for number in range(count)
            ],
        )

    def stage(self, region: str) -> None:
        """Stage a plan that has `second` in a region."""
        cloud = self.process()
        record = deployed_workflow(cloud, WORKFLOW_ID)
        now = cloud.now()
        plan = home_plan(WORKFLOW_ID, record.graph, HOME, version=1, created_at=now, expires_at=now + DAY_S)
        placement = {node.name: region if node.function == "second" else HOME for node in record.graph.nodes}
        hours = tuple(replace(hour, placement=placement) for hour in plan.hours)
        PlanStore(cloud).stage(replace(plan, hours=hours))

    def make_functions_that_do_not_run(self) -> None:
        """The jobs' functions, so that they can be invoked; what they would do is done by `run`."""
        cloud = self.process()
        package = make_package({"app.py": ECHO})
        cloud.objects.put_object(HOME, "framework/x.zip", package)
        role = cloud.identity.create_role(framework_name("x"), '{"Version": "2012-10-17", "Statement": []}')
        for job in JOBS:
            name = framework_name(job)
            cloud.functions.put_function(
                HOME,
                FunctionSpecification(
                    name, "app.handler", "python3.13", "x86_64", 128, 3, "framework/x.zip", digest_of(package), role
                ),
            )
            self.account.plane.broken[HOME, name] = "not run here"

    def spoil_function(self) -> None:
        """A function in the other region that somebody has changed, for the migration to mend."""
        cloud = self.process()
        found = cloud.functions.get_function(AWAY, function_name(WORKFLOW_ID, "second"))
        assert found is not None
        package = make_package({"app.py": ECHO, "more.py": ""})
        cloud.objects.put_object(AWAY, "framework/y.zip", package)
        cloud.functions.put_function(
            AWAY,
            replace(found.specification, memory_mb=512, code_key="framework/y.zip", code_sha256=digest_of(package)),
        )


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account in which every job has done all that it does."""
    directory = tmp_path_factory.mktemp("permissions")
    with aws_account(directory / "aws") as aws, pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging, "KEEP_PLANS", 1)
        patch.setattr(staging, "KEEP_PLANS_S", 0.0)
        patch.setattr(sync, "REMEMBER_S", 60.0)
        account = Account(aws)
        write_line = aws.plane._log  # functions know nothing of the time that was skipped

        def write_line_later(region: str, function: str, timestamp: float, line: str, stream: str) -> None:
            write_line(region, function, timestamp + account.skipped_s, line, stream)

        patch.setattr(aws.plane, "_log", write_line_later)
        create_tables(account.process(), (HOME,))
        deploy(account.process(), write_project(directory / "one", "one"))
        account.make_functions_that_do_not_run()
        for job in JOBS:
            account.run(job, None)
            account.run(job)
        live_through_a_month(account)
        leave_a_region(account, directory / "two")
        yield account


def live_through_a_month(account: Account) -> None:
    readers: list[Job] = ["data_sync", "update_check_solver"]
    for days in (0.1, 31.0, 40.0, 75.0):
        account.skipped_s = days * DAY_S
        account.start_runs(2)
        account.add_history(110)
        for job in readers:
            assert account.run(job) == "done"
        readers.reverse()  # each reads what is new, and forgets what is old
        assert account.run("data_collect", None) == "started"
        assert account.run("data_collect") == "done"
    account.skipped_s += 40 * DAY_S  # whoever is the first to note something on a day forgets old entries of the ledger
    assert account.run("data_sync") == "done"
    account.skipped_s += 40 * DAY_S
    assert account.run("data_collect", None) == "started"
    account.stage(AWAY)
    place = (AWAY, function_name(WORKFLOW_ID, "second"))
    account.account.plane.broken[place] = "does not start"
    assert account.run("update_check_deployment") == "failed"
    del account.account.plane.broken[place]
    migrate_and_return(account)
    account.skipped_s += 40 * DAY_S  # entries of the ledger are forgotten
    migrate_and_return(account)
    for fault_at in range(20, 150, 24):  # undone, or left as it is
        account.stage(AWAY)
        account.run("update_check_deployment", fault_at=fault_at)
        go_home(account)
    account.stage(AWAY)
    assert account.run("update_check_deployment", steps=4) == "out of time"
    account.spoil_function()
    assert account.run("update_check_deployment") == "done"
    account.skipped_s += 2 * DAY_S  # the plan has expired: it is replaced by one with everything home
    assert account.run("update_check_deployment") == "done"


def leave_a_region(account: Account, directory: Path) -> None:
    """Take a region out that plans have used: what was left there is read all the same, if it is still open."""
    project = write_project(directory, "two")
    configuration = project / ".multi-x-serverless" / "config.yml"
    text = configuration.read_text(encoding="utf-8")
    assert f", {AWAY}" in text
    configuration.write_text(text.replace(f", {AWAY}", ""), encoding="utf-8")
    deploy(account.process(), project)
    assert AWAY not in deployed_workflow(account.process(), WORKFLOW_ID).regions
    assert account.run("data_sync") == "done"


def migrate_and_return(account: Account) -> None:
    account.stage(AWAY)
    assert account.run("update_check_deployment") == "done"
    go_home(account)


def go_home(account: Account) -> None:
    """Back home, and away with what nothing uses any more."""
    account.skipped_s += 2_000.0  # locks that were left end
    account.stage(HOME)
    assert account.run("update_check_deployment") == "done"
    account.skipped_s += 4_000.0
    assert account.run("update_check_deployment") == "done"


@pytest.mark.parametrize("job", JOBS)
def test_the_role_allows_all_that_the_job_does(account: Account, job: Job) -> None:
    grants = grants_of(job)
    missing = [need for need in account.needs[job] if not any(grant.allows(need) for grant in grants)]
    assert not missing, "\n".join(sorted(map(str, missing)))


@pytest.mark.parametrize("job", JOBS)
def test_the_role_allows_nothing_that_the_job_never_does(account: Account, job: Job) -> None:
    unused = [grant for grant in grants_of(job) if not any(grant.allows(need) for need in account.needs[job])]
    unexplained = [str(grant) for grant in unused if grant.action not in UNUSED]
    assert not unexplained, "\n".join(unexplained)


@pytest.mark.parametrize("job", JOBS)
def test_the_policy_is_one_that_iam_takes(job: Job) -> None:
    policy = job_policy(job, ACCOUNT, HOME)
    assert len(policy) < MAXIMUM_POLICY_CHARACTERS
    assert json.loads(policy)["Version"] == "2012-10-17"
