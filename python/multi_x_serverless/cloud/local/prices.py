# ruff: noqa: ARG002  # arguments are those of the ports
"""List prices and the directory of regions (two ports), of which the embedded cloud has neither.

Nobody charges for what runs in it. Its prices and regions are those of the embedded data, and whoever collects signals
reads them there; handed out as a provider's list they would look newer than they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from multi_x_serverless.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from multi_x_serverless.cloud.ports import RegionDescription, RegionQuotes


class LocalPriceList:
    """See `multi_x_serverless.cloud.ports.PriceList`."""

    def quote(self, regions: Sequence[str]) -> Mapping[str, RegionQuotes]:
        """Refused."""
        _refuse("price list")


class LocalRegionDirectory:
    """See `multi_x_serverless.cloud.ports.RegionDirectory`."""

    def codes(self) -> tuple[str, ...]:
        """Refused."""
        _refuse("directory of regions")

    def describe(self, region: str) -> RegionDescription:
        """Refused."""
        _refuse("directory of regions")


def _refuse(what: str) -> NoReturn:
    raise UnsupportedError(f"the embedded cloud has no {what} of its own; the embedded data serves.")
