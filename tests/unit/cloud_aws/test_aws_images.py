"""Images on AWS: how repositories are made, what Lambda is given, and copies between regions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.aws.images import UNTAGGED_DAYS, AwsImageRegistry
from multi_x_serverless.cloud.aws.registry import Registry
from multi_x_serverless.cloud.ports import FunctionSpecification, ImageDescription
from multi_x_serverless.errors import CloudError, ResourceNotFoundError
from tests.oci_images import MANIFEST_TYPE, OciRegistry, TinyImage, tiny_image
from tests.unit.cloud_aws.conftest import REGION
from tests.unit.cloud_aws.test_aws_resources import POLICY, TAGS, make_function, pairs

ACCOUNT = "123456789012"
HOME = "us-east-1"
REPOSITORY = "mxs-example-1234"


def ecr(region: str = REGION) -> Any:
    return boto3.client("ecr", region_name=region)


def put_image(image: TinyImage, tag: str, region: str = REGION) -> None:
    ecr(region).put_image(
        repositoryName=REPOSITORY,
        imageManifest=image.manifest.decode(),
        imageManifestMediaType=MANIFEST_TYPE,
        imageTag=tag,
        imageDigest=image.digest,
    )


def test_a_repository_is_encrypted_tagged_written_once_and_open_to_lambda_only(cloud: AwsCloud) -> None:
    arn = cloud.images.create_repository(REGION, REPOSITORY)
    [found] = ecr().describe_repositories(repositoryNames=[REPOSITORY])["repositories"]
    assert found["repositoryArn"] == arn
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"] == {"scanOnPush": False}
    assert found["encryptionConfiguration"] == {"encryptionType": "AES256"}
    assert pairs(ecr().list_tags_for_resource(resourceArn=arn)["tags"]) == TAGS
    [statement] = json.loads(ecr().get_repository_policy(repositoryName=REPOSITORY)["policyText"])["Statement"]
    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert statement["Action"] == ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    assert statement["Condition"] == {"StringLike": {"aws:sourceArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:*"}}
    lifecycle = json.loads(ecr().get_lifecycle_policy(repositoryName=REPOSITORY)["lifecyclePolicyText"])
    [rule] = lifecycle["rules"]
    assert (rule["selection"]["tagStatus"], rule["selection"]["countNumber"]) == ("untagged", UNTAGGED_DAYS)


def test_a_repository_that_is_there_gets_its_properties(cloud: AwsCloud) -> None:
    ecr().create_repository(repositoryName=REPOSITORY)
    arn = cloud.images.create_repository(REGION, REPOSITORY)
    [found] = ecr().describe_repositories(repositoryNames=[REPOSITORY])["repositories"]
    assert (found["repositoryArn"], found["imageTagMutability"]) == (arn, "IMMUTABLE")
    assert pairs(ecr().list_tags_for_resource(resourceArn=arn)["tags"]) == TAGS
    assert ecr().get_repository_policy(repositoryName=REPOSITORY)["policyText"]


def test_repositories_are_listed_by_prefix_and_deleted_with_their_images(cloud: AwsCloud) -> None:
    for name in (REPOSITORY, "mxs-another", "not-ours"):
        cloud.images.create_repository(REGION, name)
    put_image(tiny_image(), "tag")
    assert cloud.images.list_repositories(REGION, "mxs-") == ("mxs-another", REPOSITORY)
    cloud.images.delete_repository(REGION, REPOSITORY)
    cloud.images.delete_repository(REGION, REPOSITORY)
    assert cloud.images.list_repositories(REGION, "") == ("mxs-another", "not-ours")


def test_an_image_is_found_by_tag_and_digest_and_deleted(cloud: AwsCloud) -> None:
    image = tiny_image()
    assert cloud.images.find_image(REGION, REPOSITORY, "tag") is None
    cloud.images.delete_image(REGION, REPOSITORY, "tag")
    cloud.images.create_repository(REGION, REPOSITORY)
    put_image(image, "tag")
    found = cloud.images.find_image(REGION, REPOSITORY, "tag")
    assert found is not None
    assert found.digest == image.digest
    assert cloud.images.find_image(REGION, REPOSITORY, image.digest) == found
    assert cloud.images.find_image(REGION, REPOSITORY, "other") is None
    assert cloud.images.find_image("us-east-1", REPOSITORY, "tag") is None
    cloud.images.delete_image(REGION, REPOSITORY, "tag")
    cloud.images.delete_image(REGION, REPOSITORY, "tag")
    assert cloud.images.find_image(REGION, REPOSITORY, "tag") is None


def test_credentials_for_a_push_do_not_show(cloud: AwsCloud) -> None:
    target = cloud.images.push_target(REGION, REPOSITORY)
    assert (target.registry, target.repository, target.username) == (
        f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com",
        REPOSITORY,
        "AWS",
    )
    assert target.password == f"{ACCOUNT}-auth-token"
    assert target.password not in repr(target)


def image_function(cloud: AwsCloud, image: TinyImage) -> FunctionSpecification:
    return FunctionSpecification(
        name="image-function",
        handler="app.handler",
        runtime="python3.12",
        architecture="arm64",
        memory_mb=256,
        timeout_s=10,
        code_key=f"{REPOSITORY}@{image.digest}",
        code_sha256=image.digest.removeprefix("sha256:"),
        role=cloud.identity.create_role("role", POLICY),
        environment={"AA": "b"},
        package_format="image",
    )


def test_a_function_runs_an_image_named_by_digest(cloud: AwsCloud) -> None:
    cloud.images.create_repository(REGION, REPOSITORY)
    first, second = tiny_image("first"), tiny_image("second")
    put_image(first, "1")
    put_image(second, "2")
    specification = image_function(cloud, first)
    made = cloud.functions.put_function(REGION, specification)
    assert made.specification == replace(specification, runtime="")  # which Lambda does not know of an image
    lambda_client: Any = boto3.client("lambda", region_name=REGION)
    found = lambda_client.get_function(FunctionName="image-function")
    host = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
    assert found["Configuration"]["PackageType"] == "Image"
    assert found["Code"]["ImageUri"] == f"{host}/{REPOSITORY}@{first.digest}"
    later = image_function(cloud, second)
    assert cloud.functions.put_function(REGION, later).specification == replace(later, runtime="")
    found = lambda_client.get_function(FunctionName="image-function")
    assert found["Code"]["ImageUri"] == f"{host}/{REPOSITORY}@{second.digest}"


def test_the_memory_of_an_image_function_is_updated(cloud: AwsCloud) -> None:
    cloud.images.create_repository(REGION, REPOSITORY)
    image = tiny_image()
    put_image(image, "1")
    specification = image_function(cloud, image)
    cloud.functions.put_function(REGION, specification)
    larger = replace(specification, memory_mb=512, environment={"AA": "c"})
    assert cloud.functions.put_function(REGION, larger).specification == replace(larger, runtime="")


@pytest.mark.parametrize("operation", ["create_function", "update_function_code"])
def test_a_repository_whose_policy_lambda_does_not_know_yet_is_waited_for(
    cloud: AwsCloud, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.images.create_repository(REGION, REPOSITORY)
    first, second = tiny_image("first"), tiny_image("second")
    put_image(first, "1")
    put_image(second, "2")
    if operation == "update_function_code":
        cloud.functions.put_function(REGION, image_function(cloud, first))
    client = cloud._session.functions(REGION)
    real, refused, pauses = getattr(client, operation), list[Any](), list[float]()

    def refuse_twice(**arguments: Any) -> Any:
        if len(refused) < 2:
            refused.append(arguments)
            message = "Lambda does not have permission to access the ECR image. Check the ECR permissions."
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, operation)
        return real(**arguments)

    monkeypatch.setattr(client, operation, refuse_twice)
    monkeypatch.setattr(cloud._session, "pause", pauses.append)
    made = cloud.functions.put_function(REGION, image_function(cloud, second))
    assert made.specification.code_key == f"{REPOSITORY}@{second.digest}"
    assert pauses == [1.0, 2.0]


def test_an_image_that_is_not_in_the_region_is_refused_before_a_function_is_made(cloud: AwsCloud) -> None:
    cloud.images.create_repository(HOME, REPOSITORY)
    image = tiny_image()
    put_image(image, "1", HOME)
    with pytest.raises(ResourceNotFoundError, match=f"no image '{REPOSITORY}@{image.digest}' in {REGION}"):
        cloud.functions.put_function(REGION, image_function(cloud, image))
    assert cloud.functions.get_function(REGION, "image-function") is None


def test_a_zip_does_not_become_an_image(cloud: AwsCloud) -> None:
    cloud.images.create_repository(REGION, REPOSITORY)
    image = tiny_image()
    put_image(image, "1")
    before = make_function(cloud, "image-function")
    with pytest.raises(
        CloudError, match="is made from a zip, and Lambda cannot change that to image; remove"
    ) as caught:
        cloud.functions.put_function(REGION, image_function(cloud, image))
    assert not caught.value.retryable
    after = cloud.functions.get_function(REGION, "image-function")
    assert after is not None
    assert after.specification == before


# --- the registries of two regions, on loopback --------------------------------------------------------------


@pytest.fixture
def servers() -> Iterator[dict[str, OciRegistry]]:
    password = f"{ACCOUNT}-auth-token"
    with OciRegistry(password=password).running() as home, OciRegistry(password=password).running() as away:
        yield {HOME: home, REGION: away}


def registry_over(cloud: AwsCloud, servers: dict[str, OciRegistry], crane: str | None = None) -> AwsImageRegistry:
    """The port, with the address of each region's registry replaced."""

    def connect(url: str, username: str, password: str) -> Registry:
        [server] = [server for region, server in servers.items() if f".{region}." in url]
        return Registry(server.url, username, password, pause=lambda seconds: None)

    return AwsImageRegistry(cloud._session, connect=connect, find_crane=lambda: crane)


