"""Options that several commands share."""

from __future__ import annotations

import click

transmission_option = click.option(
    "--transmission",
    type=click.Choice(["best", "worst"]),
    help="Energy per byte, as Caribou takes it. best: 0.001 kWh/GB everywhere, for which moving pays most. worst: "
    "0.005 between regions and 0 within one, for which it pays least.  [default: best]",
)
"""``--transmission``: the argument is `None` where it is not given."""
