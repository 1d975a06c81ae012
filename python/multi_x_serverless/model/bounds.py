"""How large a number may be that means something; larger ones are refused where they are read."""

from __future__ import annotations

LARGEST_NUMBER = 1e12
"""Of anything, in any unit; the engine takes no larger one in a problem document."""
