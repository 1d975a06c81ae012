"""Image manifests as registries give them (OCI image specification, Docker image manifest version 2, schema 2)."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from multi_x_serverless.errors import CloudError

MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
CONFIGURATION_TYPES = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)

MAXIMUM_MANIFEST_BYTES = 4 * 1024**2
"""What registries must take at least (OCI distribution specification, "Pushing manifests")."""

MAXIMUM_CONFIGURATION_BYTES = 16 * 1024**2
"""A configuration has some kilobytes; more is not read into memory."""

MAXIMUM_IMAGE_BYTES = 10 * 1024**3
"""AWS Lambda quotas, "Container image code package size"; that is uncompressed, so more compressed is too much too."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Blob:
    """A layer or a configuration: `digest` as ``sha256:...``, `size_bytes` as the manifest says."""

    digest: str
    size_bytes: int


@dataclass(frozen=True)
class ImageManifest:
    """The manifest of an image for one platform.

    Attributes:
        digest: ``sha256:`` and the digest of `body`.
        body: Its bytes, which are never written anew: the digest is of them.
    """

    digest: str
    media_type: str
    body: bytes
    configuration: Blob
    layers: tuple[Blob, ...]

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All that the manifest refers to, each once."""
        return tuple({blob.digest: blob for blob in (*self.layers, self.configuration)}.values())

    @property
    def size_bytes(self) -> int:
        """Bytes of all layers and the configuration."""
        return sum(blob.size_bytes for blob in self.blobs)


def read_manifest(body: bytes, media_type: str, where: str) -> ImageManifest:
    """Read a manifest.

    Args:
        body: As the registry sent it.
        media_type: What the registry says that it is.
        where: What it is of, to be named in messages.

    Raises:
        CloudError: It is no manifest of an image for one platform, or of one that is too large.
    """
    document = _parse(body, where)
    kind = document.get("mediaType", media_type.partition(";")[0].strip())
    if kind in INDEX_TYPES or "manifests" in document:
        raise _refusal(
            f"{where} is an index of several images (platforms or attestations), and Lambda takes an image for one "
            "platform: build with one --platform, --provenance=false and --sbom=false"
        )
    if kind not in MANIFEST_TYPES:
        raise _refusal(f"{where} has a manifest of the type '{kind}', which is no image")
    configuration = document.get("config")
    layers = document.get("layers")
    if not isinstance(configuration, dict) or not isinstance(layers, list):
        raise _refusal(f"the manifest of {where} has no configuration or no list of layers")
    if configuration.get("mediaType") not in CONFIGURATION_TYPES:
        raise _refusal(f"{where} is a '{configuration.get('mediaType')}', not an image that can be run")
    manifest = ImageManifest(
        digest=digest_of(body),
        media_type=kind,
        body=body,
        configuration=_read_blob(configuration, where),
        layers=tuple(_read_blob(layer, where) for layer in layers),
    )
    if manifest.size_bytes > MAXIMUM_IMAGE_BYTES:
        raise _refusal(
            f"{where} has {manifest.size_bytes / 1024**3:.1f} GB, and Lambda takes {MAXIMUM_IMAGE_BYTES // 1024**3}"
        )
    return manifest


def read_platform(configuration: bytes, where: str) -> str:
    """What an image runs on, as ``system/architecture``, from its configuration.

    Raises:
        CloudError: It is no configuration of an image.
    """
    document = _parse(configuration, where)
    return f"{document.get('os')}/{document.get('architecture')}"


def digest_of(body: bytes) -> str:
    """The digest that names content."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def is_digest(reference: str) -> bool:
    """Whether a reference is a digest and not a tag."""
    return _DIGEST.fullmatch(reference) is not None


def _parse(body: bytes, where: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        raise _refusal(f"the registry's answer about {where} is not JSON") from None
    if not isinstance(document, dict):
        raise _refusal(f"the registry's answer about {where} is no JSON object")
    return document


def _read_blob(entry: Any, where: str) -> Blob:  # any JSON
    digest, size = (entry.get("digest"), entry.get("size")) if isinstance(entry, dict) else (None, None)
    if not isinstance(digest, str) or not is_digest(digest) or type(size) is not int or size < 0:
        raise _refusal(f"the manifest of {where} has an entry without a usable digest and size")
    if (
        entry.get("urls")
        or "foreign" in str(entry.get("mediaType"))
        or "nondistributable" in str(entry.get("mediaType"))
    ):
        raise _refusal(f"{where} has a layer that is kept elsewhere and cannot be copied")
    return Blob(digest, size)


def _refusal(message: str) -> CloudError:
    return CloudError(f"{message}.", operation="read_manifest")
