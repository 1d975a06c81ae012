"""What the shell offers when a word is completed: quickly, without a network, and without a word when it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from multi_x_serverless.errors import MultiXServerlessError

if TYPE_CHECKING:
    import click

SHELLS = ("bash", "zsh", "fish")


def complete_workflow_id(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Ids of workflows of the embedded cloud; none on AWS, which would have to be asked."""
    given = context.find_root().params
    if given.get("cloud") != "local":
        return []
    directory = given.get("state_dir") or _default_state_directory()
    if not Path(directory).is_dir():
        return []
    from multi_x_serverless.cloud.local import LocalCloud
    from multi_x_serverless.cloud.tables import SYSTEM_TABLES, physical_name

    table = physical_name("workflows")
    try:
        with LocalCloud(Path(directory), system_region=str(given.get("system_region")), exclusive=False) as cloud:
            if physical_name(SYSTEM_TABLES[0]) not in cloud.key_value.list_tables(cloud.system_region):
                return []
            found = [key.partition for key in cloud.key_value.keys(cloud.system_region, table)]
    except (MultiXServerlessError, OSError):
        # Whoever presses the key of completion is not told what is wrong; the command itself says it.
        return []
    return [workflow_id for workflow_id in found if workflow_id.startswith(incomplete)]


def complete_region(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Regions of the embedded data."""
    from multi_x_serverless import data

    return [region for region in data.regions() if region.startswith(incomplete)]


def _default_state_directory() -> Path:
    import platformdirs

    from multi_x_serverless.cli.session import APPLICATION

    return platformdirs.user_state_path(APPLICATION)
