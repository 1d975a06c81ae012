"""``report``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from multi_x_serverless.cli.options import transmission_option, workflow_argument
from multi_x_serverless.cli.output import write_json, write_tables, write_text, write_warning, write_wrapped
from multi_x_serverless.cli.problem_file import require_directory, write_whole
from multi_x_serverless.cli.progress import terminal_status
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.cli.solution_tables import show_provenance
from multi_x_serverless.errors import MultiXServerlessError
from multi_x_serverless.report.savings_tables import (
    EXPECTED_DATA,
    OBSERVED_DATA,
    expected_parts,
    net_parts,
    observed_parts,
    overhead_parts,
)

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.savings import SavingsReport
    from multi_x_serverless.report.page.report_data import ReportData


@click.command("report")
@workflow_argument()
@transmission_option
@click.option(
    "-o",
    "--page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the report as one HTML page to this file, in place of what is there: a map of the regions and the "
    "graph hour by hour, carbon intensities, trade-offs, savings, ledger and sources. It loads nothing from elsewhere.",
)
@pass_settings
def command(settings: Settings, workflow_id: str, transmission: str | None, page: Path | None) -> None:
    """Show what the plan in force of WORKFLOW_ID saves: expected, and modelled from the runs of the history.

    Expected figures are simulated. Observed ones compare runs that the plan routed with those that the home share sent
    home under the same plan: times are measured; carbon and cost are modelled from each run's real durations, bytes and
    regions and from the grid in the hour in which it ran. Both are per run and without overhead.

    What all plans of the last 30 days saved together (gross), what that took (overhead) and what is left (net) follows,
    with the overhead by kind.
    """
    require_directory(page)
    data: ReportData | None = None
    failure: MultiXServerlessError | None = None
    with settings.open_cloud(exclusive=False) as cloud:
        from multi_x_serverless.adaptation.savings import savings_report

        report = savings_report(cloud, workflow_id, "worst" if transmission == "worst" else "best")
        if page is not None:
            from multi_x_serverless.report.page.gather import gather_report

            try:
                with terminal_status(settings, "looking for trade-offs"):
                    data = gather_report(cloud, report)
            except MultiXServerlessError as error:
                # What the page has besides may be damaged, or of a deployment since: the report itself is whole.
                failure = error
    if data is not None and page is not None:
        from multi_x_serverless.report.page.render import render_page

        write_whole(page, render_page(data).encode())
        settings.say(f"wrote {page}")
    _show(settings, report)
    if failure is not None:
        raise failure


def _show(settings: Settings, report: SavingsReport) -> None:
    if settings.is_json:
        write_json(
            "report",
            {
                "workflow_id": report.workflow_id,
                "plan_version": report.plan.version,
                "transmission": report.net.transmission,
                "warnings": list(report.warnings),
                "provenance": dict(report.plan.provenance),
                "expected": None if report.expected is None else asdict(report.expected),
                "robust": None if report.plan.robust is None else report.plan.robust.to_members(),
                "observed": asdict(report.observed),
                "spending": asdict(report.spending),
                "net": asdict(report.net),
            },
        )
        return
    show_report(settings, report)


def show_report(settings: Settings, report: SavingsReport) -> None:
    """The report as tables."""
    if report.plan.solver == "none":
        _show_home_only(settings, report)
        return
    parts = (*expected_parts(report), *observed_parts(report))
    write_tables(settings, (*parts, *net_parts(report.net), *overhead_parts(report.net)))
    if report.plan.provenance:
        show_provenance(settings, EXPECTED_DATA, report.plan.provenance)
    show_provenance(settings, OBSERVED_DATA, report.observed.provenance)
    for warning in report.warnings:
        write_warning(warning)


def _show_home_only(settings: Settings, report: SavingsReport) -> None:
    """Of a plan that a deployment made, which has everything at home: how to come to another, and what was spent.

    Its runs and those of the home share are alike, so their difference is chance and is not shown.
    """
    of = report.workflow_id
    write_wrapped(
        f"Everything of {of} runs at home, by plan {report.plan.version}, which its deployment made: it saves "
        f"nothing. A plan that moves functions is made by 'multi_x_serverless solve {of}', from runs that "
        "'data_sync' has read and what 'data_collect all' collects; 'multi_x_serverless update_check_deployment' puts "
        "it in force, and what it saves is seen in the runs after that."
    )
    write_text("")
    net = report.net
    write_tables(settings, (*(net_parts(net) if net.expected.runs else ()), *overhead_parts(net)))
