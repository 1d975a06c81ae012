"""What an image is built from, and how Docker is called: a program in its place notes its arguments and files."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pytest

from multi_x_serverless.cloud.ports import PushTarget
from multi_x_serverless.deployment import image as image_module
from multi_x_serverless.deployment.build import build
from multi_x_serverless.deployment.image import DockerBuilder, ImageContext, image_context, write_context
from multi_x_serverless.deployment.names import image_name, repository_name
from multi_x_serverless.deployment.packaging import Entry, Package, package_entries
from multi_x_serverless.deployment.requirements import Target
from multi_x_serverless.errors import DeploymentError, UnsupportedError
from multi_x_serverless.sdk.manifest import MANIFEST_FILE
from tests.fakes import FakeCloud
from tests.unit.deployment.projects import WORKFLOW_ID, make_project
from tests.unit.deployment.test_packaging import MANIFEST

TARGET = Target(12, "x86_64", is_this_machine=False)
HANDLER = "module.handler"
NAME = "mxs-example-1234:tag"
PUSH = PushTarget("123456789012.dkr.example", "mxs-example-1234", "AWS", "top secret")


def context_of(project: Path, target: Target = TARGET) -> ImageContext:
    entries = package_entries(project, MANIFEST, target, cache=project.parent / "cache")
    return image_context(project, entries, target, HANDLER)


def test_an_image_holds_what_the_zip_holds(project: Path) -> None:
    cloud = FakeCloud(name="aws")
    image, package = build(cloud, project, "image"), build(cloud, project).package
    assert isinstance(image.package, ImageContext)
    assert isinstance(package, Package)
    assert {"app.py", MANIFEST_FILE, "multi_x_serverless/sdk/lambda_handler.py"} <= set(image.package.entries)
    assert "iam_policy.json" not in image.package.entries
    assert image.package.size_bytes == package.unzipped_bytes
    assert image.record.package_format == "image"
    assert image.record.package.key == image_name(WORKFLOW_ID, image.package.sha256)
    assert image.record.package.sha256 == image.package.sha256


def test_the_generated_dockerfile_copies_the_package_onto_the_base_image_of_aws(project: Path) -> None:
    assert context_of(project).dockerfile == (
        'FROM public.ecr.aws/lambda/python:3.12\nCOPY package/ ${LAMBDA_TASK_ROOT}/\nCMD ["module.handler"]\n'
    )


def test_the_projects_own_dockerfile_is_used_and_is_no_part_of_the_package(project: Path) -> None:
    (project / "Dockerfile").write_text("FROM own\n")
    context = context_of(project)
    assert context.dockerfile == "FROM own\n"
    assert "Dockerfile" not in context.entries


def test_a_dockerfile_that_is_no_text_is_refused(project: Path) -> None:
    (project / "Dockerfile").write_bytes(b"\xff\xfe")
    with pytest.raises(DeploymentError, match="Dockerfile cannot be read"):
        context_of(project)


def test_the_digest_is_of_the_content_and_nothing_else(tmp_path: Path) -> None:
    one, two = make_project(tmp_path / "one"), make_project(tmp_path / "two")
    for path in two.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    (two / "app.py").chmod(0o600)
    (two / ".env").write_text("SECRET=1")
    digest = context_of(one).sha256
    assert context_of(two).sha256 == digest
    (two / "data.txt").write_text("")
    with_data = context_of(two).sha256
    (two / "data.txt").chmod(0o755)
    executable = context_of(two).sha256
    (two / "data.txt").rename(two / "data2.txt")
    renamed = context_of(two).sha256
    (two / "Dockerfile").write_text("FROM own\n")
    own = context_of(two).sha256
    other_platform = context_of(one, Target(12, "arm64", is_this_machine=False)).sha256
    other_python = context_of(one, Target(13, "x86_64", is_this_machine=False)).sha256
    assert len({digest, with_data, executable, renamed, own, other_platform, other_python}) == 7


def test_equal_input_gives_equal_trees(project: Path, tmp_path: Path) -> None:
    (project / "tool.sh").write_text("#!/bin/sh\n")
    (project / "tool.sh").chmod(0o700)
    trees = []
    for name in ("one", "two"):
        directory = tmp_path / name
        directory.mkdir()
        write_context(context_of(project), directory)
        trees.append(
            {
                path.relative_to(directory).as_posix(): (path.stat().st_mtime, oct(path.stat().st_mode))
                for path in directory.rglob("*")
            }
        )
        assert (directory / "package" / "app.py").read_bytes() == (project / "app.py").read_bytes()
    assert trees[0] == trees[1]
    assert {mtime for mtime, _ in trees[0].values()} == {315_532_800.0}
    assert trees[0]["package/tool.sh"][1] == oct(stat.S_IFREG | 0o755)
    assert trees[0]["package/app.py"][1] == oct(stat.S_IFREG | 0o644)
    assert trees[0]["package/multi_x_serverless"][1] == oct(stat.S_IFDIR | 0o755)


def test_a_file_that_changes_while_it_is_packed_is_noticed(project: Path, tmp_path: Path) -> None:
    context = context_of(project)
    (project / "app.py").write_text("changed = True\n")
    (tmp_path / "context").mkdir()
    with pytest.raises(DeploymentError, match="were changed while it was packed; run the command again"):
        write_context(context, tmp_path / "context")


def test_more_than_a_zip_may_hold_fits_and_more_than_an_image_does_not(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multi_x_serverless.deployment.packaging.MAXIMUM_UNZIPPED_BYTES", 10)
    assert context_of(project).size_bytes > 10
    monkeypatch.setattr(image_module, "MAXIMUM_IMAGE_BYTES", 10)
    with pytest.raises(DeploymentError, match="an image may have"):
        context_of(project)


def test_the_embedded_cloud_refuses_images_before_anything_is_packed(project: Path) -> None:
    from multi_x_serverless.cloud.local.images import LocalImageRegistry  # noqa: PLC0415

    cloud = FakeCloud()
    cloud.images = LocalImageRegistry()  # type: ignore[assignment]
    (project / "requirements.txt").write_text("a package that does not exist\n")
    with pytest.raises(UnsupportedError, match="deploy with '--package zip'"):
        build(cloud, project, "image")


@pytest.mark.parametrize(
    "workflow_id", ["Example_Flow-0.0.1", "UPPER-1.0.0", "__x--0.0.1", "a" * 100 + "-1.0.0", "example.-1"]
)
def test_repositories_have_names_that_registries_take(workflow_id: str) -> None:
    name = repository_name(workflow_id)
    assert name.startswith("mxs-")
    assert all(part and part.isalnum() and part == part.lower() for part in name.split("-"))
    assert len(name) <= 64


def test_workflows_that_differ_in_case_have_repositories_of_their_own() -> None:
    assert repository_name("Example-1.0.0") != repository_name("example-1.0.0")


# --- Docker --------------------------------------------------------------------------------------------------


class FakeDocker:
    """A program named docker, alone on PATH but for the usual ones; `calls` are its arguments."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self._log = directory / "calls"
        self._home = directory / "home"
        self._home.mkdir()
        monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
        monkeypatch.setenv("HOME", str(self._home))
        monkeypatch.delenv("DOCKER_CONFIG", raising=False)
        self.install()

    def install(self, **bodies: str) -> None:
        """Make the program; `bodies` are what it does for a subcommand."""
        cases = "\n".join(f"{name}) {body} ;;" for name, body in bodies.items())
        program = self.directory / "docker"
        program.write_text(
            "#!/bin/sh\n"
            f'for argument in "$@"; do printf "%s\\t" "$argument"; done >> {self._log}\n'
            f"echo >> {self._log}\n"
            f'printf "%s %s\\n" "$DOCKER_BUILDKIT" "$SOURCE_DATE_EPOCH" >> {self.directory}/variables\n'
            'if [ "$1" = --config ]; then\n'
            f'  cp -r "$2" {self.directory}/configuration; stat -c %a "$2" "$2/config.json" > {self.directory}/modes\n'
            "  shift 2\n"
            "fi\n"
            f'for last in "$@"; do :; done\n'
            f'case "$1" in\n{cases}\n'
            f'build|buildx) if [ -d "$last" ]; then cp -r "$last" {self.directory}/context; fi ;;\n'
            "esac\n"
        )
        program.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        if not self._log.exists():
            return []
        return [line.rstrip("\t").split("\t") for line in self._log.read_text().splitlines()]

    @property
    def configuration(self) -> Path:
        return self._home / ".docker"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    directory = tmp_path / "bin"
    directory.mkdir()
    return FakeDocker(directory, monkeypatch)


