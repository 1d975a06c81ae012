"""Problem documents of the published workloads, solved hour by hour over stretches of the 2023 traces.

Two rules for bytes that leave the cloud:

- `published`: a byte between a region and the outside has the outside's intensity, wherever it comes from. This is how
  the published figures are met. It adds the same to every placement, and is added here to what the engine says.
- `product`: it has the mean of both ends, as `docs/problem-document.md` says and as the engine does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.reproduction.applications import Application, Workload
from benchmarks.reproduction.document import (
    BEST,
    GB,
    HOME,
    HOURS_IN_DAY,
    PAYLOAD_BYTES,
    VCPU_MINIMUM_KW,
    Bytes,
    Setting,
    problem_document,
)
from multi_x_serverless import _core, data
from multi_x_serverless.model import shared_constants
from multi_x_serverless.solving import model_constants as constants

Series: TypeAlias = "NDArray[np.float64]"

CALIBRATION_DAYS = range(287, 293)
"""15 to 20 October 2023, counted from 1 January as 0: the window in which the ratios were measured."""


@dataclass(frozen=True)
class Study:
    """A workload under a setting, ready to be solved.

    Attributes:
        problem: With intensities of zero; `on_day` sets those of a day. The engine itself: reading its answers into
            the product's types would take three times as long as solving.
        constant_gco2eq: Carbon per run that no placement changes and the engine does not count.
    """

    problem: _core.Problem
    constant_gco2eq: float
    setting: Setting
    document: bytes = field(repr=False)


@dataclass(frozen=True)
class Outcome:
    """Carbon per run in gCO2eq, hour by hour.

    Attributes:
        home: Everything at home, shape (hours,).
        single: Everything in one region, shape (regions, hours).
        best: The proven optimum, shape (hours,).
        placements: The optimum's, per hour.
    """

    home: Series
    single: Series
    best: Series
    placements: tuple[Mapping[str, str], ...]

    @property
    def best_over_home(self) -> float:
        """Carbon of the optimum as a fraction of home's."""
        return float(self.best.sum() / self.home.sum())

    @property
    def hourly_single_over_home(self) -> float:
        """Carbon of the best single region of each hour as a fraction of home's."""
        return float(self.single.min(axis=0).sum() / self.home.sum())

    @property
    def static_over_home(self) -> float:
        """Carbon of the best single region for the whole stretch, known afterwards, as a fraction of home's."""
        return float(self.single.sum(axis=1).min() / self.home.sum())


def trace_of(regions: Sequence[str], days: range) -> Series:
    """Intensities of whole days of 2023 (1 January is 0), shape (regions, 24 * days), gCO2eq/kWh."""
    return np.array(
        [
            data.hourly_trace(data.regions()[region].grid_zone).intensity_gco2eq_per_kwh[
                days.start * HOURS_IN_DAY : days.stop * HOURS_IN_DAY
            ]
            for region in regions
        ],
        dtype=np.float64,
    )


def energy_kwh(workload: Workload) -> float:
    """Mean energy of executing a run at home, in kWh, PUE included."""
    application = workload.application
    vcpus = application.memory_mb / shared_constants.MEMORY_MB_PER_VCPU
    watts = constants.CPU_UTILIZATION_DEFAULT * (constants.VCPU_MAXIMUM_KW - VCPU_MINIMUM_KW)
    power_kw = vcpus * (VCPU_MINIMUM_KW + watts) + application.memory_mb / 1024 * constants.MEMORY_KW_PER_GB
    hours = sum(
        step.time_share * application.run_probability(index) for index, step in enumerate(application.steps)
    ) * (workload.run_time_s / 3600)
    return hours * power_kw * constants.PUE_DEFAULT


