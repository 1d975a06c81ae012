"""Draws `picture.jpg`, the input of the image workflows: nobody's work but this script's, free to use.

    python benchmarks/inputs/picture.py

Left and right, top and bottom differ, so that a flip and a turn can be seen.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

SIZE = (960, 640)
SKY_TOP, SKY_BOTTOM = (64, 120, 200), (210, 225, 240)
HORIZON = 400


def draw() -> Image.Image:
    """A landscape: sky, a sun on the right, hills, a house with a red roof on the left."""
    width, height = SIZE
    image = Image.new("RGB", SIZE)
    pen = ImageDraw.Draw(image)
    for row in range(HORIZON):
        share = row / HORIZON
        colour = tuple(round(top + share * (bottom - top)) for top, bottom in zip(SKY_TOP, SKY_BOTTOM, strict=True))
        pen.line([(0, row), (width, row)], fill=colour)
    pen.ellipse([(740, 60), (860, 180)], fill=(255, 225, 90))
    pen.rectangle([(0, HORIZON), (width, height)], fill=(92, 150, 70))
    pen.ellipse([(420, 300), (1100, 620)], fill=(70, 120, 60))
    pen.ellipse([(-200, 330), (460, 640)], fill=(110, 165, 80))
    pen.rectangle([(130, 330), (290, 450)], fill=(235, 225, 205))
    pen.polygon([(110, 330), (210, 250), (310, 330)], fill=(180, 50, 40))
    pen.rectangle([(190, 390), (230, 450)], fill=(90, 60, 40))
    return image


if __name__ == "__main__":
    draw().save(Path(__file__).with_name("picture.jpg"), quality=85, optimize=True)
