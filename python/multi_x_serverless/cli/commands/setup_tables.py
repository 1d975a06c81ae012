"""``setup_tables``."""

from __future__ import annotations

import click

from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.options import regions_option
from multi_x_serverless.cli.output import counted, write_json, write_wrapped
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import Settings, pass_settings


@click.command("setup_tables")
@regions_option("Only in this region, beside the system region; may be given several times.  [default: all usable]")
@pass_settings
@says_what_is_left("tables that were made stay; 'multi_x_serverless setup_tables' makes what is missing.")
def command(settings: Settings, regions: tuple[str, ...]) -> None:
    """Make the tables that the framework needs, in the system region and in every region.

    On AWS also each region's bucket and its queue of dead letters. What exists stays as it is; running it again changes
    nothing. It may be left out: 'deploy' and 'update_check_deployment' make what is missing in the regions they need.
    """
    with settings.open_cloud() as cloud:
        from multi_x_serverless.cloud.tables import SYSTEM_TABLES, create_tables
        from multi_x_serverless.cloud.usable import require_usable
        from multi_x_serverless.sdk.tables import REGION_TABLES

        chosen = require_usable(cloud, regions) if regions else cloud.usable_regions()
        with terminal_status(settings, f"making tables in {counted(len(chosen), 'region')}"):
            create_tables(cloud, chosen)
        if settings.is_json:
            write_json(
                "setup_tables",
                {
                    "system_region": cloud.system_region,
                    "system_tables": list(SYSTEM_TABLES),
                    "regions": list(chosen),
                    "region_tables": list(REGION_TABLES),
                },
            )
        else:
            where = f"each of {len(chosen)} regions" if len(chosen) > 1 else chosen[0]
            write_wrapped(
                f"Tables are ready: {len(SYSTEM_TABLES)} in {cloud.system_region}, {len(REGION_TABLES)} in {where}."
            )
