"""What AWS says of its regions, as moto plays EC2's list and the public parameters."""

from __future__ import annotations

import pytest

from multi_x_serverless import data
from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.ports import RegionDescription
from multi_x_serverless.errors import SignalSourceError
from tests.aws.calls import ApiCalls, FaultKind


def test_regions_are_listed_without_those_of_other_partitions(cloud: AwsCloud) -> None:
    codes = cloud.region_directory.codes()
    assert codes == tuple(sorted(codes))
    assert set(codes) >= set(data.regions())
    assert "ap-southeast-6" in codes
    assert not [code for code in codes if code.startswith(("cn-", "us-gov-"))]


def test_every_embedded_region_is_described_by_one_request(cloud: AwsCloud) -> None:
    with ApiCalls().recording() as calls:
        found = {region: cloud.region_directory.describe(region) for region in data.regions()}
    assert len(calls.calls) == len(found)
    for region, embedded in data.regions().items():
        country = "CN" if region == "ap-east-1" else embedded.country  # Hong Kong: its grid's zone is HK
        assert found[region] == RegionDescription(region, embedded.name, country)


def test_a_region_that_is_not_embedded_is_described(cloud: AwsCloud) -> None:
    expected = RegionDescription("ap-southeast-6", "Asia Pacific (New Zealand)", "NZ")
    assert cloud.region_directory.describe("ap-southeast-6") == expected


def test_a_region_that_does_not_exist_is_not_described(cloud: AwsCloud) -> None:
    with pytest.raises(SignalSourceError, match="nowhere-1") as caught:
        cloud.region_directory.describe("nowhere-1")
    assert caught.value.reason == "unknown"


@pytest.mark.parametrize(
    ("fault", "reason"), [("refused", "unauthorized"), ("throttled", "quota"), ("unavailable", "unavailable")]
)
def test_what_is_refused_says_why(cloud: AwsCloud, fault: FaultKind, reason: str) -> None:
    directory = cloud.region_directory
    for ask in (directory.codes, lambda: directory.describe("us-west-2")):
        with (
            ApiCalls(fault=lambda _index, _call: fault).recording(),
            pytest.raises(SignalSourceError) as caught,
        ):
            ask()
        assert caught.value.reason == reason
