"""Entry point of ``multi_x_serverless``: global options, the list of commands, errors and exit codes.

Commands are imported only when they run or their own help is asked for, so that ``--help`` stays fast.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from multi_x_serverless.cli.json_text import json_text
from multi_x_serverless.cli.numbers import LARGEST_TIME_SCALE, FiniteRange
from multi_x_serverless.cli.output import wrap_error, write_error
from multi_x_serverless.cli.session import (
    CLOUD_VARIABLE,
    DEFAULT_CLOUD,
    DEFAULT_SYSTEM_REGION,
    PROGRAM,
    REGION_VARIABLE,
    STATE_VARIABLE,
    Settings,
)
from multi_x_serverless.errors import (
    EXIT_FAILURE,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    MultiXServerlessError,
    NoSpaceError,
    WorkInterruptedError,
)

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


@dataclass(frozen=True)
class CommandEntry:
    """Where a command lives and what the list of commands says of it."""

    module: str
    summary: str


_COMMANDS = "multi_x_serverless.cli.commands."

COMMANDS: dict[str, CommandEntry] = {
    "demo": CommandEntry("demo", "Show the whole loop on the embedded cloud, with every command printed."),
    "new_workflow": CommandEntry("new_workflow", "Make a directory with an example workflow to start from."),
    "setup_tables": CommandEntry("setup_tables", "Make the tables that the framework needs."),
    "deploy": CommandEntry("deploy", "Deploy the workflow of the project directory to its home region."),
    "run": CommandEntry("run", "Run a deployed workflow."),
    "list": CommandEntry("list", "List the deployed workflows."),
    "status": CommandEntry("status", "Show a workflow (its plan, where its nodes ran) or one run of it."),
    "objects": CommandEntry("objects", "Store, fetch, list or delete the objects that a workflow works with."),
    "logs": CommandEntry("logs", "Show what the functions of a workflow or of one run have logged."),
    "dead_letters": CommandEntry("dead_letters", "List the messages that were given up, or delete them."),
    "redrive": CommandEntry("redrive", "Put back messages that were given up, so that their runs go on."),
    "data_sync": CommandEntry("data_sync", "Read new function logs into the history."),
    "data_collect": CommandEntry(
        "data_collect", "Refresh the data that plans are made of: carbon, prices, round trips, runs."
    ),
    "solve": CommandEntry("solve", "Find the best plan for a workflow and stage it."),
    "explain": CommandEntry("explain", "Show why a plan places each node where it does, and what each limit costs."),
    "simulate": CommandEntry("simulate", "Show the metrics of a placement of a problem document."),
    "replay": CommandEntry("replay", "Show what planning would have saved over past carbon intensities."),
    "update_check_solver": CommandEntry(
        "update_check_solver", "Sync, collect and solve for the workflows for which it pays."
    ),
    "update_check_deployment": CommandEntry(
        "update_check_deployment", "Migrate workflows to their staged plans and clean up."
    ),
    "deploy_framework": CommandEntry(
        "deploy_framework", "Put data_sync, data_collect and the two checks on a schedule in the cloud."
    ),
    "remove_framework": CommandEntry(
        "remove_framework", "Take the jobs of deploy_framework off the schedule and delete what it made."
    ),
    "report": CommandEntry("report", "Show what was saved: expected, and modelled from observed runs."),
    "doctor": CommandEntry("doctor", "Show what is wrong and the command that mends it."),
    "remove": CommandEntry("remove", "Delete a workflow and everything it made."),
    "teardown": CommandEntry("teardown", "Delete the framework's tables with all they hold."),
    "completion": CommandEntry("completion", "Print a script for completion in bash, zsh or fish."),
    "version": CommandEntry("version", "Show the version of the program and of its engine."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported on demand; dashes in a command's name are read as underscores."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Names in the order of the loop."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        name = cmd_name.replace("-", "_")
        entry = COMMANDS.get(name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(_COMMANDS + entry.module), "command", None)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.module} defines no command")
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands without importing them, and the options of all commands."""
        from click.shell_completion import CompletionItem

        dash = "-" in incomplete
        names = {name.replace("_", "-") if dash else name: entry.summary for name, entry in COMMANDS.items()}
        found = [CompletionItem(name, help=summary) for name, summary in names.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest close names for an unknown command."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            close = get_close_matches(args[0].replace("-", "_"), COMMANDS, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise click.UsageError(f"There is no command '{args[0]}'.{hint}", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


def _default_color() -> bool:
    """By no-color.org the variable counts if it is not empty."""
    return not os.environ.get("NO_COLOR")


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--cloud",
    type=click.Choice(["aws", "local"]),
    default=DEFAULT_CLOUD,
    show_default=True,
    envvar=CLOUD_VARIABLE,
    help="AWS, or the embedded cloud on this machine (no account, no Docker, no key).",
)
@click.option(
    "--system-region",
    metavar="REGION",
    default=DEFAULT_SYSTEM_REGION,
    show_default=True,
    envvar=REGION_VARIABLE,
    help="Region of the framework's own tables.",
)
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar=STATE_VARIABLE,
    help="Directory of the embedded cloud.  [default: the user's state directory]",
)
@click.option(
    "--time-scale",
    type=FiniteRange(min=0.0, max=LARGEST_TIME_SCALE),
    default=1.0,
    show_default=True,
    help="Factor on the network latencies that the embedded cloud waits for; 0 waits for none.",
)
@click.option("--profile", help="AWS profile to use.")
@click.option(
    "-p",
    "--project-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Directory of the workflow's project.  [default: the current directory]",
)
@click.option(
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Form of what is written to standard output.",
)
@click.option("-v", "--verbose", count=True, help="Say more on standard error; with a failure, the traceback.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on standard error but errors; these are always shown.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before something is deleted or replaced.")
@click.option(
    "--color/--no-color",
    default=_default_color,
    help="Colours and bold text (also: NO_COLOR=1).",
)
@click.version_option(package_name="multi-x-serverless", message="%(version)s")
@click.pass_context
def cli(  # the options are documented by their help
    context: click.Context,
    cloud: str,
    system_region: str,
    state_dir: Path | None,
    time_scale: float,
    profile: str | None,
    project_dir: Path,
    output: str,
    verbose: int,
    quiet: bool,
    yes: bool,
    color: bool,
) -> None:
    """Deploy serverless workflows, and have each function run where carbon, cost or latency is lowest.

    The loop: new_workflow, deploy, run, data_sync, data_collect, solve, update_check_deployment, run ...

    \b
    Exit codes:
    0  done, also where nothing is deployed that could be read or shown
    1  failed; there is no such workflow or run; the answer was no
    2  wrong usage or input
    3  nothing to do: update_check_solver, update_check_deployment, redrive,
       dead_letters --discard-all, objects delete --all;
       with --dry-run: something would change
    4  no placement meets the limits (simulate: this one does not)
    130  interrupted
    """  # noqa: D301  # a backspace, which tells click to leave a paragraph as it is
    settings = Settings(
        cloud=cloud,
        system_region=system_region,
        state_dir=state_dir,
        time_scale=time_scale,
        profile=profile,
        project_dir=project_dir,
        output=output,
        verbosity=-1 if quiet else verbose,
        assume_yes=yes,
        color=color,
    )
    if isinstance(context.obj, _Called):
        context.obj.settings = settings
    context.obj = settings


