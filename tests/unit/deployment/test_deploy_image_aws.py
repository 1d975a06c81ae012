"""An image all the way through the ports of AWS: moto for ECR and Lambda, and a registry for each region."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from multi_x_serverless.cloud.aws import AwsCloud
from multi_x_serverless.cloud.aws.images import AwsImageRegistry
from multi_x_serverless.cloud.aws.registry import Registry
from multi_x_serverless.cloud.ports import InvocationResult, Key, PushTarget
from multi_x_serverless.cloud.tables import workflow_table
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.migrate import migrate
from multi_x_serverless.deployment.names import repository_name
from multi_x_serverless.deployment.remove import remove
from multi_x_serverless.sdk.environment import FUNCTION
from tests.aws.account import aws_in_memory
from tests.oci_images import MANIFEST_TYPE, OciRegistry, push, tiny_image
from tests.unit.deployment.conftest import no_sleep
from tests.unit.deployment.projects import WORKFLOW_ID, stage

if TYPE_CHECKING:
    from pathlib import Path

    from multi_x_serverless.deployment.image import ImageContext

HOME, AWAY = "us-east-1", "us-west-1"
REPOSITORY = repository_name(WORKFLOW_ID)
ACCOUNT = "123456789012"


class Aws:
    """AWS as far as images need it, and a builder in the place of Docker."""

    manifest_id = ""  # of the package, for probes before it is recorded

    def __init__(self, cloud: AwsCloud, servers: dict[str, OciRegistry], monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud, self.servers = cloud, servers
        for region, server in servers.items():
            server.stored = partial(self._tell_ecr, region)
        monkeypatch.setattr(cloud.images, "_connect", self._connect)
        monkeypatch.setattr(cloud.images, "_find_crane", lambda: None)
        monkeypatch.setattr(cloud.functions, "invoke", self._answer)

    def build(self, context: ImageContext, name: str) -> None:
        self.image = tiny_image(context.sha256)

    def push(self, name: str, target: PushTarget, tag: str) -> None:
        push(self._connect(f"https://{target.registry}", target.username, target.password), REPOSITORY, tag, self.image)

    def uri(self, region: str, function: str) -> str:
        """Where a function's code comes from."""
        client: Any = boto3.client("lambda", region_name=region)
        names = [entry.specification.name for entry in self.cloud.functions.list_functions(region, "")]
        [name] = [name for name in names if name.endswith(f"-{function}")]
        uri: str = client.get_function(FunctionName=name)["Code"]["ImageUri"]
        return uri

    def _connect(self, url: str, username: str, password: str) -> Registry:
        [server] = [server for region, server in self.servers.items() if f".{region}." in url]
        return Registry(server.url, username, password, pause=no_sleep)

    def _tell_ecr(self, region: str, repository: str, tag: str, body: bytes) -> None:
        boto3.client("ecr", region_name=region).put_image(
            repositoryName=repository,
            imageManifest=body.decode(),
            imageManifestMediaType=MANIFEST_TYPE,
            imageTag=tag,
            imageDigest=self.image.digest,
        )

    def _answer(self, region: str, name: str, payload: bytes, *, timeout_s: float) -> InvocationResult:
        """What the SDK answers to a probe; functions do not run on moto."""
        found = self.cloud.functions.get_function(region, name)
        assert found is not None
        stored = workflow_table(self.cloud).get(Key(WORKFLOW_ID))
        answer = {
            "probe": json.loads(payload)["multi_x_serverless_probe"],
            "manifest": self.manifest_id if stored is None else stored.value.manifest_id,
            "function": found.specification.environment[FUNCTION],
            "region": region,
        }
        return InvocationResult(json.dumps(answer).encode(), None, 0.0)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    with ExitStack() as stack:
        stack.enter_context(aws_in_memory())
        regions = (HOME, AWAY, "ca-central-1")
        cloud = stack.enter_context(AwsCloud(regions=regions, system_region=HOME, pause=no_sleep))
        password = f"{ACCOUNT}-auth-token"
        servers = {region: stack.enter_context(OciRegistry(password=password).running()) for region in regions}
        yield Aws(cloud, servers, monkeypatch)


def test_an_image_is_deployed_migrated_and_removed_on_aws(
    aws: Aws, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multi_x_serverless.deployment.build import build  # noqa: PLC0415

    aws.manifest_id = build(aws.cloud, project, "image").record.manifest_id
    deploy(aws.cloud, project, package_format="image", image_builder=aws, sleep=no_sleep)
    digest = aws.image.digest
    assert aws.uri(HOME, "first") == f"{ACCOUNT}.dkr.ecr.{HOME}.amazonaws.com/{REPOSITORY}@{digest}"
    assert deploy(aws.cloud, project, image_builder=aws, sleep=no_sleep).actions == ()
    assert isinstance(aws.cloud.images, AwsImageRegistry)

    stage(aws.cloud, left=AWAY)  # type: ignore[arg-type]  # any cloud will do
    assert migrate(aws.cloud, WORKFLOW_ID, sleep=no_sleep).created == (f"left in {AWAY}",)
    assert aws.uri(AWAY, "left") == f"{ACCOUNT}.dkr.ecr.{AWAY}.amazonaws.com/{REPOSITORY}@{digest}"
    away = aws.servers[AWAY]
    assert {blob_digest: body for (_, blob_digest), body in away.blobs.items()} == aws.image.blobs
    assert aws.servers["ca-central-1"].requests == []

    assert remove(aws.cloud, WORKFLOW_ID, sleep=no_sleep).left == ()
    for region in (HOME, AWAY):
        assert aws.cloud.images.list_repositories(region, "") == ()
        assert aws.cloud.functions.list_functions(region, "") == ()
