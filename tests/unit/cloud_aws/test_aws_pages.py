"""Listings and scans past one page: each asks more than once, and nothing is lost or doubled."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.ports import FunctionSpecification, Key
from tests.aws.calls import ApiCalls
from tests.contract.function_package import ECHO, digest_of, make_package
from tests.unit.cloud_aws.conftest import REGION


def asked(calls: ApiCalls) -> Counter[str]:
    return Counter(call.operation for call in calls.calls)


def test_roles(cloud: AwsCloud) -> None:
    names = [f"mxs-role-{index:03d}" for index in range(105)]
    client = cloud._session.iam()
    for name in names:
        client.create_role(RoleName=name, AssumeRolePolicyDocument="{}", Tags=cloud._session.tag_list)  # type: ignore[arg-type]  # plain dicts
    with ApiCalls().recording() as calls:
        assert cloud.identity.list_roles("mxs-role-") == tuple(names)
    assert asked(calls)["ListRoles"] >= 2
    assert len(cloud.identity.tagged_roles()) == 105


def test_functions(cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    package = make_package({"app.py": ECHO})
    cloud.objects.put_object(REGION, "code.zip", package)
    role = cloud.identity.create_role("r", '{"Version": "2012-10-17", "Statement": []}')
    names = [f"f-{index:03d}" for index in range(53)]
    for name in names:
        cloud.functions.put_function(
            REGION,
            FunctionSpecification(
                name=name,
                handler="app.handler",
                runtime="python3.12",
                architecture="arm64",
                memory_mb=128,
                timeout_s=3,
                code_key="code.zip",
                code_sha256=digest_of(package),
                role=role,
            ),
        )
    client: Any = cloud._session.functions(REGION)
    unpaged = client.list_functions
    markers: list[str | None] = []

    def list_functions(Marker: str | None = None, **arguments: object) -> dict[str, object]:  # noqa: N803  # AWS's name
        """Moto answers all at once, where Lambda answers fifty at most."""
        markers.append(Marker)
        first = int(Marker or 0)
        found = unpaged(**arguments)["Functions"]
        more = {"NextMarker": str(first + 50)} if first + 50 < len(found) else {}
        return {"Functions": found[first : first + 50], **more}

    monkeypatch.setattr(client, "list_functions", list_functions)
    listed = cloud.functions.list_functions(REGION, "f-")
    assert [entry.specification.name for entry in listed] == names
    assert markers == [None, "50"]


def test_logs(cloud: AwsCloud) -> None:
    names = [f"mxs-{index:03d}" for index in range(53)]
    for name in names:
        cloud.logs.provide_log(REGION, name)
    with ApiCalls().recording() as calls:
        assert cloud.logs.list_logs(REGION, "mxs-") == tuple(names)
    assert asked(calls)["DescribeLogGroups"] >= 2


@pytest.mark.parametrize("reading", ["Scan", "Query"])
def test_items_of_more_than_a_megabyte(cloud: AwsCloud, reading: str) -> None:
    cloud.key_value.create_table(REGION, "t")
    keys = [Key("p", f"{index:02d}") for index in range(12)]
    for key in keys:
        cloud.key_value.put(REGION, "t", key, {"body": b"x" * 150_000})
    with ApiCalls().recording() as calls:
        read = cloud.key_value.scan(REGION, "t") if reading == "Scan" else cloud.key_value.query(REGION, "t", "p")
        assert [item.key for item in read] == keys
    assert asked(calls)[reading] >= 2


def test_a_bucket_of_more_than_a_page_is_emptied(cloud: AwsCloud) -> None:
    for index in range(1_003):
        cloud.objects.put_object(REGION, f"k/{index:04d}", b"")
    with ApiCalls().recording() as calls:
        deleted = cloud.clear_region(REGION)
    assert [name.partition(" ")[0] for name in deleted] == ["bucket"]
    assert asked(calls)["DeleteObjects"] == 2
    assert cloud.objects.list_objects(REGION, "") == ()
