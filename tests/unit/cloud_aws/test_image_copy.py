"""Copies of images: between real registries, by crane, and with what crane may do wrong."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from multi_x_serverless.cloud.aws import image_copy
from multi_x_serverless.cloud.aws.image_copy import copy_image
from multi_x_serverless.cloud.aws.registry import Registry
from multi_x_serverless.errors import CloudError
from tests.oci_images import OciRegistry, TinyImage, push, tiny_image

REPOSITORY = "mxs-example-1234"
REGISTRY_PROGRAM = shutil.which("docker-registry") or shutil.which("registry")
CRANE = shutil.which("crane")
SKOPEO = shutil.which("skopeo")

needs_registry = pytest.mark.skipif(
    REGISTRY_PROGRAM is None, reason="no OCI registry on this machine (Debian: docker-registry)"
)
needs_crane = pytest.mark.skipif(CRANE is None, reason="no crane on this machine")
needs_skopeo = pytest.mark.skipif(SKOPEO is None, reason="no skopeo on this machine")

USERNAME, PASSWORD = "AWS", "secret"
_HASHED = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
"""The password as bcrypt, all that the registry reads."""


@contextmanager
def real_registry(directory: Path) -> Iterator[Registry]:
    """A registry process of our own on a free port of the loopback interface, with a password."""
    assert REGISTRY_PROGRAM is not None
    directory.mkdir()
    (directory / "users").write_text(f"{USERNAME}:{_HASHED}\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    configuration = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(directory / "data")}},
        "http": {"addr": address, "secret": "of this test"},
        "auth": {"htpasswd": {"realm": "test", "path": str(directory / "users")}},
    }
    file = directory / "config.yml"
    file.write_text(json.dumps(configuration))  # which is YAML, too
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([REGISTRY_PROGRAM, "serve", str(file)], stdout=log, stderr=log)
        try:
            _wait_for(address, process, directory / "log")
            registry = Registry(f"http://{address}", USERNAME, PASSWORD)
            yield registry
            registry.close()
        finally:
            process.terminate()
            process.wait(timeout=10)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    host, _, port = address.partition(":")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with socket.socket() as connection:
            if connection.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"the registry did not start: {log.read_text()}")


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Registry, Registry]]:
    directory = tmp_path_factory.mktemp("registries")
    with real_registry(directory / "source") as source, real_registry(directory / "target") as target:
        yield source, target


def check_copied(target: Registry, image: TinyImage, repository: str) -> None:
    """The target has the same manifest and the same blobs, byte for byte."""
    assert target.get_manifest(repository, "tag").body == image.manifest
    assert target.get_manifest(repository, image.digest).digest == image.digest
    for blob in image.parsed.blobs:
        assert target.has_blob(repository, blob)
        with target.open_blob(repository, blob) as stream:
            assert b"".join(iter(stream.read, b"")) == image.blobs[blob.digest]


@needs_registry
def test_an_image_is_copied_between_real_registries(registries: tuple[Registry, Registry]) -> None:
    source, target = registries
    image = tiny_image("between", "registries", padding=os.urandom(300_000))
    push(source, "by-api", "pushed", image)
    assert source.find_manifest("by-api", "tag") is None
    moved = copy_image(source, target, "by-api", image.digest, "tag")
    assert moved == image.size_bytes + len(image.manifest)
    check_copied(target, image, "by-api")
    assert copy_image(source, target, "by-api", image.digest, "tag") == 0


@needs_registry
def test_a_real_registry_refuses_the_wrong_password(registries: tuple[Registry, Registry]) -> None:
    stranger = Registry(registries[0].url, USERNAME, "wrong", pause=lambda seconds: None)
    with pytest.raises(CloudError, match=r"401 .*The credentials may not do this"):
        stranger.find_manifest("by-api", "tag")


@needs_registry
def test_a_real_registry_takes_no_manifest_before_its_blobs(registries: tuple[Registry, Registry]) -> None:
    image = tiny_image("without blobs")
    with pytest.raises(CloudError, match="MANIFEST_BLOB_UNKNOWN") as caught:
        registries[0].put_manifest("nothing", "tag", image.parsed)
    assert not caught.value.retryable


@needs_registry
@needs_crane
def test_an_image_is_copied_by_crane(registries: tuple[Registry, Registry]) -> None:
    source, target = registries
    image = tiny_image("by crane", padding=os.urandom(50_000))
    push(source, "by-crane", "pushed", image)
    moved = copy_image(source, target, "by-crane", image.digest, "tag", crane=CRANE)
    assert moved == image.size_bytes + len(image.manifest)
    check_copied(target, image, "by-crane")


@needs_registry
@needs_crane
def test_crane_fails_with_its_own_words_and_no_password(registries: tuple[Registry, Registry]) -> None:
    source, target = registries
    image = tiny_image("refused")
    push(source, "refused", "pushed", image)
    stranger = Registry(target.url, USERNAME, "wrong-password", pause=lambda seconds: None)
    with pytest.raises(CloudError, match=r"crane could not copy .*exit code 1.*\n  .*") as caught:
        image_copy._copy_by_crane(str(CRANE), source, stranger, "refused", image.digest, "tag")
    assert "wrong-password" not in str(caught.value)
    assert target.find_manifest("refused", "tag") is None


@needs_registry
@needs_skopeo
def test_another_tool_reads_what_was_copied(registries: tuple[Registry, Registry]) -> None:
    source, target = registries
    image = tiny_image("for skopeo")
    push(source, "inspected", "pushed", image)
    copy_image(source, target, "inspected", image.digest, "tag")
    inspected = subprocess.run(
        [
            str(SKOPEO),
            "inspect",
            "--tls-verify=false",
            f"--creds={USERNAME}:{PASSWORD}",
            f"docker://{target.host}/inspected@{image.digest}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(inspected.stdout)
    assert (found["Digest"], found["Architecture"]) == (image.digest, "amd64")
    assert found["Layers"] == [layer.digest for layer in image.parsed.layers]


# --- a program in the place of crane -------------------------------------------------------------------------


@pytest.fixture
def servers() -> Iterator[tuple[OciRegistry, OciRegistry]]:
    with OciRegistry().running() as source, OciRegistry(immutable=False).running() as target:
        yield source, target


def client(server: OciRegistry) -> Registry:
    return Registry(server.url, "AWS", "a password: of the registry", pause=lambda seconds: None)


def make_crane(directory: Path, body: str) -> str:
    """A program that notes its arguments and its configuration, then does as told."""
    program = directory / "crane"
    program.write_text(
        "#!/bin/sh\n"
        f"printf '%s\\n' \"$@\" > {directory}/arguments\n"
        f'cp "$DOCKER_CONFIG/config.json" {directory}/config.json\n'
        f'stat -c %a "$DOCKER_CONFIG" "$DOCKER_CONFIG/config.json" > {directory}/modes\n'
        f'echo "$DOCKER_CONFIG" > {directory}/where\n'
        f"{body}\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def test_crane_gets_its_credentials_in_a_file_of_this_user_alone(
    servers: tuple[OciRegistry, OciRegistry], tmp_path: Path
) -> None:
    source, target = servers
    image = tiny_image()
    source.add(REPOSITORY, "tag", image)
    with pytest.raises(CloudError, match="exit code 3"):
        copy_image(
            client(source), client(target), REPOSITORY, image.digest, "tag", crane=make_crane(tmp_path, "exit 3")
        )
    assert (tmp_path / "arguments").read_text().splitlines() == [
        "copy",
        f"{source.host}/{REPOSITORY}@{image.digest}",
        f"{target.host}/{REPOSITORY}:tag",
    ]
    assert (tmp_path / "modes").read_text().split() == ["700", "600"]
    assert set(json.loads((tmp_path / "config.json").read_text())["auths"]) == {source.host, target.host}
    assert not Path((tmp_path / "where").read_text().strip()).exists()


def test_the_words_of_crane_are_shown_without_the_password(
    servers: tuple[OciRegistry, OciRegistry], tmp_path: Path
) -> None:
    source, target = servers
    image = tiny_image()
    source.add(REPOSITORY, "tag", image)
    crane = make_crane(tmp_path, "echo 'sent a password: of the registry and failed'; exit 1")
    with pytest.raises(CloudError, match=r"says:\n  sent \*\*\* and failed") as caught:
        copy_image(client(source), client(target), REPOSITORY, image.digest, "tag", crane=crane)
    assert caught.value.retryable


def test_a_crane_that_says_yes_and_did_nothing_is_noticed(
    servers: tuple[OciRegistry, OciRegistry], tmp_path: Path
) -> None:
    source, target = servers
    image = tiny_image()
    source.add(REPOSITORY, "tag", image)
    with pytest.raises(CloudError, match="there is no image"):
        copy_image(
            client(source), client(target), REPOSITORY, image.digest, "tag", crane=make_crane(tmp_path, "exit 0")
        )


def test_a_crane_that_left_another_image_is_noticed(servers: tuple[OciRegistry, OciRegistry], tmp_path: Path) -> None:
    source, target = servers
    image, other = tiny_image("wanted"), tiny_image("other")
    source.add(REPOSITORY, "tag", image)
    target.add(REPOSITORY, "tag", other)
    with pytest.raises(CloudError, match=f"is {other.digest} after it was copied"):
        copy_image(
            client(source), client(target), REPOSITORY, image.digest, "tag", crane=make_crane(tmp_path, "exit 0")
        )


def test_a_crane_that_cannot_be_started_or_does_not_end_is_an_error(
    servers: tuple[OciRegistry, OciRegistry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = servers
    image = tiny_image()
    source.add(REPOSITORY, "tag", image)
    arguments = (client(source), client(target), REPOSITORY, image.digest, "tag")
    with pytest.raises(CloudError, match="cannot be started") as caught:
        copy_image(*arguments, crane=str(tmp_path / "none"))
    assert not caught.value.retryable
    monkeypatch.setattr(image_copy, "CRANE_TIMEOUT_S", 0.1)
    with pytest.raises(CloudError, match=r"took more than 0\.1 s"):
        copy_image(*arguments, crane=make_crane(tmp_path, "exec sleep 20"))
