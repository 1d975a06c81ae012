"""How many of one unit another has; by definition, and the same for every part."""

from __future__ import annotations

HOURS_PER_DAY = 24
SECONDS_PER_HOUR = 3600

DAY_S = float(HOURS_PER_DAY * SECONDS_PER_HOUR)
"""A day in seconds: of UTC as computers count it, in which each has as many."""

BYTES_PER_GB = 2**30
"""Of what is transferred and stored, as AWS bills it."""

MB_PER_GB = 1024
"""Of memory, as AWS counts it."""
