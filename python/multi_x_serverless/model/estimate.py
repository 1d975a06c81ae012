"""A measured value and how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multi_x_serverless.errors import InvalidDocumentError

if TYPE_CHECKING:
    from multi_x_serverless.model.documents import Fields

Z_95 = 1.959963984540054
"""Quantile of the normal distribution that leaves 2.5 % above it."""


@dataclass(frozen=True)
class Estimate:
    """A value and how sure it is.

    Attributes:
        standard_error: In the unit of the value.
        samples: Observations that it rests on.
    """

    value: float
    standard_error: float
    samples: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and math.isfinite(self.standard_error) and self.standard_error >= 0.0):
            message = f"is {self.value} with an error of {self.standard_error}, expected finite numbers"
            raise InvalidDocumentError("estimate", "", message)

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - Z_95 * self.standard_error

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.value + Z_95 * self.standard_error

    def to_members(self) -> dict[str, float | int]:
        """The estimate as part of a document."""
        return {"value": self.value, "standard_error": self.standard_error, "samples": self.samples}

    @classmethod
    def from_fields(cls, fields: Fields) -> Estimate:
        """Read what `to_members` wrote."""
        return cls(fields.number("value"), fields.number("standard_error"), fields.integer("samples"))
