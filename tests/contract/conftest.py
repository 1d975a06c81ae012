"""The clouds that must fulfil the contract of `multi_x_serverless.cloud.ports`.

A test asks for `cloud`, for its `region` or another and for a `name` that no other test uses; it holds for every cloud.
What needs functions that really run asks for `running_cloud` and is skipped where a cloud cannot run them.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from moto import mock_aws
from moto.dynamodb.responses import DynamoHandler

from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.local import LocalCloud, LocalSettings
from multi_x_serverless.cloud.ports import Cloud


@dataclass(frozen=True)
class CloudUnderTest:
    """A cloud and what the place where it is tested allows."""

    cloud: Cloud
    runs_functions: bool


REGIONS = ("us-east-1", "us-west-2", "ca-central-1")


@pytest.fixture(scope="module", params=["local", "aws"])
def cloud_under_test(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CloudUnderTest]:
    if request.param == "aws":
        yield from aws_in_memory()
        return
    with LocalCloud(
        tmp_path_factory.mktemp("local-cloud"),
        regions=REGIONS,
        round_trip_seconds=lambda region, other_region: 0.0,
        settings=LocalSettings(retry_delays_s=(0.01, 0.01)),
    ) as local:
        yield CloudUnderTest(local, runs_functions=True)


def aws_in_memory() -> Iterator[CloudUnderTest]:
    """AWS as moto imitates it: no network, no credentials, and no functions that run."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            environment.setenv(name, "testing")
        environment.delenv("AWS_PROFILE", raising=False)
        environment.delenv("AWS_ENDPOINT_URL", raising=False)
        serialise_tables(environment)
        with (
            mock_aws(),
            AwsCloud(regions=REGIONS, system_region="us-east-1", pause=lambda seconds: None) as aws,
        ):
            yield CloudUnderTest(aws, runs_functions=False)


def serialise_tables(patch: pytest.MonkeyPatch) -> None:
    """One request at a time: moto reads, checks and writes without a lock, where DynamoDB is atomic per item."""
    lock = threading.Lock()
    unguarded = DynamoHandler.call_action

    def call_action(handler: DynamoHandler) -> object:
        with lock:
            return unguarded(handler)

    patch.setattr(DynamoHandler, "call_action", call_action)


@pytest.fixture
def cloud(cloud_under_test: CloudUnderTest) -> Cloud:
    return cloud_under_test.cloud


@pytest.fixture
def running_cloud(cloud_under_test: CloudUnderTest) -> Cloud:
    if not cloud_under_test.runs_functions:
        pytest.skip("functions do not run in this cloud's test environment")
    return cloud_under_test.cloud


@pytest.fixture
def region(cloud: Cloud) -> str:
    return cloud.system_region


@pytest.fixture
def other_region(cloud: Cloud) -> str:
    return next(region for region in cloud.regions if region != cloud.system_region)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name of this test's own, for whatever it makes."""
    return "mxs-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
