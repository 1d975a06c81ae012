"""The regions of an embedded cloud: which there are, how far apart, and which one is out."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from multi_x_serverless.cloud.local.faults import FaultInjector
from multi_x_serverless.errors import CloudError, UnknownRegionError


class Regions:
    """Knows every region; all operations on a region pass its gate."""

    def __init__(
        self,
        codes: tuple[str, ...],
        *,
        round_trip_seconds: Callable[[str, str], float],
        time_scale: float,
        faults: FaultInjector,
    ) -> None:
        self.codes = codes
        self._known = frozenset(codes)
        self._round_trip_seconds = round_trip_seconds
        self._time_scale = time_scale
        self._faults = faults

    def require(self, region: str, operation: str) -> None:
        """Let an operation into a region.

        Raises:
            UnknownRegionError: There is no such region.
            CloudError: The region is out (retryable).
        """
        self.require_known(region)
        if self._faults.region_is_out(region):
            raise CloudError(
                f"region {region} is not available at the moment (an outage by the fault plan).",
                operation=operation,
                region=region,
                retryable=True,
            )

    def require_known(self, region: str) -> None:
        """Refuse a region that does not exist.

        Raises:
            UnknownRegionError: There is no such region.
        """
        if region not in self._known:
            near = difflib.get_close_matches(region, self.codes, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(self.codes)}."
            raise UnknownRegionError(f"there is no region '{region}' in the embedded cloud; {hint}")

    def round_trip_s(self, region: str, other_region: str) -> float:
        """Seconds that a round trip between two regions really takes here, scaled."""
        return self._round_trip_seconds(region, other_region) * self._time_scale
