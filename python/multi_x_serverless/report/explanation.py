"""Why a plan is as it is, in types: what was chosen, what else there is and what it would cost, which limits bind.

Everything is over the planning scenarios of one problem document. What is said of an alternative is of two kinds, and
the words keep them apart:

* *moved alone*: the metrics of the plan's placement with this one node in the other region, evaluated exactly;
* *at best*: the least that any placement with the node there can reach when all other nodes are placed anew and limits
  are ignored (the min-marginal of the elimination): a lower bound, so what is above the plan by it is proven to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from multi_x_serverless.model.plan import Objective
from multi_x_serverless.model.robust import CarbonBesideHome, RobustCase
from multi_x_serverless.solving.simulation import LimitCheck, SimulatedHour
from multi_x_serverless.solving.solution import Status

Verdict: TypeAlias = Literal["breaks-hard-limit", "breaks-soft-limit", "worse-in-all", "worse", "equal", "better"]
"""What moving one node alone does:

``breaks-hard-limit``
    a hard limit is broken, whether or not the placement itself breaks one;
``breaks-soft-limit``
    more soft limits are broken than by the placement;
``worse-in-all``
    more mean carbon, more mean cost and more mean run time;
``worse``
    more of the first objective, in order of priority, in which the two do not count as equal: where both are within
    the tolerance of the hour's least they do;
``equal``
    no difference in any objective, or none that counts;
``better``
    fewer limits are broken, or less of the first objective in which the two do not count as equal: the placement was
    not chosen for this hour by itself, or not over this problem.
