"""Pictures for tests of the image workflows: made by arithmetic, so that every pixel of a result is known."""

from __future__ import annotations

import io

from PIL import Image

RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
"""Colours of the quarters: top left, top right, bottom left, bottom right."""

WIDTH, HEIGHT = 400, 200


def quarters() -> Image.Image:
    """A picture of four colours."""
    image = Image.new("RGB", (WIDTH, HEIGHT))
    middle = (WIDTH // 2, HEIGHT // 2)
    for colour, place in ((RED, (0, 0)), (GREEN, (middle[0], 0)), (BLUE, (0, middle[1])), (YELLOW, middle)):
        image.paste(colour, (*place, place[0] + middle[0], place[1] + middle[1]))
    return image


def encoded(image: Image.Image, file_format: str = "PNG", **settings: object) -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    image.save(file, file_format, **settings)
    return file.getvalue()


def decoded(body: bytes) -> Image.Image:
    """A picture from a file, read to its end."""
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


def corners(image: Image.Image) -> list[object]:
    """The middle pixels of the quarters: top left, top right, bottom left, bottom right."""
    columns, rows = (image.width // 4, image.width * 3 // 4), (image.height // 4, image.height * 3 // 4)
    return [image.getpixel((column, row)) for row in rows for column in columns]
