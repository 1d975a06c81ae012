"""``deploy_framework``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.output import write_json, write_text
from multi_x_serverless.cli.progress import terminal_progress
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_NOTHING_TO_DO, EXIT_OK, UsageError

if TYPE_CHECKING:
    from multi_x_serverless.deployment.framework import FrameworkResult
    from multi_x_serverless.model.config_types import Architecture

LONGEST_INTERVAL_MINUTES = 7 * 24 * 60


def _interval(name: str, job: str, minutes: int) -> click.Option:
    return click.Option(
        [f"--every-{name}"],
        type=click.IntRange(1, LONGEST_INTERVAL_MINUTES),
        default=minutes,
        show_default=True,
        help=f"Minutes between two starts of {job}.",
    )


@click.command("deploy_framework")
@click.option(
    "--architecture",
    type=click.Choice(["x86_64", "arm64"]),
    default="x86_64",
    show_default=True,
    help="What the functions run on.",
)
@click.option(
    "--wheel",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The wheel of this version for that architecture; from the package index by default.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="Workflows that a job handles at once, reserved from what the account has; 0 reserves nothing.",
)
@click.option(
    "--live-data",
    is_flag=True,
    help="Hand keys and addresses of live sources, as the environment here has them, to the functions.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done and do nothing; exit 3 if anything would.")
@pass_settings
@says_what_is_left(
    "what was made so far stays: 'multi_x_serverless deploy_framework' goes on, 'multi_x_serverless "
    "remove_framework' deletes it."
)
def command(
    settings: Settings,
    architecture: Architecture,
    wheel: Path | None,
    concurrency: int,
    live_data: bool,
    dry_run: bool,
    every_sync: int,
    every_collect: int,
    every_solver_check: int,
    every_deployment_check: int,
) -> int:
    """Put data_sync, data_collect, update_check_solver and update_check_deployment on a schedule in the cloud.

    Each becomes a function in the system region with a role of its own. It handles every workflow on its own, so that
    what goes wrong with one stops no other. Running the command again brings what is there up to date.
    """
    with settings.open_cloud() as cloud:
        import os

        import platformdirs

        from multi_x_serverless.adaptation.signals import live_variables
        from multi_x_serverless.cli.session import APPLICATION
        from multi_x_serverless.deployment.framework import PYTHON_MINOR, FrameworkOptions, deploy_framework
        from multi_x_serverless.deployment.framework_package import build_framework_package
        from multi_x_serverless.deployment.requirements import Target

        live = live_variables(os.environ)
        if live_data and not live:
            raise UsageError("--live-data finds no key or address of a live source in the environment.")
        target = Target(PYTHON_MINOR, architecture, is_this_machine=False)
        options = FrameworkOptions(
            architecture=architecture,
            intervals_minutes={
                "data_sync": every_sync,
                "data_collect": every_collect,
                "update_check_solver": every_solver_check,
                "update_check_deployment": every_deployment_check,
            },
            concurrency=concurrency or None,
            live_variables=live if live_data else {},
        )
        with terminal_progress(settings) as progress:
            result = deploy_framework(
                cloud,
                lambda: build_framework_package(
                    target, wheel, cache=platformdirs.user_cache_path(APPLICATION) / "requirements"
                ),
                options,
                dry_run=dry_run,
                progress=progress,
            )
        if live and not live_data:
            settings.say(f"{', '.join(live)} is set here; the functions get it with --live-data only.")
    _show(settings, result, dry_run=dry_run)
    return EXIT_NOTHING_TO_DO if dry_run and result.changes else EXIT_OK


command.params += [
    _interval("sync", "data_sync", 15),
    _interval("collect", "data_collect", 60),
    _interval("solver-check", "update_check_solver", 60),
    _interval("deployment-check", "update_check_deployment", 10),
]


def _show(settings: Settings, result: FrameworkResult, *, dry_run: bool) -> None:
    from multi_x_serverless.cli.framework_table import framework_members, write_changes

    if settings.is_json:
        write_json("deploy_framework", framework_members(result, dry_run=dry_run))
        return
    write_changes(settings, result, dry_run=dry_run)
    if not dry_run:
        write_text("The framework is deployed" + ("." if result.changes else " (nothing had changed)."))
