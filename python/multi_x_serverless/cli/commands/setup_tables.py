"""``setup_tables``."""

from __future__ import annotations

import click

from multi_x_serverless.cli.output import write_json, write_text
from multi_x_serverless.cli.session import Settings, pass_settings


@click.command("setup_tables")
@pass_settings
def command(settings: Settings) -> None:
    """Make the tables that the framework needs, in the system region and in every region.

    What exists stays as it is; running it again changes nothing.
    """
    with settings.open_cloud() as cloud:
        from multi_x_serverless.cloud.tables import SYSTEM_TABLES, create_tables
        from multi_x_serverless.sdk.tables import REGION_TABLES

        create_tables(cloud, cloud.regions)
        regions = len(cloud.regions)
        if settings.is_json:
            write_json(
                "setup_tables",
                {
                    "system_region": cloud.system_region,
                    "system_tables": list(SYSTEM_TABLES),
                    "regions": list(cloud.regions),
                    "region_tables": list(REGION_TABLES),
                },
            )
        else:
            write_text(
                f"Tables are ready: {len(SYSTEM_TABLES)} in {cloud.system_region}, "
                f"{len(REGION_TABLES)} in each of {regions} regions."
            )
