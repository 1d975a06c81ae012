"""What a replay found: per policy totals and hours, and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from multi_x_serverless.adaptation.replay.stretch import Stretch
from multi_x_serverless.model import documents
from multi_x_serverless.model.units import HOURS_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from multi_x_serverless.model.plan import Objective, Placement

REPLAY_SCHEMA = "multi-x-serverless/replay"
REPLAY_VERSION = 1

HOME, STATIC, SINGLE, SYSTEM, ORACLE = "home", "static", "single", "system", "oracle"
POLICIES = (HOME, STATIC, SINGLE, SYSTEM, ORACLE)
"""In the order of the tables."""


@dataclass(frozen=True)
class Amount:
    """A quantity over the stretch: of the runs (gross), of planning and moving (overhead), and both (net)."""

    gross: float
    overhead: float

    @property
    def net(self) -> float:
        """Gross and overhead together."""
        return self.gross + self.overhead

    def to_members(self) -> dict[str, float]:
        """As part of a document."""
        return {"gross": self.gross, "overhead": self.overhead, "net": self.net}


@dataclass(frozen=True)
class Saving:
    """Fraction that is saved against a baseline; negative where more is spent."""

    gross: float
    net: float

    def to_members(self) -> dict[str, float]:
        """As part of a document."""
        return {"gross": self.gross, "net": self.net}


def saving(found: Amount, baseline: Amount) -> Saving:
    """What is saved against a baseline, net of the overhead of both."""
    return Saving(_less(found.gross, baseline.gross), _less(found.net, baseline.net))


def _less(found: float, baseline: float) -> float:
    return 1.0 - found / baseline if baseline > 0 else 0.0


@dataclass(frozen=True, eq=False)
class Hours:
    """One policy hour by hour; every array has shape (hours,) but `shares`.

    Attributes:
        placements: Number of the placement that runs follow; equal ones have equal numbers in all policies.
        carbon_gross_gco2eq: Of all runs of the hour.
        carbon_overhead_gco2eq: Of what was planned, copied, probed and started cold in it, and of the jobs that did so.
        runtime_mean_s: Of the hour's runs, those kept home included.
        runtime_tail_s: Their percentile.
        shares: Share of the nodes placed in each region, shape (hours, regions); controls are not counted.
    """

    placements: NDArray[np.intp]
    carbon_gross_gco2eq: NDArray[np.float64]
    carbon_overhead_gco2eq: NDArray[np.float64]
    cost_gross_usd: NDArray[np.float64]
    cost_overhead_usd: NDArray[np.float64]
    runtime_mean_s: NDArray[np.float64]
    runtime_tail_s: NDArray[np.float64]
    shares: NDArray[np.float64]


@dataclass(frozen=True)
class OverheadPart:
    """One cause of overhead."""

    carbon_gco2eq: float
    cost_usd: float


@dataclass(frozen=True)
class Moment:
    """What a policy decided at one of its moments.

    Attributes:
        hour: Of the stretch.
        puts_in_force: Whether a new plan began; it may place as the one before did.
    """

    hour: int
    puts_in_force: bool
    reason: str


@dataclass(frozen=True)
class PolicyResult:
    """One policy over the stretch.

    Attributes:
        carbon: gCO2eq.
        cost: USD.
        overhead: By cause: ``solves``, ``checks``, ``copies``, ``probes``, ``cold_starts``, ``framework``. Checks and
            framework are the jobs of `deploy_framework`: `update_check_solver`, and the other three.
        runtime_mean_s: Over all runs.
        runtime_tail_s: The percentile over all runs.
        region_shares: Region -> share of nodes and hours placed there; controls are not counted.
        solves: How often a solver ran.
        changes: How often a plan was put in force that places otherwise than the one before (or home).
        switches: Hours whose placement differs from that of the hour before.
        hours_without_plan: Hours in which everything was home because there was no plan, or its end had come.
        infeasible_hours: Hours for which it was found, when they were planned, that no placement keeps the hard limits.
        hours_over_hard_limits: Hours whose placement breaks a hard limit by the intensities that came true.
        moments: All decisions.
    """

    name: str
    description: str
    carbon: Amount
    cost: Amount
    overhead: Mapping[str, OverheadPart]
    runtime_mean_s: float
    runtime_tail_s: float
    region_shares: Mapping[str, float]
    solves: int
    changes: int
    switches: int
    hours_without_plan: int
    infeasible_hours: int
    hours_over_hard_limits: int
    moments: tuple[Moment, ...]
    hours: Hours


@dataclass(frozen=True)
class Replay:
    """All policies over one stretch: simulated, on intensities of the past.

    Attributes:
        problem_hash: SHA-256 of the problem document as it was replayed.
        runs: Of each hour, shape (hours,).
        objective: What is minimised first.
        static_region: The best single region with hindsight.
        replan_hours: Hours between plans.
        home_share: Part of the runs that planning policies keep home.
        framework_region: System region of the framework whose jobs are counted; `None` if they are left out.
        origins: Region -> source and vintage of its intensities; the system region is one of them.
        provenance: Of everything else, as the problem document says.
        notes: What has to be said with every figure.
        placements: By number, as the hours of the policies name them.
        policies: In the order of the tables.
    """

    workflow: str
    problem_hash: str
    stretch: Stretch
    regions: tuple[str, ...]
    home: str
    runs: NDArray[np.float64]
    load: str
    objective: Objective
    tail: float
    scenarios: int
    static_region: str
    replan_hours: int
    home_share: float
    forecaster: str
    framework_region: str | None
    origins: Mapping[str, str]
    provenance: Mapping[str, str]
    notes: tuple[str, ...]
    placements: tuple[Placement, ...]
    policies: tuple[PolicyResult, ...]

    def policy(self, name: str) -> PolicyResult:
        """The result of a policy."""
        return next(policy for policy in self.policies if policy.name == name)

    def regret_of_forecast(self) -> float:
        """Fraction of the first objective, gross, that this system takes more than it would with a perfect forecast."""
        system, oracle = self.policy(SYSTEM), self.policy(ORACLE)
        found, best = {
            "carbon": (system.carbon.gross, oracle.carbon.gross),
            "cost": (system.cost.gross, oracle.cost.gross),
            "runtime": (system.runtime_mean_s, oracle.runtime_mean_s),
        }[self.objective]
        return found / best - 1.0 if best > 0 else 0.0

    def routed_saving_against_static(self, name: str) -> float | None:
        """Fraction of gross carbon that a planning policy's runs save against static, its controls left out.

        `None` where all runs are controls.
        """
        routed = 1.0 - self.home_share
        if routed <= 0:
            return None
        home, static = self.policy(HOME).carbon.gross, self.policy(STATIC).carbon.gross
        return _less((self.policy(name).carbon.gross - self.home_share * home) / routed, static)

    def pays_from_runs_per_hour(self, baseline: str) -> float | None:
        """Mean load from which on this system emits less than a baseline, net, if its plans and overhead stay the same.

        Most of the overhead is of jobs on a schedule. `None` where runs save nothing, so that no load is enough.
        """
        system, other = self.policy(SYSTEM), self.policy(baseline)
        saved = other.carbon.gross - system.carbon.gross
        if saved <= 0:
            return None
        more = max(0.0, system.carbon.overhead - other.carbon.overhead)
        return more / saved * float(self.runs.mean())

    def to_members(self) -> dict[str, Any]:
        """The totals as members of a document."""
        home, static = self.policy(HOME), self.policy(STATIC)
        return {
            "simulated": True,
            "workflow": self.workflow,
            "problem_hash": self.problem_hash,
            "first_day": self.stretch.first_day,
            "last_day": self.stretch.last_day,
            "hours": self.stretch.hours,
            "runs": float(self.runs.sum()),
            "load": self.load,
            "regions": list(self.regions),
            "home": self.home,
            "static_region": self.static_region,
            "objective": self.objective,
            "tail": self.tail,
            "scenarios": self.scenarios,
            "replan_hours": self.replan_hours,
            "home_share": self.home_share,
            "forecaster": self.forecaster,
            "framework_region": self.framework_region,
            "pays_from_runs_per_hour": {name: self.pays_from_runs_per_hour(name) for name in (HOME, STATIC)},
            "regret_of_forecast": self.regret_of_forecast(),
            "routed_saving_against_static": self.routed_saving_against_static(SYSTEM),
            "intensity_origins": dict(self.origins),
            "provenance": dict(self.provenance),
            "notes": list(self.notes),
            "placements": [dict(placement) for placement in self.placements],
            "policies": [_policy_members(entry, home, static, self.stretch) for entry in self.policies],
        }

    def to_document(self) -> bytes:
        """The totals as a document."""
        return documents.write(REPLAY_SCHEMA, REPLAY_VERSION, self.to_members())

    def shares_by_hour_of_day(self, name: str) -> NDArray[np.float64]:
        """Mean share of the nodes in each region at each UTC hour, shape (24, regions)."""
        shares = self.policy(name).hours.shares
        return np.asarray(shares.reshape(-1, HOURS_PER_DAY, shares.shape[1]).mean(axis=0))


def _policy_members(entry: PolicyResult, home: PolicyResult, static: PolicyResult, stretch: Stretch) -> dict[str, Any]:
    def compared(baseline: PolicyResult) -> dict[str, Any]:
        return {
            "carbon": saving(entry.carbon, baseline.carbon).to_members(),
            "cost": saving(entry.cost, baseline.cost).to_members(),
        }

    return {
        "name": entry.name,
        "description": entry.description,
        "carbon_gco2eq": entry.carbon.to_members(),
        "cost_usd": entry.cost.to_members(),
        "overhead": {
            cause: {"carbon_gco2eq": part.carbon_gco2eq, "cost_usd": part.cost_usd}
            for cause, part in entry.overhead.items()
        },
        "runtime_s": {"mean": entry.runtime_mean_s, "tail": entry.runtime_tail_s},
        "saved_against_home": compared(home),
        "saved_against_static": compared(static),
        "region_shares": dict(entry.region_shares),
        "solves": entry.solves,
        "changes": entry.changes,
        "switches": entry.switches,
        "hours_without_plan": entry.hours_without_plan,
        "infeasible_hours": entry.infeasible_hours,
        "hours_over_hard_limits": entry.hours_over_hard_limits,
        "put_in_force": [
            {"datetime_utc": stretch.in_words(moment.hour), "reason": moment.reason}
            for moment in entry.moments
            if moment.puts_in_force
        ],
    }
