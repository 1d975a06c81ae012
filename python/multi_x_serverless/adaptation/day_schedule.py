"""How many placements a day a plan has, and which: hours chosen together, with what switching between them costs.

The engine finds the best placement of every hour by itself. A plan of these 24 may switch often, and where a node comes
to a region that was idle, its first executions start cold. Here the engine's placements, home and those in force are
candidates for every hour; for each number of placements a day (`GRANULARITIES`) the schedule of least value is found
exactly (`solving.schedule`), and the coarsest one that is as good as the best, but for the hysteresis, is taken.

The value of an hour is the mean of the first objective times the runs of that hour; the further objectives decide ties.
As in the engine, at every hour only placements count that keep the hard limits and break as few soft ones as can be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from multi_x_serverless.adaptation.cold_starts import IDLE_S, start_kwh, start_usd
from multi_x_serverless.adaptation.other_placements import with_placements
from multi_x_serverless.collection.hours import hour_of_day
from multi_x_serverless.model.config_types import ProviderSettings
from multi_x_serverless.model.plan import Objective, Placement, Plan
from multi_x_serverless.model.run import ObservedRun
from multi_x_serverless.model.units import HOURS_PER_DAY, SECONDS_PER_HOUR
from multi_x_serverless.solving import model_constants as constants
from multi_x_serverless.solving.problem import Signals, WorkflowModel
from multi_x_serverless.solving.schedule import GRANULARITIES, Schedule, best_schedule
from multi_x_serverless.solving.simulation import SimulatedHour, Simulator
from multi_x_serverless.solving.solution import Bounds

_ROUNDING = 1e-9
_TIE = 1e-7
"""Weight of an objective against the one before it: it decides where that one leaves a tie."""

SOME_RUNS = 1e-9
"""Runs of an hour in which none follows a plan: its placements are compared all the same."""


@dataclass(frozen=True)
class NodeLoad:
    """What a node brings with it when it comes to a region that was idle.

    Attributes:
        runs_share: Share of runs in which it runs.
        duration_s: Mean duration of an execution, in seconds.
        provider: Memory and architecture of its function.
    """

    runs_share: float
    duration_s: float
    provider: ProviderSettings


@dataclass(frozen=True)
class DaySchedule:
    """The placements of a day.

    Attributes:
        granularity: Number of equally long stretches of the day with a placement each.
        placements: UTC hour -> placement.
        switches: How often in a day the placement changes.
        switching: Price of these switches per day, in the unit of the first objective.
        value: Of the whole day, switches included, in the same unit.
        by_granularity: Number of placements a day -> the value of the best schedule with so many.
    """

    granularity: int
    placements: Mapping[int, Placement]
    switches: int
    switching: float
    value: float
    by_granularity: Mapping[int, float]


def choose_day_schedule(
    simulator: Simulator,
    hourly: Mapping[int, Placement],
    in_force: Mapping[int, Placement],
    runs_by_hour: Sequence[float],
    switching: SwitchingPrices,
    priority_order: Sequence[Objective],
    *,
    hysteresis: float,
    priority_tolerance: float = 0.0,
    bounds: Mapping[int, Bounds] | None = None,
) -> DaySchedule:
    """Choose the placements of a day together.

    Args:
        simulator: The problem.
        hourly: UTC hour -> the engine's placement; all 24 hours.
        in_force: UTC hour -> the placement that runs follow without a new plan.
        runs_by_hour: Runs that follow the plan, by UTC hour.
        switching: What switches cost.
        priority_order: Objectives, the first one first.
        hysteresis: Fraction of the value that a coarser schedule may be worse by.
        priority_tolerance: Placements within this fraction of an hour's best count as equal in that objective.
        bounds: UTC hour -> what the engine has proven of its best, which need not be among the candidates: its own
            placement may have given up the tolerance already.
    """
    candidates = _distinct([*hourly.values(), *in_force.values(), simulator.home])
    hours = [[simulator.at(candidate, hour) for hour in range(HOURS_PER_DAY)] for candidate in candidates]
    # Runs of an hour without any: a placement is chosen for it all the same.
    runs = np.maximum(np.asarray(runs_by_hour, dtype=np.float64), 1e-9)
    proven = _proven(bounds or {}, len(priority_order))
    home = candidates.index(dict(simulator.home))
    values = _values(hours, home, priority_order, priority_tolerance, proven) * runs
    prices = switching.matrix(candidates, priority_order[0], runs)
    schedules: dict[int, Schedule] = {}
    for granularity in GRANULARITIES:
        found = best_schedule(values, prices, granularity=granularity)
        if found is not None:
            schedules[granularity] = found
    best = min(schedule.value for schedule in schedules.values())
    # The same placements summed up in another order differ in the last digit.
    slack = max(hysteresis, _ROUNDING) * abs(best)
    granularity, chosen = next((number, found) for number, found in schedules.items() if found.value <= best + slack)
    return DaySchedule(
        granularity=granularity,
        placements={hour: candidates[candidate] for hour, candidate in enumerate(chosen.candidates)},
        switches=chosen.switches,
        switching=chosen.switching,
        value=chosen.value,
        by_granularity={number: schedule.value for number, schedule in schedules.items()},
    )


def scheduled_plan(plan: Plan, schedule: DaySchedule, problem: bytes) -> Plan:
    """A plan of the engine's placements with those of a schedule instead; see `with_placements`."""
    return with_placements(plan, schedule.placements, problem)


