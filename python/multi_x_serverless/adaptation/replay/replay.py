"""The loop replayed over a stretch of past intensities, by several policies, in virtual time: no cloud, no clock.

problem document --+                      +-- home            never moves
past intensities --+--> one walk each of -+-- static          best single region, chosen with hindsight
load             --+                      +-- single          a region for each hour, by forecast
                                          +-- system          a region for each node and hour, by forecast
                                          +-- oracle          the same by what came true
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from multi_x_serverless.adaptation.replay.document import read_priorities
from multi_x_serverless.adaptation.replay.limits import LimitBook
from multi_x_serverless.adaptation.replay.metrics import PlacementBook
from multi_x_serverless.adaptation.replay.overhead import read_overhead_model
from multi_x_serverless.adaptation.replay.policies import ByForecast, Fixed, Oracle, Policy, Solving, Weighing
from multi_x_serverless.adaptation.replay.results import HOME, ORACLE, SINGLE, STATIC, SYSTEM, Replay
from multi_x_serverless.adaptation.replay.static import best_static_region, single_region
from multi_x_serverless.adaptation.replay.walk import World, walk
from multi_x_serverless.collection.forecast import DEFAULT_FORECASTER
from multi_x_serverless.errors import UsageError
from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import as_text
from multi_x_serverless.solving.problem import PROBLEM_SCHEMA, PROBLEM_VERSION
from multi_x_serverless.solving.robust import CARBON_SUBJECT
from multi_x_serverless.solving.robust_problem import read_robust_case, without_intervals
from multi_x_serverless.solving.simulation import Simulator
from multi_x_serverless.solving.solution import few_runs_warning

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.replay.framework import FrameworkJobs
    from multi_x_serverless.adaptation.replay.intensities import Intensities
    from multi_x_serverless.adaptation.replay.load import Load
    from multi_x_serverless.collection.forecast import CarbonForecaster


@dataclass(frozen=True)
class ReplaySettings:
    """How to replay.

    Attributes:
        replan_hours: Hours between plans; one older than a week is not followed.
        home_share: Part of the runs that planning policies keep home as controls.
        package_bytes: Size of the package that is copied to a region.
        hysteresis: Relative gain below which a plan stays.
        delay_hours: By how much the feed of intensities is late.
        solve_cpu_s: Processor seconds of a solve; measured if `None`, which differs from call to call.
        threads: Of the solver; all processors if `None`.
    """

    replan_hours: int = 24
    home_share: float = 0.1
    package_bytes: float = 10e6
    hysteresis: float = 0.01
    delay_hours: int = 0
    solve_cpu_s: float | None = None
    threads: int | None = None
    forecaster: CarbonForecaster = DEFAULT_FORECASTER


def _silent(_name: str, _hour: int) -> None:
    pass


def replay(
    document: bytes,
    intensities: Intensities,
    load: Load,
    settings: ReplaySettings,
    *,
    jobs: FrameworkJobs | None = None,
    cpu_clock: Callable[[], float] = time.process_time,
    progress: Callable[[str, int], None] = _silent,
) -> Replay:
    """Replay all policies.

    Args:
        document: The problem document; its own intensities and hours play no part.
        intensities: Of its regions, in its order.
        load: Runs of each hour.
        settings: How.
        jobs: Of the framework that serves the policies that plan; `None` leaves them out.
        cpu_clock: Processor seconds of this process.
        progress: Told the policy and how many hours of the stretch it has done, once a day and at its end.

    Raises:
        InvalidProblemError: The document is refused.
        UsageError: A setting is out of range.
    """
    _check(settings)
    started = cpu_clock()
    planned = Simulator(document)
    reading_cpu_s = cpu_clock() - started
    # What came true has no interval around it; without one in the document both are the same.
    actual = planned if read_robust_case(document) is None else Simulator(without_intervals(document))
    priorities = read_priorities(document)
    book = PlacementBook(actual)
    limits = LimitBook(actual, intensities, book)
    overhead = read_overhead_model(document, settings.package_bytes)
    world = World(
        intensities=intensities,
        runs=load.runs,
        book=book,
        limits=limits,
        overhead=overhead,
        home=actual.home,
        delay_hours=settings.delay_hours,
        home_share=settings.home_share,
        tail=priorities.tail,
        jobs=jobs,
    )
    best_region = best_static_region(
        actual, book, limits, load.runs, intensities.replayed, priorities.order, priorities.tolerance
    )
    weighing = Weighing(
        overhead, priorities.order, priorities.tolerance, settings.hysteresis, home_share=settings.home_share
    )
    by_forecast = Solving(planned, reading_cpu_s, settings.solve_cpu_s, cpu_clock, settings.threads)
    by_what_came = Solving(actual, reading_cpu_s, settings.solve_cpu_s, cpu_clock, settings.threads)
    policies: tuple[Policy, ...] = (
        Fixed(HOME, "everything at home", actual.home),
        _static(actual, best_region),
        ByForecast(
            SINGLE,
            "a single region for each hour, by forecast",
            "coarse-grained",
            settings.replan_hours,
            by_forecast,
            weighing,
            settings.forecaster,
        ),
        ByForecast(
            SYSTEM,
            "this system, a region for each node and hour, by forecast",
            "fine-grained",
            settings.replan_hours,
            by_forecast,
            weighing,
            settings.forecaster,
        ),
        Oracle(by_what_came, intensities, name=ORACLE),
    )
    walked = tuple(walk(world, policy, partial(progress, policy.name)) for policy in policies)
    fields = documents.read(document, PROBLEM_SCHEMA, PROBLEM_VERSION)
    warning = few_runs_warning(fields.section("observations").integer("runs"))
    return Replay(
        workflow=actual.problem.workflow,
        problem_hash=planned.problem.hash,
        stretch=intensities.stretch,
        regions=book.regions,
        home=actual.frame.home,
        runs=load.runs,
        load=load.description,
        objective=priorities.order[0],
        tail=priorities.tail,
        scenarios=actual.frame.scenarios,
        static_region=best_region or actual.frame.home,
        replan_hours=settings.replan_hours,
        home_share=settings.home_share,
        forecaster=settings.forecaster.method,
        framework_region=None if jobs is None else jobs.region,
        origins={**({} if jobs is None else {jobs.region: jobs.origin}), **intensities.origins},
        provenance={
            # The document's own intensities play no part; an interval around them does, of what is planned.
            name: text
            for name, text in fields.mapping("provenance", as_text).items()
            if name == CARBON_SUBJECT or not name.startswith("carbon")
        },
        notes=tuple(
            dict.fromkeys(
                (*(() if warning is None else (warning,)), *intensities.notes, *(() if jobs is None else jobs.notes))
            )
        ),
        placements=book.placements,
        policies=walked,
    )


def _static(simulator: Simulator, region: str | None) -> Fixed:
    if region is None:
        return Fixed(STATIC, "home, because no region keeps the hard limits in every hour", simulator.home)
    return Fixed(STATIC, f"everything in {region}, the best with hindsight", single_region(simulator, region))


def _check(settings: ReplaySettings) -> None:
    if settings.replan_hours < 1:
        raise UsageError(f"plans every {settings.replan_hours} hours: expected 1 or more.")
    if not 0.0 <= settings.home_share <= 1.0:
        raise UsageError(f"a home share of {settings.home_share:g}: expected a fraction from 0 to 1.")
    if settings.delay_hours < 0 or not _is_amount(settings.package_bytes):
        raise UsageError("the delay of the feed and the size of the package are finite numbers, 0 or more.")
    if not _is_amount(settings.hysteresis):
        raise UsageError(f"a hysteresis of {settings.hysteresis:g}: expected a finite number, 0 or more.")
    if settings.solve_cpu_s is not None and not _is_amount(settings.solve_cpu_s):
        raise UsageError(f"a solve of {settings.solve_cpu_s:g} s: expected a finite number of seconds, 0 or more.")


def _is_amount(value: float) -> bool:
    return math.isfinite(value) and value >= 0