"""

ProblemOrigin: TypeAlias = Literal["kept", "rebuilt", "anew", "file"]
"""Where the problem document is from: kept since the plan was made of it; built anew of today's history and signals
for a plan that was made of another; built anew and solved; a file, solved."""

PlanRole: TypeAlias = Literal["staged", "active", "anew"]


@dataclass(frozen=True)
class Alternative:
    """Another region that a node may run in.

    Attributes:
        moved: The placement with this node alone in the other region.
        bound: What any placement with the node there has at the least, of the explanation's `bound_metric`; `None`
            where nothing is proven.
        is_worse_in_all: Whether `moved` has more mean carbon, cost and run time.
        decided_by: The objective that `worse` and `better` are about; `None` where limits decide, or nothing.
    """

    region: str
    moved: SimulatedHour
    bound: float | None
    verdict: Verdict
    is_worse_in_all: bool
    decided_by: Objective | None

    @property
    def broken(self) -> tuple[LimitCheck, ...]:
        """The limits that `moved` breaks."""
        return tuple(check for check in self.moved.limits if check.is_violated)


@dataclass(frozen=True)
class PlacedNode:
    """A node at an hour.

    Attributes:
        allowed: Regions it may run in.
        not_allowed: Regions of the problem it may not run in.
        bound: As `Alternative.bound`, of the region it is in.
        alternatives: Every other allowed region, the best to move to first.
    """

    node: str
    region: str
    allowed: tuple[str, ...]
    not_allowed: tuple[str, ...]
    bound: float | None
    alternatives: tuple[Alternative, ...]

    @property
    def best_alternative(self) -> Alternative | None:
        """Where moving the node alone costs least, limits first; `None` if it may run nowhere else."""
        return self.alternatives[0] if self.alternatives else None


@dataclass(frozen=True)
class Optimum:
    """The best of an hour in the first objective, as a solver found it.

    Attributes:
        value: Mean of the first objective, in its unit.
        status: ``infeasible`` if nothing keeps the hard limits: the value is then that of home.
    """

    value: float
    lower_bound: float
    status: Status


@dataclass(frozen=True)
class LimitStanding:
    """A limit and what it does to an hour.

    Attributes:
        check: How the placement stands to it.
        is_binding: Whether the best placement without any limits, for the first objective, breaks it.
        without: The best of the hour if this limit alone were not there.
    """

    check: LimitCheck
    is_binding: bool
    without: Optimum


@dataclass(frozen=True)
class ExplainedHour:
    """One hour of a plan.

    Attributes:
        status: What the solver said when the plan was made.
        objective: What is minimised first.
        chosen: The plan's placement, its metrics and how it stands to the limits.
        best: The best of the hour, solved for this explanation.
        expected: Carbon that is expected of a robust plan, while all else is of the case that it is made for; `None` of
            another plan, and where it is not known.
        nodes: In the order of the problem.
    """

    hour: int
    status: str
    objective: Objective
    chosen: SimulatedHour
    best: Optimum
    limits: tuple[LimitStanding, ...]
    nodes: tuple[PlacedNode, ...]
    expected: CarbonBesideHome | None = None

    @property
    def gap(self) -> float:
        """How far the placement is above the least that any can reach, as a fraction of its value."""
        value = self.chosen.metrics.of(self.objective).mean
        return max(0.0, value - self.best.lower_bound) / value if value > 0.0 else 0.0


@dataclass(frozen=True)
class Move:
    """A node that an hour places elsewhere than the hour before."""

    node: str
    source: str
    target: str


@dataclass(frozen=True)
class IntensityChange:
    """Carbon intensity of a region in the hour before and in this one, in gCO2eq/kWh."""

    region: str
    before: float
    now: float


@dataclass(frozen=True)
class PlacementChange:
    """An hour that is placed otherwise than the planned hour before it (the last one of the day before the first).

    Attributes:
        intensities: Of all regions that some node comes from or goes to.
        kept: This hour, had it kept the placement of the hour before.
        changed: This hour as planned.
    """

    hour: int
    previous_hour: int
    moves: tuple[Move, ...]
    intensities: tuple[IntensityChange, ...]
    kept: SimulatedHour
    changed: SimulatedHour


@dataclass(frozen=True)
class ExplainedPlan:
    """Which plan it is that is explained.

    Attributes:
        version: 0 if it was made for the explanation only.
        problem_hash: SHA-256 of the document that it was made of.
        created_at: Seconds since the epoch; `None` if it was made for the explanation only.
        expires_at: The same; afterwards runs go home.
    """

    role: PlanRole
    version: int
    solver: str
    problem_hash: str
    created_at: float | None
    expires_at: float | None


@dataclass(frozen=True)
class Basis:
    """What the figures rest on.

    Attributes:
        problem_hash: SHA-256 of the problem document.
        tail: The percentile of hard limits, as a fraction.
        confidence: Of the percentile's upper bound, as a fraction.
        runs: Observed runs that the scenarios were drawn from.
        provenance: Signal -> where its values come from and how old they are.
        robust: The case least favourable to moving, in which all carbon is, if the problem document asks for it.
    """

    origin: ProblemOrigin
    problem_hash: str
    scenarios: int
    tail: float
    confidence: float
    runs: int
    provenance: Mapping[str, str]
    robust: RobustCase | None = None


@dataclass(frozen=True)
class Explanation:
    """Why a plan is as it is.

    Attributes:
        order: Objectives, the first one first.
        tolerance: Fraction within which two placements count as equal in an objective.
        bound_metric: What the bounds of alternatives are of; `None` where there are none.
        changes: For each hour that is placed otherwise than the one before it.
        warnings: Sentences that belong with the figures.
    """

    workflow_id: str
    home: str
    plan: ExplainedPlan
    basis: Basis
    order: tuple[Objective, ...]
    tolerance: float
    bound_metric: Objective | None
    hours: tuple[ExplainedHour, ...]
    changes: tuple[PlacementChange, ...]
    warnings: tuple[str, ...]

    @property
    def objective(self) -> Objective:
        """What is minimised first."""
        return self.order[0]


@dataclass(frozen=True)
class NoSolverAsked:
    """The plan is the home-only one of a deployment: nothing was weighed, so there is nothing to explain."""

    workflow_id: str
    home: str
    role: PlanRole
    version: int


def relative_change(before: float, after: float) -> float | None:
    """How much more something became, as a fraction; `None` if it was nothing before."""
    return after / before - 1.0 if before > 0.0 else None
