"""Container images: AWS keeps them, the embedded cloud says that it does not; both answer questions about them."""

from __future__ import annotations

import pytest

from multi_x_serverless.cloud.ports import Cloud, FunctionSpecification
from multi_x_serverless.errors import CloudError, UnsupportedError


def test_what_is_not_there_is_neither_listed_nor_found_and_can_be_deleted(cloud: Cloud, region: str, name: str) -> None:
    assert cloud.images.list_repositories(region, name) == ()
    assert cloud.images.find_image(region, name, "tag") is None
    cloud.images.delete_image(region, name, "tag")
    cloud.images.delete_repository(region, name)


def test_a_repository_is_made_once_in_one_region_or_refused(
    cloud: Cloud, region: str, other_region: str, name: str
) -> None:
    if cloud.name == "local":
        with pytest.raises(UnsupportedError, match="--package zip"):
            cloud.images.create_repository(region, name)
        with pytest.raises(UnsupportedError, match="--package zip"):
            cloud.images.require_available()
        return
    cloud.images.require_available()
    assert cloud.images.create_repository(region, name) == cloud.images.create_repository(region, name)
    assert cloud.images.list_repositories(region, name) == (name,)
    assert cloud.images.list_repositories(other_region, name) == ()
    assert cloud.images.find_image(region, name, "tag") is None
    cloud.images.delete_repository(region, name)
    assert cloud.images.list_repositories(region, name) == ()


def test_a_function_is_not_made_of_an_image_that_is_not_there(cloud: Cloud, region: str, name: str) -> None:
    specification = FunctionSpecification(
        name=name,
        handler="app.handler",
        runtime="python3.12",
        architecture="x86_64",
        memory_mb=128,
        timeout_s=3,
        code_key=f"{name}@sha256:{'0' * 64}",
        code_sha256="0" * 64,
        role=cloud.identity.create_role(name, '{"Version": "2012-10-17", "Statement": []}'),
        package_format="image",
    )
    with pytest.raises((CloudError, UnsupportedError), match=r"no image|no container images"):
        cloud.functions.put_function(region, specification)
    assert cloud.functions.get_function(region, name) is None
    cloud.identity.delete_role(name)
