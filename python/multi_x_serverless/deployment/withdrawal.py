"""Which plans of a workflow a deployment withdraws, and why.

A plan says where nodes run, and what that saves against home. So it ends with its time (and the grace of its last
runs), and with the nodes, the regions and the home that it was made for: what it expects would be said of another home
otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from multi_x_serverless.deployment.state import plan_fits

if TYPE_CHECKING:
    from multi_x_serverless.deployment.state import WorkflowState
    from multi_x_serverless.model.plan import Plan
    from multi_x_serverless.model.workflow import WorkflowRecord

GRACE_S = 3_600.0
"""Runs under way keep their placement; after an hour none of the old plan is left (invocations last 900 s at most)."""


@dataclass(frozen=True)
class WithdrawnPlan:
    """A plan that a deployment withdraws.

    Attributes:
        version: Its version.
        is_staged: Whether it waited for a migration; else it was in force.
        reason: Why, as the end of a sentence.
    """

    version: int
    is_staged: bool
    reason: str


@dataclass(frozen=True)
class PlansAfter:
    """What a deployment does to the plans of a workflow.

    Attributes:
        kept: The plan in force, if it stays so; `None` to begin with a new one at home.
        unstaged: The staged plan, if it is withdrawn.
        withdrawn: Those that people are told of: nobody misses a plan that has everything at home.
    """

    kept: Plan | None
    unstaged: Plan | None
    withdrawn: tuple[WithdrawnPlan, ...]


def plans_after(record: WorkflowRecord, state: WorkflowState, now: float) -> PlansAfter:
    """Decide which plans outlive a deployment.

    Args:
        record: The workflow as it would be.
        state: The workflow as it is.
        now: Seconds since the epoch.
    """
    previous, active, staged = state.record, state.plan, state.staged
    if previous is None:
        return PlansAfter(None, None, ())
    withdrawn = []
    kept = unstaged = None
    if active is not None:
        reason = _why_unfit(active, record, previous)
        if not reason and active.expires_at + GRACE_S <= now:
            # No run follows it any more; copies to its regions and probes there would serve nobody.
            reason = "it has expired"
        kept = active if not reason else None
        if reason and not _is_home_plan(active):
            withdrawn.append(WithdrawnPlan(active.version, False, reason))
    if staged is not None:
        # One that has expired is dropped by the migration, which says so.
        reason = _why_unfit(staged, record, previous)
        unstaged = staged if reason else None
        # What is in force may still be called staged, where its migration was not closed.
        if reason and not _is_home_plan(staged) and (active is None or active.version != staged.version):
            withdrawn.append(WithdrawnPlan(staged.version, True, reason))
    return PlansAfter(kept, unstaged, tuple(withdrawn))


def _why_unfit(plan: Plan, record: WorkflowRecord, previous: WorkflowRecord) -> str:
    """Why a plan cannot stay, empty if it can."""
    if not plan_fits(plan, record):
        return _misfit(plan, record)
    # A plan that has everything at home tells by itself of which home it is, also where a deployment that changes home
    # did not come to its end after it had put one in force.
    is_of_home = plan.is_all_in(record.home_region) if _is_home_plan(plan) else _have_one_home(previous, record)
    return "" if is_of_home else f"it was made for the home {previous.home_region}"


def _misfit(plan: Plan, record: WorkflowRecord) -> str:
    """What of a plan does not fit a workflow."""
    functions = {node.name: node.function for node in record.graph.nodes}
    placed = {pair for entry in plan.hours for pair in entry.placement.items()}
    if {node for node, _ in placed} != set(functions):
        return "it is for other nodes"
    closed = sorted(
        {
            f"{functions[node]} may not run in {region} any longer"
            for node, region in placed
            if region not in record.functions[functions[node]].allowed_regions
        }
    )
    return closed[0] if len(closed) == 1 else f"{closed[0]}, and {len(closed) - 1} more alike"


def _have_one_home(previous: WorkflowRecord, record: WorkflowRecord) -> bool:
    return previous.home_region == record.home_region


def _is_home_plan(plan: Plan) -> bool:
    """Whether it is one that no solver was asked for, with everything in one region, which was home."""
    return plan.solver == "none" and len(plan.regions) == 1
