"""Deploying images: what is built and pushed and when, digests, migration, removal, and faults anywhere."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from multi_x_serverless.cloud.ports import ImageDescription, Key, PushTarget
from multi_x_serverless.cloud.tables import PlanStore, physical_name
from multi_x_serverless.deployment.deploy import DeployResult, deploy
from multi_x_serverless.deployment.effort import EffortLog
from multi_x_serverless.deployment.journal import Journal
from multi_x_serverless.deployment.migrate import migrate, sweep
from multi_x_serverless.deployment.names import repository_name
from multi_x_serverless.deployment.remove import remove
from multi_x_serverless.deployment.state import IMAGE_LEASE_S
from multi_x_serverless.errors import CloudError, DeploymentError, UnsupportedError
from multi_x_serverless.sdk.manifest import MANIFEST_FILE
from tests.fakes import FakeCloud, refuse_call
from tests.unit.deployment.conftest import Deploy, no_sleep
from tests.unit.deployment.projects import (
    SOURCE,
    WORKFLOW_ID,
    check_consistent,
    functions,
    left_behind,
    make_project,
    record_of,
    stage,
)

if TYPE_CHECKING:
    from pathlib import Path

    from multi_x_serverless.deployment.image import ImageContext

HOME = "us-east-1"
REPOSITORY = repository_name(WORKFLOW_ID)


class FakeBuilder:
    """Builds in memory and pushes into the fake cloud; what it did is in `log`."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud = cloud
        self.log: list[str] = []
        self._built: dict[str, bytes] = {}

    def build(self, context: ImageContext, name: str) -> None:
        assert name == f"{REPOSITORY}:{context.sha256}"
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr(zipfile.ZipInfo(MANIFEST_FILE), context.entries[MANIFEST_FILE].read())
        # As with Docker, the image is not told by what it is built from.
        self._built[name] = stream.getvalue() + f"build {len(self.log)}".encode()
        self.log.append("build")

    def push(self, name: str, target: PushTarget, tag: str) -> None:
        assert name == f"{target.repository}:{tag}"
        self.cloud.images.push(target.registry, name, self._built[name])
        self.log.append(f"push to {target.registry}")


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud(name="aws")


@pytest.fixture
def builder(cloud: FakeCloud) -> FakeBuilder:
    return FakeBuilder(cloud)


def deploy_image(cloud: FakeCloud, project: Path, builder: FakeBuilder) -> DeployResult:
    return deploy(cloud, project, package_format="image", image_builder=builder, sleep=no_sleep)


def image_at(cloud: FakeCloud, region: str = HOME) -> ImageDescription:
    record = record_of(cloud)
    assert record is not None
    found = cloud.images.find_image(region, REPOSITORY, record.package.sha256)
    assert found is not None
    return found


def test_an_image_is_built_pushed_and_run_by_its_digest(cloud: FakeCloud, project: Path, builder: FakeBuilder) -> None:
    result = deploy_image(cloud, project, builder)
    assert [f"{action.verb} {action.kind}" for action in result.actions] == [
        "create role",
        "create repository",
        "create image",
        *["create function"] * 3,
        *["create topic"] * 3,
        "create plan",
        "create workflow",
    ]
    record = check_consistent(cloud)
    image = image_at(cloud)
    assert builder.log == ["build", f"push to {HOME}"]
    assert (record.package_format, record.package.size_bytes) == ("image", image.size_bytes)
    for specification in cloud.functions.functions.values():
        assert specification.package_format == "image"
        assert specification.code_key == f"{REPOSITORY}@{image.digest}"
    assert cloud.objects.objects == {}


def test_equal_input_is_neither_built_nor_pushed_again(cloud: FakeCloud, project: Path, builder: FakeBuilder) -> None:
    deploy_image(cloud, project, builder)
    builder.log.clear()
    assert deploy_image(cloud, project, builder).actions == ()
    (project / "iam_policy.json").write_text(
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}'
    )
    size = image_at(cloud).size_bytes
    assert str(deploy_image(cloud, project, builder).actions[0]).startswith("update role")
    assert builder.log == []
    assert check_consistent(cloud).package.size_bytes == size


def test_the_format_is_remembered(cloud: FakeCloud, project: Path, builder: FakeBuilder) -> None:
    deploy_image(cloud, project, builder)
    make_project(project, SOURCE + "\n# changed\n")
    deploy(cloud, project, image_builder=builder, sleep=no_sleep)
    assert check_consistent(cloud).package_format == "image"
    assert builder.log == ["build", f"push to {HOME}"] * 2


def test_a_first_deployment_is_a_zip_unless_it_is_told(cloud: FakeCloud, project: Path, builder: FakeBuilder) -> None:
    deploy(cloud, project, image_builder=builder, sleep=no_sleep)
    assert check_consistent(cloud).package_format == "zip"
    assert builder.log == []
    assert cloud.images.repositories == set()


