"""The clouds that must fulfil the contract of `multi_x_serverless.cloud.ports`.

A test asks for `cloud`, for its `region` or another and for a `name` that no other test uses; it holds for every cloud.
AWS is moto with functions that run, and every request is held to its service's model (`tests/aws`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.local import LocalCloud, LocalSettings
from multi_x_serverless.cloud.ports import Cloud, Host
from tests.aws.account import AwsAccount, aws_account
from tests.aws.calls import ApiCalls

REGIONS = ("us-east-1", "us-west-2", "ca-central-1")


class HostedAws(AwsCloud):
    """AWS keeps messages moving by itself; whether all have arrived only the test's account knows."""

    def __init__(self, account: AwsAccount) -> None:
        super().__init__(regions=REGIONS, system_region="us-east-1", pause=lambda seconds: None)
        self._account = account

    @contextmanager
    def host(self) -> Iterator[Host]:  # type: ignore[override]  # a host is a host
        """The account as the host."""
        yield self._account.plane


@pytest.fixture(scope="module", params=["local", "aws"])
def cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    if request.param == "aws":
        with (
            aws_account(tmp_path_factory.mktemp("aws")) as account,
            ApiCalls().recording(),
            HostedAws(account) as aws,
        ):
            yield aws
        return
    with LocalCloud(
        tmp_path_factory.mktemp("local-cloud"),
        regions=REGIONS,
        round_trip_seconds=lambda region, other_region: 0.0,
        settings=LocalSettings(retry_delays_s=(0.01, 0.01)),
    ) as local:
        yield local


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
