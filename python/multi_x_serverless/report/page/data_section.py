"""The parts of the page that say what it is about and what its figures rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from multi_x_serverless.model.plan import Plan
from multi_x_serverless.model.robust import LEAST_FAVOURABLE
from multi_x_serverless.model.units import HOURS_PER_DAY
from multi_x_serverless.report.page.markup import Markup, element, join
from multi_x_serverless.report.page.report_data import ReportData
from multi_x_serverless.report.page.table_markup import table
from multi_x_serverless.report.savings_tables import EXPECTED_DATA, OBSERVED_DATA, WAITING
from multi_x_serverless.report.tables import Column, Table
from multi_x_serverless.report.wording import counted, hour_ranges, proof

KINDS_OF_FIGURES = (
    ("simulated", "by the model, over scenarios drawn from observed runs; nothing of it happened."),
    (
        "modelled from observed runs",
        (
            "durations, bytes and regions of real runs, turned into carbon by the energy model and the intensities of "
            "grids in the hour of each run, and into cost by the prices of the regions; no meter and no bill was read."
        ),
    ),
    ("measured", "read from the runs' own logs: times, bytes, counts."),
)

LIMITS = (
    "Carbon intensities are averages of a grid, life-cycle; a marginal view may rank regions otherwise.",
    "Energy per byte that is published differs by far more than savings do: 'best' and 'worst' are both ends of it.",
    WAITING,
    "Intervals are of chance between runs; errors of the energy model, of prices and of intensities are not in them.",
)


def facts(report: ReportData) -> Markup:
    """What the report is of."""
    plan = report.plan
    expiry = "expires" if report.made_at < plan.expires_at else "EXPIRED (runs go home)"
    kind = "everything home" if plan.solver == "none" else plan.solver
    kind += "" if plan.robust is None else ", robust"
    entries = [
        ("Home", report.home),
        (
            "Plan in force",
            f"{plan.version}, {kind}, made {moment(plan.created_at)}, {expiry} {moment(plan.expires_at)}",
        ),
        ("Proof", _proof(plan)),
        ("Rests on", _basis(plan)),
        ("Report made", f"{moment(report.made_at)} by {report.program}"),
    ]
    return element(
        "dl",
        *(
            element("div", element("dt", name), element("dd", element("bdi", value)))
            for name, value in entries
            if value
        ),
        class_="facts",
    )


def moment(value: float) -> str:
    """Seconds since the epoch as a date and time."""
    return datetime.fromtimestamp(value, tz=timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _proof(plan: Plan) -> str:
    """How good the placements are known to be, by hours."""
    hours: dict[str, list[int]] = {}
    for hour in range(HOURS_PER_DAY):
        hours.setdefault(plan.at(hour).certificate.status, []).append(hour)
    if set(hours) == {"declared"}:
        return ""
    parts = []
    for members in hours.values():
        certificates = [plan.at(hour).certificate for hour in members]
        found = proof([(entry.status, entry.gap) for entry in certificates], of=f"its {certificates[0].objective}")
        when = "all hours" if len(members) == HOURS_PER_DAY else f"hours {hour_ranges(members)}"
        parts.append(f"{found} ({when})")
    return "; ".join(parts) + ("" if plan.robust is None else f"; {LEAST_FAVOURABLE}")


def _basis(plan: Plan) -> str:
    if plan.observed_runs is None:
        return ""
    return "declared estimates" if plan.observed_runs == 0 else counted(plan.observed_runs, "observed run")


def warnings(report: ReportData) -> Markup | None:
    """What has to be known before any figure is read."""
    found = list(report.savings.warnings)
    if report.made_at >= report.plan.expires_at:
        found.append("The plan has expired: runs go home until another one is in force.")
    if not found:
        return None
    return element("div", *(element("p", f"warning: {entry}") for entry in found), class_="warning", role="note")


def data_section(report: ReportData) -> Markup:
    """Sources, vintages and assumptions, the kinds of figures, and what the figures leave out."""
    return element(
        "section",
        element("h2", "Data and assumptions", id="data"),
        element("h3", "Kinds of figures"),
        element("dl", *_definitions(KINDS_OF_FIGURES), class_="words"),
        element("h3", "Sources and vintages"),
        join(
            _provenance(title, origin)
            for title, origin in (
                (EXPECTED_DATA, report.plan.provenance),
                (OBSERVED_DATA, report.savings.observed.provenance),
            )
            if origin
        ),
        element("h3", "Limits"),
        element("ul", *(element("li", limit) for limit in LIMITS)),
        element("p", report.attribution),
        element("p", f"Map: {report.map_source}, public domain."),
        aria_labelledby="data",
    )


def _definitions(words: Sequence[tuple[str, str]]) -> list[Markup]:
    return [element("div", element("dt", word), element("dd", meaning)) for word, meaning in words]


def _provenance(title: str, origin: Mapping[str, str]) -> Markup:
    rows = tuple((subject.replace("_", " "), text) for subject, text in origin.items())
    return table(
        Table(title, (Column("subject", is_whole=True), Column("origin and assumptions")), rows), style="prose"
    )