def test_an_image_is_copied_between_regions(cloud: AwsCloud, servers: dict[str, OciRegistry]) -> None:
    images, image = registry_over(cloud, servers), tiny_image("between", "regions")
    servers[HOME].add(REPOSITORY, "tag", image)
    moved = images.copy_image(HOME, REPOSITORY, image.digest, REGION, "tag")
    assert moved == image.size_bytes + len(image.manifest)
    assert servers[REGION].manifests[REPOSITORY, "tag"] == (MANIFEST_TYPE, image.manifest)
    assert images.copy_image(HOME, REPOSITORY, image.digest, REGION, "tag") == 0


def test_crane_is_used_when_it_is_there(cloud: AwsCloud, servers: dict[str, OciRegistry]) -> None:
    image = tiny_image()
    servers[HOME].add(REPOSITORY, "tag", image)
    with pytest.raises(CloudError, match="crane could not copy"):
        registry_over(cloud, servers, crane="/bin/false").copy_image(HOME, REPOSITORY, image.digest, REGION, "tag")


def test_a_pushed_image_is_checked(cloud: AwsCloud, servers: dict[str, OciRegistry]) -> None:
    images, image = registry_over(cloud, servers), tiny_image(architecture="arm64")
    servers[HOME].add(REPOSITORY, "tag", image)
    assert images.check_image(HOME, REPOSITORY, "tag", "arm64") == ImageDescription(image.digest, image.size_bytes)
    with pytest.raises(CloudError, match="is for linux/arm64, and the functions are configured for x86_64"):
        images.check_image(HOME, REPOSITORY, "tag", "x86_64")
    with pytest.raises(ResourceNotFoundError):
        images.check_image(REGION, REPOSITORY, "tag", "arm64")
