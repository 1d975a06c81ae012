"""``data_collect``."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING

import click

from multi_x_serverless.cli.options import regions_option
from multi_x_serverless.cli.output import Column, write_json, write_table
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multi_x_serverless.collection.collector import CollectorReport


@click.command("data_collect")
@click.argument("collector", type=click.Choice(["carbon", "provider", "performance", "workflow", "all"]))
@regions_option("Only this region; may be given several times.")
@pass_settings
def command(settings: Settings, collector: str, regions: tuple[str, ...]) -> int:
    r"""Refresh what the solver is fed with.

    \b
    carbon       intensity of each region's grid for the next 24 hours
    provider     regions and prices
    performance  round trips between regions, relative speed
    workflow     statistics of each workflow from its history of runs

    By default the regions that deployed workflows may use. A region that fails keeps its last value and is reported.
    """
    from multi_x_serverless.adaptation.signals import COLLECTORS, collect_signals, regions_in_use
    from multi_x_serverless.adaptation.statistics import workflow_statistics

    with settings.open_cloud() as cloud:
        unknown = sorted(set(regions) - set(cloud.regions))
        if unknown:
            raise UsageError(f"there is no region {', '.join(unknown)}; there are {', '.join(cloud.regions)}.")
        names = COLLECTORS if collector == "all" else tuple(name for name in COLLECTORS if name == collector)
        with terminal_status(settings, f"collecting {collector} data"):
            reports = collect_signals(cloud, names, regions or regions_in_use(cloud))
        statistics = workflow_statistics(cloud) if collector in ("workflow", "all") else ()
    if settings.is_json:
        write_json(
            "data_collect",
            {
                "collectors": [asdict(report) for report in reports],
                "workflows": [asdict(entry) for entry in statistics],
            },
        )
    else:
        rows = []
        for report in reports:
            ordered = sorted(report.refreshed, key=lambda outcome: (outcome.source, outcome.vintage))
            for (source, vintage), group in groupby(ordered, key=lambda outcome: (outcome.source, outcome.vintage)):
                refreshed = sorted({outcome.region for outcome in group})
                rows.append([report.collector, str(len(refreshed)), source, vintage])
        if rows:
            columns = [
                Column("collector"),
                Column("regions", is_number=True),
                Column("source"),
                Column("vintage"),
            ]
            write_table(settings, "Refreshed", columns, rows)
        if statistics:
            write_table(
                settings,
                "Workflows",
                [
                    Column("workflow"),
                    Column("runs", is_number=True),
                    Column("failed", is_number=True),
                    Column("mean run time", is_number=True),
                    Column("regions seen"),
                ],
                [
                    [
                        entry.workflow_id,
                        str(entry.runs),
                        str(entry.failed),
                        f"{entry.mean_runtime_s:.3f} s",
                        ", ".join(entry.regions),
                    ]
                    for entry in statistics
                ],
            )
        for report in reports:
            for note in report.notes:
                settings.say(f"{report.collector}: {note}")
    _say_warnings(settings, reports)
    failures = [outcome for report in reports for outcome in report.failures]
    for outcome in failures:
        settings.say_error(f"{outcome.kind} of {outcome.region} was not refreshed: {outcome.error}")
    return EXIT_FAILURE if failures else EXIT_OK


def _say_warnings(settings: Settings, reports: Sequence[CollectorReport]) -> None:
    """What failed on the way to values. A source's failure is the same for many regions: it is said once, with all."""
    affected: dict[tuple[str, str], list[str]] = {}
    for report in reports:
        for outcome in report.outcomes:
            for warning in outcome.warnings:
                affected.setdefault((outcome.kind, warning), []).append(outcome.region)
    for (kind, warning), regions in affected.items():
        settings.say(f"{kind} of {', '.join(regions)}: {warning}")
