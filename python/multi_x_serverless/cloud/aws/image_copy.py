"""Copies of images between registries: by crane if it is there, else by the registries' own API."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from multi_x_serverless.cloud.aws.image_manifest import Blob, ImageManifest
from multi_x_serverless.cloud.aws.registry import Registry
from multi_x_serverless.errors import CloudError

CRANE_TIMEOUT_S = 3000.0
"""Shorter than half of the lock of a migration of images, which is what is left of it at least."""

_LINES_SHOWN = 12


def copy_image(
    source: Registry, target: Registry, repository: str, digest: str, tag: str, *, crane: str | None = None
) -> int:
    """Copy an image to the repository of the same name in another registry; returns the bytes moved.

    Args:
        source: Where it is.
        target: Where it is to be; the repository is there.
        repository: Name of both repositories.
        digest: What the image is called for good.
        tag: What it is to be called in the target beside that.
        crane: The crane program; `None` to speak with the registries.

    Raises:
        CloudError: It could not be copied, or is not the same afterwards. Blobs that were copied stay, so that another
            attempt goes on from there.
    """
    manifest = source.get_manifest(repository, digest)
    present = target.find_manifest(repository, tag)
    if present is not None and present.digest == digest:
        return 0
    missing = [blob for blob in manifest.blobs if not target.has_blob(repository, blob)]
    if crane is None:
        _copy_by_api(source, target, repository, manifest, missing, tag)
    else:
        _copy_by_crane(crane, source, target, repository, digest, tag)
    found = target.get_manifest(repository, tag).digest
    if found != digest:
        raise CloudError(
            f"the image '{target.host}/{repository}:{tag}' is {found} after it was copied, and should be {digest}; "
            "delete it there and try again.",
            operation="copy_image",
        )
    return sum(blob.size_bytes for blob in missing) + len(manifest.body)


def _copy_by_api(
    source: Registry, target: Registry, repository: str, manifest: ImageManifest, missing: list[Blob], tag: str
) -> None:
    """Blobs first and the manifest last: a registry takes no manifest of what it does not have."""

    def transfer(blob: Blob) -> None:
        with source.open_blob(repository, blob) as stream:
            target.upload_blob(repository, blob, stream)

    for blob in missing:
        target.attempt(partial(transfer, blob))
    target.put_manifest(repository, tag, manifest)


def _copy_by_crane(crane: str, source: Registry, target: Registry, repository: str, digest: str, tag: str) -> None:
    command = [crane, "copy", f"{source.host}/{repository}@{digest}", f"{target.host}/{repository}:{tag}"]
    with _credentials(source, target) as directory:
        try:
            process = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "DOCKER_CONFIG": str(directory)},
                text=True,
                errors="replace",
                timeout=CRANE_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _failure(f"crane took more than {CRANE_TIMEOUT_S:g} s to copy {command[2]}") from error
        except OSError as error:
            raise _failure(f"'{crane}' cannot be started ({error.strerror})", retryable=False) from error
    if process.returncode:
        said = [line for line in process.stdout.splitlines() if line.strip()][-_LINES_SHOWN:]
        text = "\n  ".join(said)
        for registry in (source, target):
            text = text.replace(registry.password, "***") if registry.password else text
        raise _failure(
            f"crane could not copy {command[2]} to {command[3]} (exit code {process.returncode}); it says:\n  {text}"
        )


@contextmanager
def _credentials(*registries: Registry) -> Iterator[Path]:
    """A configuration for crane that this user alone can read: on a command line everybody could."""
    entries = {
        registry.host: {"auth": base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()}
        for registry in registries
        if registry.username or registry.password
    }
    with tempfile.TemporaryDirectory(prefix="multi-x-serverless-crane-") as temporary:
        file = Path(temporary) / "config.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({"auths": entries}), encoding="utf-8")
        yield Path(temporary)


def _failure(message: str, *, retryable: bool = True) -> CloudError:
    return CloudError(message, operation="copy_image", retryable=retryable)
