"""An explanation as tables: nodes and limits for each group of hours that is placed alike, and why hours differ."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from multi_x_serverless.cli.explanation_sentences import (
    QUALITIES,
    change_sentence,
    quality,
    region_sentences,
)
from multi_x_serverless.cli.output import (
    Column,
    dollars_per_million,
    hour_ranges,
    percent,
    percentile,
    quantity,
    relative,
    write_table,
    write_text,
    write_warning,
    write_wrapped,
)
from multi_x_serverless.cli.solution_tables import show_provenance, statistic_name
from multi_x_serverless.model.robust import LEAST_FAVOURABLE
from multi_x_serverless.report.explanation import relative_change
from multi_x_serverless.report.wording import describe_case, drawn_from, proof
from multi_x_serverless.solving.comparisons import TAIL

if TYPE_CHECKING:
    from multi_x_serverless.cli.session import Settings
    from multi_x_serverless.model.plan import Objective
    from multi_x_serverless.report.explanation import Explanation, Optimum
    from multi_x_serverless.report.groups import AlternativeOfHours, HourGroup, NodeOfHours
    from multi_x_serverless.solving.comparisons import Statistic

MARKS = {
    "breaks-hard-limit": "!",
    "breaks-soft-limit": "s",
    "worse-in-all": "3",
    "worse": "",
    "equal": "=",
    "better": "<",
}
"""Verdict -> how a table marks it."""

_NOTES = {
    "!": "! breaks a hard limit",
    "s": "s breaks more soft limits",
    "3": "3 more carbon, more cost and more time",
    "=": "= no difference",
    "<": "< would be better at these hours",
    "/": "/ differs by hour, see --hour",
    "p": "p may run nowhere else",
}


def show_explanation(settings: Settings, explanation: Explanation, *, node: str | None) -> None:
    """Everything of an explanation.

    Args:
        node: The only node that it is of, told in detail; `None` if it is of all.
    """
    from multi_x_serverless.report.groups import group_hours

    _show_plan(explanation)
    statistics: set[Statistic] = set()
    for group in group_hours(explanation):
        write_text("")
        write_wrapped(_describe_group(explanation, group))
        if node is None:
            _show_nodes(settings, explanation, group)
        else:
            write_text("")
            _show_node(settings, explanation, group)
        statistics |= _show_limits(settings, explanation, group)
    for heading, meaning in _describe_columns(explanation, statistics, is_one_node=node is not None).items():
        write_wrapped(f"{heading}: {meaning}", hanging="  ")
    write_text("")
    if explanation.changes:
        write_text("Why hours differ\n")
        for change in explanation.changes:
            write_wrapped(change_sentence(explanation, change), indent="  ")
        write_text("")
    if node is None:
        show_provenance(settings, "Data that this rests on", explanation.basis.provenance)
    for warning in explanation.warnings:
        write_warning(warning)


def _show_plan(explanation: Explanation) -> None:
    plan, basis = explanation.plan, explanation.basis
    scenarios = f"{basis.scenarios} scenarios {drawn_from(basis.runs)}"
    if plan.created_at is None:
        what = "the problem document" if basis.origin == "file" else "today's history and signals"
        write_wrapped(f"A plan of {explanation.workflow_id} by {what}, not staged: {plan.solver}, {scenarios}.")
    else:
        made = datetime.fromtimestamp(plan.created_at, tz=timezone.utc).strftime("%Y-%m-%d %H:%M")
        role = "staged" if plan.role == "staged" else "in force"
        write_wrapped(f"Plan {plan.version} of {explanation.workflow_id}, {role}: {plan.solver}, made {made} UTC.")
        write_wrapped(_describe_basis(explanation, scenarios))
    others = "".join(f", then {objective}" for objective in explanation.order[1:])
    level = f", within {percent(explanation.tolerance)} as good as equal" if explanation.tolerance else ""
    if basis.robust is not None:
        write_wrapped(
            f"All carbon here is that {LEAST_FAVOURABLE}, not what is expected: {describe_case(basis.robust)}."
        )
    write_wrapped(f"Wanted: least {explanation.objective}{others}{level}. Home is {explanation.home}.")


def _describe_basis(explanation: Explanation, scenarios: str) -> str:
    basis = explanation.basis
    if basis.origin == "kept":
        return f"Explained by what it was made of: problem {basis.problem_hash[:16]}, {scenarios}."
    same = (
        "which are those it was made of"
        if basis.problem_hash == explanation.plan.problem_hash
        else "which are others than those it was made of, so figures are not the ones it was chosen by"
    )
    return (
        f"What it was made of was not kept. Explained by today's history and signals, {same}: problem "
        f"{basis.problem_hash[:16]}, {scenarios}."
    )


def _describe_group(explanation: Explanation, group: HourGroup) -> str:
    objective = explanation.objective
    change = group.change_from_home[objective]
    versus = "" if change is None else f", {relative(change)} vs home"
    hours = "Hour" if len(group.hours) == 1 else "Hours"
    amount = f"{quantity(objective, group.mean(objective))} {quality(objective)}".rstrip()
    is_cautious = explanation.basis.robust is not None and objective == "carbon"
    case = " in the least favourable case" if is_cautious else ""
    sentence = (
        f"{hours} {hour_ranges(group.numbers)} UTC: {amount} per run{case}{versus}; {_proof(explanation, group)}."
    )
    if group.expected is None:
        return sentence
    expected, home = group.expected.carbon_gco2eq, group.expected.home_carbon_gco2eq
    against_home = relative(relative_change(home, expected))
    return f"{sentence} Expected: {quantity('carbon', expected)} CO2eq per run, {against_home} vs home."


def _proof(explanation: Explanation, group: HourGroup) -> str:
    """How good a group's placement is known to be."""
    when = "" if explanation.basis.problem_hash == explanation.plan.problem_hash else " when it was made"
    return proof([(entry.status, entry.gap) for entry in group.hours], of="it", when=when)


