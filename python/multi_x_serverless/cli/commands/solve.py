"""``solve``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from multi_x_serverless.cli.options import transmission_option
from multi_x_serverless.cli.output import write_json, write_text, write_warning
from multi_x_serverless.cli.problem_file import require_directory, solve_file, write_document
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.cli.solution_tables import show_solution
from multi_x_serverless.errors import EXIT_INFEASIBLE, EXIT_OK

if TYPE_CHECKING:
    from multi_x_serverless.solving.solution import Solution


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
@transmission_option
@click.option(
    "--deadline",
    type=click.FloatRange(min=0.01),
    help="Seconds at most.  [default: 60; with --problem the document's]",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads to use.  [default: all processors]")
@click.option(
    "--frontier",
    "frontier_percent",
    type=click.FloatRange(min=0.0, max=100.0),
    metavar="PERCENT",
    help="Also find the Pareto frontier of every hour over carbon, cost and time: every placement is then matched, "
    "within this percentage in each, by one of its points. 0 asks for all points.",
)
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
    frontier_percent: float | None,
    dry_run: bool,
    dump_problem: Path | None,
    solution_file: Path | None,
) -> int:
    """Find the best plan for the workflow WORKFLOW_ID and stage it for update_check_deployment.

    Uses the history of runs (data_sync) and the signals (data_collect). Exit code 4 when at no hour any placement
    meets the hard limits; the workflow then stays where it is.

    With --problem, solves a problem document (see --dump-problem) instead; nothing is read from or staged in a cloud.
    """
    for file in (dump_problem, solution_file):
        require_directory(file)
    frontier = None if frontier_percent is None else frontier_percent / 100.0
    if problem_file is not None:
        if workflow_id is not None or transmission is not None or dry_run or dump_problem is not None:
            raise click.UsageError(
                "--problem holds all there is to solve: WORKFLOW_ID, --transmission, --dry-run and --dump-problem "
                "do not go with it."
            )
        solved = solve_file(
            problem_file, solver=solver, threads=threads, deadline_s=deadline, seed=seed, frontier=frontier
        )
        return _answer(settings, solved.workflow, solved.nodes, solved.solution, None, solution_file)
    if workflow_id is None:
        raise click.UsageError("name a workflow, or a problem document with --problem.")
    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.solve import solve_workflow
        from multi_x_serverless.solving.problem import SolveSettings

        with terminal_status(settings, f"solving {workflow_id}"):
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
                frontier=frontier,
            )
    if dump_problem is not None:
        write_document(dump_problem, outcome.problem)
    nodes = [node.name for node in outcome.record.graph.nodes]
    staged_version = outcome.plan.version if outcome.is_staged else None
    return _answer(
        settings, workflow_id, nodes, outcome.solution, staged_version, solution_file, warnings=outcome.warnings
    )


def _answer(
    settings: Settings,
    workflow_id: str,
    nodes: Sequence[str],
    solution: Solution,
    staged_version: int | None,
    solution_file: Path | None,
    *,
    warnings: Sequence[str] = (),
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
                "warnings": [*warnings, *solution.warnings],
                "solution": orjson.loads(solution.document),
            },
        )
    else:
        for warning in warnings:
            write_warning(warning)
        _show(settings, nodes, solution, staged_version)
    return EXIT_INFEASIBLE if solution.is_infeasible_at_all_hours else EXIT_OK


def _show(settings: Settings, nodes: Sequence[str], solution: Solution, staged_version: int | None) -> None:
    show_solution(settings, nodes, solution)
    if staged_version is not None:
        write_text(f"Staged as plan {staged_version}; 'update_check_deployment' puts it in force.")
    else:
        write_text("Nothing was staged.")
