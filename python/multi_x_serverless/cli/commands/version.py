"""``version``."""

from __future__ import annotations

from importlib.metadata import version

import click

from multi_x_serverless.cli.output import write_json, write_text
from multi_x_serverless.cli.session import Settings, pass_settings


@click.command("version")
@pass_settings
def command(settings: Settings) -> None:
    """Show the version of the program and of its engine."""
    from multi_x_serverless.solving.engine import engine_version

    program = version("multi-x-serverless")
    if settings.is_json:
        write_json("version", {"program": program, "engine": engine_version()})
    else:
        write_text(f"multi-x-serverless {program} (engine {engine_version()})")
