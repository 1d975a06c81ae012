"""One policy walked through the stretch in virtual time: what it decided, and what each hour then took."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from multi_x_serverless.adaptation.replay.framework import CHECKS, FRAMEWORK, JOBS_OF_CAUSE
from multi_x_serverless.adaptation.replay.overhead import FunctionPlace, OverheadModel
from multi_x_serverless.adaptation.replay.policies import HOURS_OF_THE_DAY, Known, PlanInForce, Policy, Step
from multi_x_serverless.adaptation.replay.results import Amount, Hours, Moment, OverheadPart, PolicyResult
from multi_x_serverless.deployment.withdrawal import GRACE_S
from multi_x_serverless.model.units import HOURS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from multi_x_serverless.adaptation.overhead import Overhead
    from multi_x_serverless.adaptation.replay.framework import FrameworkJobs
    from multi_x_serverless.adaptation.replay.intensities import Intensities
    from multi_x_serverless.adaptation.replay.limits import LimitBook
    from multi_x_serverless.adaptation.replay.metrics import PlacementBook
    from multi_x_serverless.model.plan import Placement

CAUSES = ("solves", CHECKS, "copies", "probes", "cold_starts", FRAMEWORK)

GRACE_HOURS = math.ceil(GRACE_S / SECONDS_PER_HOUR)
"""For so long functions stay that the plan in force does not use, as in the product."""

RATE_HOURS = 30 * HOURS_PER_DAY
"""A rate is read from the runs of the last 30 days, as the history holds them."""

SHORTEST_RATE_HOURS = HOURS_PER_DAY
"""Below, the developer's estimate counts, for which the mean of the load stands."""


@dataclass(frozen=True)
class World:
    """What all policies are walked through.

    Attributes:
        runs: Of each hour, shape (hours,).
        delay_hours: By how much the feed of intensities is late.
        home_share: Part of the runs that policies with controls keep home.
        tail: Percentile of run times, as a fraction.
        jobs: That check and deploy for policies that plan again and again; `None` if nobody counts them.
    """

    intensities: Intensities
    runs: NDArray[np.float64]
    book: PlacementBook
    limits: LimitBook
    overhead: OverheadModel
    home: Placement
    delay_hours: int
    home_share: float
    tail: float
    jobs: FrameworkJobs | None = None

    def at(self, hour: int) -> dict[str, float]:
        """Region -> gCO2eq/kWh that came true in an hour."""
        column = self.intensities.replayed[:, hour].tolist()
        return dict(zip(self.intensities.regions, column, strict=True))

    def runs_by_hour_seen(self, hour: int) -> tuple[float, ...]:
        """What the history would say before an hour of the runs of a day, by the UTC hour in which they start.

        As in the product one run more is counted at every hour: one without runs so far is not one for ever.
        """
        if hour < SHORTEST_RATE_HOURS:
            return (float(self.runs.mean()),) * HOURS_PER_DAY
        seen = range(max(0, hour - RATE_HOURS), hour)
        counts = np.ones(HOURS_PER_DAY)
        np.add.at(counts, np.asarray(seen) % HOURS_PER_DAY, self.runs[seen.start : hour])
        runs_per_day = float(self.runs[seen.start : hour].mean()) * HOURS_PER_DAY
        return tuple((counts / counts.sum() * runs_per_day).tolist())


@dataclass
class _Path:
    """What has happened up to an hour."""

    hours: int
    placements: list[int] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    changes: int = 0
    without_plan: int = 0
    carbon: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    cost: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.carbon = {cause: np.zeros(self.hours) for cause in CAUSES}
        self.cost = {cause: np.zeros(self.hours) for cause in CAUSES}

    def spend(self, cause: str, hour: int, overhead: Overhead) -> None:
        self.carbon[cause][hour] += overhead.carbon_gco2eq
        self.cost[cause][hour] += overhead.cost_usd


def walk(world: World, policy: Policy, progress: Callable[[int], None] = lambda _hour: None) -> PolicyResult:
    """Walk a policy through all hours.

    Args:
        progress: Told how many hours of the stretch are done, once a day and at its end.
    """
    count = world.intensities.stretch.hours
    path = _Path(count)
    in_force: PlanInForce | None = None
    present: frozenset[FunctionPlace] = frozenset()
    routed = 1.0 - (world.home_share if policy.keeps_controls else 0.0)
    before = world.home
    for hour in range(count):
        if hour % HOURS_PER_DAY == 0:
            progress(hour)
        if hour == 0 or (policy.every_hours is not None and hour % policy.every_hours == 0):
            step = policy.plan(
                Known(
                    hour=hour,
                    past=world.intensities.known_at(hour, world.delay_hours),
                    in_force=None if in_force is None or in_force.is_expired(hour) else in_force,
                    present=present,
                    runs_by_hour=world.runs_by_hour_seen(hour),
                )
            )
            path.steps.append(step)
            path.moments.append(Moment(hour, step.plan is not None, step.reason))
            path.spend("solves", hour, world.overhead.solve(step.cpu_s, world.at(hour)))
            if step.plan is not None:
                # One that is renewed at its end was followed until now.
                path.changes += step.plan.by_hour != _by_hour(world, in_force, hour - 1)
                in_force = PlanInForce(step.plan, hour)
                new = world.overhead.places(step.plan.by_hour.values()) - present
                path.spend("copies", hour, world.overhead.copies(new, present, world.at(hour)))
                path.spend("probes", hour, world.overhead.probes(new, world.at(hour)))
                present |= new
        if hour == _sweep_at(in_force, hour):
            present &= world.overhead.places(_by_hour(world, in_force, hour).values())
        placement = _by_hour(world, in_force, hour)[hour % HOURS_PER_DAY]
        path.without_plan += in_force is None or in_force.is_expired(hour)
        path.placements.append(world.book.number(placement))
        if placement != before:
            starts = world.overhead.cold_starts(before, placement, float(world.runs[hour]) * routed, world.at(hour))
            path.spend("cold_starts", hour, starts)
        before = placement
    progress(count)
    if world.jobs is not None and policy.every_hours is not None:
        for cause in JOBS_OF_CAUSE:
            path.carbon[cause] += world.jobs.carbon_gco2eq(cause)
            path.cost[cause] += world.jobs.usd_per_hour(cause)
    return _result(world, policy, path, routed)


