"""Robust planning: the intervals that a plan is made for, and carbon in the case least favourable to moving.

Home's grid is taken at the low end of the interval around its forecast, every other grid at the high end, and bytes
between regions at the high end of theirs. A plan that emits less than home in that case does so wherever in the
intervals of the grids the truth lies, as long as it draws less from home's grid than everything at home does, and no
less from any other. Whether a plan emits less than home is up to limits and priorities: carbon may come last in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Whoever words a figure imports this, also for --help, and documents take a JSON library with them.
    from multi_x_serverless.model.documents import Fields

LEAST_FAVOURABLE = "in the case least favourable to moving"
"""What has to stand beside carbon of a problem with intervals."""


@dataclass(frozen=True)
class Interval:
    """Where a quantity is taken to lie.

    Attributes:
        low: Its low end, in the quantity's unit.
        high: Its high end, not below the low one.
        origin: Where it comes from, for people; empty if nobody said.
    """

    low: float
    high: float
    origin: str = ""

    def to_members(self) -> dict[str, Any]:
        """The interval as part of a document."""
        return {"low": self.low, "high": self.high, "origin": self.origin}

    @classmethod
    def from_fields(cls, fields: Fields) -> Interval:
        """Read an interval."""
        return cls(fields.number("low"), fields.number("high"), fields.text("origin"))


@dataclass(frozen=True)
class RobustCase:
    """What is taken in the case least favourable to moving.

    Attributes:
        carbon_factors: Factors on the forecast intensities: home's grid at the low one, all others at the high one.
            `None`: forecasts are taken as they are.
        transmission_kwh_per_gb: Energy of bytes between regions, of which the high end is taken; `None`: it is
            taken as it is.
        within_region_kwh_per_gb: Energy of bytes within a region, as it is taken.
    """

    carbon_factors: Interval | None
    transmission_kwh_per_gb: Interval | None
    within_region_kwh_per_gb: float

    def to_members(self) -> dict[str, Any]:
        """The case as part of a document."""
        return {
            "carbon_factors": None if self.carbon_factors is None else self.carbon_factors.to_members(),
            "transmission_kwh_per_gb": None
            if self.transmission_kwh_per_gb is None
            else self.transmission_kwh_per_gb.to_members(),
            "within_region_kwh_per_gb": self.within_region_kwh_per_gb,
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> RobustCase:
        """Read a case."""

        def interval(name: str) -> Interval | None:
            section = fields.optional_section(name)
            return None if section is None else Interval.from_fields(section)

        return cls(
            interval("carbon_factors"),
            interval("transmission_kwh_per_gb"),
            fields.number("within_region_kwh_per_gb"),
        )


@dataclass(frozen=True)
class CarbonBesideHome:
    """Mean carbon per run, gCO2eq: of a placement, and of everything at home in the same case."""

    carbon_gco2eq: float
    home_carbon_gco2eq: float

    def to_members(self) -> dict[str, float]:
        """As part of a document."""
        return {"carbon_gco2eq": self.carbon_gco2eq, "home_carbon_gco2eq": self.home_carbon_gco2eq}

    @classmethod
    def from_fields(cls, fields: Fields) -> CarbonBesideHome:
        """Read what `to_members` wrote."""
        return cls(fields.number("carbon_gco2eq"), fields.number("home_carbon_gco2eq"))
