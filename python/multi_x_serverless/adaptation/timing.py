"""Which runs times are compared by.

The first execution in a new container opens its connections and loads its modules, so it takes a multiple of the
others. Carbon and cost contain that, for it is billed and draws power. A mean time is ruled by it: the home share is a
tenth of the runs, its containers are idle for longer, and so more of its executions are first ones. That says how much
traffic an arm has, and nothing of how fast its regions are.

So runs are compared by time with those of their like: runs all of whose executions were in containers that were there
(warm); where there are too few of these, as in a workflow with a run an hour, runs all of whose executions were the
first of their containers (cold). What lies between is in neither. Within a like, differences are as for any other
quantity (`comparison`). It is not chance alone that chooses the warm runs of an arm; but what does, how long ago the
run before it was, tells nothing of how long a warm run takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from multi_x_serverless.adaptation.arms import AccountedRun, Arms
from multi_x_serverless.adaptation.comparison import strata

Like: TypeAlias = Literal["warm", "cold"]


@dataclass(frozen=True)
class TimedArms:
    """Runs that are compared by time.

    Attributes:
        like: What they have in common; `None` where too few of either arm have that, so that times are not compared.
        planned: Those that the plan routed; where times are not compared all of them, like `control`.
        control: Those of the home share.
        groups: Groups of hours within which they are compared.
    """

    like: Like | None
    planned: tuple[AccountedRun, ...]
    control: tuple[AccountedRun, ...]
    groups: tuple[frozenset[int], ...]


def timed_arms(arms: Arms) -> TimedArms:
    """The runs of two arms that can be compared by time."""
    for like in ("warm", "cold"):
        planned, control = of_like(arms.planned, like), of_like(arms.control, like)
        groups = strata((run.hour for run in control), (run.hour for run in planned))
        if groups:
            return TimedArms(like, planned, control, groups)
    return TimedArms(None, arms.planned, arms.control, arms.groups)


def of_like(runs: Sequence[AccountedRun], like: Like | None) -> tuple[AccountedRun, ...]:
    """Those whose executions were all warm, or all cold; all for `None`."""
    if like is None:
        return tuple(runs)
    share = 0.0 if like == "warm" else 1.0
    return tuple(run for run in runs if run.cold_share == share)
