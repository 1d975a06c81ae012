"""Measures cases one after the other, or several at a time, each in a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from benchmarks.solver_benchmarks.cases import Case
from benchmarks.solver_benchmarks.measurement import (
    MEASUREMENT_SCHEMA,
    MEASUREMENT_VERSION,
    Measurement,
    Settings,
    measurement_of,
)
from benchmarks.solver_benchmarks.problems import random_problem
from multi_x_serverless.errors import InvalidDocumentError, MultiXServerlessError
from multi_x_serverless.model import documents

ROOT = Path(__file__).resolve().parents[2]


class MeasuringFailedError(MultiXServerlessError):
    """A measuring process died, or answered with something else than a measurement.

    Args:
        case: What it was to measure.
        message: What it said last.
    """

    code = "measuring-failed"

    def __init__(self, case: Case, message: str) -> None:
        super().__init__(f"{case}: {message}")


async def measure_in_process(case: Case, settings: Settings) -> Measurement:
    """Measure one case in a fresh process, which is ended when this is cancelled.

    Raises:
        MeasuringFailedError: The process died or answered with something else.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.solver_benchmarks.measure", case.solver),
        *("--scenarios", str(settings.scenarios), "--deadline", str(settings.deadline_s)),
        *("--threads", str(settings.threads), "--repetitions", str(settings.repetitions)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        # Ctrl-C is for this program, which ends the others.
        start_new_session=True,
    )
    try:
        answer, errors = await process.communicate(_document(case, settings))
    except asyncio.CancelledError:
        # It may have just ended by itself.
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        said = errors.decode(errors="replace").strip().splitlines()
        raise MeasuringFailedError(case, f"ended with {process.returncode}: {said[-1] if said else 'no message'}")
    try:
        return measurement_of(documents.read(answer, MEASUREMENT_SCHEMA, MEASUREMENT_VERSION).section("measurement"))
    except InvalidDocumentError as error:
        raise MeasuringFailedError(case, str(error)) from error


def _document(case: Case, settings: Settings) -> bytes:
    return _last_document(case.shape, case.seed, settings.scenarios)


_last_document = lru_cache(maxsize=1)(random_problem)
"""The solvers of one problem follow each other."""


async def measure_all(
    cases: Sequence[Case],
    settings: Settings,
    *,
    workers: int,
    on_measured: Callable[[Case, Measurement, float], None],
    on_failed: Callable[[MeasuringFailedError], None],
) -> None:
    """Measure cases in their order, so many at a time.

    Args:
        workers: Processes at a time.
        on_measured: Called with each measurement as soon as it is there, and the load of the machine before it.
        on_failed: Called instead for a case that cannot be measured; the others go on.
    """
    waiting = iter(cases)

    async def work() -> None:
        for case in waiting:
            load = os.getloadavg()[0]
            try:
                found = await measure_in_process(case, settings)
            except MeasuringFailedError as error:
                on_failed(error)
            else:
                on_measured(case, found, load)

    workers_at_work = [asyncio.create_task(work()) for _ in range(workers)]
    try:
        await asyncio.gather(*workers_at_work)
    finally:
        for task in workers_at_work:
            task.cancel()
        await asyncio.gather(*workers_at_work, return_exceptions=True)
