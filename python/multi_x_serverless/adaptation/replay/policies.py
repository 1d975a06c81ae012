"""Who decides where runs go: two that never move again, two that plan by forecast, and one that knows what comes.

At each of its moments a policy is shown what is known then and answers with a plan for the hours of the day, or with
None to keep what is in force.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from multi_x_serverless.adaptation.day_schedule import SOME_RUNS, Day, SwitchingPrices, choose_day_schedule
from multi_x_serverless.adaptation.renewal import RENEW_BEFORE_S
from multi_x_serverless.adaptation.replay.expectation import expected_day
from multi_x_serverless.adaptation.replay.overhead import ExpectedStarts, FunctionPlace, OverheadModel, total
from multi_x_serverless.adaptation.solve import PLAN_LIFETIME_S
from multi_x_serverless.adaptation.weighing import (
    Terms,
    Verdict,
    home_without_choice,
    standing,
    weigh_limits,
    weigh_objectives,
)
from multi_x_serverless.collection.forecast import DEFAULT_FORECASTER
from multi_x_serverless.errors import NotEnoughDataError
from multi_x_serverless.model.units import HOURS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.replay.intensities import Intensities, Past
    from multi_x_serverless.collection.forecast import CarbonForecaster
    from multi_x_serverless.model.plan import Objective, Placement
    from multi_x_serverless.solving.engine import SolverName
    from multi_x_serverless.solving.simulation import Simulator
    from multi_x_serverless.solving.solution import Bounds

LIFETIME_HOURS = round(PLAN_LIFETIME_S / SECONDS_PER_HOUR)
RENEW_BEFORE_HOURS = round(RENEW_BEFORE_S / SECONDS_PER_HOUR)

HOURS_OF_THE_DAY = range(HOURS_PER_DAY)


@dataclass(frozen=True)
class DayPlan:
    """A placement for every UTC hour of the day.

    Attributes:
        by_hour: Hour of the day -> placement; all 24.
        expires_after_hours: Hours after which runs go home; `None` for never.
    """

    by_hour: Mapping[int, Placement]
    expires_after_hours: int | None = None


@dataclass(frozen=True)
class PlanInForce:
    """A plan and the hour of the stretch at which it was put in force."""

    plan: DayPlan
    since_hour: int

    def is_expired(self, hour: int) -> bool:
        """Whether runs go home at an hour of the stretch."""
        life = self.plan.expires_after_hours
        return life is not None and hour >= self.since_hour + life

    def is_about_to_end(self, hour: int) -> bool:
        """Whether it counts as none when a new one is weighed, so that it is renewed while it pays."""
        life = self.plan.expires_after_hours
        return life is not None and hour >= self.since_hour + life - RENEW_BEFORE_HOURS


@dataclass(frozen=True)
class Known:
    """What a policy is shown.

    Attributes:
        hour: Of the stretch, at its start.
        past: Intensities as they are known then.
        in_force: `None` if runs go home.
        present: Functions that there are outside of home.
        runs_by_hour: Runs a day by the UTC hour in which they start, as seen up to now.
    """

    hour: int
    past: Past
    in_force: PlanInForce | None
    present: frozenset[FunctionPlace]
    runs_by_hour: tuple[float, ...]


@dataclass(frozen=True)
class Step:
    """What a policy did at one of its moments.

    Attributes:
        plan: To put in force; `None` keeps what is.
        reason: In a sentence.
        is_solved: Whether a solver ran.
        cpu_s: Processor seconds that it took.
        infeasible_hours: UTC hours of the day at which no placement keeps the hard limits.
    """

    plan: DayPlan | None
    reason: str
    is_solved: bool = False
    cpu_s: float = 0.0
    infeasible_hours: tuple[int, ...] = ()


class Policy(Protocol):
    """Decides at its moments."""

    @property
    def name(self) -> str:
        """Short, for tables and files."""

    @property
    def description(self) -> str:
        """What it does, for people."""

    @property
    def every_hours(self) -> int | None:
        """Hours between its moments; `None` if there is only the first one."""

    @property
    def keeps_controls(self) -> bool:
        """Whether the home share of runs stays home."""

    def plan(self, known: Known) -> Step:
        """Decide at the start of an hour."""


@dataclass(frozen=True)
class Fixed:
    """One placement for all hours: home, or the best static region."""

    name: str
    description: str
    placement: Placement
    every_hours: int | None = None
    keeps_controls: bool = False

    def plan(self, known: Known) -> Step:  # noqa: ARG002 - it knows all it needs
        """Always the same."""
        return Step(DayPlan(dict.fromkeys(HOURS_OF_THE_DAY, self.placement)), "stays as it is.")


@dataclass(frozen=True)
class Solved:
    """Placements of a day.

    Attributes:
        by_hour: UTC hour -> placement; all 24.
        cpu_s: Processor seconds that they took.
        infeasible_hours: UTC hours at which no placement keeps the hard limits; everything is home then.
        bounds: UTC hour -> what is proven of its best, of the other hours.
    """

    by_hour: Mapping[int, Placement]
    cpu_s: float
    infeasible_hours: tuple[int, ...]
    bounds: Mapping[int, Bounds]


@dataclass(frozen=True)
class Solving:
    """Solves and tells what it took.

    Attributes:
        reading_cpu_s: Processor seconds that reading the document took, once; every real solve reads one.
        cpu_s: Processor seconds of a solve with reading; measured if `None`.
    """

    simulator: Simulator
    reading_cpu_s: float
    cpu_s: float | None = None
    cpu_clock: Callable[[], float] = time.process_time
    threads: int | None = None

    def under(self, intensity: Mapping[str, list[float]]) -> Simulator:
        """The problem of a day."""
        return self.simulator.with_intensity(intensity, hours=HOURS_OF_THE_DAY)

    def solve(self, simulator: Simulator, solver: SolverName) -> Solved:
        """The day's placements and the processor seconds that they took."""
        before = self.cpu_clock()
        hours = simulator.problem.place(solver, threads=self.threads)
        measured = self.cpu_clock() - before + self.reading_cpu_s
        return Solved(
            by_hour={entry.hour: entry.placement for entry in hours},
            cpu_s=measured if self.cpu_s is None else self.cpu_s,
            infeasible_hours=tuple(entry.hour for entry in hours if entry.status == "infeasible"),
            bounds={entry.hour: entry.bounds for entry in hours if entry.status != "infeasible"},
        )


