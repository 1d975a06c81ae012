"""Thirty functions in six regions: all is deployed, with bounded parallelism, also when AWS throttles; calls counted.

Probes are answered by the test in the place of the functions, whose starts would be all that is measured.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from moto.awslambda.models import LambdaFunction

from multi_x_serverless.adaptation.removal import remove_workflow
from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cloud import parallel
from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.executor import PROBE_MEMBER
from multi_x_serverless.deployment.migrate import migrate
from multi_x_serverless.deployment.progress import SILENT
from multi_x_serverless.model.plan import home_plan
from tests.aws.account import AwsAccount, aws_account
from tests.aws.calls import ApiCall, ApiCalls, FaultKind
from tests.aws.inventory import inventory

FUNCTIONS = 30
HOME = "us-east-1"
REGIONS = (HOME, "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "eu-north-1")
WORKFLOW_ID = "wide-0.0.1"
MAKING = frozenset({"AddPermission", "CreateFunction", "CreateLogGroup", "CreateTopic", "Subscribe"})

CONFIGURATION = f"""
workflow_name: wide
workflow_version: 0.0.1
home_region: us-east-1
regions_and_providers: {{allowed_regions: [{", ".join(REGIONS)}]}}
"""


def source() -> str:
    """A function that calls all others."""
    lines = [
        "from multi_x_serverless import MultiXServerlessWorkflow",
        'workflow = MultiXServerlessWorkflow(name="wide", version="0.0.1")',
        '@workflow.serverless_function(name="first", entry_point=True)',
        "def first(event):",
        *(f"    workflow.invoke_serverless_function(f{index}, event)" for index in range(FUNCTIONS - 1)),
    ]
    for index in range(FUNCTIONS - 1):
        lines += [f'@workflow.serverless_function(name="f{index}")', f"def f{index}(event):", "    return event"]
    return "\n".join(lines) + "\n"


def answer_probe(function: LambdaFunction, payload: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as package:
        manifest = next(name for name in package.namelist() if name.endswith("manifest.json"))
        identifier = json.loads(package.read(manifest))["id"]
    return json.dumps(
        {
            "probe": json.loads(payload)[PROBE_MEMBER],
            "manifest": identifier,
            "function": function.environment_vars["MULTI_X_SERVERLESS_FUNCTION"],
            "region": function.region,
        }
    ).encode()


class Throttle:
    """Refuses some of the requests that make something, as AWS does when it has had enough of botocore's attempts."""

    def __init__(self, *, every: int) -> None:
        self._every = every
        self._throttled: set[tuple[str, str, str]] = set()

    def fault(self, index: int, call: ApiCall) -> FaultKind | None:
        once = (call.operation, call.region, str(call.parameters))
        if self._every and index % self._every == 0 and call.operation in MAKING and once not in self._throttled:
            self._throttled.add(once)
            return "throttled"
        return None

    @property
    def count(self) -> int:
        return len(self._throttled)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[AwsAccount]:
    with aws_account(tmp_path / "aws") as account:
        account.plane.answer = answer_probe
        yield account


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("every", [0, 5], ids=["unthrottled", "throttled"])
def test_thirty_functions_in_six_regions(tmp_path: Path, every: int) -> None:
    project = tmp_path / "wide"
    (project / ".multi-x-serverless").mkdir(parents=True)
    (project / ".multi-x-serverless" / "config.yml").write_text(CONFIGURATION, encoding="utf-8")
    (project / "app.py").write_text(source(), encoding="utf-8")
    throttle = Throttle(every=every)
    with AwsCloud(regions=REGIONS, system_region=HOME, pause=lambda _seconds: None) as cloud:
        with ApiCalls(fault=throttle.fault).recording() as calls:
            deploy(cloud, project, sleep=lambda _seconds: None)
            record = deployed_workflow(cloud, WORKFLOW_ID)
            now = cloud.now()
            plan = home_plan(WORKFLOW_ID, record.graph, HOME, version=1, created_at=now, expires_at=now + 86_400.0)
            hours = tuple(
                replace(plan.hours[0], hour=hour, placement={node.name: region for node in record.graph.nodes})
                for hour, region in enumerate(REGIONS[1:])
            )
            PlanStore(cloud).stage(replace(plan, hours=hours))
            made = migrate(cloud, WORKFLOW_ID, sleep=lambda _seconds: None)
        assert len(made.created) == FUNCTIONS * (len(REGIONS) - 1)
        deployed = [thing for thing in inventory(REGIONS) if thing.startswith("function ")]
        assert len(deployed) == FUNCTIONS * len(REGIONS)
        assert len([thing for thing in inventory(REGIONS) if thing.startswith("subscription ")]) == len(deployed)
        assert (throttle.count > 20) is bool(every)
        operations = Counter(call.operation for call in calls.calls)
        print(f"{len(calls.calls)} requests, {len(calls.calls) / len(deployed):.1f} a function:", operations)
        assert len(calls.calls) < 30 * len(deployed) + 200, "requests grow with what is deployed and nothing else"
        assert operations["CreateRole"] == 1
        assert parallel.PARALLEL_STEPS == 8
        assert calls.most_at_once <= parallel.PARALLEL_STEPS
        removed = remove_workflow(cloud, WORKFLOW_ID, keep_logs=False, progress=SILENT)
        assert removed.left == ()
    assert inventory(REGIONS) == frozenset()
