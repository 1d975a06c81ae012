"""``solve``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from multi_x_serverless.cli.edited_configuration import warn_of_edited_configuration
from multi_x_serverless.cli.interruption import is_no_dry_run, says_what_is_left
from multi_x_serverless.cli.numbers import FiniteRange, seconds_range
from multi_x_serverless.cli.options import read_interval, transmission_option, workflow_argument
from multi_x_serverless.cli.output import write_json, write_text, write_warning, write_wrapped
from multi_x_serverless.cli.plan_change_sentences import everything_home_sentence, nothing_moves_sentence
from multi_x_serverless.cli.problem_file import require_directory, solve_file, write_document
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import PROGRAM, Settings, pass_settings
from multi_x_serverless.cli.solution_tables import RobustView, show_frontier, show_solution
from multi_x_serverless.errors import EXIT_INFEASIBLE, EXIT_OK

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.plan_change import PlanChange
    from multi_x_serverless.adaptation.solve import TradeOffs
    from multi_x_serverless.model.plan import Plan
    from multi_x_serverless.solving.frontier import HourFrontier
    from multi_x_serverless.solving.robust import RobustSettings
    from multi_x_serverless.solving.solution import Solution


@click.command("solve")
@workflow_argument(required=False)
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
    help="fine-grained: proven optimal; coarse-grained: best single region; heuristic: local search, with how far "
    "it may be from the best.  "
    "[default: the configuration's; with --problem fine-grained]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**64 - 1),
    help="Seed of the scenarios.  [default: 0; with --problem the document's]",
)
@transmission_option
@click.option(
    "--robust/--no-robust",
    "is_robust",
    default=None,
    help="Plan for the case least favourable to moving: home's grid at the low end of an interval around its forecast, "
    "every other grid at the high end (the same factor for all of them), bytes between regions at the dearest that is "
    "published. The interval is as wide as two mean errors of the forecasts.  [default: the configuration's]",
)
@click.option(
    "--carbon-interval",
    callback=read_interval,
    metavar="LOW,HIGH",
    help="The interval itself, as factors on the forecasts: 0.8,1.25 takes home at 0.8 times its forecast and every "
    "other grid at 1.25 times; 1,1 takes them as they are. Implies --robust.",
)
@click.option(
    "--transmission-interval",
    callback=read_interval,
    metavar="LOW,HIGH",
    help="The interval of the energy of bytes between regions, in kWh/GB, around that of --transmission. Planned is "
    "with its high end, and within a region what goes with it between the presets of --transmission. Implies "
    "--robust.  [default: 0.001,0.005]",
)
@click.option(
    "--deadline",
    type=seconds_range(0.01),
    help="Seconds of solving at most; then the best plan found so far counts. The frontier of --pareto may take as "
    "long again. With --robust the plan without it, for comparison, has what is left of them, and a tenth at least.  "
    "[default: 60; with --problem the document's]",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads to use.  [default: all processors]")
@click.option(
    "--frontier",
    "frontier_percent",
    type=FiniteRange(min=0.0, max=100.0),
    metavar="PERCENT",
    help="Also find the Pareto frontier of every hour over carbon, cost and time: every placement that keeps the hard "
    "limits is then matched, "
    "within this percentage in each, by one of its points. 0 asks for all points. With --pareto of one hour only.",
)
@click.option(
    "--pareto",
    "is_pareto",
    is_flag=True,
    help="Also show the Pareto frontier of one hour, its points numbered, within 1 % unless --frontier says otherwise.",
)
@click.option(
    "--hour",
    type=click.IntRange(0, 23),
    help="UTC hour of that frontier.  [default: the first that is planned]",
)
@click.option(
    "--pick",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stage point N of that frontier at all hours instead of the plan; implies --pareto. Refused if the point "
    "breaks a hard limit at some hour.",
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
@says_what_is_left(
    "a plan is staged whole or not at all: 'multi_x_serverless status {workflow_id}' shows whether it was.",
    changes=lambda options: options["problem_file"] is None and is_no_dry_run(options),
)
def command(
    settings: Settings,
    workflow_id: str | None,
    problem_file: Path | None,
    solver: str | None,
    seed: int | None,
    transmission: str | None,
    is_robust: bool | None,
    carbon_interval: tuple[float, float] | None,
    transmission_interval: tuple[float, float] | None,
    deadline: float | None,
    threads: int | None,
    frontier_percent: float | None,
    is_pareto: bool,
    hour: int | None,
    pick: int | None,
    dry_run: bool,
    dump_problem: Path | None,
    solution_file: Path | None,
) -> int:
    """Find the best plan for the workflow WORKFLOW_ID and stage it for update_check_deployment.

    Uses the history of runs (data_sync) and the signals (data_collect). Exit code 4 when at no hour any placement
    meets the hard limits; the workflow then stays where it is.

    With --robust, figures of carbon are of the case least favourable to moving, and what is expected is shown beside
    them. With carbon first in priority_order and no priority_tolerance, and where home keeps all limits, a plan is
    never above home in that case. With cost or time first it may well be: a soft limit on carbon of 1.0 times home's
    keeps it from that. A plan below home there is below it wherever in the intervals the grids are, as long as it
    draws less from home's grid, no less from others than home does, and bytes take as much as planned with.

    With --pareto, also shows which trade-offs there are; --pick stages one of them, the same placement at all hours.

    With --problem, solves a problem document (see --dump-problem) instead; nothing is read from or staged in a cloud.
    """
    for file in (dump_problem, solution_file):
        require_directory(file)
    frontier = None if frontier_percent is None else frontier_percent / 100.0
    trade_offs = _trade_offs(frontier, hour, pick, is_pareto=is_pareto)
    robust = _robust(carbon_interval, transmission_interval, is_robust=is_robust)
    if trade_offs is not None:
        frontier = None  # that of one hour takes its place
    if problem_file is not None:
        if workflow_id is not None or transmission is not None or dry_run or dump_problem is not None:
            raise click.UsageError(
                "--problem holds all there is to solve: WORKFLOW_ID, --transmission, --dry-run and --dump-problem "
                "do not go with it."
            )
        if robust is not None or is_robust is not None:
            raise click.UsageError(
                "--problem holds all there is to solve, intervals too: --robust, --no-robust, --carbon-interval and "
                "--transmission-interval do not go with it."
            )
        if pick is not None:
            raise click.UsageError("--pick stages a plan of a workflow; a problem document has none.")
        solved = solve_file(
            problem_file,
            solver=solver,
            threads=threads,
            deadline_s=deadline,
            seed=seed,
            frontier=frontier,
            trade_offs=trade_offs,
        )
        return _answer(
            settings,
            _Answer(
                solved.workflow,
                solved.nodes,
                solved.solution,
                solved.frontier,
                is_problem_file=True,
                robust=None if solved.robust is None else RobustView(solved.robust),
            ),
            solution_file,
        )
    if workflow_id is None:
        raise click.UsageError("Name a workflow, or a problem document with --problem.")
    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.solve import solve_workflow
        from multi_x_serverless.solving.problem import SolveSettings

        warn_of_edited_configuration(settings, cloud, workflow_id)
        with terminal_status(settings, f"solving {workflow_id}"):
            outcome = solve_workflow(
                cloud,
                workflow_id,
                solver=solver,
                settings=SolveSettings(
                    seed=0 if seed is None else seed,
                    deadline_s=60.0 if deadline is None else deadline,
                    transmission="worst" if transmission == "worst" else "best",
                    robust=robust,
                ),
                is_robust=is_robust,
                stage=not dry_run,
                threads=threads,
                frontier=frontier,
                trade_offs=trade_offs,
            )
        from multi_x_serverless.adaptation.plan_change import plan_change

        record = outcome.record
        change = plan_change(outcome.plan, outcome.in_force, record.home_region, outcome.problem, outcome.solution)
    if dump_problem is not None:
        write_document(dump_problem, outcome.problem)
    answer = _Answer(
        workflow_id,
        [node.name for node in outcome.record.graph.nodes],
        outcome.solution,
        outcome.frontier,
        staged_version=outcome.plan.version if outcome.is_staged else None,
        picked=pick,
        in_force=outcome.in_force,
        warnings=outcome.warnings,
        change=change,
        robust=None
        if outcome.plan.robust is None
        else RobustView(
            outcome.plan.robust,
            outcome.plan,
            outcome.plain,
            "this plan" if pick is None else f"point {pick}, at all hours",
        ),
    )
    return _answer(settings, answer, solution_file)


def _robust(
    carbon: tuple[float, float] | None, transmission: tuple[float, float] | None, *, is_robust: bool | None
) -> RobustSettings | None:
    """The intervals that are named; `None` if none is."""
    if carbon is None and transmission is None:
        return None
    if is_robust is False:
        raise click.UsageError("--no-robust plans without intervals: none can be named with it.")
    from multi_x_serverless.model.robust import Interval
    from multi_x_serverless.solving.robust import RobustSettings

    return RobustSettings(
        carbon_factors=None if carbon is None else Interval(*carbon),
        transmission_kwh_per_gb=None if transmission is None else Interval(*transmission),
    )


def _trade_offs(tolerance: float | None, hour: int | None, pick: int | None, *, is_pareto: bool) -> TradeOffs | None:
    if not is_pareto and pick is None:
        if hour is not None:
            raise click.UsageError("--hour is the hour of the frontier of --pareto or --pick.")
        return None
    from multi_x_serverless.adaptation.solve import TradeOffs

    return TradeOffs(hour, TradeOffs.tolerance if tolerance is None else tolerance, pick)


@dataclass(frozen=True)
class _Answer:
    """What was found.

    Attributes:
        nodes: In the order to show them in.
        frontier: Of the hour for which it was asked.
        staged_version: Of the plan that was staged.
        picked: The point that the plan is made of.
        is_problem_file: It is of a document, which no plan of a cloud goes with.
        in_force: The plan that runs follow away from home; `None` if they stay there.
        warnings: Besides the solution's own.
        change: What the plan changes; `None` of a problem document.
        robust: If carbon is that of the case least favourable to moving.
    """

    workflow_id: str
    nodes: Sequence[str]
    solution: Solution
    frontier: HourFrontier | None
    staged_version: int | None = None
    picked: int | None = None
    is_problem_file: bool = False
    in_force: Plan | None = None
    warnings: Sequence[str] = ()
    change: PlanChange | None = None
    robust: RobustView | None = None


def _answer(settings: Settings, answer: _Answer, solution_file: Path | None) -> int:
    """Write and show what was found; the exit code."""
    solution = answer.solution
    if solution_file is not None:
        write_document(solution_file, solution.document)
    if settings.is_json:
        import orjson

        write_json(
            "solve",
            {
                "workflow_id": answer.workflow_id,
                "staged_plan_version": answer.staged_version,
                "warnings": [*answer.warnings, *solution.warnings],
                "solution": orjson.loads(solution.document),
                "pareto": None if answer.frontier is None else answer.frontier.to_members(),
                "picked": answer.picked,
                "robust": None if answer.robust is None else _robust_members(answer.robust),
            },
        )
    else:
        for warning in answer.warnings:
            write_warning(warning)
        _show(settings, answer)
    return EXIT_INFEASIBLE if solution.is_infeasible_at_all_hours else EXIT_OK


def _robust_members(robust: RobustView) -> dict[str, Any]:
    """The intervals, and what is expected, as means per run over the 24 hours."""
    from multi_x_serverless.adaptation.savings import expected_of

    def expected(plan: Plan | None) -> dict[str, Any] | None:
        found = None if plan is None else expected_of(plan)
        return None if found is None else asdict(found)

    return {
        **robust.case.to_members(),
        "expected": expected(robust.plan),
        "without_robust": expected(robust.plain),
        "without_robust_timed_out_hours": None if robust.plain is None else robust.plain.timed_out_hours,
    }


def _show(settings: Settings, answer: _Answer) -> None:
    show_solution(settings, answer.nodes, answer.solution, answer.robust)
    if answer.frontier is not None:
        show_frontier(
            settings,
            answer.frontier,
            tail=answer.solution.tail,
            is_numbered=True,
            picked=answer.picked,
            is_robust=answer.robust is not None,
        )
    if answer.frontier is not None and answer.picked is not None:
        placement = answer.frontier.frontier.points[answer.picked - 1].placement
        places = ", ".join(f"{node} in {placement[node]}" for node in answer.nodes)
        write_wrapped(f"Point {answer.picked}, at all hours: {places}.")
    change = answer.change
    if change is not None and change.everything_home and not answer.solution.is_infeasible_at_all_hours:
        write_wrapped(everything_home_sentence(change, is_picked=answer.picked is not None))
    if answer.staged_version is not None and change is not None and change.moves_nothing:
        write_wrapped(nothing_moves_sentence(answer.workflow_id, answer.staged_version, answer.in_force))
        write_text(f"  {PROGRAM} explain {answer.workflow_id}")
    elif answer.staged_version is not None:
        write_text(f"Staged as plan {answer.staged_version}. To see why it is so, and to put it in force:")
        for step in ("explain", "update_check_deployment"):
            write_text(f"  {PROGRAM} {step} {answer.workflow_id}")
    elif answer.is_problem_file or not answer.solution.is_infeasible_at_all_hours:
        write_text("Nothing was staged.")
    elif answer.in_force is None:
        write_text("Nothing was staged; everything is home.")
    else:
        _show_way_home(answer, answer.in_force)


def _show_way_home(answer: _Answer, in_force: Plan) -> None:
    from multi_x_serverless.adaptation.check_solver import CheckSettings

    write_wrapped(
        f"Nothing was staged: plan {in_force.version} stays in force and breaks the limits, too. To send everything "
        "home:"
    )
    runs = answer.solution.runs
    few = f" --minimum-runs {runs}" if 0 < runs < CheckSettings.minimum_runs else ""
    for step in ("update_check_solver", "update_check_deployment"):
        options = few if step == "update_check_solver" else ""
        write_text(f"  {PROGRAM} {step} {answer.workflow_id}{options}")