def _by_hour(world: World, in_force: PlanInForce | None, hour: int) -> Mapping[int, Placement]:
    """What runs follow at an hour of the stretch: home where there is no plan, or its end has come."""
    if in_force is None or in_force.is_expired(hour):
        return dict.fromkeys(HOURS_OF_THE_DAY, world.home)
    return in_force.plan.by_hour


def _sweep_at(in_force: PlanInForce | None, hour: int) -> int | None:
    """The hour at which functions are deleted that what runs follow at an hour does not use."""
    if in_force is None:
        return None
    # A plan whose end has come is followed by one with everything at home.
    life = in_force.plan.expires_after_hours if in_force.is_expired(hour) else None
    return in_force.since_hour + (life or 0) + GRACE_HOURS


def _result(world: World, policy: Policy, path: _Path, routed: float) -> PolicyResult:
    book, runs = world.book, world.runs
    numbers = np.array(path.placements)
    at_home = np.full_like(numbers, book.home)
    replayed = world.intensities.replayed

    def mixed(placed: NDArray[np.float64], home: NDArray[np.float64]) -> NDArray[np.float64]:
        # Written so that equal values stay equal: what is at home anyway emits what home does, to the last bit.
        return np.where(numbers == book.home, home, routed * placed + (1.0 - routed) * home)

    carbon = runs * mixed(book.carbon(numbers, replayed), book.carbon(at_home, replayed))
    cost = runs * mixed(book.cost(numbers), book.cost(at_home))
    mean = mixed(book.runtime(numbers), book.runtime(at_home))
    tails = {
        number: book.run_time_tail(_spread({number: 1.0}, book.home, routed), world.tail)
        for number in sorted(set(path.placements))
    }
    weights: dict[int, float] = {}
    for number, count in zip(path.placements, runs.tolist(), strict=True):
        weights[number] = weights.get(number, 0.0) + count
    shares_of = np.array([book.shares(number) for number in range(max(path.placements) + 1)])
    shares = shares_of[numbers]
    more_carbon, more_cost = sum(path.carbon.values()), sum(path.cost.values())
    return PolicyResult(
        name=policy.name,
        description=policy.description,
        carbon=Amount(float(carbon.sum()), float(np.sum(more_carbon))),
        cost=Amount(float(cost.sum()), float(np.sum(more_cost))),
        overhead={
            cause: OverheadPart(float(path.carbon[cause].sum()), float(path.cost[cause].sum())) for cause in CAUSES
        },
        runtime_mean_s=float((mean * runs).sum() / runs.sum()),
        runtime_tail_s=book.run_time_tail(_spread(weights, book.home, routed), world.tail),
        region_shares={
            region: float(share) for region, share in zip(book.regions, shares.mean(axis=0), strict=True) if share > 0
        },
        solves=sum(step.is_solved for step in path.steps),
        changes=path.changes,
        switches=int((numbers[1:] != numbers[:-1]).sum()),
        hours_without_plan=path.without_plan,
        infeasible_hours=sum(len(step.infeasible_hours) for step in path.steps),
        hours_over_hard_limits=sum(
            world.limits.broken(number, hour).hard > 0 for hour, number in enumerate(path.placements)
        )
        if world.limits.has_limits
        else 0,
        moments=tuple(path.moments),
        hours=Hours(
            placements=numbers,
            carbon_gross_gco2eq=carbon,
            carbon_overhead_gco2eq=np.asarray(more_carbon),
            cost_gross_usd=cost,
            cost_overhead_usd=np.asarray(more_cost),
            runtime_mean_s=mean,
            runtime_tail_s=np.array([tails[number] for number in path.placements]),
            shares=shares,
        ),
    )


def _spread(weights: dict[int, float], home: int, routed: float) -> dict[int, float]:
    """Runs by the placement that they really follow, the controls at home."""
    spread = {number: weight * routed for number, weight in weights.items()}
    spread[home] = spread.get(home, 0.0) + (1.0 - routed) * sum(weights.values())
    return spread