def _show_nodes(settings: Settings, explanation: Explanation, group: HourGroup) -> None:
    marks: list[str] = []
    rows = []
    for entry in group.nodes:
        mark, cells = _best_alternative(explanation, entry)
        marks.append(mark)
        rows.append([entry.node.node, entry.node.region, mark, *cells])
    write_table(
        settings,
        "",
        [
            Column("node", is_name=True),
            Column("region", is_whole=True),
            Column(""),
            Column("best other", is_whole=True),
            Column("moved alone", is_number=True),
            Column("at best", is_number=True),
        ],
        rows,
        note="; ".join(_notes(marks)),
    )


def _best_alternative(explanation: Explanation, entry: NodeOfHours) -> tuple[str, list[str]]:
    if not entry.alternatives:
        return "p", ["-", "-", "-"]
    best = entry.alternatives[0]
    cells = [best.region, relative(best.changes[explanation.objective]), relative(best.bound_change)]
    return _mark(best), cells


def _mark(alternative: AlternativeOfHours) -> str:
    return MARKS[next(iter(alternative.verdicts))] if len(alternative.verdicts) == 1 else "/"


def _notes(marks: Sequence[str]) -> list[str]:
    return [note for mark, note in _NOTES.items() if mark in marks]


def _describe_columns(
    explanation: Explanation, statistics: Collection[Statistic], *, is_one_node: bool
) -> dict[str, str]:
    """What the columns of all tables mean, by their headings.

    Args:
        is_one_node: Whether the table is of the regions of a node, instead of the nodes.
        statistics: Those that limits are the tightest on, besides the upper bound.
    """
    objective, bounded, basis = explanation.objective, explanation.bound_metric, explanation.basis
    tail, sure = percentile(basis.tail), f"with {basis.confidence * 100:g} % confidence"
    meanings = (
        {f"CO2eq, USD, time, {tail}": f"change of the mean, or of the {tail} of time, if this node alone were there."}
        if is_one_node
        else {
            "best other": f"where the node alone would break fewest limits, then have least {QUALITIES[objective]}.",
            "moved alone": f"change of mean {QUALITIES[objective]} if this node alone were in the other region.",
        }
    )
    meanings["at best"] = (
        "not known here."
        if bounded is None
        else f"change of mean {QUALITIES[bounded]} if all other nodes were placed anew as well and limits did not "
        "count; no placement with the node there reaches less."
    )
    if explanation.hours[0].limits:
        meanings["sure"] = f"{tail} is not above it, {sure}."
        if statistics:
            meanings[", ".join(statistic_name(entry) for entry in TAIL if entry in statistics)] = (
                f"a hard limit relative to home has to hold for three figures: {tail} of the scenarios (estimate), "
                f"what {tail} is not above ('sure') and what it is not below (lower bound), both {sure}. Each is held "
                "against the same figure of home. A row is about the one with the least slack, 'sure' if it names none."
            )
        meanings["binds"] = "the best placement without limits breaks it."
        meanings["without"] = f"change of the least possible {QUALITIES[objective]} if this limit alone went."
        if any(check.kind == "soft" for check in explanation.hours[0].chosen.limits):
            meanings["without"] += " With as few soft limits broken as then can be, which may bring more."
    return meanings


