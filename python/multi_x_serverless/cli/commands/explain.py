"""``explain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from multi_x_serverless.cli.edited_configuration import warn_of_edited_configuration
from multi_x_serverless.cli.options import workflow_argument
from multi_x_serverless.cli.output import write_json, write_wrapped
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import Settings, pass_settings

if TYPE_CHECKING:
    from multi_x_serverless.report.explanation import Explanation, NoSolverAsked


@click.command("explain")
@workflow_argument(required=False)
@click.option(
    "--plan",
    "which",
    type=click.Choice(["staged", "active"]),
    help="Explain this plan.  [default: the staged one if there is one, else the one in force]",
)
@click.option("--fresh", is_flag=True, help="Solve by today's history and signals and explain that; stages nothing.")
@click.option(
    "--problem",
    "problem_file",
    type=click.Path(path_type=Path),
    help="Solve this problem document and explain that, without any cloud; - reads standard input.",
)
@click.option(
    "--node",
    metavar="NAME",
    help="Only this node, or the only one of this function, with every region that it may run in.",
)
@click.option(
    "--hour", type=click.IntRange(0, 23), help="Only what is in force at this UTC hour.  [default: all hours]"
)
@pass_settings
def command(
    settings: Settings,
    workflow_id: str | None,
    which: Literal["staged", "active"] | None,
    fresh: bool,
    problem_file: Path | None,
    node: str | None,
    hour: int | None,
) -> None:
    """Show why the plan of the workflow WORKFLOW_ID is as it is.

    For each node: its region, the best other one, what moving it there alone would change, and the least that any
    placement with it there could reach. For each limit: its slack, whether it binds, and what it costs. Then why some
    hours are placed otherwise than the hour before.

    A plan is explained by the problem document that it was made of, which is kept beside it. Nothing is staged.
    """
    if (workflow_id is None) == (problem_file is None):
        raise click.UsageError("Name either a workflow or, with --problem, a problem document.")
    if which is not None and (fresh or problem_file is not None):
        raise click.UsageError("--plan names a plan that is there; --fresh and --problem make one.")
    if fresh and problem_file is not None:
        raise click.UsageError("--fresh is about a workflow; --problem holds all there is to solve.")
    explanation = _explain(settings, workflow_id, which, problem_file, node, hour, is_fresh=fresh)
    if settings.is_json:
        from multi_x_serverless.report.document import explanation_members

        write_json("explain", explanation_members(explanation))
        return
    from multi_x_serverless.report.explanation import NoSolverAsked

    if isinstance(explanation, NoSolverAsked):
        write_wrapped(
            f"Plan {explanation.version} of {explanation.workflow_id} has everything at home, {explanation.home}: no "
            "solver was asked."
        )
        write_wrapped(
            f"'multi_x_serverless solve {explanation.workflow_id}' makes a plan to explain, "
            f"'multi_x_serverless explain {explanation.workflow_id} --fresh' shows what it would be."
        )
        return
    from multi_x_serverless.cli.explanation_tables import show_explanation

    show_explanation(settings, explanation, node=node)


def _explain(
    settings: Settings,
    workflow_id: str | None,
    which: Literal["staged", "active"] | None,
    problem_file: Path | None,
    node: str | None,
    hour: int | None,
    *,
    is_fresh: bool,
) -> Explanation | NoSolverAsked:
    from multi_x_serverless.report.explain import explain_anew, explain_problem, explain_workflow

    if problem_file is not None or workflow_id is None:
        from multi_x_serverless.cli.problem_file import STANDARD_INPUT, read_document

        return explain_problem(read_document(problem_file or STANDARD_INPUT), hour=hour, node=node)
    with settings.open_cloud(exclusive=False) as cloud:
        if is_fresh:
            warn_of_edited_configuration(settings, cloud, workflow_id)
        with terminal_status(settings, f"explaining {workflow_id}"):
            if is_fresh:
                return explain_anew(cloud, workflow_id, hour=hour, node=node)
            return explain_workflow(cloud, workflow_id, which=which, hour=hour, node=node)
