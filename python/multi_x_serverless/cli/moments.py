"""Moments as a user types them: so long ago, or a time."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from multi_x_serverless.errors import UsageError
from multi_x_serverless.model.units import DAY_S, SECONDS_PER_HOUR

_SECONDS = {"s": 1.0, "m": 60.0, "h": float(SECONDS_PER_HOUR), "d": DAY_S}
_AGO = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)


def parse_moment(text: str, now: float) -> float:
    """``90s``, ``15m``, ``1h``, ``2d`` before `now`, or an ISO 8601 time (UTC unless it says otherwise).

    Args:
        text: What was typed.
        now: Seconds since the epoch.

    Returns:
        Seconds since the epoch.

    Raises:
        UsageError: It is neither.
    """
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now - float(ago.group(1)) * _SECONDS[ago.group(2)]
    try:
        # Python 3.10 does not read the Z.
        moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    except ValueError:
        raise UsageError(
            f"'{text}' is no time: give how long ago (90s, 15m, 1h, 2d) or a UTC time as 2026-01-31T12:00."
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