def _show_node(settings: Settings, explanation: Explanation, group: HourGroup) -> None:
    """One node in detail: every region, then the regions one by one in words."""
    (entry,) = group.nodes
    tail = percentile(explanation.basis.tail)
    marks = [_mark(other) for other in entry.alternatives]
    rows = [[">", entry.node.region, *["-"] * 5]]
    for mark, other in zip(marks, entry.alternatives, strict=True):
        changes = (other.changes["carbon"], other.changes["cost"], other.changes["runtime"], other.tail_change)
        rows.append([mark, other.region, *map(relative, (*changes, other.bound_change))])
    write_table(
        settings,
        entry.node.node,
        [
            Column(""),
            Column("region", is_whole=True),
            *(Column(name, is_number=True) for name in ("CO2eq", "USD", "time", tail, "at best")),
        ],
        rows,
        note="; ".join(["> the plan", *_notes(marks)]),
    )
    for sentence in region_sentences(explanation, entry):
        write_wrapped(sentence, indent="  ")
    write_text("")


def _show_limits(settings: Settings, explanation: Explanation, group: HourGroup) -> set[Statistic]:
    """A table of the limits; returns the statistics, besides the upper bound, that hard ones are the tightest on."""
    count = len(group.hours[0].limits)
    if not count:
        return set()
    tail = percentile(explanation.basis.tail)
    sure = f"{explanation.basis.confidence * 100:g} % sure"
    rows = []
    others: set[Statistic] = set()
    for position in range(count):
        hour, limit = group.tightest(position)
        check, tightest = limit.check, limit.check.tightest
        is_sure = tightest.statistic == "upper_bound"
        found, bound, most = (
            _amount(check.metric, value)
            for value in (check.estimate if is_sure else tightest.value, check.upper_bound, tightest.limit)
        )
        unit = ", USD per 1M" if check.metric == "cost" else ""
        is_other = check.kind == "hard" and not is_sure
        which = f", {statistic_name(tightest.statistic)}" if is_other else ""
        others |= {tightest.statistic} if is_other else set()
        rows.append(
            [
                f"{check.kind}: {check.metric}{unit}{which}",
                str(hour),
                most,
                found,
                bound if is_sure else "-",
                relative(check.margin) if tightest.limit > 0 else "-",
                _binding(group, position),
                _without(group, position),
            ]
        )
    write_table(
        settings,
        f"Limits: of these hours the tightest; hard on {tail}, {sure}; soft on the mean",
        [
            Column("limit"),
            Column("hour", is_number=True),
            Column("at most", is_number=True),
            Column("found", is_number=True),
            Column("sure", is_number=True),
            Column("slack", is_number=True),
            Column("binds"),
            Column("without", is_number=True),
        ],
        rows,
        note="? not proven" if any(row[-1].endswith("?") for row in rows) else "",
    )
    return others


def _amount(metric: Objective, value: float) -> str:
    return dollars_per_million(value) if metric == "cost" else quantity(metric, value)


def _binding(group: HourGroup, position: int) -> str:
    hours = [entry.hour for entry in group.hours if entry.limits[position].is_binding]
    if len(hours) == len(group.hours):
        return "yes"
    return f"at {hour_ranges(hours)}" if hours else "no"


def _without(group: HourGroup, position: int) -> str:
    """What the least possible of the objective would change to, of the sums over the hours."""
    with_it = [entry.best for entry in group.hours]
    without = [entry.limits[position].without for entry in group.hours]
    if any(found.status == "infeasible" for found in without):
        return "none"
    before, after = (sum(_least(found) for found in optima) for optima in (with_it, without))
    text = relative(after / before - 1.0 if before > 0.0 else None)
    return text if all(_is_settled(found) for found in (*with_it, *without)) else f"{text} ?"


def _is_settled(found: Optimum) -> bool:
    return found.status in ("optimal", "infeasible")


def _least(found: Optimum) -> float:
    """The least possible; the best plan may be above it, by the tolerance that it gives up for the next objective."""
    return found.lower_bound if found.status == "optimal" else found.value
