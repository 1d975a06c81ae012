from __future__ import annotations

import re

import pytest

from multi_x_serverless.report.page.region_keys import COLOURS, contrast, region_keys
from multi_x_serverless.report.page.render import _DIRECTORY

READABLE, VISIBLE = 4.5, 3.0
"""Least contrast of texts and of shapes, WCAG 2.2, level AA."""


def colours_of(theme: int) -> dict[str, str]:
    """Variables of the light (0) or the dark (1) theme of the style."""
    style = (_DIRECTORY / "page.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[theme]
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))


def test_home_is_the_first_letter_and_letters_do_not_end() -> None:
    keys = region_keys("home", [f"region-{number}" for number in range(60)] + ["home"])
    assert [keys[place].letter for place in (0, 1, 25, 26, 27, 51, 52)] == ["A", "B", "Z", "AA", "AB", "AZ", "BA"]
    assert len({key.letter for key in keys}) == 61
    assert keys[0].slot == 0
    assert {key.slot for key in keys[1:]} == set(range(1, len(COLOURS) + 1))


@pytest.mark.parametrize("theme", [0, 1])
def test_colours_are_seen_on_both_backgrounds_and_letters_read_on_them(theme: int) -> None:
    paper = colours_of(theme)["paper"]
    for key in region_keys("home", [str(number) for number in range(len(COLOURS))]):
        assert contrast(key.colour, paper) >= VISIBLE
        assert contrast(key.ink, key.colour) >= READABLE


@pytest.mark.parametrize("theme", [0, 1, 2])
def test_texts_are_readable_in_both_themes_and_in_print(theme: int) -> None:
    colours = colours_of(theme)
    for ink in ("text", "quiet", "accent"):
        for ground in ("paper", "raised"):
            assert contrast(colours[ink], colours[ground]) >= READABLE
    assert contrast(colours["text"], colours["warning"]) >= READABLE
    assert contrast(colours["text"], colours["land"]) >= READABLE
    assert contrast(colours["modelled"], colours["paper"]) >= VISIBLE
    assert contrast(colours["quiet"], colours["land"]) >= VISIBLE


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
