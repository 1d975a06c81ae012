"""What every cloud says of its own health; what is only one cloud's is in `tests/unit`."""

from __future__ import annotations

import pytest

from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.errors import UnknownRegionError


def test_the_cloud_lets_us_in(cloud: Cloud) -> None:
    assert {finding.status for finding in cloud.health.access()} <= {"ok"}


def test_every_region_is_reached(cloud: Cloud) -> None:
    for region in cloud.regions:
        finding = cloud.health.reach(region)
        assert (finding.status, finding.regions, finding.remedy) == ("ok", (region,), "")


def test_a_region_that_does_not_exist_is_refused(cloud: Cloud) -> None:
    with pytest.raises(UnknownRegionError):
        cloud.health.reach("nowhere-1")


def test_checks_find_no_problem_where_nothing_is(cloud: Cloud, other_region: str) -> None:
    for check in (*cloud.health.checks(), *cloud.health.region_checks(other_region, in_use=False)):
        for finding in check.look():
            assert finding.check == check.name
            assert finding.status != "problem", finding
            assert not finding.message.endswith(".")


def test_no_letters_wait_where_no_function_was(cloud: Cloud) -> None:
    assert cloud.health.waiting_letters(cloud.regions[-1]) == 0
