"""Published figures to compare with (Caribou, SOSP'24): targets, never inputs.

Read from the text or measured from its figures, with an error of about 0.002. Nothing in `applications` or `problems`
takes a number from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from benchmarks.reproduction.applications import Size

Preset: TypeAlias = Literal["best", "worst"]

READING_ERROR = 0.002

WINDOW_MEANS: dict[str, float] = {"us-east-1": 356.0, "us-west-1": 334.0, "us-west-2": 357.0, "ca-central-1": 30.0}
"""Mean intensity of the window, gCO2eq/kWh."""

CANADA_BELOW_HOME_PERCENT = 91.5

WHOLE_IN_CANADA: dict[str, dict[Preset, float]] = {
    "DNA small": {"best": 0.237, "worst": 0.682},
    "DNA large": {"best": 0.174, "worst": 0.443},
    "RAG small": {"best": 0.277, "worst": 0.776},
    "RAG large": {"best": 0.400, "worst": 1.035},
    "Image small": {"best": 0.688, "worst": 1.391},
    "Image large": {"best": 0.738, "worst": 1.434},
    "Text2Speech small": {"best": 0.428, "worst": 1.079},
    "Text2Speech large": {"best": 0.261, "worst": 0.739},
    "Video small": {"best": 0.222, "worst": 0.634},
    "Video large": {"best": 0.306, "worst": 0.854},
}
"""Carbon with every node in ca-central-1, relative to home."""

WHOLE_IN_CANADA_MEAN: dict[Preset, float] = {"best": 0.3345, "worst": 0.8549}
"""Geometric mean of the above."""


@dataclass(frozen=True)
class Headline:
    """Published reduction of the geometric mean, in per cent of home.

    Attributes:
        regions: How many of us-east-1, ca-central-1, us-west-1, us-west-2 may be used, in this order.
    """

    preset: Preset
    regions: int
    reduction_percent: float


HEADLINES: tuple[Headline, ...] = (Headline("best", 4, 66.6), Headline("worst", 2, 22.9), Headline("worst", 4, 22.4))

FACTORS_KWH_PER_GB: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 5e-3, 1e-2, 1e-1)

BY_FACTOR: dict[Literal["equal", "free inside"], dict[Size, tuple[float, ...]]] = {
    "equal": {
        "small": (0.096, 0.142, 0.336, 0.579, 0.662, 0.775),
        "large": (0.102, 0.153, 0.333, 0.562, 0.646, 0.771),
    },
    "free inside": {
        "small": (0.097, 0.150, 0.407, 0.787, 0.949, 1.0),
        "large": (0.104, 0.165, 0.396, 0.765, 0.874, 1.0),
    },
}
"""Geometric mean relative to home over the factor between regions, equal or zero within a region."""

SOLVER_SECONDS: dict[str, float] = {"Python": 534.0, "Go core": 276.0}
"""24 hourly solves of Text2Speech small."""

SOLVER_CARBON_GCO2EQ = 1.98e-2
"""Of the same."""

BREAK_EVEN_RUNS = 91
"""Of the same, in the worst preset."""
