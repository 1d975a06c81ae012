"""What Lambda calls: an invocation of one of the framework's functions, on AWS.

The cloud is opened once per container; which one is said by the environment (`model.framework.FrameworkEnvironment`).
"""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from importlib.metadata import version
from typing import Any, Protocol

from multi_x_serverless.adaptation.framework import JobContext, run_job
from multi_x_serverless.adaptation.framework_bill import Machine
from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.model.framework import DISTRIBUTION, PROBE_MEMBER, FrameworkEnvironment, FrameworkEvent
from multi_x_serverless.solving.engine import engine_version

_MILLISECONDS = 1000.0


class LambdaContext(Protocol):
    """What Lambda tells of an invocation."""

    function_name: str
    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is ended."""


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Run a job, or answer a probe; what comes back is of interest to whoever invokes it by hand."""
    if isinstance(event, dict) and PROBE_MEMBER in event:
        # What is imported only when it is needed has to be there, too.
        import urllib3  # noqa: F401, PLC0415

        return {"probe": event[PROBE_MEMBER], "program": version(DISTRIBUTION), "engine": engine_version()}
    cloud = _cloud()

    def invoke(following: FrameworkEvent) -> None:
        cloud.functions.invoke_async(cloud.system_region, context.function_name, following.to_json())

    job = JobContext(
        request_id=context.aws_request_id,
        time_left_s=lambda: context.get_remaining_time_in_millis() / _MILLISECONDS,
        invoke=invoke,
        log=_write,
        machine=_machine(),
    )
    result = run_job(cloud, FrameworkEvent.from_members(event), job)
    return {"outcome": result.outcome}


def _machine() -> Machine | None:
    """What Lambda bills this function by; `None` where its variables are not set."""
    memory_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    if not memory_mb.isdigit():
        return None
    return Machine(int(memory_mb), "arm64" if platform.machine() == "aarch64" else "x86_64")


@cache
def _cloud() -> AwsCloud:
    found = FrameworkEnvironment.from_variables(os.environ)
    return AwsCloud(regions=found.regions, system_region=found.system_region, installation=found.installation)


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
