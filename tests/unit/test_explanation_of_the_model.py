"""The figures of docs/explanation/model.md that follow from constants are what the constants give."""

from __future__ import annotations

from pathlib import Path

import pytest

from multi_x_serverless.model.shared_constants import MEMORY_MB_PER_VCPU
from multi_x_serverless.solving import model_constants as constants

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "model.md").read_text(encoding="utf-8")
MEMORY_MB = 512


@pytest.mark.parametrize("utilization", [0.2, 0.5, 0.9])
def test_the_power_of_a_small_function(utilization: float) -> None:
    load_kw = constants.VCPU_MINIMUM_KW + utilization * (constants.VCPU_MAXIMUM_KW - constants.VCPU_MINIMUM_KW)
    watts = 1000 * (MEMORY_MB / MEMORY_MB_PER_VCPU * load_kw + MEMORY_MB / 1024 * constants.MEMORY_KW_PER_GB)
    assert f"{watts:.2f} W at " in PAGE


def test_the_formula_has_the_constants_of_the_model() -> None:
    span = 1000 * (constants.VCPU_MAXIMUM_KW - constants.VCPU_MINIMUM_KW)
    assert f"vCPU * ({1000 * constants.VCPU_MINIMUM_KW:g} + utilisation * {span:g})" in PAGE
    assert f"GB * {1000 * constants.MEMORY_KW_PER_GB:g})" in PAGE
    assert f"a PUE of {constants.PUE_DEFAULT:g}" in PAGE
    best, worst = constants.TRANSMISSION_PRESETS["best"], constants.TRANSMISSION_PRESETS["worst"]
    assert f"`--transmission best` ({best.inter_region_kwh_per_gb:g} kWh/GB everywhere)" in PAGE
    assert f"`worst` ({worst.inter_region_kwh_per_gb:g} between regions, none within)" in PAGE