def calibrated_bytes(workload: Workload, setting: Setting) -> Bytes:
    """Bytes with which the ratio of execution to transmission is the published one, at home with the best preset.

    What calls nobody has no messages: all of its bytes are data.

    Raises:
        ValueError: The messages alone are more than the ratio leaves room for.
    """
    home = float(trace_of((HOME,), CALIBRATION_DAYS).mean())
    outside = constants.OUTSIDE_INTENSITY_GCO2EQ_PER_KWH
    away = outside if setting.rule == "published" else 0.5 * (home + outside)
    of_data = setting.untracked_home_share * home + (1.0 - setting.untracked_home_share) * away
    gram = energy_kwh(workload) * home / workload.ratio
    wanted = gram / BEST.intra_region_kwh_per_gb - _small_messages_gb(workload.application) * home
    message_share = setting.message_share if workload.application.calls else 0.0
    total = wanted / (message_share * home + (1.0 - message_share) * of_data)
    if total <= 0:
        raise ValueError(f"{workload.name}: its messages alone emit more than its ratio allows.")
    return Bytes(data=(1.0 - message_share) * total, payloads=message_share * total)


def _small_messages_gb(application: Application) -> float:
    """What messages of `PAYLOAD_BYTES` move in an average run, envelopes included; a join closes with one message."""
    patterns = list(application.patterns())
    envelope = shared_constants.MESSAGE_ENVELOPE_BYTES
    total = 0.0
    for pattern in patterns:
        for index, call in enumerate(application.calls):
            if pattern.called[index]:
                total += PAYLOAD_BYTES + (0.0 if application.joins(call.target) else envelope)
        total += envelope * sum(pattern.ran[step] and application.joins(step) for step in range(len(application.steps)))
    return total / len(patterns) / GB


def build_study(workload: Workload, setting: Setting) -> Study:
    """The problem document of a workload under a setting, read by the engine."""
    moved = calibrated_bytes(workload, setting)
    document = orjson.dumps(problem_document(workload, setting, moved))
    outside_gb = (1.0 - setting.untracked_home_share) * moved.data if setting.rule == "published" else 0.0
    return Study(
        problem=_core.Problem.from_json(document),
        constant_gco2eq=outside_gb
        * setting.transmission.inter_region_kwh_per_gb
        * constants.OUTSIDE_INTENSITY_GCO2EQ_PER_KWH,
        setting=setting,
        document=document,
    )


def solve_hours(study: Study, intensities: Series) -> Outcome:
    """Solve every hour of whole days.

    Args:
        study: What is planned.
        intensities: Shape (regions, hours), in the order of the setting's regions.

    Raises:
        RuntimeError: An hour was not solved to proven optimality.
    """
    home: list[float] = []
    best: list[float] = []
    single: list[list[float]] = []
    placements: list[Mapping[str, str]] = []
    for day in _days(intensities):
        solution = orjson.loads(on_day(study, day).solve("fine-grained", threads=1))
        for hour in solution["hours"]:
            if hour["status"] != "optimal":
                raise RuntimeError(f"hour {hour['hour']} of {study.problem.workflow} is {hour['status']}.")
            by_region = {entry["region"]: entry["metrics"]["carbon"]["mean"] for entry in hour["candidates"]}
            home.append(hour["home_metrics"]["carbon"]["mean"])
            best.append(hour["metrics"]["carbon"]["mean"])
            single.append([by_region[region] for region in study.setting.regions])
            placements.append(hour["placement"])
    return Outcome(
        home=np.array(home) + study.constant_gco2eq,
        single=np.array(single).T + study.constant_gco2eq,
        best=np.array(best) + study.constant_gco2eq,
        placements=tuple(placements),
    )


def carbon_of(study: Study, placements: Sequence[Mapping[str, str]], intensities: Series) -> Series:
    """Carbon per run of given placements, one per hour of whole days, in gCO2eq."""
    found: list[float] = []
    for number, day in enumerate(_days(intensities)):
        problem = on_day(study, day)
        first = number * HOURS_IN_DAY
        found.extend(problem.evaluate(placements[first + hour], hour).carbon.mean for hour in range(HOURS_IN_DAY))
    return np.array(found) + study.constant_gco2eq


def _days(intensities: Series) -> list[Series]:
    return np.split(intensities, intensities.shape[1] // HOURS_IN_DAY, axis=1)


def on_day(study: Study, day: Series) -> _core.Problem:
    """The problem under the intensities of one day, shape (regions, 24)."""
    by_region = dict(zip(study.setting.regions, day.tolist(), strict=True))
    return study.problem.with_intensity(by_region, hours=range(HOURS_IN_DAY))