@pytest.fixture
def context() -> ImageContext:
    entries = {"app.py": Entry(b"x = 1\n"), "bin/tool": Entry(b"#!/bin/sh\n", is_executable=True)}
    return image_context(Path("/nonexistent"), entries, Target(12, "arm64", is_this_machine=False), HANDLER)


def test_an_image_is_built_by_buildkit_for_one_platform_without_attestations(
    docker: FakeDocker, context: ImageContext
) -> None:
    DockerBuilder().build(context, NAME)
    build_call = docker.calls[-1]
    assert build_call[:2] == ["buildx", "build"]
    assert {"--provenance=false", "--sbom=false", "--load"} <= set(build_call)
    assert build_call[build_call.index("--platform") + 1] == "linux/arm64"
    assert build_call[build_call.index("--tag") + 1] == NAME
    assert build_call[build_call.index("--file") + 1] == f"{build_call[-1]}/Dockerfile"
    built = docker.directory / "context"
    assert (built / "Dockerfile").read_text() == context.dockerfile
    assert (built / "package" / "app.py").read_text() == "x = 1\n"
    assert (docker.directory / "variables").read_text().splitlines()[-1] == " 315532800"
    assert not Path(build_call[-1]).exists()


def test_without_buildkit_the_builder_of_docker_itself_is_used(docker: FakeDocker, context: ImageContext) -> None:
    docker.install(buildx="exit 1")
    DockerBuilder().build(context, NAME)
    build_call = docker.calls[-1]
    assert build_call[0] == "build"
    assert not [argument for argument in build_call if "provenance" in argument or argument == "--load"]
    assert (docker.directory / "variables").read_text().splitlines()[-1] == "0 "
    assert (docker.directory / "context" / "Dockerfile").is_file()


