"""How many runs there are in each hour: a rate, or a file of hours for load that rises, falls or comes in bursts."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from multi_x_serverless.errors import UsageError
from multi_x_serverless.model.bounds import LARGEST_NUMBER

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = ["hour", "runs"]


@dataclass(frozen=True, eq=False)
class Load:
    """Runs of each hour.

    Attributes:
        runs: Shape (hours,); may be fractions.
        description: In words.
    """

    runs: NDArray[np.float64]
    description: str


def constant_load(runs_per_hour: float, hours: int) -> Load:
    """Equally many runs in every hour.

    Raises:
        UsageError: No number of runs above 0.
    """
    if not 0 < runs_per_hour <= LARGEST_NUMBER:
        raise UsageError(
            f"a rate of {runs_per_hour:g} runs per hour is none; expected is a number above 0 and at most "
            f"{LARGEST_NUMBER:g}."
        )
    return Load(np.full(hours, runs_per_hour), f"{runs_per_hour:g} runs per hour")


def read_load(text: str, hours: int, *, name: str) -> Load:
    """The load of a CSV file with the columns ``hour,runs``: every hour from 0 on, once each, in any order.

    Hour 0 is the first one replayed. A shorter file begins anew at its end, so that 24 lines are a day and 168 a week;
    of a longer one the rest is not used.

    Args:
        text: Content of the file.
        hours: How many are replayed.
        name: Of the file, for messages.

    Raises:
        UsageError: The file is of another form, an hour is missing or there twice, or there is no run at all.
    """
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    if [cell.strip() for cell in next(rows, [])] != COLUMNS:
        raise UsageError(f"{name}:1: expected the columns '{','.join(COLUMNS)}'.")
    by_hour: dict[int, float] = {}
    for row in rows:
        if not row:
            continue
        try:
            hour, runs = int(row[0]), float(row[1])
        except (ValueError, IndexError):
            raise UsageError(f"{name}:{rows.line_num}: expected a whole hour and a number of runs.") from None
        if len(row) != len(COLUMNS) or hour < 0 or not 0 <= runs <= LARGEST_NUMBER:
            raise UsageError(
                f"{name}:{rows.line_num}: expected an hour from 0 and a number of runs from 0 to {LARGEST_NUMBER:g}."
            )
        if hour in by_hour:
            raise UsageError(f"{name}:{rows.line_num}: hour {hour} is there twice.")
        by_hour[hour] = runs
    missing = next((hour for hour in range(len(by_hour)) if hour not in by_hour), None)
    if missing is not None:
        raise UsageError(f"{name}: hour {missing} is missing; every hour from 0 to the last one is needed.")
    if not by_hour:
        raise UsageError(f"{name}: there are no hours.")
    values = np.resize(np.array([by_hour[hour] for hour in range(len(by_hour))]), hours)
    if values.sum() <= 0:
        raise UsageError(f"{name}: there is no run in the hours replayed.")
    described = f"{values.mean():.4g} runs per hour in the mean, {values.min():g} to {values.max():g} ({name})"
    return Load(values, described)
