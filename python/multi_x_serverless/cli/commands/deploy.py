"""``deploy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.output import Column, write_json, write_table, write_text, write_wrapped
from multi_x_serverless.cli.progress import terminal_progress
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_NOTHING_TO_DO, EXIT_OK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multi_x_serverless.cli.deploy_tables import Difference
    from multi_x_serverless.deployment.deploy import DeployResult
    from multi_x_serverless.deployment.withdrawal import WithdrawnPlan
    from multi_x_serverless.model.workflow import PackageFormat


@click.command("deploy")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show what would change (resources, permissions, settings, expected cost and carbon) and do nothing; exit 3 "
    "if anything would.",
)
@click.option(
    "--package",
    "package_format",
    type=click.Choice(["zip", "image"]),
    help="How the code is packed: a zip (up to 250 MB unzipped, needs nothing) or a container image (up to 10 GB, "
    "built by Docker, on AWS only). By default as the workflow is deployed already, at first a zip.",
)
@pass_settings
@says_what_is_left(
    "what was made or changed so far, if anything, is noted: 'multi_x_serverless deploy' goes on with that, "
    "'multi_x_serverless doctor' shows whether anything is left half done."
)
def command(settings: Settings, dry_run: bool, package_format: PackageFormat | None) -> int:
    """Deploy the workflow of the project directory to its home region.

    Reads app.py and .multi-x-serverless/config.yml, packages the code, and creates what is missing. A deployment
    that is interrupted is resumed by running the command again; a first one that fails leaves nothing behind. Asks
    before it replaces a workflow of the same name and version that has another home or none of the functions. A plan
    ends with its time, and with the nodes, the regions and the home that it was made for: it is withdrawn then, and
    everything is at home.
    """
    with settings.open_cloud() as cloud:
        from multi_x_serverless.adaptation.replaced_workflow import replaced_workflow
        from multi_x_serverless.adaptation.upkeep import deploy_workflow
        from multi_x_serverless.deployment.build import check_for

        # Asked before anything is packed, which may take minutes, and outside the progress, which owns the terminal.
        checked = check_for(cloud, settings.project_dir)
        replaced = None if dry_run else replaced_workflow(cloud, checked)
        if replaced is not None:
            from multi_x_serverless.cli.deploy_tables import describe_staying

            staying = describe_staying(replaced.objects)
            if settings.assume_yes and staying:
                settings.say(staying)
            asked = f"This replaces {replaced.described}, and withdraws its plan."
            settings.confirm(" ".join(filter(None, (asked, staying, "Deploy?"))))
        with terminal_progress(settings) as progress:
            deployed = deploy_workflow(
                cloud,
                settings.project_dir,
                package_format=package_format,
                checked=checked,
                dry_run=dry_run,
                progress=progress,
            )
        result = deployed.result
        if deployed.warning:
            settings.say_error(deployed.warning)
        difference = None
        if result.preview is not None and result.actions:
            from multi_x_serverless.cli.deploy_tables import find_difference

            difference = find_difference(cloud, result.preview)
        _show(settings, result, difference, dry_run=dry_run)
        return EXIT_NOTHING_TO_DO if dry_run and result.actions else EXIT_OK


def _show(settings: Settings, result: DeployResult, difference: Difference | None, *, dry_run: bool) -> None:
    if settings.is_json:
        from multi_x_serverless.cli.deploy_tables import difference_members

        write_json(
            "deploy",
            {
                "workflow_id": result.workflow_id,
                "dry_run": dry_run,
                "left": list(result.left),
                "withdrawn_plans": [
                    {"plan_version": plan.version, "staged": plan.is_staged, "reason": plan.reason}
                    for plan in result.withdrawn
                ],
                "actions": [
                    {"verb": action.verb, "kind": action.kind, "name": action.name, "region": action.region}
                    for action in result.actions
                ],
                **({} if difference is None else difference_members(difference)),
            },
        )
        return
    if difference is not None:
        from multi_x_serverless.cli.deploy_tables import show_difference

        show_difference(settings, result.actions, difference)
        _show_withdrawn(result.withdrawn, "would be withdrawn")
        return
    if dry_run:
        write_text("Nothing would change.")
        return
    if result.actions:
        write_table(
            settings,
            "Done",
            [Column("action"), Column("kind"), Column("region", is_whole=True), Column("name")],
            [[action.verb, action.kind, action.region or "(all)", shortened(action.name)] for action in result.actions],
        )
    unchanged = " (nothing had changed)" if not result.actions else ""
    write_text(f"Deployed {result.workflow_id}{unchanged}.")
    _show_withdrawn(result.withdrawn, "is withdrawn")
    for left in result.left:
        settings.say_error(f"could not delete what is no longer used: {left}; the next deploy tries again")


def _show_withdrawn(withdrawn: Sequence[WithdrawnPlan], what: str) -> None:
    for plan in withdrawn:
        write_wrapped(f"{'Staged plan' if plan.is_staged else 'Plan'} {plan.version} {what}: {plan.reason}.")


LONGEST_NAME = 40
"""A longer name would be folded at 80 columns; package names hold a digest that nobody reads to its end."""


def shortened(name: str) -> str:
    """A name with its middle left out if it is long."""
    if len(name) <= LONGEST_NAME:
        return name
    kept = LONGEST_NAME - 1
    return f"{name[: kept // 2 + kept % 2]}\N{HORIZONTAL ELLIPSIS}{name[-(kept // 2) :]}"
