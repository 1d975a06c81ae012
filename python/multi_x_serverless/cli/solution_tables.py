"""A solution as tables: candidates, what to expect, the plan, its certificate, and the data behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multi_x_serverless.cli.console import open_console
from multi_x_serverless.cli.output import (
    Column,
    counted,
    dollars_per_million,
    grams,
    hour_ranges,
    percent,
    percentile,
    quantity,
    relative,
    seconds,
    write_table,
    write_text,
    write_title,
    write_warning,
    write_wrapped,
)
from multi_x_serverless.cli.table_layout import shortened
from multi_x_serverless.model.robust import LEAST_FAVOURABLE
from multi_x_serverless.report.wording import describe_case, describe_completeness, drawn_from, gap_to_bound

if TYPE_CHECKING:
    from multi_x_serverless.cli.session import Settings
    from multi_x_serverless.model.plan import Metrics, Plan
    from multi_x_serverless.model.robust import CarbonBesideHome, RobustCase
    from multi_x_serverless.solving.comparisons import Statistic
    from multi_x_serverless.solving.frontier import HourFrontier
    from multi_x_serverless.solving.solution import Constraint, HourSolution, Solution

_NARROWEST_ORIGIN = 40
"""Characters that a line of where figures come from has at least."""

_LOST_TO_BREAKS = 40
"""Characters of three lines that indents and breaks between words may leave empty."""


def _quantities(tail: float) -> list[Column]:
    names = ("CO2eq", "vs home", "USD per 1M", "time", percentile(tail))
    return [Column(name, is_number=True) for name in names]


@dataclass(frozen=True)
class RobustView:
    """What is to be said of a solution in the case least favourable to moving.

    Attributes:
        case: The case.
        plan: The plan, whose metrics are what is expected; `None` of a problem document, of which that is not known.
        plain: What the plan would be without intervals; `None` with `plan`.
        name: What the plan is called in tables.
    """

    case: RobustCase
    plan: Plan | None = None
    plain: Plan | None = None
    name: str = "this plan"


def show_solution(
    settings: Settings, nodes: Sequence[str], solution: Solution, robust: RobustView | None = None
) -> None:
    """Everything that a person needs to judge a solution.

    Args:
        nodes: Names of the nodes, in the order to show them in.
        robust: If it is of a problem with intervals.
    """
    from multi_x_serverless.solving.frontier import HourFrontier

    if robust is not None:
        write_wrapped(f"Carbon is that {LEAST_FAVOURABLE}, not what is expected: {describe_case(robust.case)}.")
        write_text("")
    _show_candidates(settings, solution, _in_case(robust))
    _show_validated(settings, solution, is_robust=robust is not None)
    if robust is not None and robust.plan is not None and robust.plain is not None:
        _show_expected(settings, robust.plan, robust.plain, robust.name, solution.tail)
    _show_plan(settings, nodes, solution.hours)
    first = solution.hours[0]
    if first.frontier is not None:
        found = HourFrontier(first.hour, first.frontier, first.home_metrics)
        show_frontier(settings, found, tail=solution.tail, is_robust=robust is not None)
    _show_certificate(settings, solution)
    show_provenance(settings, "Data that the plan rests on", solution.provenance)
    for warning in solution.warnings:
        write_warning(warning)
    _show_infeasible(solution)


def show_provenance(settings: Settings, title: str, provenance: Mapping[str, str]) -> None:
    """Where figures come from and what was assumed: three lines at most of each subject, all in a table with ``-v``."""
    subjects = [(subject.replace("_", " "), text) for subject, text in provenance.items()]
    if settings.verbosity > 0:
        write_table(settings, title, [Column("subject"), Column("origin and assumptions")], subjects)
        return
    # What is broken between words leaves some of the lines empty.
    room = 3 * max(_NARROWEST_ORIGIN, open_console(settings).width) - _LOST_TO_BREAKS
    lines = [(subject, shortened(text, room - len(f"{subject}: "))) for subject, text in subjects]
    more = " (-v shows all of it)" if lines != subjects else ""
    write_title(settings, f"{title}{more}")
    for subject, shown in lines:
        write_wrapped(f"{subject}: {shown}", indent="  ", hanging="    ")
    write_text("")


def _day_mean(metrics: Sequence[Metrics], objective: str, statistic: str) -> float:
    values = [getattr(getattr(entry, objective), statistic) for entry in metrics]
    return float(sum(values)) / len(values)


def _cells(metrics: Sequence[Metrics], home: Sequence[Metrics]) -> list[str]:
    carbon, home_carbon = (_day_mean(entries, "carbon", "mean") for entries in (metrics, home))
    return [
        grams(carbon),
        percent(carbon / home_carbon - 1.0, signed=True) if home_carbon > 0 else "-",
        dollars_per_million(_day_mean(metrics, "cost", "mean")),
        seconds(_day_mean(metrics, "runtime", "mean")),
        seconds(_day_mean(metrics, "runtime", "tail")),
    ]


def _in_case(robust: RobustView | None) -> str:
    return "" if robust is None else " in the least favourable case"


def _show_candidates(settings: Settings, solution: Solution, in_case: str) -> None:
    """All single regions and the plan over the planned hours, as the solver compared them."""
    home = [entry.home_metrics for entry in solution.hours]
    rows = []
    notes = {">": "> the plan"}
    for candidate in solution.hours[0].candidates:
        present = [found for entry in solution.hours if (found := entry.candidate(candidate.region)) is not None]
        marks = ""
        if candidate.region == solution.best_static_region:
            marks += "s"
            notes["s"] = "s best single region for all hours"
        if any(entry.best_single_region == candidate.region for entry in solution.hours):
            marks += "*"
            notes["*"] = "* best single region of some hour"
        if not candidate.is_pure:
            marks += "p"
            notes["p"] = "p pinned nodes stay home"
        if not all(entry.is_feasible for entry in present):
            marks += "!"
            notes["!"] = "! over a hard limit at some hour"
        rows.append([marks, candidate.region, *_cells([entry.metrics for entry in present], home)])
    rows.append([">", "this plan", *_cells([entry.metrics for entry in solution.hours], home)])
    write_table(
        settings,
        f"Candidates{in_case}: means per run over {counted(len(solution.hours), 'hour')}, "
        f"in the {solution.scenarios} scenarios that the plan was chosen by",
        [Column(""), Column("region", is_whole=True), *_quantities(solution.tail)],
        rows,
        note="; ".join(notes.values()),
    )


def _show_validated(settings: Settings, solution: Solution, *, is_robust: bool) -> None:
    """The plan and its baselines over fresh scenarios."""
    validations = [entry.validation for entry in solution.hours]
    kind = "Least favourable case" if is_robust else "Expected"
    _show_means(
        settings,
        f"{kind}: means per run over {counted(len(solution.hours), 'hour')}, in "
        f"{solution.validation_scenarios} fresh scenarios {drawn_from(solution.runs)}",
        _Means(
            home=[entry.home_metrics for entry in validations],
            static=[entry.best_static_metrics for entry in validations if entry.best_static_metrics is not None],
            static_region=solution.best_static_region,
            # Where no single region keeps the hard limits, a workflow that is routed by the hour stays home.
            single=[entry.best_single_metrics or entry.home_metrics for entry in validations],
            plan=[entry.metrics for entry in validations],
        ),
        solution.tail,
    )


def _show_expected(settings: Settings, plan: Plan, plain: Plan, name: str, tail: float) -> None:
    """What is expected of a robust plan, of its baselines and of the plan without intervals."""
    home = [entry.home_metrics for entry in plan.hours if entry.home_metrics is not None]
    cautious = [entry.least_favourable for entry in plain.hours if entry.least_favourable is not None]
    _show_means(
        settings,
        f"Expected: means per run over {counted(len(plan.hours), 'hour')} by the forecasts themselves and the energy "
        "per byte of --transmission",
        _Means(
            home=home,
            static=[entry.best_static_metrics for entry in plan.hours if entry.best_static_metrics is not None],
            static_region=plan.best_static_region,
            single=[entry.best_single_metrics or entry.home_metrics for entry in plan.hours if entry.home_metrics],
            plan=[entry.metrics for entry in plan.hours if entry.metrics is not None],
            name=name,
            plain=[entry.metrics for entry in plain.hours if entry.metrics is not None],
        ),
        tail,
        note="\n".join(
            [
                f"{_WITHOUT_ROBUST}: in the least favourable case {_summed(cautious)}",
                *([] if not plain.timed_out_hours else [_unsettled(plain.timed_out_hours)]),
            ]
        ),
    )


_WITHOUT_ROBUST = "the plan without --robust"


def _unsettled(hours: Sequence[int]) -> str:
    return (
        f"Time was up before {_WITHOUT_ROBUST} was settled at hours {hour_ranges(hours)} (UTC): there may be a better "
        "one, and more be given up. --deadline allows more."
    )


def _summed(hours: Sequence[CarbonBesideHome]) -> str:
    carbon = sum(entry.carbon_gco2eq for entry in hours) / len(hours)
    home = sum(entry.home_carbon_gco2eq for entry in hours) / len(hours)
    return f"{grams(carbon)} CO2eq, {relative(carbon / home - 1.0 if home > 0.0 else None)} vs home"


@dataclass(frozen=True)
class _Means:
    """Metrics by planned hour of a plan and its baselines.

    Attributes:
        static: Empty where no region keeps the hard limits at all hours.
        name: Of the plan.
        plain: Of the plan without intervals; empty where there is none to compare with.
    """

    home: Sequence[Metrics]
    static: Sequence[Metrics]
    static_region: str | None
    single: Sequence[Metrics]
    plan: Sequence[Metrics]
    name: str = "this plan"
    plain: Sequence[Metrics] = ()


def _show_means(settings: Settings, title: str, means: _Means, tail: float, note: str = "") -> None:
    rows = [["home", *_cells(means.home, means.home)]]
    if means.static:
        name = f"best single region for all hours ({means.static_region})"
        rows.append([name, *_cells(means.static, means.home)])
    rows.append(["best single region of each hour", *_cells(means.single, means.home)])
    rows.append([means.name, *_cells(means.plan, means.home)])
    if means.plain:
        rows.append([_WITHOUT_ROBUST, *_cells(means.plain, means.home)])
    notes = [] if means.static else ["No single region keeps the hard limits at all hours."]
    columns = [Column(""), *_quantities(tail)]
    write_table(settings, title, columns, rows, note="\n".join([*notes, *([note] if note else [])]))


def _groups(hours: Sequence[HourSolution]) -> list[tuple[list[int], Mapping[str, str]]]:
    groups: list[tuple[list[int], Mapping[str, str]]] = []
    for entry in hours:
        for members, placement in groups:
            if placement == entry.placement:
                members.append(entry.hour)
                break
        else:
            groups.append(([entry.hour], entry.placement))
    return groups


def _show_plan(settings: Settings, nodes: Sequence[str], hours: Sequence[HourSolution]) -> None:
    groups = _groups(hours)
    write_table(
        settings,
        "Plan: region per node and hours (UTC)",
        [Column("node", is_name=True), *(Column(hour_ranges(members)) for members, _ in groups)],
        [[node, *(placement[node] for _, placement in groups)] for node in nodes],
    )


def show_frontier(
    settings: Settings,
    found: HourFrontier,
    *,
    tail: float,
    is_numbered: bool = False,
    picked: int | None = None,
    is_robust: bool = False,
) -> None:
    """The trade-offs of an hour.

    Args:
        tail: The percentile of the time, as a fraction.
        is_numbered: Whether points have the numbers that they are picked by.
        picked: The number of the point that was picked.
        is_robust: Whether carbon is that in the case least favourable to moving.
    """
    frontier = found.frontier
    rows = []
    for number, point in enumerate(frontier.points, start=1):
        regions = sorted(Counter(point.placement.values()).items())
        marks = (">" if number == picked else "") + ("s" if point.is_supported else "")
        rows.append(
            [
                marks,
                *([str(number)] if is_numbered else []),
                *_cells([point.metrics], [found.home_metrics]),
                ", ".join(f"{count} in {region}" for region, count in regions),
            ]
        )
    notes = [
        describe_completeness(frontier.epsilon, is_complete=frontier.is_complete, has_points=bool(frontier.points))
    ]
    if any(point.is_supported for point in frontier.points):
        notes.append("s best for some weighting of carbon and cost.")
    if picked is not None:
        notes.append("> picked.")
    write_table(
        settings,
        f"Pareto frontier of carbon, cost and {percentile(tail)} time, {found.hour:02}:00 UTC, in the planning "
        f"scenarios{f', {LEAST_FAVOURABLE}' if is_robust else ''}",
        [
            Column(""),
            *([Column("point", is_number=True)] if is_numbered else []),
            *_quantities(tail),
            Column("nodes"),
        ],
        rows,
        note=" ".join(notes),
    )


def _show_certificate(settings: Settings, solution: Solution) -> None:
    # Home where no placement meets the limits was not sought for, so its distance to the bound says nothing.
    sought = [entry for entry in solution.hours if entry.status != "infeasible"]
    proof = {
        "status": ", ".join(sorted({entry.status for entry in solution.hours})),
        "objective": max(solution.hours, key=lambda entry: entry.gap).objective,
        **({"gap to the lower bound": _describe_gap(sought)} if sought else {}),
        "solved in": seconds(solution.elapsed_s),
        "solver": solution.solver,
        "scenarios": f"{solution.scenarios} to plan, {solution.validation_scenarios} fresh ones to validate, "
        f"{drawn_from(solution.runs)}",
        "seed": str(solution.seed),
        "problem": solution.problem_hash[:16],
    }
    for position, limit in enumerate(solution.hours[0].constraints):
        tail, sure = percentile(solution.tail), f"{solution.confidence * 100:g} % confidence over these scenarios"
        if limit.kind == "soft":
            statistic = "mean"
        elif len(limit.compared) > 1:
            statistic = f"{tail} and its bounds of {sure}, each over home's; the tightest"
        else:
            statistic = f"{tail} with {sure}"
        limits = [(entry.constraints[position], entry.validation.constraints[position]) for entry in solution.hours]
        proof[f"{limit.kind} limit: {limit.metric} ({statistic})"] = _describe(limits)
    write_table(
        settings,
        "Certificate",
        [Column("what"), Column("value")],
        [[key, value] for key, value in proof.items()],
    )


def _describe_gap(hours: Sequence[HourSolution]) -> str:
    return gap_to_bound(max(entry.gap for entry in hours), is_proven=all(entry.status == "optimal" for entry in hours))


def _describe(limits: Sequence[tuple[Constraint, Constraint]]) -> str:
    """One limit at all hours, each as planned and as validated: the tightest of either, and whether it is broken."""
    planned = min((plan for plan, _ in limits), key=_slack)
    fresh = min((validated for _, validated in limits), key=_slack)
    return f"{_reached(planned)}; fresh scenarios: {_reached(fresh)}"


def _slack(limit: Constraint) -> float:
    return limit.tightest.slack


def _reached(limit: Constraint) -> str:
    tightest = limit.tightest
    which = f" ({statistic_name(tightest.statistic)})" if len(limit.compared) > 1 else ""
    found, allowed = quantity(limit.metric, tightest.value), quantity(limit.metric, tightest.limit)
    return f"{found}{which}, at most {allowed}" + (" VIOLATED" if limit.is_violated else "")


def statistic_name(statistic: Statistic) -> str:
    """What is held against a limit, for tables."""
    return statistic.replace("_", " ")


def _show_infeasible(solution: Solution) -> None:
    missed = [entry for entry in solution.hours if entry.status == "infeasible"]
    if not missed:
        return
    hours = hour_ranges(solution.infeasible_hours)
    then = "" if solution.is_infeasible_at_all_hours else " The plan has everything at home then."
    if all(entry.is_proven_infeasible for entry in missed):
        said = f"No placement meets the hard limits at hours {hours} (UTC)."
    else:
        said = f"The {solution.solver} solver found no placement that meets the hard limits at hours {hours} (UTC)."
        said += " There may be one." if solution.solver == "fine-grained" else " There may be one: -s fine-grained."
    write_wrapped(f"{said}{then}")
    limits = missed[0].unmet_limits
    for limit in limits:
        if limit.excess > 0:
            best, allowed = quantity(limit.metric, limit.best_achievable), quantity(limit.metric, limit.limit)
            of_tail = f" ({percentile(solution.tail)}, {statistic_name(limit.statistic)})"
            which = "" if limit.statistic == "upper_bound" else of_tail
            write_wrapped(f"{limit.metric}{which} can be {best} at the least, the limit is {allowed}.", indent="  ")
    if limits and all(limit.excess <= 0 for limit in limits):
        write_text("  Each limit can be met for itself, but they were not met together.")
