"""What an explanation says in sentences: about each region of a node, and about hours that are placed otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from multi_x_serverless.cli.output import ROUNDED_AWAY, brief, counted, hour_ranges, percentile, quantity, relative

if TYPE_CHECKING:
    from multi_x_serverless.model.plan import Objective
    from multi_x_serverless.report.explanation import Explanation, PlacementChange, Verdict
    from multi_x_serverless.report.groups import AlternativeOfHours, NodeOfHours
    from multi_x_serverless.solving.simulation import LimitCheck

QUALITIES: dict[Objective, str] = {"carbon": "CO2eq", "cost": "USD", "runtime": "time"}
"""What there is more or less of."""


def quality(objective: Objective) -> str:
    """What follows an amount of an objective."""
    return "CO2eq" if objective == "carbon" else ""


def region_sentences(explanation: Explanation, entry: NodeOfHours) -> list[str]:
    """A sentence or two for each region that a node is not in."""
    sentences = [f"{other.region}: {_why_not(explanation, other)}" for other in entry.alternatives]
    if not entry.alternatives:
        sentences.append(f"It may run in {entry.node.region} only: the configuration allows no other region.")
    elif entry.node.not_allowed:
        sentences.append(f"Not allowed for it: {brief(', '.join(entry.node.not_allowed))}.")
    return sentences


def change_sentence(explanation: Explanation, change: PlacementChange) -> str:
    """Why an hour is placed otherwise than the one before."""
    ways: dict[tuple[str, str], list[str]] = {}
    for move in change.moves:
        ways.setdefault((move.source, move.target), []).append(move.node)
    moves = "; ".join(
        f"{nodes[0] if len(nodes) == 1 else counted(len(nodes), 'node')} from {source} to {target}"
        for (source, target), nodes in ways.items()
    )
    intensities = ", ".join(f"{entry.region} {entry.before:.0f} -> {entry.now:.0f}" for entry in change.intensities)
    objective = explanation.objective
    before, after = (entry.metrics.of(objective).mean for entry in (change.changed, change.kept))
    broken = [check for check in change.kept.limits if check.is_violated]
    stayed = relative(after / before - 1.0 if before > 0.0 else None)
    limits = "" if not broken else f", and the {_named(broken)} would be broken"
    forecast = "" if explanation.basis.robust is None else " forecast"
    return (
        f"{change.hour:02}:00  {moves}. gCO2eq/kWh{forecast} in the hour before and now: {intensities}. Had it stayed: "
        f"{stayed} {QUALITIES[objective]}{limits}."
    )


def _why_not(explanation: Explanation, other: AlternativeOfHours) -> str:
    is_alike = len(other.verdicts) == 1
    parts = [
        _reason(explanation, other, verdict, hours) + ("" if is_alike else f" (hours {hour_ranges(hours)})")
        for verdict, hours in other.verdicts.items()
    ]
    text = "; ".join(parts) + "."
    if other.bound_change is not None and other.bound_change >= ROUNDED_AWAY and explanation.bound_metric is not None:
        text += (
            f" With it there nothing reaches less than {relative(other.bound_change)} "
            f"{QUALITIES[explanation.bound_metric]}, wherever the others are and without any limit."
        )
    return text


def _reason(explanation: Explanation, other: AlternativeOfHours, verdict: Verdict, hours: Sequence[int]) -> str:
    alternatives = [other.by_hour[hour] for hour in hours]
    if verdict in ("breaks-hard-limit", "breaks-soft-limit"):
        kind = "hard" if verdict == "breaks-hard-limit" else "soft"
        checks = [check for found in alternatives for check in found.broken if check.kind == kind]
        worst = min(checks, key=lambda check: check.margin)
        also = (
            ", and brings more carbon, cost and mean time"
            if all(found.is_worse_in_all for found in alternatives)
            else ""
        )
        return f"breaks the {_broken(explanation, worst)}{also}"
    if verdict == "worse-in-all":
        return "more carbon, more cost and more mean time with the other nodes where they are"
    if verdict == "equal":
        beyond = f" that counts (priority_tolerance {explanation.tolerance:g})" if explanation.tolerance > 0.0 else ""
        return f"no difference in any objective{beyond} with the other nodes where they are"
    objective = alternatives[0].decided_by
    change = "fewer limits broken" if objective is None else _change(other, objective)
    return change if verdict == "worse" else f"{change}: {_why_better(explanation)}"


def _change(other: AlternativeOfHours, objective: Objective) -> str:
    change = other.changes[objective]
    return f"{relative(change)} {QUALITIES[objective]} with the other nodes where they are"


def _broken(explanation: Explanation, check: LimitCheck) -> str:
    tightest, basis = check.tightest, explanation.basis
    most, found = quantity(check.metric, tightest.limit), quantity(check.metric, tightest.value)
    if check.kind == "soft":
        return f"soft limit of {check.metric}: {found} on average, at most {most}"
    if tightest.statistic == "estimate":
        return f"hard limit of {check.metric}: {percentile(basis.tail)} {found}, at most {most}"
    if tightest.statistic == "lower_bound":
        return (
            f"hard limit of {check.metric}: lower bound of {percentile(basis.tail)}, with {basis.confidence * 100:g} % "
            f"confidence, {found}, at most {most}"
        )
    return (
        f"hard limit of {check.metric}: {percentile(basis.tail)} {quantity(check.metric, check.estimate)}, with "
        f"{basis.confidence * 100:g} % confidence not above {quantity(check.metric, check.upper_bound)}, at most {most}"
    )


def _why_better(explanation: Explanation) -> str:
    if explanation.basis.origin == "rebuilt":
        return "the plan was made of other data"
    if explanation.plan.solver == "coarse-grained":
        return "the solver was asked for one region for all nodes"
    return (
        "the placement was not chosen for these hours alone, but for few changes a day or by hand, or the solver ran "
        "out of time or is the heuristic"
    )


def _named(checks: Sequence[LimitCheck]) -> str:
    names = [f"{check.kind} limit of {check.metric}" for check in checks]
    return " and the ".join(names)
