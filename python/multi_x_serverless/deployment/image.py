"""The deployment package as a container image: what it is built from, and the building by Docker.

::

    files of the package --context--> digest = tag --(registry has the tag: done)--> docker build -> docker push

The files are those of the zip (`multi_x_serverless.deployment.packaging`); they lie in ``package/`` of the build
context beside a Dockerfile, the project's own if it has one, else one that copies them onto AWS's base image. The tag
is a digest of the context, so equal input is neither built nor pushed again. What is deployed is named by the digest
that the registry gives the pushed image.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from multi_x_serverless.cloud.function_limits import IMAGE_PLATFORMS
from multi_x_serverless.deployment.packaging import Entry
from multi_x_serverless.errors import DeploymentError

if TYPE_CHECKING:
    from multi_x_serverless.cloud.ports import PushTarget
    from multi_x_serverless.deployment.requirements import Target

DOCKERFILE = "Dockerfile"
PACKAGE_DIRECTORY = "package"
"""Where a Dockerfile finds the files of the package, relative to the build context."""

MAXIMUM_IMAGE_BYTES = 10 * 1024**3
"""AWS Lambda quotas, "Container image code package size", uncompressed and with all layers."""

ANSWER_TIMEOUT_S = 30.0
"""How long Docker may take to say that it is there."""

BUILD_TIMEOUT_S = 3600.0
PUSH_TIMEOUT_S = 3000.0
"""Shorter than half of the lock of a deployment of an image, which is what is left of it at least."""

BASE_IMAGE = "public.ecr.aws/lambda/python"
"""AWS's own base images; the tag is the version of Python."""

_LINES_SHOWN = 20
_WAY_OUT = "install and start Docker, or deploy with '--package zip'. Nothing was deployed."

# The date that zip packages carry, 1 January 1980: a real one would differ with every checkout.
_DATE_S = 315_532_800
_CONTEXT_VERSION = "1"


@dataclass(frozen=True)
class ImageContext:
    """What an image is built from.

    Attributes:
        entries: Files of the package by name.
        dockerfile: Text of the Dockerfile.
        platform: As Docker writes it, for example ``linux/arm64``.
        sha256: Hex digest of all of it.
        size_bytes: Bytes of the files.
    """

    entries: Mapping[str, Entry]
    dockerfile: str
    platform: str
    sha256: str
    size_bytes: int


def image_context(project: Path, entries: Mapping[str, Entry], target: Target, handler: str) -> ImageContext:
    """What the image of a project is built from.

    Args:
        project: The project's directory; its own Dockerfile is used if it has one.
        entries: Files of the package.
        target: What the functions run on.
        handler: What the image runs, as ``module.function``.

    Raises:
        DeploymentError: The files alone are over Lambda's limit, or one cannot be read.
    """
    files = {name: entries[name] for name in sorted(entries) if name != DOCKERFILE}
    size = sum(entry.size_bytes for entry in files.values())
    if size > MAXIMUM_IMAGE_BYTES:
        raise DeploymentError(
            f"the package has {size / 2**30:.1f} GB, an image may have {MAXIMUM_IMAGE_BYTES // 2**30} GB on Lambda; "
            "read large data from an object store instead. Nothing was deployed."
        )
    dockerfile = _own_dockerfile(project) or _generated_dockerfile(target, handler)
    platform = IMAGE_PLATFORMS[target.architecture]
    parts = [part for name, entry in files.items() for part in _parts(name, entry, entry.read())]
    return ImageContext(files, dockerfile, platform, _digest([platform, dockerfile, *parts]), size)


def write_context(context: ImageContext, directory: Path) -> None:
    """Write a build context with fixed dates and modes.

    Raises:
        DeploymentError: A file was changed since the digest was made, or cannot be written.
    """
    parts: list[str] = []
    package = directory / PACKAGE_DIRECTORY
    try:
        package.mkdir()
        _write(directory / DOCKERFILE, context.dockerfile.encode(), is_executable=False)
        for name, entry in context.entries.items():
            content = entry.read()
            parts += _parts(name, entry, content)
            path = package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, content, is_executable=entry.is_executable)
        for folder, _, _ in os.walk(package, topdown=False):
            Path(folder).chmod(0o755)
            os.utime(folder, (_DATE_S, _DATE_S))
    except OSError as error:
        raise DeploymentError(f"the build context cannot be written ({error}). Nothing was deployed.") from error
    if _digest([context.platform, context.dockerfile, *parts]) != context.sha256:
        raise DeploymentError(
            "files of the project were changed while it was packed; run the command again. Nothing was deployed."
        )


class ImageBuilder(Protocol):
    """Builds images and pushes them."""

    def build(self, context: ImageContext, name: str) -> None:
        """Build an image and keep it on this machine under a name."""

    def push(self, name: str, target: PushTarget, tag: str) -> None:
        """Push a built image."""