def test_a_changed_project_runs_the_new_image_and_the_old_one_goes(
    cloud: FakeCloud, project: Path, builder: FakeBuilder
) -> None:
    deploy_image(cloud, project, builder)
    old = image_at(cloud)
    make_project(project, SOURCE + "\n# changed\n")
    result = deploy_image(cloud, project, builder)
    assert [f"{action.verb} {action.kind}" for action in result.actions] == [
        "create image",
        *["update function"] * 3,
        "delete image",
        "update workflow",
    ]
    check_consistent(cloud)
    assert image_at(cloud).digest != old.digest
    assert len(cloud.images.images) == 1


def test_a_dry_run_shows_it_and_needs_no_docker(cloud: FakeCloud, project: Path, builder: FakeBuilder) -> None:
    result = deploy(cloud, project, package_format="image", dry_run=True, image_builder=builder)
    kinds = [action.kind for action in result.actions]
    assert kinds[:3] == ["role", "repository", "image"]
    assert builder.log == []
    assert cloud.contents() == {}


def test_a_build_that_fails_changes_nothing(cloud: FakeCloud, project: Path, builder: FakeBuilder) -> None:
    def fail(context: ImageContext, name: str) -> None:
        raise DeploymentError("no Docker")

    builder.build = fail  # type: ignore[method-assign]
    with pytest.raises(DeploymentError, match="no Docker"):
        deploy_image(cloud, project, builder)
    assert cloud.contents() == {}
    assert cloud.key_value.tables == {}


def test_a_push_that_fails_leaves_nothing_behind(cloud: FakeCloud, project: Path, builder: FakeBuilder) -> None:
    def fail(name: str, target: PushTarget, tag: str) -> None:
        raise DeploymentError("the image cannot be pushed")

    builder.push = fail  # type: ignore[method-assign]
    with pytest.raises(DeploymentError, match=r"cannot be pushed\. Nothing was left behind"):
        deploy_image(cloud, project, builder)
    assert left_behind(cloud) == {}


