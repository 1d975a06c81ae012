"""``data_collect``."""

from __future__ import annotations

from dataclasses import asdict

import click

from multi_x_serverless.cli.interruption import says_what_is_left
from multi_x_serverless.cli.options import regions_option
from multi_x_serverless.cli.output import write_json
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK, UsageError


@click.command("data_collect")
@click.argument("collector", type=click.Choice(["carbon", "provider", "performance", "workflow", "all"]))
@regions_option("Only this region; may be given several times.")
@click.option(
    "--forget",
    is_flag=True,
    help="First forget the hours of carbon intensity that earlier collections stored (of a wrong file, for example).",
)
@pass_settings
@says_what_is_left(
    "values that were refreshed, or forgotten with --forget, stay so; 'multi_x_serverless data_collect {collector}' "
    "refreshes the others."
)
def command(settings: Settings, collector: str, regions: tuple[str, ...], forget: bool) -> int:
    """Refresh the data that plans are made of.

    \b
    carbon       intensity of each region's grid for the next 24 hours
    provider     regions and prices
    performance  round trips between regions, relative speed
    workflow     statistics of each workflow from its runs (-v before the
                 command shows nodes and edges, too)

    By default of the regions that deployed workflows may use. A region that fails keeps its last value and is reported,
    and the exit code is 1.
    """  # noqa: D301  # a backspace, which tells click to leave a paragraph as it is
    from multi_x_serverless.adaptation.collection_warnings import warning_lines
    from multi_x_serverless.adaptation.signals import COLLECTORS, forget_carbon_past, regions_in_use
    from multi_x_serverless.adaptation.statistics_work import collect_statistics
    from multi_x_serverless.adaptation.upkeep import Collected, collect_for_workflows
    from multi_x_serverless.adaptation.workflows import deployed_workflows, require_tables
    from multi_x_serverless.cli.collection_tables import failure_lines, show_reports
    from multi_x_serverless.cli.statistics_tables import show_statistics

    with settings.open_cloud() as cloud:
        unknown = sorted(set(regions) - set(cloud.regions))
        if unknown:
            raise UsageError(f"there is no region {', '.join(unknown)}; there are {', '.join(cloud.regions)}.")
        require_tables(cloud)
        names = COLLECTORS if collector == "all" else tuple(name for name in COLLECTORS if name == collector)
        if forget and "carbon" not in names:
            raise UsageError("--forget is about carbon: 'multi_x_serverless data_collect carbon --forget'.")
        if forget:
            forget_carbon_past(cloud, regions or cloud.regions)
        statistics = None
        if collector in ("workflow", "performance", "all"):
            # Before the others: round trips and speeds are learned from them.
            with terminal_status(settings, "summarising the history of runs"):
                statistics = collect_statistics(cloud, is_part=bool(names))
        with terminal_status(settings, f"collecting {collector} data"):
            collected = (
                collect_for_workflows(cloud, names, regions or regions_in_use(cloud), deployed_workflows(cloud))
                if names
                else Collected(())
            )
    reports = collected.reports
    refreshed = () if statistics is None or collector == "performance" else statistics.refreshed
    failures = {} if statistics is None else dict(statistics.failures)
    if settings.is_json:
        members = {
            "collectors": [asdict(report) for report in reports],
            "workflows": [workflow.to_members() for workflow in refreshed],
            "failures": failures,
        }
        write_json("data_collect", members)
    else:
        show_reports(settings, reports)
        if refreshed or (collector == "workflow" and not failures):
            show_statistics(settings, refreshed)
        for report in reports:
            for note in report.notes:
                settings.say(f"{report.collector}: {note}")
    unnoted = (*collected.warnings, *(() if statistics is None else statistics.warnings))
    for line in (*warning_lines(reports), *unnoted):
        settings.say(f"warning: {line}")
    lines = failure_lines(reports)
    lines += [f"statistics of {workflow_id} were not refreshed: {error}" for workflow_id, error in failures.items()]
    for line in lines:
        settings.say_error(line)
    return EXIT_FAILURE if lines else EXIT_OK
