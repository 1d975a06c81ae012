"""What `deploy_framework` and `remove_framework` did, as a table and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from multi_x_serverless.cli.output import Column, write_table, write_text

if TYPE_CHECKING:
    from multi_x_serverless.cli.session import Settings
    from multi_x_serverless.deployment.framework import FrameworkResult


def framework_members(result: FrameworkResult, *, dry_run: bool) -> dict[str, Any]:
    """Members of the JSON document."""
    return {
        "dry_run": dry_run,
        "actions": [asdict(change) for change in result.changes],
        "left": list(result.left),
    }


def write_changes(settings: Settings, result: FrameworkResult, *, dry_run: bool) -> None:
    """A table of what was or would be done, and what could not be deleted."""
    from multi_x_serverless.cli.commands.deploy import shortened
    from multi_x_serverless.deployment.names import FRAMEWORK_PREFIX

    if result.changes:
        write_table(
            settings,
            "Would be done" if dry_run else "Done",
            [Column("action"), Column("kind"), Column("region", is_whole=True), Column("name")],
            [
                [
                    change.verb,
                    change.kind,
                    change.region or "(all)",
                    shortened(change.name.removeprefix(FRAMEWORK_PREFIX)),
                ]
                for change in result.changes
            ],
            note=f"Names but the package's begin with {FRAMEWORK_PREFIX}.",
        )
    elif dry_run:
        write_text("Nothing would change.")
    for left in result.left:
        settings.say_error(f"could not delete: {left}; running the command again tries again")