class StartPrices(Protocol):
    """Knows what a cold start takes."""

    def of_start(self, load: NodeLoad, region: str, objective: Objective) -> NDArray[np.float64]:
        """Of one cold start in a region at each UTC hour, in the unit of an objective; shape (24,)."""


@dataclass(frozen=True)
class SignalPrices:
    """Cold starts by the signals of today."""

    signals: Signals

    def of_start(self, load: NodeLoad, region: str, objective: Objective) -> NDArray[np.float64]:
        """See `StartPrices.of_start`."""
        provider = load.provider
        match objective:
            case "carbon":
                kwh = start_kwh(constants.COLD_START_S, provider)
                return kwh * np.asarray(self.signals.carbon[region].intensity_gco2eq_per_kwh)
            case "cost":
                usd_per_gb_s = self.signals.prices[region].prices.lambda_usd_per_gb_second(provider.architecture)
                return np.full(HOURS_PER_DAY, start_usd(constants.COLD_START_S, provider, usd_per_gb_s))
            case "runtime":
                return np.full(HOURS_PER_DAY, constants.COLD_START_S)


@dataclass(frozen=True)
class SwitchingPrices:
    """Prices of switches: the cold starts of nodes that come to another region.

    A region that a node left still has its containers for a while, and one with few runs has none left at the next run
    anyway: a switch adds a cold start for each execution at a time that would have found a container.

    Attributes:
        loads: By node name; a node without one (it never ran) costs nothing.
        starts: What a cold start takes in each region.
    """

    loads: Mapping[str, NodeLoad]
    starts: StartPrices

    def matrix(
        self, candidates: Sequence[Placement], objective: Objective, runs_by_hour: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Price of each switch at the start of each hour, in the unit of an objective (seconds summed over runs).

        Returns:
            Shape (24, candidates, candidates).
        """
        count = len(candidates)
        prices = np.zeros((HOURS_PER_DAY, count, count))
        for node, load in self.loads.items():
            places = [candidate[node] for candidate in candidates]
            moves = np.array([[here != there for there in places] for here in places])
            counts = np.array([_cold_starts(load, float(runs)) for runs in runs_by_hour])
            each = np.array([self.starts.of_start(load, region, objective) for region in places])
            prices += counts[:, np.newaxis, np.newaxis] * moves * each.T[:, np.newaxis, :]
        return prices

    def of_day(self, placements: Mapping[int, Placement], objective: Objective, runs_by_hour: Sequence[float]) -> float:
        """Price of all switches of a day, in the unit of an objective (seconds summed over runs).

        Args:
            placements: UTC hour -> placement; all 24 hours.
            objective: In whose unit.
            runs_by_hour: Runs that follow the placements, by UTC hour.
        """
        candidates = _distinct([placements[hour] for hour in range(HOURS_PER_DAY)])
        prices = self.matrix(candidates, objective, np.asarray(runs_by_hour, dtype=np.float64))
        walk = [candidates.index(dict(placements[hour])) for hour in range(HOURS_PER_DAY)]
        return float(sum(prices[hour, walk[hour - 1], walk[hour]] for hour in range(HOURS_PER_DAY)))


@dataclass(frozen=True)
class Day:
    """How a day goes.

    Attributes:
        runs_by_hour: Runs that follow a plan, by the UTC hour in which they start.
        switching: What a change of placements costs.
    """

    runs_by_hour: tuple[float, ...]
    switching: SwitchingPrices


def node_loads(workflow: WorkflowModel, runs: Sequence[ObservedRun]) -> dict[str, NodeLoad]:
    """Loads of the nodes that ran, from complete runs of the graph that is deployed."""
    loads = {}
    total = math.fsum(run.weight for run in runs)
    for index, node in enumerate(workflow.graph.nodes):
        ran = [(run.nodes[index].duration_s, run.weight) for run in runs if index in run.nodes]
        weight = math.fsum(weight for _, weight in ran)
        if weight > 0.0:
            loads[node.name] = NodeLoad(
                runs_share=weight / total,
                duration_s=math.fsum(duration * weight for duration, weight in ran) / weight,
                provider=workflow.functions[node.function].provider,
            )
    return loads


def runs_by_hour(runs: Iterable[ObservedRun], runs_per_day: float) -> tuple[float, ...]:
    """Runs a day by the UTC hour in which they start, spread as some runs are.

    One run more is counted at every hour: an hour without runs so far is not one without runs for ever.
    """
    counts = [1.0] * HOURS_PER_DAY
    for run in runs:
        counts[hour_of_day(run.started_at)] += run.weight
    return tuple(runs_per_day * count / sum(counts) for count in counts)


def _cold_starts(load: NodeLoad, runs_per_hour: float) -> float:
    """Cold starts that a switch adds, of executions that follow each other in some container."""
    executions_per_s = runs_per_hour * load.runs_share / SECONDS_PER_HOUR
    at_once = max(1.0, math.ceil(executions_per_s * load.duration_s))
    would_be_warm = 1.0 - math.exp(-executions_per_s * IDLE_S / at_once)
    return min(at_once, executions_per_s * SECONDS_PER_HOUR) * would_be_warm


def _distinct(placements: Sequence[Placement]) -> list[Placement]:
    found: dict[tuple[tuple[str, str], ...], Placement] = {}
    for placement in placements:
        found.setdefault(tuple(sorted(placement.items())), dict(placement))
    return list(found.values())


def _proven(bounds: Mapping[int, Bounds], objectives: int) -> NDArray[np.float64]:
    """Bounds by objective and hour, infinite where there is none; shape (objectives, 24)."""
    proven = np.full((objectives, HOURS_PER_DAY), np.inf)
    for hour, of_hour in bounds.items():
        for position, bound in enumerate(of_hour):
            proven[position, hour] = np.inf if bound is None else bound
    return proven


def _values(
    hours: Sequence[Sequence[SimulatedHour]],
    home: int,
    priority_order: Sequence[Objective],
    tolerance: float,
    proven: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Value per run of each candidate at each hour, infinite where it does not count.

    Where all break a hard limit, the workflow stays home.

    Args:
        proven: Lower bounds, shape (objectives, 24).
    """
    hard = np.array(
        [[any(check.is_violated for check in hour.limits if check.kind == "hard") for hour in row] for row in hours]
    )
    soft = np.array(
        [[sum(check.is_violated for check in hour.limits if check.kind == "soft") for hour in row] for row in hours],
        dtype=np.float64,
    )
    allowed = ~hard
    allowed[home] |= ~allowed.any(axis=0)
    allowed &= soft == np.where(allowed, soft, np.inf).min(axis=0)
    total = np.zeros_like(soft)
    weight, unit = 1.0, 0.0
    for objective, bound in zip(priority_order, proven, strict=True):
        means = np.array([[hour.metrics.of(objective).mean for hour in row] for row in hours])
        least = np.minimum(np.where(allowed, means, np.inf).min(axis=0), bound)
        # What is within the tolerance of the best is as good as it.
        levelled = np.maximum(means, least * (1.0 + tolerance))
        scale = float(levelled[allowed].max())
        # The first objective stays in its own unit; the others are put into it, so that they can only decide ties.
        unit = unit or scale
        if scale > 0.0:
            total += levelled * (weight * unit / scale)
        weight *= _TIE
    return np.where(allowed, total, np.inf)
