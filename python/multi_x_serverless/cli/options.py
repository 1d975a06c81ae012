"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

transmission_option = click.option(
    "--transmission",
    type=click.Choice(["best", "worst"]),
    help="Energy per byte, as Caribou takes it. best: 0.001 kWh/GB everywhere, for which moving pays most. worst: "
    "0.005 between regions and 0 within one, for which it pays least.  [default: best]",
)
"""``--transmission``: the argument is `None` where it is not given."""


def regions_option(text: str) -> Callable[[Command], Command]:
    """``--region``, repeatable: the argument `regions` is empty where it is not given."""
    return click.option("--region", "regions", metavar="REGION", multiple=True, help=text)
