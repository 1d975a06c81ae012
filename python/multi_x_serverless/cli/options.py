"""Options that several commands share."""

from __future__ import annotations

import math
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


def read_interval(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[float, float] | None:
    """Callback of an option ``LOW,HIGH``: its two numbers; what they may be is for whoever uses them to say."""
    if value is None:
        return None
    try:
        low, high = map(float, value.split(","))
    except ValueError:
        raise click.BadParameter(f"'{value}' is not two numbers with a comma between them, LOW,HIGH.") from None
    if not (math.isfinite(low) and math.isfinite(high)):
        raise click.BadParameter(f"'{value}' is not an interval between two finite numbers.")
    return low, high


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
