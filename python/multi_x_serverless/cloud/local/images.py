# ruff: noqa: ARG002  # arguments are those of the port
"""Container images (the image port): the embedded cloud runs zip packages only, and says so."""

from __future__ import annotations

from typing import NoReturn

from multi_x_serverless.cloud.ports import Architecture, ImageDescription, PushTarget
from multi_x_serverless.errors import UnsupportedError


class LocalImageRegistry:
    """See `multi_x_serverless.cloud.ports.ImageRegistry`; nothing is offered, so nothing can be there.

    Every operation raises `UnsupportedError`, but listing (there is nothing) and deletion (it is gone).
    """

    def require_available(self) -> None:
        """Refuse."""
        _refuse()

    def create_repository(self, region: str, repository: str) -> str:
        """Refuse."""
        _refuse()

    def delete_repository(self, region: str, repository: str) -> None:
        """Nothing to delete."""

    def list_repositories(self, region: str, prefix: str) -> tuple[str, ...]:
        """There are none."""
        return ()

    def has_repository(self, region: str, repository: str) -> bool:
        """There are none."""
        return False

    def push_target(self, region: str, repository: str) -> PushTarget:
        """Refuse."""
        _refuse()

    def find_image(self, region: str, repository: str, reference: str) -> ImageDescription | None:
        """There is none."""
        return None

    def check_image(self, region: str, repository: str, tag: str, architecture: Architecture) -> ImageDescription:
        """Refuse."""
        _refuse()

    def copy_image(self, source_region: str, repository: str, digest: str, target_region: str, tag: str) -> int:
        """Refuse."""
        _refuse()

    def delete_image(self, region: str, repository: str, tag: str) -> None:
        """Nothing to delete."""


def _refuse() -> NoReturn:
    raise UnsupportedError(
        "the embedded cloud runs no container images; deploy with '--package zip', which it runs as AWS does."
    )
