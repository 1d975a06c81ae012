"""What a run is asked for; without the libraries, which only the drawing needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FORMATS = ("svg", "png")


class InvalidInputError(ValueError):
    """The input of a run cannot be used."""


@dataclass(frozen=True)
class Request:
    """A drawing that is wanted.

    Attributes:
        record: Key of the object that holds the GenBank record.
        picture_format: One of `FORMATS`.
    """

    record: str
    picture_format: str

    @property
    def drawing(self) -> str:
        """Key of the drawing: it follows from the input, so that a repeated delivery writes the same object."""
        return f"drawings/{self.record}.{self.picture_format}"


def read_request(event: Any) -> Request:
    """The request of an input, for example ``{"record": "plasmid.gb", "format": "svg"}``.

    Raises:
        InvalidInputError: It is something else.
    """
    if not isinstance(event, dict) or not isinstance(event.get("record"), str):
        raise InvalidInputError('the input is {"record": KEY}, where KEY names an object that holds a GenBank record.')
    picture_format = event.get("format", FORMATS[0])
    if picture_format not in FORMATS:
        raise InvalidInputError(f"the format is {picture_format!r}; there are {' and '.join(FORMATS)}.")
    return Request(event["record"], picture_format)
