"""``demo``: the whole loop by public commands, each printed before it runs."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click

from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK, UsageError

PROJECT = "demo"
WORKFLOW_ID = "demo-0.0.1"
MARKER = ".multi-x-serverless-demo"
"""A directory with this file was made by the demo and may be made anew."""

RUNS = 120
"""Runs before and after the migration; `update_check_solver` learns from 100 on."""


@click.command("demo")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("multi-x-serverless-demo"),
    show_default=True,
    help="Where the demo keeps its project and its embedded cloud; made anew each time.",
)
@click.option("--runs", type=click.IntRange(min=20), default=RUNS, show_default=True, help="Runs before and after.")
@pass_settings
def command(settings: Settings, directory: Path, runs: int) -> int:
    """Show the whole loop on the embedded cloud.

    Deploys an example workflow with a fan-out, a conditional call and a join, runs it, learns from the runs, solves,
    migrates, runs again, and shows where each node ran and what was saved. Every command that it runs is printed
    first and can be repeated by hand. Always uses the embedded cloud; nothing leaves this machine.
    """
    directory = directory.resolve()
    _make_anew(directory)
    project, state = directory / PROJECT, directory / "state"
    inputs = directory / "inputs.jsonl"
    started = time.monotonic()
    demo = _Demo(state, color=settings.color)
    steps: list[tuple[str, list[str], Path, bool]] = [
        ("Make a project with an example workflow", ["new_workflow", PROJECT], directory, False),
        ("Make the framework's tables", ["setup_tables"], project, True),
        ("Deploy to the home region", ["deploy"], project, True),
        (
            f"Run it {runs} times at home",
            ["run", WORKFLOW_ID, "--arguments-file", str(inputs)],
            project,
            True,
        ),
        ("Read the functions' logs", ["data_sync"], project, True),
        ("Collect carbon intensities, prices and round trips", ["data_collect", "all"], project, True),
        ("Find the best plan for all 24 hours", ["solve", WORKFLOW_ID], project, True),
        ("Migrate to it", ["update_check_deployment"], project, True),
        (
            f"Run it {runs} times by the plan",
            ["run", WORKFLOW_ID, "--arguments-file", str(inputs)],
            project,
            True,
        ),
        ("Read the logs again", ["data_sync"], project, True),
        ("Where did the nodes run?", ["status", WORKFLOW_ID], project, True),
        ("What was saved?", ["report", WORKFLOW_ID], project, True),
    ]
    for number, (title, arguments, cwd, is_on_cloud) in enumerate(steps, start=1):
        demo.heading(f"{number}/{len(steps)} {title}")
        if arguments[0] == "run" and not inputs.exists():
            from multi_x_serverless.deployment.scaffold import example_inputs

            inputs.write_text("".join(line + "\n" for line in example_inputs(runs)), encoding="utf-8")
        if demo.run(arguments, cwd, is_on_cloud=is_on_cloud) != EXIT_OK:
            settings.say(f"the demo stopped: '{arguments[0]}' failed; its directory is {directory}")
            return EXIT_FAILURE
    click.echo(f"\nThe demo took {time.monotonic() - started:.0f} s. Its directory is {directory}.")
    return EXIT_OK


def _make_anew(directory: Path) -> None:
    if directory.exists():
        if any(directory.iterdir()) and not (directory / MARKER).exists():
            raise UsageError(f"{directory} exists and was not made by the demo: choose another --directory.")
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    (directory / MARKER).touch()


class _Demo:
    """Runs public commands as a user would, in processes of their own."""

    def __init__(self, state: Path, *, color: bool) -> None:
        self._state = state
        self._color = color
        self._cwd: Path | None = None
        # Tables need a width to fold to; without a terminal there is none to ask.
        self._environment = os.environ | ({} if sys.stdout.isatty() else {"COLUMNS": "110"})

    def heading(self, text: str) -> None:
        """A line between steps."""
        click.echo()
        click.secho(text, bold=True, color=self._color or None)

    def run(self, arguments: list[str], cwd: Path, *, is_on_cloud: bool) -> int:
        """Print and run one command; returns its exit code."""
        options = ["--cloud", "local", "--state-dir", str(self._state)] if is_on_cloud else []
        if not self._color:
            options = ["--no-color", *options]
        command = ["multi_x_serverless", *options, *arguments]
        if cwd != self._cwd:
            click.echo(f"$ cd {shlex.quote(str(cwd))}")
            self._cwd = cwd
        click.echo("$ " + shlex.join(command))
        sys.stdout.flush()
        return subprocess.run([sys.executable, "-m", *command], cwd=cwd, env=self._environment, check=False).returncode
