"""An explanation as members of a JSON document, whole: every hour, node and allowed region."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from multi_x_serverless.report.explanation import (
    Alternative,
    ExplainedHour,
    Explanation,
    LimitStanding,
    NoSolverAsked,
    Optimum,
    PlacedNode,
    PlacementChange,
)
from multi_x_serverless.solving.simulation import SimulatedHour


def explanation_members(explanation: Explanation | NoSolverAsked) -> dict[str, Any]:
    """The explanation; `hours` is empty where no solver was asked.

    Units: gCO2eq, USD and seconds per run; gCO2eq/kWh; seconds since the epoch; fractions.
    """
    if isinstance(explanation, NoSolverAsked):
        return {
            "workflow_id": explanation.workflow_id,
            "home": explanation.home,
            "plan": {"role": explanation.role, "version": explanation.version, "solver": "none"},
            "basis": None,
            "hours": [],
            "changes": [],
            "warnings": [],
        }
    return {
        "workflow_id": explanation.workflow_id,
        "home": explanation.home,
        "plan": asdict(explanation.plan),
        "basis": {
            **asdict(explanation.basis),
            "is_what_the_plan_was_made_of": explanation.basis.problem_hash == explanation.plan.problem_hash,
        },
        "priority_order": list(explanation.order),
        "priority_tolerance": explanation.tolerance,
        "bound_metric": explanation.bound_metric,
        "hours": [_hour(entry) for entry in explanation.hours],
        "changes": [_change(change) for change in explanation.changes],
        "warnings": list(explanation.warnings),
    }


def _hour(entry: ExplainedHour) -> dict[str, Any]:
    return {
        "hour": entry.hour,
        "status": entry.status,
        "placement": dict(entry.chosen.placement),
        "metrics": entry.chosen.metrics.to_members(),
        "home_metrics": entry.chosen.home_metrics.to_members(),
        "expected": None if entry.expected is None else entry.expected.to_members(),
        "best": _optimum(entry.best),
        "gap": entry.gap,
        "limits": [_limit(limit) for limit in entry.limits],
        "nodes": [_node(node) for node in entry.nodes],
    }


def _optimum(found: Optimum) -> dict[str, Any]:
    return {"value": found.value, "lower_bound": found.lower_bound, "status": found.status}


def _limit(limit: LimitStanding) -> dict[str, Any]:
    return {**limit.check.to_members(), "binding": limit.is_binding, "best_without": _optimum(limit.without)}


def _node(node: PlacedNode) -> dict[str, Any]:
    return {
        "node": node.node,
        "region": node.region,
        "allowed": list(node.allowed),
        "not_allowed": list(node.not_allowed),
        "bound": node.bound,
        "alternatives": [_alternative(alternative) for alternative in node.alternatives],
    }


def _alternative(alternative: Alternative) -> dict[str, Any]:
    return {
        "region": alternative.region,
        "verdict": alternative.verdict,
        "decided_by": alternative.decided_by,
        "worse_in_all": alternative.is_worse_in_all,
        "bound": alternative.bound,
        "metrics": alternative.moved.metrics.to_members(),
        "broken_limits": [check.to_members() for check in alternative.broken],
    }


def _change(change: PlacementChange) -> dict[str, Any]:
    return {
        "hour": change.hour,
        "previous_hour": change.previous_hour,
        "moves": [asdict(move) for move in change.moves],
        "intensity_gco2eq_per_kwh": [asdict(region) for region in change.intensities],
        "metrics": change.changed.metrics.to_members(),
        "kept": _standing(change.kept),
    }


def _standing(entry: SimulatedHour) -> dict[str, Any]:
    return {
        "metrics": entry.metrics.to_members(),
        "broken_limits": [check.to_members() for check in entry.limits if check.is_violated],
    }