class DockerBuilder:
    """Images by the docker command, with BuildKit where it is there.

    Credentials for a push are in a configuration of its own, readable by this user alone and deleted afterwards: they
    are on no command line, and the user's own configuration is not touched.
    """

    def build(self, context: ImageContext, name: str) -> None:
        """Build an image and keep it on this machine under a name.

        Raises:
            DeploymentError: Docker is not there, or the build failed; the message ends with its words.
        """
        docker = self._require()
        with tempfile.TemporaryDirectory(prefix="multi-x-serverless-build-") as temporary:
            directory = Path(temporary)
            write_context(context, directory)
            common = ["--platform", context.platform, "--tag", name, "--file", str(directory / DOCKERFILE)]
            if self._has_buildx(docker):
                # Attestations would make an index of the image, which Lambda refuses.
                command = [docker, "buildx", "build", "--provenance=false", "--sbom=false", "--load", *common]
                variables = {"SOURCE_DATE_EPOCH": str(_DATE_S)}
            else:
                command = [docker, "build", *common]
                variables = {"DOCKER_BUILDKIT": "0"}
            _run([*command, str(directory)], "the image cannot be built", BUILD_TIMEOUT_S, variables)

    def push(self, name: str, target: PushTarget, tag: str) -> None:
        """Push a built image.

        Raises:
            DeploymentError: Docker is not there, or the push failed; the message ends with its words.
        """
        docker = self._require()
        remote = f"{target.registry}/{target.repository}:{tag}"
        with _docker_configuration(target) as configuration:
            _run([docker, "tag", name, remote], "the image cannot be named", ANSWER_TIMEOUT_S, {})
            try:
                _run(
                    [docker, "--config", str(configuration), "push", remote],
                    f"the image cannot be pushed to {target.registry}",
                    PUSH_TIMEOUT_S,
                    {},
                    secret=target.password,
                )
            finally:
                # Only the name that the push needed; the image stays for the next build.
                _call([docker, "image", "rm", "--no-prune", remote], ANSWER_TIMEOUT_S, {})

    @staticmethod
    def _require() -> str:
        docker = shutil.which("docker")
        if docker is None:
            raise DeploymentError(f"an image needs Docker, and there is no 'docker' on PATH; {_WAY_OUT}")
        answer = _call([docker, "version", "--format", "{{.Server.Version}}"], ANSWER_TIMEOUT_S, {})
        if answer is None:
            raise DeploymentError(f"Docker does not answer within {ANSWER_TIMEOUT_S:g} s; {_WAY_OUT}")
        code, output = answer
        if code:
            raise DeploymentError(f"Docker does not run; {_WAY_OUT} It says:\n{_shown(output)}")
        return docker

    @staticmethod
    def _has_buildx(docker: str) -> bool:
        answer = _call([docker, "buildx", "version"], ANSWER_TIMEOUT_S, {})
        return answer is not None and answer[0] == 0


def _own_dockerfile(project: Path) -> str | None:
    file = project / DOCKERFILE
    if not file.exists():
        return None
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeploymentError(f"the project's {DOCKERFILE} cannot be read ({error}). Nothing was deployed.") from error


def _generated_dockerfile(target: Target, handler: str) -> str:
    return (
        f"FROM {BASE_IMAGE}:3.{target.python_minor}\n"
        f"COPY {PACKAGE_DIRECTORY}/ ${{LAMBDA_TASK_ROOT}}/\n"
        f"CMD {json.dumps([handler])}\n"
    )


def _parts(name: str, entry: Entry, content: bytes) -> tuple[str, str, str]:
    return name, "x" if entry.is_executable else "-", hashlib.sha256(content).hexdigest()


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps([_CONTEXT_VERSION, *parts]).encode()).hexdigest()


def _write(path: Path, content: bytes, *, is_executable: bool) -> None:
    path.write_bytes(content)
    path.chmod(0o755 if is_executable else 0o644)
    os.utime(path, (_DATE_S, _DATE_S))


@contextmanager
def _docker_configuration(target: PushTarget) -> Iterator[Path]:
    """A configuration of Docker that has credentials for a registry, and otherwise reaches the same daemon."""
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    credentials = base64.b64encode(f"{target.username}:{target.password}".encode()).decode()
    document: dict[str, Any] = {"auths": {target.registry: {"auth": credentials}}}
    context = _current_context(own / "config.json")
    if context is not None:
        document["currentContext"] = context
    with tempfile.TemporaryDirectory(prefix="multi-x-serverless-docker-") as temporary:
        directory = Path(temporary)  # only this user may enter it
        if (own / "contexts").is_dir():
            (directory / "contexts").symlink_to((own / "contexts").resolve(), target_is_directory=True)
        file = directory / "config.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(document), encoding="utf-8")
        yield directory


def _current_context(file: Path) -> str | None:
    """Which daemon the user has chosen, if it is not the usual one."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DeploymentError(
            f"Docker's configuration {file} cannot be read ({error}). Nothing was deployed."
        ) from error
    context = document.get("currentContext") if isinstance(document, dict) else None
    return context if isinstance(context, str) else None


def _run(command: list[str], failed: str, timeout_s: float, variables: Mapping[str, str], secret: str = "") -> None:
    answer = _call(command, timeout_s, variables)
    if answer is None:
        raise DeploymentError(f"{failed}: Docker took more than {timeout_s:g} s.")
    code, output = answer
    if code:
        output = output.replace(secret, "***") if secret else output
        raise DeploymentError(f"{failed} (exit code {code}). Docker says:\n{_shown(output)}")


def _call(command: list[str], timeout_s: float, variables: Mapping[str, str]) -> tuple[int, str] | None:
    """Exit code and output of a command; `None` if it did not end in time."""
    try:
        process = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **variables},
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    except OSError as error:
        raise DeploymentError(f"'{command[0]}' cannot be started ({error.strerror}); {_WAY_OUT}") from error
    return process.returncode, process.stdout


def _shown(output: str) -> str:
    lines = [line.rstrip() for line in output.splitlines() if line.strip()][-_LINES_SHOWN:]
    return "\n".join(f"  {line}" for line in lines)
