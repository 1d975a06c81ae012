"""Contract of `Identity` and of the bundle that a cloud is."""

from __future__ import annotations

import re
import time

import pytest

from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.errors import CloudError

POLICY = '{"Version": "2012-10-17", "Statement": []}'


def test_the_account_is_a_twelve_digit_number(cloud: Cloud) -> None:
    assert re.fullmatch(r"\d{12}", cloud.identity.account_id())


def test_roles_are_made_twice_listed_and_deleted_twice(cloud: Cloud, name: str) -> None:
    identifier = cloud.identity.create_role(f"{name}-b", POLICY)
    cloud.identity.create_role(f"{name}-a", POLICY)
    assert cloud.identity.create_role(f"{name}-b", POLICY) == identifier
    assert cloud.identity.list_roles(name) == (f"{name}-a", f"{name}-b")
    for _ in range(2):
        cloud.identity.delete_role(f"{name}-a")
        cloud.identity.delete_role(f"{name}-b")
    assert cloud.identity.list_roles(name) == ()


def test_a_policy_that_is_no_json_is_refused(cloud: Cloud, name: str) -> None:
    with pytest.raises(CloudError):
        cloud.identity.create_role(name, "{not json")
    assert cloud.identity.list_roles(name) == ()


def test_the_system_region_is_one_of_the_regions(cloud: Cloud) -> None:
    assert cloud.system_region in cloud.regions
    assert len(set(cloud.regions)) == len(cloud.regions) >= 2


def test_time_is_in_seconds_since_the_epoch(cloud: Cloud) -> None:
    assert abs(cloud.now() - time.time()) < 3600