def test_an_image_that_lambda_cannot_run_is_not_deployed(
    cloud: FakeCloud, project: Path, builder: FakeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(region: str, repository: str, tag: str, architecture: str) -> ImageDescription:
        raise CloudError("it is an index of several images.")

    monkeypatch.setattr(cloud.images, "check_image", refuse)
    with pytest.raises(DeploymentError, match=r"index of several images\. Nothing was left behind"):
        deploy_image(cloud, project, builder)
    assert left_behind(cloud) == {}


@pytest.mark.parametrize("first", ["zip", "image"])
def test_a_format_is_not_changed_under_a_running_workflow(
    cloud: FakeCloud, project: Path, builder: FakeBuilder, first: str
) -> None:
    second = "image" if first == "zip" else "zip"
    deploy(cloud, project, package_format=first, image_builder=builder, sleep=no_sleep)  # type: ignore[arg-type]
    before = cloud.contents()
    builder.log.clear()
    for dry_run in (True, False):
        with pytest.raises(
            DeploymentError, match=f"is deployed as {first}, .* count up workflow_version .* 'multi_x_serverless remove"
        ):
            deploy(
                cloud,
                project,
                package_format=second,  # type: ignore[arg-type]
                image_builder=builder,
                dry_run=dry_run,
                sleep=no_sleep,
            )
    assert builder.log == []
    after = cloud.contents()
    assert {kind: things for kind, things in after.items() if kind != "items"} == {
        kind: things for kind, things in before.items() if kind != "items"
    }
    check_consistent(cloud)


def test_a_migration_copies_by_digest_what_it_needs_and_builds_nothing(
    cloud: FakeCloud, project: Path, builder: FakeBuilder
) -> None:
    deploy_image(cloud, project, builder)
    builder.log.clear()
    stage(cloud, left="us-west-1", join="ca-central-1")
    effort = EffortLog()
    migrated = migrate(cloud, WORKFLOW_ID, effort=effort, sleep=no_sleep)
    assert migrated.created == ("join in ca-central-1", "left in us-west-1")
    (size,) = {len(body) for body in cloud.images.images.values()}
    assert {copy.region: copy.size_bytes for copy in effort.copies} == {"ca-central-1": size, "us-west-1": size}
    check_consistent(cloud)
    digest = image_at(cloud).digest
    assert sorted(cloud.images.copies) == [(HOME, digest, "ca-central-1"), (HOME, digest, "us-west-1")]
    assert image_at(cloud, "us-west-1").digest == digest
    assert builder.log == []


def test_an_image_that_was_replaced_under_its_tag_is_not_copied(
    cloud: FakeCloud, project: Path, builder: FakeBuilder
) -> None:
    deploy_image(cloud, project, builder)
    [place] = cloud.images.images
    cloud.images.images[place] = b"somebody else's"
    with pytest.raises(DeploymentError, match="it was replaced"):
        deploy_image(cloud, project, builder)
    stage(cloud, left="us-west-1")
    with pytest.raises(DeploymentError, match="it was replaced"):
        migrate(cloud, WORKFLOW_ID, sleep=no_sleep)
    assert "left in us-west-1" not in functions(cloud)
    assert all(body != b"somebody else's" for (region, _), body in cloud.images.images.items() if region != HOME)


def test_an_image_that_is_gone_is_built_by_the_next_deployment(
    cloud: FakeCloud, project: Path, builder: FakeBuilder
) -> None:
    deploy_image(cloud, project, builder)
    cloud.images.images.clear()
    stage(cloud, left="us-west-1")
    with pytest.raises(
        DeploymentError, match="not in the registry of us-east-1 any more; run 'multi_x_serverless deploy' again"
    ):
        migrate(cloud, WORKFLOW_ID, sleep=no_sleep)
    deploy_image(cloud, project, builder)
    migrate(cloud, WORKFLOW_ID, sleep=no_sleep)
    check_consistent(cloud)


def test_a_sweep_and_a_removal_delete_repositories(cloud: FakeCloud, project: Path, builder: FakeBuilder) -> None:
    deploy_image(cloud, project, builder)
    stage(cloud, left="us-west-1")
    migrate(cloud, WORKFLOW_ID, sleep=no_sleep)
    stage(cloud)
    migrate(cloud, WORKFLOW_ID, sleep=no_sleep)
    assert ("us-west-1", REPOSITORY) in cloud.images.repositories
    sweep(cloud, WORKFLOW_ID, now=cloud.now() + 10_000, grace_s=60, sleep=no_sleep)
    assert cloud.images.repositories == {(HOME, REPOSITORY)}
    check_consistent(cloud)
    stage(cloud, left="us-west-1")
    migrate(cloud, WORKFLOW_ID, sleep=no_sleep)
    result = remove(cloud, WORKFLOW_ID, sleep=no_sleep)
    assert result.left == ()
    assert {f"repository {REPOSITORY} in {HOME}", f"repository {REPOSITORY} in us-west-1"} <= set(result.deleted)
    assert left_behind(cloud) == {}


def test_a_first_deployment_refused_at_any_call_leaves_nothing(
    quick_deploy: Deploy, cloud: FakeCloud, project: Path
) -> None:
    whole = cloud.copy()
    deploy_with(quick_deploy, whole, project)
    for number, call in enumerate(list(whole.faults.calls)):
        tried = FakeCloud(name="aws")
        tried.faults.before = refuse_call(number)
        try:
            deploy_with(quick_deploy, tried, project)
        except (CloudError, DeploymentError):
            tried.faults.reset()
            assert left_behind(tried) == {} or record_of(tried) is not None, call
        tried.faults.reset()
        tried.time += IMAGE_LEASE_S  # for a lock that could not be given back
        deploy_with(quick_deploy, tried, project)
        check_consistent(tried)


def test_an_update_refused_at_any_call_keeps_what_was_there(
    quick_deploy: Deploy, cloud: FakeCloud, project: Path
) -> None:
    deploy_with(quick_deploy, cloud, project)
    stage(cloud, left="us-west-1")
    migrate(cloud, WORKFLOW_ID, sleep=no_sleep)
    make_project(project, SOURCE + "\n# changed\n")
    whole = cloud.copy()
    deploy_with(quick_deploy, whole, project)
    for number, call in enumerate(list(whole.faults.calls)):
        tried = cloud.copy()
        tried.faults.before = refuse_call(number)
        try:
            deploy_with(quick_deploy, tried, project)
        except (CloudError, DeploymentError):
            tried.faults.reset()
            if Journal(tried, WORKFLOW_ID).read() == ():
                check_consistent(tried)
        tried.faults.reset()
        tried.time += IMAGE_LEASE_S
        deploy_with(quick_deploy, tried, project)
        tried_record = check_consistent(tried)
        assert {name for _, name in tried.images.images} == {tried_record.package.key}, call


def deploy_with(quick_deploy: Deploy, cloud: FakeCloud, project: Path) -> DeployResult:
    return quick_deploy(cloud, project, package_format="image", image_builder=FakeBuilder(cloud))


def test_documents_with_images_are_of_the_newer_version_and_others_of_the_older(
    cloud: FakeCloud, project: Path, builder: FakeBuilder
) -> None:
    def version() -> int:
        item = cloud.key_value.get(HOME, physical_name("workflows"), Key(WORKFLOW_ID))
        assert item is not None
        [document] = [value for value in item.attributes.values() if '"schema"' in str(value)]
        return 2 if '"version":2' in str(document) else 1

    deploy(cloud, project, sleep=no_sleep)
    assert version() == 1
    remove(cloud, WORKFLOW_ID, sleep=no_sleep)
    deploy_image(cloud, project, builder)
    assert version() == 2
    assert PlanStore(cloud).active(WORKFLOW_ID) is not None


def test_the_embedded_cloud_refuses_and_says_the_way_out(project: Path, tmp_path: Path) -> None:
    from multi_x_serverless.cloud.local import LocalCloud  # noqa: PLC0415

    with LocalCloud(tmp_path / "state") as local:
        for dry_run in (True, False):
            with pytest.raises(UnsupportedError, match="no container images; deploy with '--package zip'"):
                deploy(local, project, package_format="image", dry_run=dry_run, sleep=no_sleep)
        assert local.key_value.list_tables(HOME) == ()
