"""Contract of `FunctionService`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest

from multi_x_serverless.cloud.ports import Cloud, FunctionSpecification
from multi_x_serverless.errors import CloudError, ResourceNotFoundError
from tests.contract.function_package import ECHO, digest_of, make_package, specify_function


@pytest.fixture
def specification(cloud: Cloud, region: str, name: str) -> Iterator[FunctionSpecification]:
    """A function that could be made: its code and role are there."""
    yield specify_function(cloud, region, name, ECHO, {"GREETING": "hello"})
    cloud.functions.delete_function(region, name)
    cloud.identity.delete_role(name)


def test_a_function_is_described_as_it_was_made(
    cloud: Cloud, region: str, specification: FunctionSpecification
) -> None:
    made = cloud.functions.put_function(region, specification)
    assert made.specification == specification
    assert made.region == region
    assert specification.name in made.id
    assert cloud.functions.get_function(region, specification.name) == made


def test_making_it_twice_is_making_it_once(cloud: Cloud, region: str, specification: FunctionSpecification) -> None:
    made = cloud.functions.put_function(region, specification)
    assert cloud.functions.put_function(region, specification) == made


def test_making_it_otherwise_updates_it(cloud: Cloud, region: str, specification: FunctionSpecification) -> None:
    made = cloud.functions.put_function(region, specification)
    package = make_package({"app.py": ECHO, "more.py": ""})
    cloud.objects.put_object(region, "updated.zip", package)
    changed = dataclasses.replace(
        specification, memory_mb=512, environment={}, code_key="updated.zip", code_sha256=digest_of(package)
    )
    updated = cloud.functions.put_function(region, changed)
    assert updated.id == made.id
    described = cloud.functions.get_function(region, specification.name)
    assert described is not None
    assert (described.specification.memory_mb, described.specification.environment) == (512, {})
    assert described.specification.code_sha256 == digest_of(package)


def test_functions_are_listed_by_prefix_and_sorted(
    cloud: Cloud, region: str, other_region: str, specification: FunctionSpecification
) -> None:
    names = [f"{specification.name}-b", f"{specification.name}-a"]
    for name in names:
        cloud.functions.put_function(region, dataclasses.replace(specification, name=name))
    listed = cloud.functions.list_functions(region, specification.name)
    assert [described.specification.name for described in listed] == sorted(names)
    assert cloud.functions.list_functions(other_region, specification.name) == ()
    for name in names:
        cloud.functions.delete_function(region, name)
    assert cloud.functions.list_functions(region, specification.name) == ()


def test_deleting_twice_succeeds(cloud: Cloud, region: str, specification: FunctionSpecification) -> None:
    cloud.functions.put_function(region, specification)
    cloud.functions.delete_function(region, specification.name)
    cloud.functions.delete_function(region, specification.name)
    assert cloud.functions.get_function(region, specification.name) is None


@pytest.mark.parametrize(
    "change",
    [
        {"memory_mb": 64},
        {"timeout_s": 901},
        {"name": "no spaces"},
        {"name": "x" * 65},
        {"environment": {"AWS_REGION": "us-west-2"}},
        {"environment": {"LARGE": "x" * 5000}},
    ],
    ids=str,
)
def test_what_lambda_would_refuse_is_refused(
    cloud: Cloud, region: str, specification: FunctionSpecification, change: dict[str, object]
) -> None:
    with pytest.raises(CloudError) as caught:
        cloud.functions.put_function(region, dataclasses.replace(specification, **change))  # type: ignore[arg-type]  # on purpose
    assert not caught.value.retryable
    assert cloud.functions.get_function(region, specification.name) is None


def test_code_that_is_not_there_is_refused(cloud: Cloud, region: str, specification: FunctionSpecification) -> None:
    missing = dataclasses.replace(specification, code_key="missing.zip", code_sha256="0" * 64)
    with pytest.raises(CloudError):
        cloud.functions.put_function(region, missing)
    assert cloud.functions.get_function(region, specification.name) is None


def test_a_function_answers(cloud: Cloud, region: str, specification: FunctionSpecification) -> None:
    cloud.functions.put_function(region, specification)
    result = cloud.functions.invoke(region, specification.name, b'{"n": [1, null]}', timeout_s=30)
    assert result.error is None
    assert json.loads(result.payload) == {"event": {"n": [1, None]}, "function": specification.name}
    assert result.duration_s > 0
    assert result.init_s is not None
    assert result.init_s > 0, "the first one starts a container"
    again = cloud.functions.invoke(region, specification.name, b"{}", timeout_s=30)
    assert again.init_s == 0.0


def test_an_error_of_a_function_is_told(cloud: Cloud, region: str, specification: FunctionSpecification) -> None:
    cloud.functions.put_function(region, specification)
    result = cloud.functions.invoke(region, specification.name, b'{"fail": "no luck"}', timeout_s=30)
    assert result.error is not None
    assert "ValueError" in result.error
    assert "no luck" in result.error


def test_a_function_that_is_not_there_is_named(cloud: Cloud, region: str, name: str) -> None:
    with pytest.raises(ResourceNotFoundError, match=name):
        cloud.functions.invoke(region, name, b"{}", timeout_s=5)


def test_an_invocation_of_no_function_cannot_be_queued(cloud: Cloud, region: str, name: str) -> None:
    with pytest.raises(ResourceNotFoundError):
        cloud.functions.invoke_async(region, name, b"{}")


def test_an_event_that_is_too_large_is_refused(cloud: Cloud, region: str, specification: FunctionSpecification) -> None:
    cloud.functions.put_function(region, specification)
    with pytest.raises(CloudError, match="1,048,577 bytes"):
        cloud.functions.invoke_async(region, specification.name, b" " * 1_048_577)


def test_a_queued_invocation_gives_the_function_its_payload(
    cloud: Cloud, region: str, specification: FunctionSpecification
) -> None:
    cloud.functions.put_function(region, specification)
    cloud.functions.invoke_async(region, specification.name, b'{"n": 1}')
    with cloud.host() as host:
        assert host.wait_until_idle(30)
    now = cloud.now()
    lines = [event.message for event in cloud.logs.read_logs(region, specification.name, now - 60, now + 1)]
    assert any('got {"n": 1}' in line for line in lines)


def test_a_queued_invocation_that_fails_is_given_up_and_cannot_be_put_back_on_a_topic(
    cloud: Cloud, region: str, specification: FunctionSpecification
) -> None:
    cloud.functions.put_function(region, specification)
    cloud.functions.invoke_async(region, specification.name, b'{"fail": "always"}')
    with cloud.host() as host:
        assert host.wait_until_idle(30)
    [letter] = cloud.messages.dead_letters(region, specification.name)
    assert (letter.body, "always" in letter.error) == (b'{"fail": "always"}', True)
    with pytest.raises(CloudError, match="came by no topic"):
        cloud.messages.redrive(region, letter.id)


def test_concurrency_is_reserved_changed_and_freed(
    cloud: Cloud, region: str, specification: FunctionSpecification
) -> None:
    for reserved in (5, 7, None, 3):
        cloud.functions.put_function(region, dataclasses.replace(specification, reserved_concurrency=reserved))
        described = cloud.functions.get_function(region, specification.name)
        assert described is not None
        assert described.specification.reserved_concurrency == reserved
    with pytest.raises(CloudError, match="would let nothing run"):
        cloud.functions.put_function(region, dataclasses.replace(specification, reserved_concurrency=0))
