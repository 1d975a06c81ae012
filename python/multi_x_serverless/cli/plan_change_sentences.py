"""What is said of a solved plan that moves nothing, or that has everything at home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multi_x_serverless.cli.output import percent
from multi_x_serverless.cli.session import PROGRAM

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.plan_change import PlanChange
    from multi_x_serverless.model.plan import Plan


def everything_home_sentence(change: PlanChange, *, is_picked: bool) -> str:
    """Of a plan that has everything at home at every hour.

    Args:
        is_picked: Whether somebody picked it among the trade-offs.
    """
    text = "Everything stays home, at every hour" if change.moves_nothing else "Everything goes home, at every hour"
    kept = change.kept_home_by
    if is_picked:
        return f"{text}: the point that was picked has it there."
    if kept is None:
        return f"{text}: nothing better was found."
    limits = " and the ".join(f"{kind} limit of {metric}" for kind, metric in kept.limits)
    what = "CO2eq" if kept.objective == "carbon" else kept.objective
    return (
        f"{text}. With all nodes in {kept.region} there would be up to {percent(kept.change)} less {what}, but that "
        f"breaks the {limits}."
    )


def nothing_moves_sentence(workflow_id: str, version: int, in_force: Plan | None) -> str:
    """Of a staged plan that has every node where runs have it now; how to see why follows it.

    Args:
        in_force: The plan that runs follow away from home; `None` if they stay there.
    """
    if in_force is None:
        return f"Staged as plan {version}, which moves nothing: no migration is needed. To see why it is so:"
    return (
        f"Staged as plan {version}, which moves nothing: every node is where plan {in_force.version}, in force, has "
        f"it; '{PROGRAM} update_check_deployment {workflow_id}' makes that last longer. To see why it is so:"
    )