@dataclass
class _Called:
    """What is known of a call when it ends; its settings as soon as its global options are read."""

    settings: Settings | None = None


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command line and return the exit code; errors are one sentence on standard error."""
    is_verbose = any(
        argument == "--verbose" or (argument.startswith("-v") and set(argument[1:]) == {"v"}) for argument in arguments
    )
    is_json = "--output=json" in arguments or ("--output", "json") in pairwise(arguments)
    called = _Called()
    try:
        result: Any = cli.main(args=arguments, prog_name=PROGRAM, standalone_mode=False, obj=called)
    except MultiXServerlessError as error:
        if is_verbose:
            traceback.print_exc()
        message = str(error) if called.settings is None else called.settings.with_options(str(error))
        _report(error.code, message, is_json=is_json, details=error.details)
        return error.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort as abort:
        _report_interruption(called, abort.__cause__)
        return EXIT_INTERRUPTED
    except click.NoSuchOption as error:
        message = error.format_message()
        if any(error.option_name in (*option.opts, *option.secondary_opts) for option in cli.params):
            message += f" '{error.option_name}' is an option of all commands and goes before the command."
        _show_usage_error(click.UsageError(message, error.ctx), is_json=is_json)
        return EXIT_USAGE
    except click.ClickException as error:
        _show_usage_error(error, is_json=is_json)
        return EXIT_USAGE
    except KeyboardInterrupt as stop:
        _report_interruption(called, stop)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough of it; nothing is left to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    except Exception as error:  # noqa: BLE001  # the last line of defence: no traceback without -v
        if is_verbose:
            traceback.print_exc()
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            # A stream names no file: it is standard output, or a file of a library.
            place = "standard output or to a file" if error.filename is None else error.filename
            _report(NoSpaceError.code, f"cannot write to {place}: {error.strerror}.", is_json=is_json)
            return NoSpaceError.exit_code
        _report(
            "internal",
            f"unexpected {type(error).__name__}: {error} (a defect; -v shows where)",
            is_json=is_json,
        )
        return EXIT_FAILURE
    return result if isinstance(result, int) else 0


_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def _report_interruption(called: _Called, stop: BaseException | None) -> None:
    """Say that a command was stopped, and what is left if it was changing something."""
    left = stop.left if isinstance(stop, WorkInterruptedError) else ""
    if called.settings is not None:
        left = called.settings.with_options(left)
    write_error(f"interrupted: {left}" if left else "interrupted")


_NO_ARGUMENTS: tuple[type[click.UsageError], ...] = (
    (click.exceptions.NoArgsIsHelpError,) if hasattr(click.exceptions, "NoArgsIsHelpError") else ()  # click 8.2 on
)


def _show_usage_error(error: click.ClickException, *, is_json: bool) -> None:
    if isinstance(error, _NO_ARGUMENTS) and not is_json:
        error.show()  # its message is the whole help
    elif isinstance(error, click.UsageError) and not is_json:
        message = wrap_error(f"Error: {error.format_message()}").removeprefix("Error: ")
        click.UsageError(message, error.ctx).show()
    else:
        _report("usage", error.format_message(), is_json=is_json)


def _report(code: str, message: str, *, is_json: bool, details: Mapping[str, str] | None = None) -> None:
    if is_json:
        error = {"code": code, "message": message, **(details or {})}
        click.echo(json_text({"error": error}, is_indented=False), err=True)
    else:
        write_error(f"error: {message}")


if __name__ == "__main__":
    main()
