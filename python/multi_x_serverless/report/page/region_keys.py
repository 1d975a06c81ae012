"""How regions are told apart in pictures: by a letter first, then by a colour and by the dashes of a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HOME_COLOUR = "#6b7580"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b05f93", "#a87900", "#2f8fc4", "#8a7a5c", "#c2504f")
"""Told apart by people with colour vision deficiencies (after Okabe and Ito, 2008), all with a contrast of at least 3:1
to a white and to a nearly black background, so that one list serves both. More regions begin the list anew."""

DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4", "4 2 1 2 1 2", "1 4", "14 3 4 3")


@dataclass(frozen=True)
class RegionKey:
    """What stands for a region.

    Attributes:
        letter: ``A`` for home, then ``B``, ...; after ``Z`` come ``AA``, ``AB``, ...
        slot: Number of its colour and dashes: 0 for home, from 1 on those of `COLOURS`.
    """

    region: str
    letter: str
    slot: int

    @property
    def colour(self) -> str:
        """Of areas and lines, ``#rrggbb``."""
        return HOME_COLOUR if self.slot == 0 else COLOURS[self.slot - 1]

    @property
    def ink(self) -> str:
        """Of letters on the colour: black or white, whichever has the greater contrast."""
        return "#ffffff" if contrast("#ffffff", self.colour) >= contrast("#000000", self.colour) else "#000000"

    @property
    def dashes(self) -> str:
        """Of lines, as SVG's ``stroke-dasharray``."""
        return "" if self.slot == 0 else DASHES[self.slot - 1]

    @property
    def style_class(self) -> str:
        """Class of elements in the region's colour."""
        return slot_class(self.slot)


def slot_class(slot: int) -> str:
    """Class of elements in the colour of a slot."""
    return f"region-{slot}"


def region_keys(home: str, others: Sequence[str]) -> tuple[RegionKey, ...]:
    """Keys of home and of other regions, in that order."""
    rest = [region for region in dict.fromkeys(others) if region != home]
    return tuple(
        RegionKey(region, _letter(place), 0 if place == 0 else 1 + (place - 1) % len(COLOURS))
        for place, region in enumerate([home, *rest])
    )


def contrast(first: str, second: str) -> float:
    """Contrast of two colours ``#rrggbb``, from 1 to 21, by WCAG 2.2."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2."""
    parts = [int(colour[start : start + 2], 16) / 255.0 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _letter(place: int) -> str:
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
