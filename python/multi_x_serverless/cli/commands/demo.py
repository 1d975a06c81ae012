"""``demo``: the whole loop by public commands, each printed before it runs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.output import write_json
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK, UsageError

PROJECT = "demo"
WORKFLOW_ID = "demo-0.0.1"
MARKER = ".multi-x-serverless-demo"
"""A directory with this file was made by the demo and may be made anew."""

INPUTS = "inputs.jsonl"
PAGE = "report.html"
EXAMPLE_INPUTS = 120
"""Lines of the file of inputs that `new_workflow` makes."""


@click.command("demo")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("multi-x-serverless-demo"),
    show_default=True,
    help="Where the demo keeps its project and its embedded cloud; made anew each time.",
)
@click.option(
    "--runs",
    type=click.IntRange(min=20),
    default=EXAMPLE_INPUTS,
    show_default=True,
    help="Runs before the migration, and as many after it.",
)
@pass_settings
@says_what_is_left("what was made so far is in {directory}; the same command makes it anew.")
def command(settings: Settings, directory: Path, runs: int) -> int:
    """Show the whole loop on the embedded cloud.

    Deploys an example workflow with a fan-out, a conditional call and a join, runs it, learns from the runs, solves,
    migrates, runs again, and shows where each node ran and what was saved. Every command that it runs is printed
    first and can be repeated by hand. Always uses the embedded cloud; nothing leaves this machine.
    """
    directory = directory.resolve()
    _make_anew(directory)
    project, state = directory / PROJECT, directory / "state"
    started = time.monotonic()
    demo = _Demo(state, color=settings.color, is_json=settings.is_json)
    steps: list[tuple[str, list[str]]] = [
        ("Make the framework's tables", ["setup_tables"]),
        ("Deploy to the home region", ["deploy"]),
        (f"Run it {runs} times at home", ["run", WORKFLOW_ID, "--arguments-file", INPUTS]),
        ("Read the functions' logs", ["data_sync"]),
        ("Collect carbon intensities, prices and round trips", ["data_collect", "all"]),
        ("Find the best plan for all 24 hours", ["solve", WORKFLOW_ID]),
        ("Migrate to it", ["update_check_deployment"]),
        (f"Run it {runs} times by the plan", ["run", WORKFLOW_ID, "--arguments-file", INPUTS]),
        ("Read the logs again", ["data_sync"]),
        ("Where did the nodes run?", ["status", WORKFLOW_ID]),
        ("What was saved?", ["report", WORKFLOW_ID, "-o", PAGE]),
    ]
    count = len(steps) + 1
    demo.show_variables()
    demo.heading(f"1/{count} Make a project with an example workflow")
    code = demo.run(["new_workflow", PROJECT], directory)
    if code == EXIT_OK and runs != EXAMPLE_INPUTS:
        _write_inputs(project / INPUTS, runs)
    for number, (title, arguments) in enumerate(steps, start=2):
        if code != EXIT_OK:
            settings.say_error(f"the demo stopped at step {number - 1}; its directory is {directory}")
            break
        demo.heading(f"{number}/{count} {title}")
        code = demo.run(arguments, project)
    elapsed_s = time.monotonic() - started
    if settings.is_json:
        write_json("demo", {"directory": str(directory), "steps": demo.steps, "elapsed_s": elapsed_s})
    elif code == EXIT_OK:
        click.echo(f"\nThe demo took {elapsed_s:.0f} s. Its directory is {directory}.")
        click.echo(f"The report as a page, for a browser: {project / PAGE}")
    return EXIT_OK if code == EXIT_OK else EXIT_FAILURE


def _write_inputs(file: Path, count: int) -> None:
    from multi_x_serverless.deployment.scaffold import example_inputs

    file.write_text("".join(line + "\n" for line in example_inputs(count)), encoding="utf-8")


def _make_anew(directory: Path) -> None:
    if directory.exists():
        if any(directory.iterdir()) and not (directory / MARKER).exists():
            raise UsageError(f"{directory} exists and was not made by the demo: choose another --directory.")
        # The mark goes last: what is left of a directory whose deletion was interrupted is the demo's still.
        for entry in list(directory.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != MARKER:
                entry.unlink()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MARKER).touch()


class _Demo:
    """Runs public commands as a user would, in processes of their own.

    Attributes:
        steps: What was run, as members of a document, if that is what is wanted; nothing is printed then.
    """

    def __init__(self, state: Path, *, color: bool, is_json: bool) -> None:
        self.steps: list[dict[str, Any]] = []
        self._is_json = is_json
        self._color = color
        self._cwd: Path | None = None
        self._variables = {"MULTI_X_SERVERLESS_CLOUD": "local", "MULTI_X_SERVERLESS_STATE_DIR": str(state)}
        if not color:
            self._variables["NO_COLOR"] = "1"
        # Tables need a width to fold to; without a terminal there is none to ask.
        width = {} if sys.stdout.isatty() or "COLUMNS" in os.environ else {"COLUMNS": "110"}
        self._environment = os.environ | width | self._variables

    def show_variables(self) -> None:
        """Print what a user would set once."""
        for name, value in () if self._is_json else self._variables.items():
            click.echo(f"$ export {name}={shlex.quote(value)}")

    def heading(self, text: str) -> None:
        """A line between steps."""
        if self._is_json:
            return
        click.echo()
        click.secho(text, bold=True, color=None if self._color else False)

    def run(self, arguments: list[str], cwd: Path) -> int:
        """Print and run one command; returns its exit code."""
        if self._is_json:
            return self._keep(arguments, cwd)
        if cwd != self._cwd:
            click.echo(f"$ cd {shlex.quote(str(cwd))}")
            self._cwd = cwd
        click.echo("$ " + shlex.join(["multi_x_serverless", *arguments]))
        sys.stdout.flush()
        return subprocess.run(
            [sys.executable, "-m", "multi_x_serverless", *arguments], cwd=cwd, env=self._environment, check=False
        ).returncode

    def _keep(self, arguments: list[str], cwd: Path) -> int:
        """Run one command and keep its document."""
        words = ["--output", "json", *arguments]
        ended = subprocess.run(
            [sys.executable, "-m", "multi_x_serverless", *words],
            cwd=cwd,
            env=self._environment,
            check=False,
            stdout=subprocess.PIPE,
        )
        document = json.loads(ended.stdout) if ended.stdout else None
        self.steps.append({"command": words, "exit_code": ended.returncode, "document": document})
        return ended.returncode
