"""``new_workflow``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.output import write_json, write_text
from multi_x_serverless.cli.session import Settings, pass_settings


@click.command("new_workflow")
@click.argument("name")
@pass_settings
@says_what_is_left("the directory {name} is there whole or not at all; if not, the same command makes it.")
def command(settings: Settings, name: str) -> None:
    """Make a directory NAME with an example workflow to start from, in the project directory (-p).

    The example fans out, calls one function conditionally and joins the results. It deploys unedited:

    \b
        multi_x_serverless new_workflow hello
        cd hello
        multi_x_serverless --cloud local deploy
    """  # noqa: D301  # a backspace, which tells click to leave a paragraph as it is
    from multi_x_serverless.deployment.scaffold import new_workflow

    directory = new_workflow(settings.project_dir.resolve(), name)
    shown = Path(os.path.relpath(directory))
    if settings.is_json:
        write_json("new_workflow", {"directory": str(directory)})
    else:
        write_text(f"Made {shown}/. Next: cd {shown} && multi_x_serverless --cloud local deploy")