@dataclass(frozen=True)
class Weighing:
    """How many placements a day a plan has, and when it is left for another, as `update_check_solver` decides it.

    Attributes:
        order: Objectives, most important first.
        tolerance: Fraction of an objective that may be given up for the next one.
        hysteresis: Relative gain below which nothing changes.
        home_share: Part of the runs that stay home as controls.
    """

    overhead: OverheadModel
    order: tuple[Objective, ...]
    tolerance: float
    hysteresis: float
    home_share: float

    def choose(
        self,
        simulator: Simulator,
        solved: Solved,
        known: Known,
        expected: Mapping[str, list[float]],
    ) -> tuple[Mapping[int, Placement], Verdict]:
        """The placements of a day, chosen together, and whether they are put in force.

        Args:
            simulator: The problem of the expected day.
            solved: The solver's placements.
            expected: Region -> gCO2eq/kWh by UTC hour.
        """
        in_force = known.in_force
        all_home: Mapping[int, Placement] = dict.fromkeys(HOURS_OF_THE_DAY, simulator.home)
        current = all_home if in_force is None else in_force.plan.by_hour
        routed = 1.0 - self.home_share
        day = Day(
            tuple(max(runs * routed, SOME_RUNS) for runs in known.runs_by_hour),
            SwitchingPrices(self.overhead.loads, ExpectedStarts(self.overhead, expected)),
        )
        plan = choose_day_schedule(
            simulator,
            solved.by_hour,
            current,
            day.runs_by_hour,
            day.switching,
            self.order,
            hysteresis=self.hysteresis,
            priority_tolerance=self.tolerance,
            bounds=solved.bounds,
        ).placements
        before, after = standing(simulator, current, day), standing(simulator, plan, day)
        is_ending = in_force is not None and in_force.is_about_to_end(known.hour)
        home = standing(simulator, all_home, day) if is_ending else None
        by_limits = weigh_limits(before, after, home)
        if by_limits is not None:
            return plan, by_limits
        terms = Terms(
            order=self.order,
            hysteresis=self.hysteresis,
            tolerance=self.tolerance,
            expected_runs=sum(known.runs_by_hour) * LIFETIME_HOURS / HOURS_PER_DAY,
            routed_share=routed,
        )
        model, now = self.overhead, at(expected, known.hour % HOURS_PER_DAY)
        new = model.places(plan.values()) - known.present
        once = total((model.solve(solved.cpu_s, now), model.copies(new, known.present, now), model.probes(new, now)))
        return plan, weigh_objectives(before if home is None else home, after, terms, once)


def at(day: Mapping[str, list[float]], hour: int) -> dict[str, float]:
    """Region -> gCO2eq/kWh at a UTC hour of a day."""
    return {region: values[hour] for region, values in day.items()}


@dataclass(frozen=True)
class ByForecast:
    """Plans by what was known, as the product does: solves by the forecast, and moves if it pays.

    Attributes:
        solver: ``fine-grained`` for this system, ``coarse-grained`` for a single region that changes.
    """

    name: str
    description: str
    solver: SolverName
    every_hours: int
    solving: Solving
    weighing: Weighing
    forecaster: CarbonForecaster = DEFAULT_FORECASTER
    keeps_controls: bool = True

    def plan(self, known: Known) -> Step:
        """A plan if one can be made and pays; without a forecast what is in force stays until its end."""
        try:
            expected = expected_day(known.past, self.forecaster)
        except NotEnoughDataError as error:
            return Step(None, str(error))
        day = self.solving.under(expected)
        found = self.solving.solve(day, self.solver)
        placements, verdict = self.weighing.choose(day, found, known, expected)
        if len(found.infeasible_hours) == HOURS_PER_DAY and _are_home(placements, day):
            # No choice of plans: the product sends everything home then.
            is_home = known.in_force is None or _are_home(known.in_force.plan.by_hour, day)
            verdict = home_without_choice(self.solver, is_home=is_home, is_proven=False)
        plan = DayPlan(placements, LIFETIME_HOURS) if verdict.changes else None
        return Step(plan, verdict.reason, True, found.cpu_s, found.infeasible_hours)


def _are_home(placements: Mapping[int, Placement], day: Simulator) -> bool:
    return all(placement == day.home for placement in placements.values())


@dataclass(frozen=True)
class Oracle:
    """Places every hour by what it will really be, whatever moving takes: no forecast leads to less."""

    solving: Solving
    intensities: Intensities
    name: str = "oracle"
    description: str = "this system with a perfect forecast, every hour by itself"
    every_hours: int = HOURS_PER_DAY
    keeps_controls: bool = True

    def plan(self, known: Known) -> Step:
        """The best of the day to come."""
        found = self.solving.solve(self.solving.under(self.intensities.day(known.hour)), "fine-grained")
        plan = DayPlan(found.by_hour, LIFETIME_HOURS)
        return Step(plan, "the best of what comes.", True, found.cpu_s, found.infeasible_hours)
