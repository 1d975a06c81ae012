"""A blob of an image as it comes over the network, checked as it passes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from multi_x_serverless.cloud.aws.image_manifest import Blob
from multi_x_serverless.errors import CloudError

if TYPE_CHECKING:
    import urllib3


class BlobStream:
    """Bytes of a blob as they come; reading raises when they are not what the digest says.

    Args:
        response: Where they come from.
        blob: What they should be.
        where: What is read, to be named in messages.
        deadline: By when all should be there, on the monotonic clock, in seconds.
        network: Makes the context in which failures of the network become ours.
    """

    def __init__(
        self,
        response: urllib3.BaseHTTPResponse,
        blob: Blob,
        where: str,
        deadline: float,
        network: Callable[[], Any],
    ) -> None:
        self._response = response
        self._blob = blob
        self._where = where
        self._deadline = deadline
        self._network = network
        self._digest = hashlib.sha256()
        self._left = blob.size_bytes

    def read(self, size: int = 64 * 1024) -> bytes:
        """The next bytes; none at the end.

        Raises:
            CloudError: Too many or too few bytes, wrong ones, or too slow.
        """
        if time.monotonic() > self._deadline:
            raise CloudError(f"{self._where} comes too slowly.", operation="registry", retryable=True)
        with self._network():
            # One byte more than is left, to notice what should not be there.
            chunk = self._response.read(min(size, self._left + 1), decode_content=False)
        if len(chunk) > self._left:
            raise CloudError(f"{self._where} is longer than its manifest says.", operation="registry")
        self._left -= len(chunk)
        self._digest.update(chunk)
        if not chunk and self._left:
            raise CloudError(
                f"{self._where} ended {self._left:,} bytes too early.", operation="registry", retryable=True
            )
        if not self._left and f"sha256:{self._digest.hexdigest()}" != self._blob.digest:
            raise CloudError(
                f"{self._where} is not what its digest says; the registry cannot be trusted.", operation="registry"
            )
        return bytes(chunk)
