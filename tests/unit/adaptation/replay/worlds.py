"""Small worlds to replay in: a problem that a person can follow, and intensities by hour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from multi_x_serverless.adaptation.replay.framework import FrameworkJobs
from multi_x_serverless.adaptation.replay.intensities import LEAD_HOURS, Intensities
from multi_x_serverless.adaptation.replay.load import Load, constant_load
from multi_x_serverless.adaptation.replay.replay import ReplaySettings, replay
from multi_x_serverless.adaptation.replay.results import Replay
from multi_x_serverless.adaptation.replay.stretch import Stretch, stretch_of
from tests.unit.core.documents import dump

HOME, AWAY = "us-east-1", "ca-central-1"


def days(count: int) -> Stretch:
    """So many days from Thursday, 1 June 2023 on."""
    return stretch_of(date(2023, 6, 1), date.fromordinal(date(2023, 6, 1).toordinal() + count - 1))


def world(
    stretch: Stretch, by_region: Mapping[str, Callable[[int], float]], *, known_days_before: int = LEAD_HOURS // 24
) -> Intensities:
    """Intensities as functions of the hour of the stretch, which is negative before it."""
    hours = range(-LEAD_HOURS, stretch.hours)
    values = np.array([[of(hour) for hour in hours] for of in by_region.values()], dtype=np.float64)
    given = np.ones(values.shape, dtype=np.bool_)
    given[:, : LEAD_HOURS - known_days_before * 24] = False
    return Intensities(
        stretch, tuple(by_region), values, given, origins=dict.fromkeys(by_region, "made up for tests, 2023")
    )


def always(value: float) -> Callable[[int], float]:
    return lambda _hour: value


def by_hour_of_day(values: Sequence[float]) -> Callable[[int], float]:
    return lambda hour: values[hour % 24]


def replayed(
    problem: dict[str, Any],
    intensities: Intensities,
    load: Load | float = 1000.0,
    jobs: FrameworkJobs | None = None,
    **settings: Any,
) -> Replay:
    """A replay whose solves take 0.02 s of a processor unless said otherwise, and without the framework's jobs."""
    hours = intensities.stretch.hours
    return replay(
        dump(problem),
        intensities,
        constant_load(load, hours) if isinstance(load, float) else load,
        ReplaySettings(**{"solve_cpu_s": 0.02, "threads": 1, **settings}),
        jobs=jobs,
    )
