"""Sending a run's messages: to the planned region, or home when that region does not take them."""

from __future__ import annotations

from dataclasses import dataclass

from multi_x_serverless.sdk.backend import Backend
from multi_x_serverless.sdk.envelope import Envelope, split_large_payload
from multi_x_serverless.sdk.errors import BackendError
from multi_x_serverless.sdk.manifest import Manifest


@dataclass(frozen=True)
class Sent:
    """How a message went.

    Attributes:
        region: Where it was published.
        is_fallback: Whether the planned region did not take it and home did.
        is_large: Whether its payload went by the object store.
    """

    region: str
    is_fallback: bool
    is_large: bool


class Sender:
    """Publishes the messages of one function."""

    def __init__(self, backend: Backend, manifest: Manifest) -> None:
        self._backend = backend
        self._manifest = manifest

    def send(self, envelope: Envelope, region: str) -> Sent:
        """Publish to the topic of the envelope's node in one region.

        Raises:
            BackendError: The region did not take it.
        """
        small, large = split_large_payload(envelope, self._manifest.regions.index(region))
        if large is not None:
            self._backend.put_object(region, large.key, large.body)
        self._backend.publish(region, self._manifest.function_of(envelope.node).topic, small.encode())
        return Sent(region, is_fallback=False, is_large=large is not None)

    def send_or_fall_back(self, envelope: Envelope, region: str) -> Sent:
        """Publish to one region, or to the home region if that fails.

        Raises:
            BackendError: Neither took it.
        """
        try:
            return self.send(envelope, region)
        except BackendError:
            # Not silent: the record of the call says that home took it.
            if region == self._manifest.home:
                raise
        sent = self.send(envelope, self._manifest.home)
        return Sent(sent.region, is_fallback=True, is_large=sent.is_large)
