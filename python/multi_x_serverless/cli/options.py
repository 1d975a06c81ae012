"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from multi_x_serverless.cli.completion import complete_region, complete_workflow_id

Command = TypeVar("Command", bound=Callable[..., Any])

transmission_option = click.option(
    "--transmission",
    type=click.Choice(["best", "worst"]),
    help="Energy that moving bytes takes, of which little is known: the two assumptions of Caribou (SOSP '24). best: "
    "0.001 kWh/GB everywhere, for which moving pays most. worst: 0.005 between regions and 0 within one, for which it "
    "pays least.  [default: best]",
)
"""``--transmission``: the argument is `None` where it is not given."""


def workflow_argument(
    name: str = "workflow_id", *, metavar: str | None = None, required: bool = True, nargs: int = 1
) -> Callable[[Command], Command]:
    """The id of a workflow, which the shell completes."""
    return click.argument(name, metavar=metavar, required=required, nargs=nargs, shell_complete=complete_workflow_id)


run_of_option = click.option(
    "--workflow",
    "workflow_id",
    metavar="WORKFLOW_ID",
    help="The workflow that the run is of.  [default: looked for among all]",
    shell_complete=complete_workflow_id,
)
"""``--workflow`` beside the id of a run: the argument is `None` where it is not given."""


def regions_option(text: str) -> Callable[[Command], Command]:
    """``--region``, repeatable: the argument `regions` is empty where it is not given."""
    return click.option(
        "--region", "regions", metavar="REGION", multiple=True, help=text, shell_complete=complete_region
    )
