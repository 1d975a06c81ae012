"""AWS as moto imitates it, for what is AWS's own of its ports; the rest is in `tests/contract`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from multi_x_serverless.cloud.aws import AwsCloud
from tests.aws.account import aws_in_memory

REGION = "us-west-2"


@pytest.fixture
def cloud() -> Iterator[AwsCloud]:
    with (
        aws_in_memory(),
        AwsCloud(
            regions=("us-east-1", "us-west-2"),
            system_region="us-east-1",
            installation="mine",
            pause=lambda seconds: None,
        ) as aws,
    ):
        yield aws
