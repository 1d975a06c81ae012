"""What of a placement is held against a limit: the mean for soft limits, statistics of the tail for hard ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model.documents import Fields
from multi_x_serverless.model.plan import Metric

Statistic: TypeAlias = Literal["mean", "lower_bound", "estimate", "upper_bound"]
"""The mean; the percentile's lower confidence bound, its estimate, its upper confidence bound."""

TAIL: tuple[Statistic, ...] = ("lower_bound", "estimate", "upper_bound")


@dataclass(frozen=True)
class Comparison:
    """One statistic of a placement and the most that it may be, both in the unit of the metric."""

    statistic: Statistic
    value: float
    limit: float

    @property
    def slack(self) -> float:
        """Limit less value; negative when the limit is broken."""
        return self.limit - self.value

    @property
    def fraction(self) -> float:
        """Value as a fraction of the limit; against a limit of zero, the value itself."""
        return self.value / self.limit if self.limit > 0 else self.value

    def to_members(self) -> dict[str, Any]:
        """The comparison as part of a document."""
        return {"statistic": self.statistic, "value": self.value, "limit": self.limit}

    @classmethod
    def from_fields(cls, fields: Fields) -> Comparison:
        """Read a comparison."""
        return cls(read_statistic(fields, "statistic"), fields.number("value"), fields.number("limit"))


def tightest(compared: Sequence[Comparison]) -> Comparison:
    """The comparison whose value is the largest fraction of its limit; the first of such."""
    return max(compared, key=lambda comparison: comparison.fraction)


def statistic_of(metric: Metric, statistic: Statistic) -> float | None:
    """The value of a statistic; `None` when there are too few scenarios for it."""
    values = {
        "mean": metric.mean,
        "lower_bound": metric.tail_lower,
        "estimate": metric.tail,
        "upper_bound": metric.tail_upper,
    }
    return values[statistic]


def read_statistic(fields: Fields, name: str) -> Statistic:
    """Read the name of a statistic."""
    value = fields.text(name)
    if value != "mean" and value not in TAIL:
        raise InvalidDocumentError(fields.document, f"{fields.path}.{name}", f"is '{value}'")
    return value  # type: ignore[return-value]  # checked above
