"""Which of the regions that are asked for the account may use."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.errors import UsageError


def require_usable(cloud: Cloud, regions: Collection[str]) -> tuple[str, ...]:
    """The regions, each once and in their order, if the account may use all of them.

    Raises:
        UsageError: There is no such region, or the account has not enabled it.
    """
    for region in regions:
        if region not in cloud.regions:
            near = difflib.get_close_matches(region, cloud.regions, n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(cloud.regions)}."
            raise UsageError(f"there is no region '{region}'; {hint}")
    closed = sorted(set(regions) - set(cloud.usable_regions()))
    if closed:
        raise UsageError(not_enabled(closed))
    return tuple(dict.fromkeys(regions))


def not_enabled(regions: Collection[str]) -> str:
    """The sentence for regions that exist and that the account has not enabled."""
    commands = "; ".join(f"aws account enable-region --region-name {region}" for region in sorted(regions))
    return f"the account has not enabled {', '.join(sorted(regions))}: enable it first ({commands})."
