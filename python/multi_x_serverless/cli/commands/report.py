"""``report``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from multi_x_serverless.cli.output import (
    Column,
    dollars_per_million,
    grams,
    percent,
    seconds,
    write_json,
    write_table,
    write_text,
)
from multi_x_serverless.cli.session import Settings, pass_settings

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.savings import Average, Saving, SavingsReport


@click.command("report")
@click.argument("workflow_id")
@click.option(
    "--transmission",
    type=click.Choice(["best", "worst"]),
    default="best",
    show_default=True,
    help="Energy per byte: the lowest or the highest of what is published.",
)
@pass_settings
def command(settings: Settings, workflow_id: str, transmission: str) -> None:
    """Show what the plan in force of WORKFLOW_ID saves: expected, and measured on the runs of the history.

    Expected figures are simulated. Measured ones compare runs that the plan routed with runs that went home, each
    with its real durations, bytes and regions; power is modelled and intensities are the collected ones.
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
                "transmission": transmission,
                "provenance": dict(report.plan.provenance),
                "expected": None if report.expected is None else asdict(report.expected),
                "measured": asdict(report.measured),
            },
        )
        return
    _show_expected(settings, report)
    _show_measured(settings, report)
    if report.plan.provenance:
        _show_provenance(settings, report)


def _show_provenance(settings: Settings, report: SavingsReport) -> None:
    write_table(
        settings,
        "Data that the plan rests on",
        [Column("signal"), Column("origin")],
        [[signal.replace("_", " "), origin] for signal, origin in report.plan.provenance.items()],
    )


_QUANTITIES = [
    Column("CO2eq", is_number=True),
    Column("vs home", is_number=True),
    Column("USD per 1M", is_number=True),
    Column("vs home", is_number=True),
    Column("time", is_number=True),
    Column("vs home", is_number=True),
]


def _cells(average: Average, home: Average) -> list[str]:
    def against(value: float, base: float) -> str:
        return percent(value / base - 1.0, signed=True) if base > 0 else "-"

    return [
        grams(average.carbon_gco2eq),
        against(average.carbon_gco2eq, home.carbon_gco2eq),
        dollars_per_million(average.cost_usd),
        against(average.cost_usd, home.cost_usd),
        seconds(average.runtime_s),
        against(average.runtime_s, home.runtime_s),
    ]


def _show_expected(settings: Settings, report: SavingsReport) -> None:
    expected = report.expected
    if expected is None:
        write_text(f"Plan {report.plan.version} sends everything home: nothing is expected to be saved.")
        return
    write_table(
        settings,
        f"Expected of plan {report.plan.version}, per run, mean over the day (simulated)",
        [Column(""), *_QUANTITIES],
        [
            ["home", *_cells(expected.home, expected.home)],
            ["best single region", *_cells(expected.best_single, expected.home)],
            ["this plan", *_cells(expected.plan, expected.home)],
        ],
    )


def _show_measured(settings: Settings, report: SavingsReport) -> None:
    measured = report.measured
    if measured.home is None or measured.plan is None:
        missing = "that went home" if measured.home is None else f"routed by plan {report.plan.version}"
        write_text(f"Measured: fewer than two runs {missing} in the history; run, then 'data_sync'.")
        return
    rows = [
        [f"home ({measured.home.runs} runs)", *_cells(measured.home.mean, measured.home.mean)],
        [f"this plan ({measured.plan.runs} runs)", *_cells(measured.plan.mean, measured.home.mean)],
    ]
    notes = [
        "Measured runs include the time that functions wait until calls are accepted elsewhere; the model does not yet."
    ]
    if report.expected is not None:
        expected_single = report.expected.best_single.carbon_gco2eq / report.expected.home.carbon_gco2eq
        less = percent(1.0 - expected_single)
        notes.insert(0, f"Nobody ran in the best single region: of it there is the expectation of {less} less only.")
    write_table(settings, "Measured, per run", [Column(""), *_QUANTITIES], rows, note="\n".join(notes))
    for name, saving in (("carbon", measured.carbon), ("cost", measured.cost), ("time", measured.runtime)):
        if saving is not None:
            write_text(f"{name} saved, measured: {_interval(saving)}")


def _interval(saving: Saving) -> str:
    return (
        f"{percent(saving.fraction, signed=True)} (95 % confidence: {percent(saving.low, signed=True)} to "
        f"{percent(saving.high, signed=True)})"
    )
