"""``report``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from multi_x_serverless.cli.net_table import show_net, show_overhead
from multi_x_serverless.cli.options import transmission_option, workflow_argument
from multi_x_serverless.cli.output import (
    Column,
    counted,
    dollars_per_million,
    grams,
    percent,
    seconds,
    write_json,
    write_table,
    write_text,
    write_warning,
    write_wrapped,
)
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.cli.solution_tables import drawn_from, show_provenance

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.comparison import Saving
    from multi_x_serverless.adaptation.savings import Average, Observed, SavingsReport


@click.command("report")
@workflow_argument()
@transmission_option
@pass_settings
def command(settings: Settings, workflow_id: str, transmission: str | None) -> None:
    """Show what the plan in force of WORKFLOW_ID saves: expected, and modelled from the runs of the history.

    Expected figures are simulated. Observed ones compare runs that the plan routed with those that the home share sent
    home under the same plan: times are measured; carbon and cost are modelled from each run's real durations, bytes and
    regions and from the grid in the hour in which it ran. Both are per run and without overhead.

    What all plans of the last 30 days saved together (gross), what that took (overhead) and what is left (net) follows,
    with the overhead by kind.
    """
    with settings.open_cloud(exclusive=False) as cloud:
        from multi_x_serverless.adaptation.savings import savings_report

        report = savings_report(cloud, workflow_id, "worst" if transmission == "worst" else "best")
    if settings.is_json:
        write_json(
            "report",
            {
                "workflow_id": workflow_id,
                "plan_version": report.plan.version,
                "transmission": transmission or "best",
                "warnings": list(report.warnings),
                "provenance": dict(report.plan.provenance),
                "expected": None if report.expected is None else asdict(report.expected),
                "observed": asdict(report.observed),
                "spending": asdict(report.spending),
                "net": asdict(report.net),
            },
        )
        return
    show_report(settings, report)


def show_report(settings: Settings, report: SavingsReport) -> None:
    """The report as tables."""
    _show_expected(settings, report)
    _show_observed(settings, report.observed, report.plan.version)
    show_net(settings, report.net)
    show_overhead(settings, report.net)
    if report.plan.provenance:
        show_provenance(settings, "Data that the expected figures rest on", report.plan.provenance)
    show_provenance(settings, "Data that the observed figures rest on", report.observed.provenance)
    for warning in report.warnings:
        write_warning(warning)


def _columns(baseline: str) -> list[Column]:
    against = Column(f"vs {baseline}", is_number=True)
    quantities = [Column(name, is_number=True) for name in ("CO2eq", "USD per 1M", "time")]
    return [Column(""), *(column for quantity in quantities for column in (quantity, against))]


def _cells(average: Average, baseline: Average | None) -> list[str]:
    """Each quantity and how it stands to the baseline's, if there is one."""
    cells = []
    for name, show in (("carbon_gco2eq", grams), ("cost_usd", dollars_per_million), ("runtime_s", seconds)):
        value = getattr(average, name)
        base = None if baseline is None else getattr(baseline, name)
        cells += [show(value), percent(value / base - 1.0, signed=True) if base else "-"]
    return cells


def _show_expected(settings: Settings, report: SavingsReport) -> None:
    expected, plan = report.expected, report.plan
    if expected is None:
        write_text(f"Plan {plan.version} sends everything home: nothing is expected to be saved.")
        return
    rows = [["home", *_cells(expected.home, expected.home)]]
    if expected.best_static is not None:
        name = f"best single region for all hours ({expected.best_static_region})"
        rows.append([name, *_cells(expected.best_static, expected.home)])
    rows.append(["best single region of each hour", *_cells(expected.best_single, expected.home)])
    rows.append(["this plan", *_cells(expected.plan, expected.home)])
    scenarios = "" if plan.observed_runs is None else f", in fresh scenarios {drawn_from(plan.observed_runs)}"
    write_table(
        settings,
        f"Expected of plan {plan.version}: mean per run over the day{scenarios}",
        _columns("home"),
        rows,
        note=""
        if expected.best_static is not None
        else "Of a single region for all hours nothing is expected: none "
        "keeps the hard limits all day, or the plan is of an older version.",
    )


def _show_observed(settings: Settings, observed: Observed, plan_version: int) -> None:
    rows = []
    if observed.control is not None:
        name = f"home share ({counted(observed.control.runs, 'run')})"
        rows.append([name, *_cells(observed.control.mean, observed.control.mean)])
    if observed.plan is not None and observed.control is not None:
        rows.append(
            [
                f"plan {plan_version} ({counted(observed.plan.runs, 'run')})",
                *_cells(observed.plan.mean, observed.control.mean),
            ]
        )
    if observed.other_home is not None:
        rows.append(
            [f"other home ({counted(observed.other_home.runs, 'run')})", *_cells(observed.other_home.mean, None)]
        )
    if rows:
        write_table(
            settings,
            f"Observed runs of plan {plan_version}, per run: time measured, carbon and cost modelled from the runs",
            _columns("control"),
            rows,
            note=_note(observed),
        )
    if observed.obstacle:
        write_wrapped(f"No saving is stated from observed runs: {observed.obstacle}")
    for name, saving, method in (
        ("carbon", observed.carbon, "modelled from observed runs"),
        ("cost", observed.cost, "modelled from observed runs"),
        ("time", observed.runtime, "measured"),
    ):
        if saving is not None:
            write_wrapped(f"{name} saved, {method}: {_interval(saving)}")


def _note(observed: Observed) -> str:
    notes = []
    if observed.other_home is not None:
        notes.append("other home: other runs at home, at the intensity of their hours; no control for the plan's runs.")
    if observed.strata:
        notes.append(
            f"Compared within {counted(observed.strata, 'group')} of hours, weighted as the "
            "plan's runs are spread over the day."
        )
    if observed.failed_plan_runs or observed.failed_control_runs:
        notes.append(
            f"Failed and left out: {counted(observed.failed_plan_runs, 'run')} that the plan routed, "
            f"{observed.failed_control_runs} of the home share."
        )
    notes.append("Runs include the time that functions wait until calls are accepted elsewhere; the model does not.")
    return "\n".join(notes)


def _interval(saving: Saving) -> str:
    return (
        f"{percent(saving.fraction, signed=True)} (95 % confidence: {percent(saving.low, signed=True)} to "
        f"{percent(saving.high, signed=True)})"
    )
