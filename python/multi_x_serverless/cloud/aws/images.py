"""Container images (the image port) on ECR: private, encrypted repositories whose tags are written once."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit

from multi_x_serverless.cloud.aws.image_copy import copy_image
from multi_x_serverless.cloud.aws.image_manifest import is_digest, read_platform
from multi_x_serverless.cloud.aws.names import partition_of
from multi_x_serverless.cloud.aws.registry import Registry
from multi_x_serverless.cloud.aws.session import AwsSession, code_of
from multi_x_serverless.cloud.function_limits import IMAGE_PLATFORMS
from multi_x_serverless.cloud.ports import Architecture, ImageDescription, PushTarget
from multi_x_serverless.errors import CloudError, ResourceNotFoundError

UNTAGGED_DAYS = 1
"""After how many days ECR deletes what an interrupted push left."""

_EXPIRY = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "what an interrupted push left",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": UNTAGGED_DAYS,
            },
            "action": {"type": "expire"},
        }
    ]
}


class AwsImageRegistry:
    """See `multi_x_serverless.cloud.ports.ImageRegistry`.

    Args:
        session: Access to AWS.
        connect: Makes the client of a registry from its address, a user name and a password.
        find_crane: Says where the crane program is, if there is one.
    """

    def __init__(
        self,
        session: AwsSession,
        *,
        connect: Callable[[str, str, str], Registry] | None = None,
        find_crane: Callable[[], str | None] = lambda: shutil.which("crane"),
    ) -> None:
        self._session = session
        self._connect = connect or self._connect_to_registry
        self._find_crane = find_crane

    def require_available(self) -> None:
        """AWS runs images everywhere."""

    def create_repository(self, region: str, repository: str) -> str:
        """Make a repository, or give the one that is there its properties; returns its ARN."""
        from botocore.exceptions import ClientError  # noqa: PLC0415  # slow; loaded when AWS is used

        client = self._session.ecr(region)
        tags: Any = self._session.tag_list
        with self._session.errors("create_repository", region, f"repository '{repository}'"):
            try:
                arn = client.create_repository(
                    repositoryName=repository,
                    tags=tags,
                    imageTagMutability="IMMUTABLE",
                    imageScanningConfiguration={"scanOnPush": False},
                    encryptionConfiguration={"encryptionType": "AES256"},
                )["repository"]["repositoryArn"]
            except ClientError as error:
                if code_of(error) != "RepositoryAlreadyExistsException":
                    raise
                found = client.describe_repositories(repositoryNames=[repository])["repositories"]
                arn = found[0]["repositoryArn"]
                client.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
                client.tag_resource(resourceArn=arn, tags=tags)
            client.set_repository_policy(repositoryName=repository, policyText=self._policy(region))
            client.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=json.dumps(_EXPIRY))
        return arn

    def delete_repository(self, region: str, repository: str) -> None:
        """Delete a repository with all images in it."""
        client = self._session.ecr(region)
        with (
            suppress(ResourceNotFoundError),
            self._session.errors("delete_repository", region, f"repository '{repository}'"),
        ):
            client.delete_repository(repositoryName=repository, force=True)

    def list_repositories(self, region: str, prefix: str) -> tuple[str, ...]:
        """Names of the repositories that start with `prefix`, sorted."""
        client = self._session.ecr(region)
        with self._session.errors("list_repositories", region, "repositories"):
            pages = client.get_paginator("describe_repositories").paginate()
            names = [entry["repositoryName"] for page in pages for entry in page["repositories"]]
        return tuple(sorted(name for name in names if name.startswith(prefix)))

    def has_repository(self, region: str, repository: str) -> bool:
        """Whether there is a repository of exactly this name."""
        client = self._session.ecr(region)
        try:
            with self._session.errors("has_repository", region, f"repository '{repository}'"):
                client.describe_repositories(repositoryNames=[repository])
        except ResourceNotFoundError:
            return False
        return True

    def push_target(self, region: str, repository: str) -> PushTarget:
        """Where to push to, with credentials that hold for twelve hours."""
        url, username, password = self._authorization(region)
        return PushTarget(urlsplit(url).netloc, repository, username, password)

    def find_image(self, region: str, repository: str, reference: str) -> ImageDescription | None:
        """An image by its tag or its digest."""
        client = self._session.ecr(region)
        wanted: Any = {"imageDigest" if is_digest(reference) else "imageTag": reference}
        try:
            with self._session.errors("find_image", region, f"image '{reference}' of '{repository}'"):
                [found] = client.describe_images(repositoryName=repository, imageIds=[wanted])["imageDetails"]
        except ResourceNotFoundError:
            return None
        return ImageDescription(found["imageDigest"], int(found.get("imageSizeInBytes") or 0))

    def check_image(self, region: str, repository: str, tag: str, architecture: Architecture) -> ImageDescription:
        """Make sure that Lambda can run a pushed image."""
        with closing(self._registry(region)) as registry:
            manifest = registry.get_manifest(repository, tag)
            where = f"image '{registry.host}/{repository}:{tag}'"
            platform = read_platform(registry.read_blob(repository, manifest.configuration), where)
        if platform != IMAGE_PLATFORMS[architecture]:
            raise CloudError(
                f"{where} is for {platform}, and the functions are configured for {architecture}: build it for "
                f"{IMAGE_PLATFORMS[architecture]}, or change 'architecture' in the configuration.",
                operation="check_image",
                region=region,
            )
        return ImageDescription(manifest.digest, manifest.size_bytes)

    def copy_image(self, source_region: str, repository: str, digest: str, target_region: str, tag: str) -> int:
        """Copy an image between regions, through this machine: ECR copies only whole registries by itself."""
        with closing(self._registry(source_region)) as source, closing(self._registry(target_region)) as target:
            return copy_image(source, target, repository, digest, tag, crane=self._find_crane())

    def delete_image(self, region: str, repository: str, tag: str) -> None:
        """Delete an image of that tag."""
        client = self._session.ecr(region)
        try:
            with self._session.errors("delete_image", region, f"image '{repository}:{tag}'"):
                answer = client.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": tag}])
        except ResourceNotFoundError:
            return
        for failure in answer.get("failures", ()):
            if failure.get("failureCode") != "ImageNotFound":
                raise CloudError(
                    f"the image '{repository}:{tag}' in {region} cannot be deleted: {failure.get('failureReason')}",
                    operation="delete_image",
                    region=region,
                )

    def require_image(self, region: str, code_key: str) -> None:
        """Make sure that an image is there, given as ``repository@digest``.

        Raises:
            ResourceNotFoundError: There is none.
        """
        repository, _, digest = code_key.partition("@")
        if self.find_image(region, repository, digest) is None:
            raise ResourceNotFoundError(
                f"there is no image '{code_key}' in {region}.", operation="require_image", region=region
            )

    def _registry(self, region: str) -> Registry:
        return self._connect(*self._authorization(region))

    def _connect_to_registry(self, url: str, username: str, password: str) -> Registry:
        return Registry(url, username, password, pause=self._session.pause)

    def _authorization(self, region: str) -> tuple[str, str, str]:
        """Address, user name and password of a region's registry."""
        client = self._session.ecr(region)
        with self._session.errors("push_target", region, "the registry"):
            [data] = client.get_authorization_token()["authorizationData"]
        username, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        return data["proxyEndpoint"], username, password

    def _policy(self, region: str) -> str:
        """Leave for Lambda to fetch images for functions of this account and region."""
        functions = f"arn:{partition_of(region)}:lambda:{region}:{self._session.account_id()}:function:*"
        statement: dict[str, Any] = {
            "Sid": "MultiXServerlessFunctions",
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            "Condition": {"StringLike": {"aws:sourceArn": functions}},
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
