"""AWS as moto imitates it, for what is AWS's own of its ports; the rest is in `tests/contract`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from multi_x_serverless.cloud.aws import AwsCloud

REGION = "us-west-2"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsCloud]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with (
        mock_aws(),
        AwsCloud(
            regions=("us-east-1", "us-west-2"),
            system_region="us-east-1",
            installation="mine",
            pause=lambda seconds: None,
        ) as aws,
    ):
        yield aws
