"""``solve``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from multi_x_serverless.cli.output import (
    Column,
    dollars_per_million,
    grams,
    percent,
    quantity,
    seconds,
    write_json,
    write_table,
    write_text,
)
from multi_x_serverless.cli.problem_file import solve_file, write_document
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_INFEASIBLE, EXIT_OK

if TYPE_CHECKING:
    from multi_x_serverless.model.plan import Metrics
    from multi_x_serverless.solving.solution import HourSolution, Solution


@click.command("solve")
@click.argument("workflow_id", required=False)
@click.option(
    "--problem",
    "problem_file",
    type=click.Path(path_type=Path),
    help="Solve this problem document instead of a workflow, without any cloud; - reads standard input.",
)
@click.option(
    "-s",
    "--solver",
    type=click.Choice(["fine-grained", "coarse-grained", "heuristic"]),
    help="fine-grained: proven optimal; coarse-grained: best single region; heuristic: local search with a gap.  "
    "[default: the configuration's; with --problem fine-grained]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**64 - 1),
    help="Seed of the scenarios.  [default: 0; with --problem the document's]",
)
@click.option(
    "--transmission",
    type=click.Choice(["best", "worst"]),
    help="Energy per byte: the lowest or the highest of what is published.  [default: best]",
)
@click.option(
    "--deadline",
    type=click.FloatRange(min=0.01),
    help="Seconds at most.  [default: 60; with --problem the document's]",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads to use.  [default: all processors]")
@click.option("--dry-run", is_flag=True, help="Show the plan and do not stage it.")
@click.option(
    "--dump-problem",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the problem document to this file.",
)
@click.option(
    "-o",
    "--solution",
    "solution_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the solution document to this file.",
)
@pass_settings
def command(
    settings: Settings,
    workflow_id: str | None,
    problem_file: Path | None,
    solver: str | None,
    seed: int | None,
    transmission: str | None,
    deadline: float | None,
    threads: int | None,
    dry_run: bool,
    dump_problem: Path | None,
    solution_file: Path | None,
) -> int:
    """Find the best plan for the workflow WORKFLOW_ID and stage it for update_check_deployment.

    Uses the history of runs (data_sync) and the signals (data_collect). Exit code 4 when at no hour any placement
    meets the hard limits; the workflow then stays where it is.

    With --problem, solves a problem document (see --dump-problem) instead; nothing is read from or staged in a cloud.
    """
    if problem_file is not None:
        if workflow_id is not None or transmission is not None or dry_run or dump_problem is not None:
            raise click.UsageError(
                "--problem holds all there is to solve: WORKFLOW_ID, --transmission, --dry-run and --dump-problem "
                "do not go with it."
            )
        solved = solve_file(problem_file, solver=solver, threads=threads, deadline_s=deadline, seed=seed)
        return _answer(settings, solved.workflow, solved.nodes, solved.solution, None, solution_file)
    if workflow_id is None:
        raise click.UsageError("name a workflow, or a problem document with --problem.")
    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.solve import solve_workflow
        from multi_x_serverless.solving.problem import SolveSettings

        outcome = solve_workflow(
            cloud,
            workflow_id,
            solver=solver,
            settings=SolveSettings(
                seed=0 if seed is None else seed,
                deadline_s=60.0 if deadline is None else deadline,
                transmission="worst" if transmission == "worst" else "best",
            ),
            stage=not dry_run,
            threads=threads,
        )
    if dump_problem is not None:
        write_document(dump_problem, outcome.problem)
    nodes = [node.name for node in outcome.record.graph.nodes]
    staged_version = outcome.plan.version if outcome.is_staged else None
    return _answer(settings, workflow_id, nodes, outcome.solution, staged_version, solution_file)


def _answer(
    settings: Settings,
    workflow_id: str,
    nodes: Sequence[str],
    solution: Solution,
    staged_version: int | None,
    solution_file: Path | None,
) -> int:
    """Write and show what was found; the exit code."""
    if solution_file is not None:
        write_document(solution_file, solution.document)
    if settings.is_json:
        import orjson

        write_json(
            "solve",
            {
                "workflow_id": workflow_id,
                "staged_plan_version": staged_version,
                "solution": orjson.loads(solution.document),
            },
        )
    else:
        _show(settings, nodes, solution, staged_version)
    return EXIT_INFEASIBLE if solution.is_infeasible_at_all_hours else EXIT_OK


def _show(settings: Settings, nodes: Sequence[str], solution: Solution, staged_version: int | None) -> None:
    _show_candidates(settings, solution)
    _show_plan(settings, nodes, solution)
    _show_certificate(settings, solution)
    write_table(
        settings,
        "Data that the plan rests on",
        [Column("signal"), Column("origin")],
        [[signal.replace("_", " "), origin] for signal, origin in solution.provenance.items()],
    )
    if solution.infeasible_hours:
        hours = hour_ranges(solution.infeasible_hours)
        write_text(f"No placement meets the hard limits at hours {hours} (UTC): everything stays home then.")
        for limit in next(entry for entry in solution.hours if entry.status == "infeasible").unmet_limits:
            if limit.excess > 0:
                best, allowed = quantity(limit.metric, limit.best_achievable), quantity(limit.metric, limit.limit)
                write_text(f"  {limit.metric} can be {best} at the least, the limit is {allowed}.")
    if staged_version is not None:
        write_text(f"Staged as plan {staged_version}; 'update_check_deployment' puts it in force.")
    else:
        write_text("Nothing was staged.")


def _day_mean(metrics: Sequence[Metrics], objective: str, statistic: str) -> float:
    values = [getattr(getattr(entry, objective), statistic) for entry in metrics]
    return float(sum(values)) / len(values)


def _row(mark: str, name: str, metrics: Sequence[Metrics], home: Sequence[Metrics]) -> list[str]:
    carbon = _day_mean(metrics, "carbon", "mean")
    home_carbon = _day_mean(home, "carbon", "mean")
    return [
        mark,
        name,
        grams(carbon),
        percent(carbon / home_carbon - 1.0, signed=True) if home_carbon > 0 else "-",
        dollars_per_million(_day_mean(metrics, "cost", "mean")),
        seconds(_day_mean(metrics, "runtime", "mean")),
        seconds(_day_mean(metrics, "runtime", "tail")),
    ]


def _show_candidates(settings: Settings, solution: Solution) -> None:
    """All single regions and the plan, as means over the planned hours."""
    home = [entry.home_metrics for entry in solution.hours]
    rows = []
    notes = {">": "> the plan"}
    for candidate in solution.hours[0].candidates:
        present = [found for entry in solution.hours if (found := entry.candidate(candidate.region)) is not None]
        marks = ""
        if any(entry.best_single_region == candidate.region for entry in solution.hours):
            marks += "*"
            notes["*"] = "* best single region (at some hour)"
        if not candidate.is_pure:
            marks += "p"
            notes["p"] = "p pinned nodes stay home"
        if not all(entry.is_feasible for entry in present):
            marks += "!"
            notes["!"] = "! over a hard limit (at some hour)"
        rows.append(_row(marks, candidate.region, [entry.metrics for entry in present], home))
    rows.append(_row(">", "this plan", [entry.metrics for entry in solution.hours], home))
    write_table(
        settings,
        f"Candidates: means per run over {len(solution.hours)} hours, simulated in {solution.scenarios} scenarios",
        [
            Column(""),
            Column("region"),
            Column("CO2eq", is_number=True),
            Column("vs home", is_number=True),
            Column("USD per 1M", is_number=True),
            Column("time", is_number=True),
            Column("p95", is_number=True),
        ],
        rows,
        note="; ".join(notes.values()),
    )


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


def hour_ranges(hours: Sequence[int]) -> str:
    """Ascending hours as ``0-5, 9, 12-23``."""
    ranges: list[list[int]] = []
    for hour in hours:
        if ranges and ranges[-1][1] == hour - 1:
            ranges[-1][1] = hour
        else:
            ranges.append([hour, hour])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def _show_plan(settings: Settings, nodes: Sequence[str], solution: Solution) -> None:
    groups = _groups(solution.hours)
    write_table(
        settings,
        "Plan: region per node and hours (UTC)",
        [Column("node"), *(Column(hour_ranges(hours)) for hours, _ in groups)],
        [[node, *(placement[node] for _, placement in groups)] for node in nodes],
    )


def _show_certificate(settings: Settings, solution: Solution) -> None:
    statuses = sorted({entry.status for entry in solution.hours})
    worst = max(solution.hours, key=lambda entry: entry.gap)
    proof: dict[str, Any] = {
        "status": ", ".join(statuses),
        "objective": worst.objective,
        "gap to the lower bound": percent(worst.gap),
        "solved in": seconds(solution.elapsed_s),
        "solver": solution.solver,
        "scenarios": str(solution.scenarios),
        "seed": str(solution.seed),
        "problem": solution.problem_hash[:16],
    }
    for kind, metric in dict.fromkeys(
        (limit.kind, limit.metric) for entry in solution.hours for limit in entry.constraints
    ):
        limits = [
            limit
            for entry in solution.hours
            for limit in entry.constraints
            if (limit.kind, limit.metric) == (kind, metric)
        ]
        tightest = min(limits, key=lambda limit: limit.limit - limit.upper_bound)
        statistic = "p95, 95 % sure" if kind == "hard" else "mean"
        text = f"{quantity(metric, tightest.upper_bound)}, at most {quantity(metric, tightest.limit)}"
        proof[f"{kind} limit: {metric} ({statistic})"] = text + (" VIOLATED" if tightest.is_violated else "")
    write_table(
        settings,
        "Certificate",
        [Column("what"), Column("value")],
        [[key, value] for key, value in proof.items()],
    )