def test_a_build_that_fails_shows_what_docker_says(docker: FakeDocker, context: ImageContext) -> None:
    docker.install(buildx='if [ "$2" = build ]; then echo "no such base image"; exit 17; fi')
    with pytest.raises(DeploymentError, match=r"cannot be built \(exit code 17\).*\n  no such base image"):
        DockerBuilder().build(context, NAME)


def test_a_build_that_does_not_end_is_given_up(
    docker: FakeDocker, context: ImageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker.install(buildx='if [ "$2" = build ]; then exec sleep 20; fi')
    monkeypatch.setattr(image_module, "BUILD_TIMEOUT_S", 0.1)
    with pytest.raises(DeploymentError, match=r"took more than 0\.1 s"):
        DockerBuilder().build(context, NAME)


def test_without_docker_the_way_out_is_told(
    context: ImageContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        DeploymentError, match="no 'docker' on PATH; install and start Docker, or deploy with '--package zip'"
    ):
        DockerBuilder().build(context, NAME)


def test_a_docker_whose_daemon_does_not_run_is_told(docker: FakeDocker, context: ImageContext) -> None:
    docker.install(version="echo 'Cannot connect to the Docker daemon'; exit 1")
    with pytest.raises(DeploymentError, match=r"Docker does not run; .*--package zip.*\n  Cannot connect"):
        DockerBuilder().build(context, NAME)
    assert [call[0] for call in docker.calls] == ["version"]


def test_a_docker_that_does_not_answer_is_told(
    docker: FakeDocker, context: ImageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker.install(version="exec sleep 20")
    monkeypatch.setattr(image_module, "ANSWER_TIMEOUT_S", 0.1)
    with pytest.raises(DeploymentError, match=r"does not answer within 0\.1 s"):
        DockerBuilder().build(context, NAME)


def test_a_push_has_its_credentials_in_a_file_of_its_own(docker: FakeDocker) -> None:
    DockerBuilder().push(NAME, PUSH, "tag")
    remote = f"{PUSH.registry}/{PUSH.repository}:tag"
    [_, tag, push, untag] = docker.calls
    assert tag == ["tag", NAME, remote]
    assert push[0] == "--config"
    assert push[2:] == ["push", remote]
    assert untag == ["image", "rm", "--no-prune", remote]
    assert not Path(push[1]).exists()
    assert (docker.directory / "modes").read_text().split() == ["700", "600"]
    document = json.loads((docker.directory / "configuration" / "config.json").read_text())
    assert base64.b64decode(document["auths"][PUSH.registry]["auth"]) == b"AWS:top secret"
    assert "top secret" not in (docker.directory / "calls").read_text()


def test_a_push_goes_to_the_daemon_that_the_user_has_chosen(docker: FakeDocker) -> None:
    docker.configuration.mkdir()
    (docker.configuration / "contexts").mkdir()
    (docker.configuration / "contexts" / "meta.json").write_text("{}")
    own = json.dumps({"currentContext": "desktop", "auths": {"other": {"auth": "eA=="}}})
    (docker.configuration / "config.json").write_text(own)
    DockerBuilder().push(NAME, PUSH, "tag")
    document = json.loads((docker.directory / "configuration" / "config.json").read_text())
    assert document["currentContext"] == "desktop"
    assert set(document["auths"]) == {PUSH.registry}
    assert (docker.directory / "configuration" / "contexts" / "meta.json").read_text() == "{}"
    assert (docker.configuration / "config.json").read_text() == own
    assert (docker.configuration / "contexts" / "meta.json").exists()


def test_a_push_that_fails_shows_what_docker_says_but_not_the_password(docker: FakeDocker) -> None:
    docker.install(push="echo 'denied: top secret'; exit 1")
    with pytest.raises(DeploymentError, match=r"cannot be pushed to .*exit code 1.*\n  denied: \*\*\*"):
        DockerBuilder().push(NAME, PUSH, "tag")
    assert docker.calls[-1][:2] == ["image", "rm"]


def test_a_configuration_of_docker_that_is_broken_is_told(docker: FakeDocker) -> None:
    docker.configuration.mkdir()
    (docker.configuration / "config.json").write_text("{")
    with pytest.raises(DeploymentError, match=r"config\.json cannot be read"):
        DockerBuilder().push(NAME, PUSH, "tag")
