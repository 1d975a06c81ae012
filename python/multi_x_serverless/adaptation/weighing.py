"""Whether one plan is worth leaving another for: limits first, then the objectives, then the overhead.

1. The plan that breaks fewer hard limits over the planned hours wins, then the one that breaks fewer soft ones: limits
   are not weighed against gains. If nothing keeps the hard limits at any hour, the plan in force neither, everything
   goes home. A plan on its last day gives way to one that breaks fewer limits than home, where runs would go.
2. The first objective (in order of priority) in which the two differ by more than the hysteresis decides.
3. What is gained of it over the plan's life must exceed the overhead of getting there; time is not weighed so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from multi_x_serverless.adaptation.day_schedule import Day
from multi_x_serverless.adaptation.overhead import Overhead
from multi_x_serverless.model.amounts import dollars, grams
from multi_x_serverless.model.plan import Objective, Placement
from multi_x_serverless.model.units import HOURS_PER_DAY
from multi_x_serverless.solving.simulation import Simulator


@dataclass(frozen=True)
class Gain:
    """What a change of plans gains in the objective that decides.

    Attributes:
        in_force: Mean of the objective per run, over the runs of the planned hours, under the plan in force, with the
            cold starts of its switches.
        planned: The same under the new plan.
        expected_runs: Runs over the new plan's life.
        routed_share: Part of them that follow the plan; the others are kept home as controls.
    """

    objective: Objective
    in_force: float
    planned: float
    expected_runs: float
    routed_share: float

    @property
    def fraction(self) -> float:
        """Relative gain; 0 when nothing can be gained."""
        return 0.0 if self.in_force <= 0 else 1.0 - self.planned / self.in_force

    @property
    def total(self) -> float:
        """Gain over the plan's life in the objective's unit."""
        return (self.in_force - self.planned) * self.expected_runs * self.routed_share


@dataclass(frozen=True)
class Standing:
    """A plan over the problem's scenarios.

    Attributes:
        hard: Hard limits broken, summed over the hours.
        soft: Soft limits broken, summed over the hours.
        means: Of each objective per run, over the runs of the hours, cold starts of switches included.
    """

    hard: int
    soft: int
    means: Mapping[Objective, float]


@dataclass(frozen=True)
class Terms:
    """What a change of plans is weighed by.

    Attributes:
        order: Objectives, most important first.
        hysteresis: Relative gain of the first objective below which the plan in force stays.
        tolerance: Fraction of an objective that a plan may give up for the next one.
        expected_runs: Runs over the new plan's life.
        routed_share: Part of them that follow the plan.
    """

    order: tuple[Objective, ...]
    hysteresis: float
    tolerance: float
    expected_runs: float
    routed_share: float


@dataclass(frozen=True)
class Verdict:
    """What was decided, and why, in a sentence."""

    changes: bool
    reason: str
    gain: Gain | None = None


def standing(simulator: Simulator, placements: Mapping[int, Placement], day: Day | None = None) -> Standing:
    """How placements by UTC hour stand to the limits and objectives of a problem.

    Args:
        simulator: The problem.
        placements: UTC hour -> placement.
        day: How runs are spread over the hours, and what switches cost; hours count alike and switches are free if
            `None`. Switches are counted if all hours of the day have a placement.
    """
    hours = [simulator.at(placement, hour) for hour, placement in placements.items()]
    runs = [1.0 if day is None else day.runs_by_hour[hour] for hour in placements]
    broken = [check.kind for entry in hours for check in entry.limits if check.is_violated]

    def mean(objective: Objective) -> float:
        total = sum(count * entry.metrics.of(objective).mean for count, entry in zip(runs, hours, strict=True))
        if day is not None and len(hours) == HOURS_PER_DAY:
            total += day.switching.of_day(placements, objective, day.runs_by_hour)
        return total / sum(runs)

    return Standing(
        broken.count("hard"),
        broken.count("soft"),
        {"carbon": mean("carbon"), "cost": mean("cost"), "runtime": mean("runtime")},
    )


def home_without_choice(solver: str, *, is_home: bool, is_proven: bool) -> Verdict:
    """What is done where neither a solver nor what is in force has a placement that keeps the hard limits at any hour.

    Args:
        solver: Its name.
        is_home: Whether everything is home already.
        is_proven: Whether there is no such placement, as opposed to none having been found.
    """
    none = f"{'no' if is_proven else f'the {solver} solver finds no'} placement that meets the hard limits at any hour"
    return Verdict(not is_home, f"{none}; everything is home." if is_home else f"{none}: everything goes home.")


def weigh_limits(before: Standing, after: Standing, home: Standing | None = None) -> Verdict | None:
    """What the limits say of leaving a plan for another; `None` if both break as many.

    A plan that is about to end is also left for one that breaks more than it does, but fewer than home: to keep it
    would be to go home within a day, until another plan follows.

    Args:
        before: The plan in force.
        after: The new one.
        home: Everything home, if the plan in force is about to end: runs go there then.
    """
    at_once = _against("the plan in force", before, after)
    if home is None or (at_once is not None and at_once.changes):
        return at_once
    at_its_end = _against("home, where runs go when the plan in force ends,", home, after)
    if at_its_end is not None and at_its_end.changes:
        return at_its_end
    return at_once or at_its_end


def _against(name: str, other: Standing, after: Standing) -> Verdict | None:
    """Whether the new plan breaks fewer limits than another one; `None` if it breaks as many."""
    for kind, broken_now, broken_then in (("hard", other.hard, after.hard), ("soft", other.soft, after.soft)):
        if broken_now != broken_then:
            counts = f"{name} breaks {broken_now} {kind} limits over the hours, the new one {broken_then}"
            return Verdict(broken_then < broken_now, f"{counts}.")
    return None


def _runs(expected: float) -> str:
    """A number of runs; one below ten with a digit more, so that few are not none."""
    return f"{expected:.0f}" if expected >= 10.0 else f"{expected:.2g}"


def weigh_objectives(before: Standing, after: Standing, terms: Terms, overhead: Overhead) -> Verdict:
    """What the objectives say of leaving a plan for another that breaks as many limits."""
    gains = [
        Gain(objective, before.means[objective], after.means[objective], terms.expected_runs, terms.routed_share)
        for objective in terms.order
    ]
    # What the new plan gives up of an objective within its tolerance it may, for the next one.
    allowed = max(terms.hysteresis, terms.tolerance)
    gain = next((gain for gain in gains if gain.fraction > terms.hysteresis or gain.fraction < -allowed), None)
    if gain is None:
        return Verdict(
            changes=False,
            reason="in no objective is the new plan better by more than the threshold of "
            f"{terms.hysteresis * 100:.1f} %.",
            gain=gains[0],
        )
    verb = "falls" if gain.fraction >= 0 else "rises"
    described = f"{gain.objective} {verb} by {abs(gain.fraction) * 100:.1f} % a run"
    if gain.fraction <= terms.hysteresis:
        return Verdict(changes=False, reason=f"{described} under the new plan.", gain=gain)
    if gain.objective == "runtime":
        return Verdict(changes=True, reason=f"{described}; time is not weighed against overhead.", gain=gain)
    cost_of_change = overhead.carbon_gco2eq if gain.objective == "carbon" else overhead.cost_usd
    show, what = (grams, " CO2eq") if gain.objective == "carbon" else (dollars, "")
    balance = (
        f"{show(gain.total)} less{what} over {_runs(gain.expected_runs)} expected runs, of which "
        f"{gain.routed_share * 100:.0f} % follow the plan, against {show(cost_of_change)} of overhead"
    )
    if gain.total <= cost_of_change:
        return Verdict(changes=False, reason=f"{described}, but {balance} does not pay.", gain=gain)
    return Verdict(changes=True, reason=f"{described}: {balance}.", gain=gain)
