"""Building and pushing with a real Docker, to a real registry; skipped where one of them is missing."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from multi_x_serverless.cloud.aws.image_copy import copy_image
from multi_x_serverless.cloud.aws.image_manifest import Blob, read_platform
from multi_x_serverless.cloud.aws.registry import Registry
from multi_x_serverless.cloud.ports import PushTarget
from multi_x_serverless.deployment.image import DockerBuilder, ImageContext, image_context
from multi_x_serverless.deployment.packaging import Entry
from multi_x_serverless.deployment.requirements import Target
from multi_x_serverless.errors import DeploymentError
from tests.unit.cloud_aws.test_image_copy import PASSWORD, USERNAME, needs_registry, real_registry

NAME = "mxs-test-of-multi-x-serverless"
FILES = {"app.py": Entry(b"x = 1\n"), "tools/run": Entry(b"#!/bin/sh\n", is_executable=True)}


@pytest.fixture(scope="module")
def docker() -> str:
    """The docker command; its daemon answers."""
    program = shutil.which("docker")
    if program is None:
        pytest.skip("no Docker on this machine")
    try:
        answered = subprocess.run(
            [program, "version", "--format", "{{.Server.Os}}"], capture_output=True, text=True, timeout=20, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("Docker does not answer")
    if answered.returncode or answered.stdout.strip() != "linux":
        pytest.skip("Docker does not run here, or not for Linux")
    return program


@pytest.fixture
def context(tmp_path: Path) -> ImageContext:
    """Files on nothing: a base image would have to be downloaded."""
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY package/ /var/task/\nCMD ["app.handler"]\n')
    return image_context(tmp_path, FILES, Target(12, "x86_64", is_this_machine=False), "app.handler")


@pytest.fixture
def built(docker: str, context: ImageContext) -> Iterator[str]:
    """The image, built; its name here is taken back."""
    name = f"{NAME}:{context.sha256}"
    DockerBuilder().build(context, name)
    yield name
    subprocess.run([docker, "image", "rm", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


@needs_registry
def test_an_image_that_docker_built_and_pushed_is_one_that_lambda_takes(
    built: str, context: ImageContext, tmp_path: Path
) -> None:
    with real_registry(tmp_path / "home") as home, real_registry(tmp_path / "away") as away:
        DockerBuilder().push(built, PushTarget(home.host, NAME, USERNAME, PASSWORD), context.sha256)
        manifest = home.get_manifest(NAME, context.sha256)
        assert read_platform(home.read_blob(NAME, manifest.configuration), "x") == "linux/amd64"
        assert files_of(home, manifest.layers) == {
            "var/task/app.py": (b"x = 1\n", 0o644),
            "var/task/tools/run": (b"#!/bin/sh\n", 0o755),
        }
        copy_image(home, away, NAME, manifest.digest, context.sha256)
        assert away.get_manifest(NAME, context.sha256) == manifest


@needs_registry
def test_a_push_with_the_wrong_password_fails(built: str, context: ImageContext, tmp_path: Path) -> None:
    with real_registry(tmp_path / "home") as home:
        with pytest.raises(DeploymentError, match="cannot be pushed to") as caught:
            DockerBuilder().push(built, PushTarget(home.host, NAME, USERNAME, "not the password"), context.sha256)
        assert "not the password" not in str(caught.value)
        assert home.find_manifest(NAME, context.sha256) is None


def test_a_dockerfile_that_cannot_be_built_fails_with_the_words_of_docker(docker: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY package/missing.txt /\n")
    context = image_context(tmp_path, FILES, Target(12, "x86_64", is_this_machine=False), "app.handler")
    with pytest.raises(DeploymentError, match=r"(?s)cannot be built \(exit code 1\).*missing\.txt"):
        DockerBuilder().build(context, f"{NAME}:broken")


def files_of(registry: Registry, layers: tuple[Blob, ...]) -> dict[str, tuple[bytes, int]]:
    """Content and mode of all files of an image."""
    found: dict[str, tuple[bytes, int]] = {}
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(registry.read_blob(NAME, layer)))) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member)
                if file is not None:
                    found[member.name] = (file.read(), member.mode & 0o777)
    return found
