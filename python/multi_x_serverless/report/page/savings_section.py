"""The parts of the page that say what is saved and what it takes: key figures, bars, tables, trade-offs, ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from multi_x_serverless.adaptation.overhead import copied_gco2eq
from multi_x_serverless.model.amounts import dollars, grams
from multi_x_serverless.model.ledger import LedgerEntry
from multi_x_serverless.model.robust import LEAST_FAVOURABLE
from multi_x_serverless.report.page.amounts import grams_with_error
from multi_x_serverless.report.page.frontier_chart import (
    can_be_drawn,
    describe_range,
    describe_stretching,
    draw_frontier,
    is_flat,
)
from multi_x_serverless.report.page.hour_states import MOST_NAMED
from multi_x_serverless.report.page.markup import Markup, element, join
from multi_x_serverless.report.page.report_data import ReportData, TradeOffPoint, TradeOffs
from multi_x_serverless.report.page.table_markup import show, table
from multi_x_serverless.report.savings_tables import (
    ASSUMED_NAMES,
    KIND_NAMES,
    changes,
    expected_parts,
    net_parts,
    observed_parts,
    overhead_parts,
)
from multi_x_serverless.report.tables import Column, Table
from multi_x_serverless.report.wording import compared, counted, describe_completeness, dollars_per_million, seconds
from multi_x_serverless.solving.model_constants import TransmissionPreset

NEWEST_ENTRIES = 50
"""Entries of the ledger that are shown one by one; the table by kind has all."""


@dataclass(frozen=True)
class _Bar:
    """A bar of the chart of carbon per run, in gCO2eq; `error` is half of the 95 % interval, 0 if there is none."""

    label: str
    kind: str
    value: float
    error: float = 0.0


def savings_section(report: ReportData) -> Markup:
    """Expected and observed savings, and gross, overhead and net."""
    savings = report.savings
    bars = _bars(report)
    return element(
        "section",
        element("h2", "What is saved", id="savings"),
        _bar_chart(bars) if bars else None,
        element("h3", "Expected: simulated"),
        show(expected_parts(savings, compared)),
        _against(report),
        element("h3", "Observed: measured and modelled from runs"),
        show(observed_parts(savings, compared)),
        element(
            "p",
            "No run is sent to a single other region for comparison: against those there is only what is expected.",
            class_="note",
        )
        if savings.expected_change is not None
        else None,
        element("h3", "Gross, overhead and net"),
        show(net_parts(savings.net)),
        aria_labelledby="savings",
    )


def _against(report: ReportData) -> Markup | None:
    """The plan against each baseline: what the table by home does not say."""
    expected = report.savings.expected_change
    if expected is None:
        return None
    baselines = [("home", expected.home)]
    if expected.best_static is not None:
        baselines.append((f"best single region for all hours ({expected.best_static_region})", expected.best_static))
    baselines.append(("best single region of each hour", expected.best_single))
    return table(
        Table(
            "What the plan is expected to take against each of these, per run and without overhead",
            (
                Column("against"),
                Column("CO2eq", is_number=True),
                Column("USD", is_number=True),
                Column("time", is_number=True),
            ),
            tuple((name, *changes(expected.plan, baseline, compared)) for name, baseline in baselines),
        )
    )


def _bars(report: ReportData) -> list[_Bar]:
    expected, observed = report.savings.expected_change, report.savings.observed
    bars = []
    if expected is not None:
        bars.append(_Bar("home", "simulated", expected.home.carbon_gco2eq))
        if expected.best_static is not None:
            label = f"best single region for all hours ({expected.best_static_region})"
            bars.append(_Bar(label, "simulated", expected.best_static.carbon_gco2eq))
        bars.append(_Bar("best single region of each hour", "simulated", expected.best_single.carbon_gco2eq))
        bars.append(_Bar("this plan", "simulated", expected.plan.carbon_gco2eq))
    for label, sample in (("home share", observed.control), ("runs by the plan", observed.plan)):
        if sample is not None and observed.control is not None:
            interval = sample.intervals.carbon_gco2eq
            bars.append(
                _Bar(label, "modelled from observed runs", interval.value, (interval.high - interval.low) / 2.0)
            )
    return bars


def _bar_chart(bars: Sequence[_Bar]) -> Markup:
    longest = max(bar.value + bar.error for bar in bars) or 1.0
    items = []
    for bar in bars:
        end, error = 1000.0 * bar.value / longest, 1000.0 * bar.error / longest
        whisker = f"M{end - error:.1f} 10H{end + error:.1f}" if error else None
        shown = grams_with_error(bar.value, bar.error) if bar.error else grams(bar.value)
        items.append(
            element(
                "li",
                element("span", bar.label, class_="label"),
                element("span", f"{shown}, {bar.kind}", class_="value"),
                element(
                    "svg",
                    element("rect", width=end, height=20, class_="bar" if bar.kind == "simulated" else "bar modelled"),
                    element("path", d=whisker, class_="whisker edge") if whisker else None,
                    element("path", d=whisker, class_="whisker") if whisker else None,
                    viewBox="0 0 1000 20",
                    preserveAspectRatio="none",
                    aria_hidden="true",
                ),
            )
        )
    return element(
        "figure",
        element("figcaption", "Mean CO2eq per run; ± is half of the 95 % interval of the mean"),
        element("ul", *items, class_="bars"),
    )


def trade_offs_section(report: ReportData) -> Markup:
    """The Pareto frontier of an hour, or why there is none."""
    found = report.trade_offs
    if found is None:
        body = element("p", f"No frontier is shown. {report.no_trade_offs}")
    elif not found.points:
        body = element("p", describe_completeness(found.epsilon, is_complete=found.is_complete, has_points=False))
    else:
        body = join((_frontier_charts(found), table(_frontier_table(found, report.home))))
    return element("section", element("h2", "Trade-offs", id="trade-offs"), body, aria_labelledby="trade-offs")


def _frontier_charts(found: TradeOffs) -> Markup:
    if not can_be_drawn(found):
        return element("p", "At home there is no carbon or no cost that others could be compared with: no chart.")
    parts = [
        element("div", draw_frontier(found), class_="picture"),
        element("p", describe_range(found), class_="note"),
    ]
    if found.is_robust:
        parts.append(element("p", f"Carbon is that {LEAST_FAVOURABLE}: the plan is a robust one.", class_="note"))
    if is_flat(found):
        parts.append(
            element(
                "details",
                element("summary", "Stretched, to tell the points apart"),
                element("div", draw_frontier(found, is_stretched=True), class_="picture"),
                element("p", describe_stretching(found), class_="note"),
            )
        )
    return join(parts)


def _frontier_table(found: TradeOffs, home: str) -> Table:
    """All points; home and the plan have rows of their own only where they are none of them."""
    rows = []
    if not any(_is_home(point, home) for point in found.points):
        rows.append(("home", "", found.home))
    if not any(point.is_the_plans for point in found.points):
        rows.append(("this plan", "", found.plan))
    points = [
        (f"{rank}{_named(point, home)}", _where(point.nodes), point.metrics)
        for rank, point in enumerate(found.points, start=1)
    ]
    return Table(
        f"Pareto frontier of carbon, cost and p95 time, {found.hour:02}:00 UTC, in the planning scenarios"
        + (f", {LEAST_FAVOURABLE}" if found.is_robust else ""),
        (
            Column("point"),
            Column("CO2eq", is_number=True),
            Column("USD per 1M", is_number=True),
            Column("time", is_number=True),
            Column("p95", is_number=True),
            Column("nodes"),
        ),
        tuple(
            (
                name,
                grams(metrics.carbon.mean),
                dollars_per_million(metrics.cost.mean),
                seconds(metrics.runtime.mean),
                seconds(metrics.runtime.tail),
                nodes,
            )
            for name, nodes, metrics in (*rows, *points)
        ),
        note=describe_completeness(found.epsilon, is_complete=found.is_complete, has_points=True),
    )


def _is_home(point: TradeOffPoint, home: str) -> bool:
    return set(point.nodes) == {home}


def _named(point: TradeOffPoint, home: str) -> str:
    names = (*(("home",) if _is_home(point, home) else ()), *(("this plan",) if point.is_the_plans else ()))
    return f" ({', '.join(names)})" if names else ""


def _where(nodes: Mapping[str, int]) -> str:
    """How many nodes are in each region; of many regions those with the most."""
    ordered = sorted(nodes, key=lambda region: (-nodes[region], region))
    shown, rest = ordered[:MOST_NAMED], ordered[MOST_NAMED:]
    parts = [f"{nodes[region]} in {region}" for region in shown]
    if rest:
        parts.append(f"{sum(nodes[region] for region in rest)} in {counted(len(rest), 'other region')}")
    return ", ".join(parts)


def ledger_section(report: ReportData) -> Markup:
    """What planning spent: by kind, and the newest entries."""
    net = report.savings.net
    parts: list[Table | str] = [*overhead_parts(net)]
    if not parts:
        parts.append(f"In the last {net.days} days planning has spent nothing.")
    if report.ledger:
        parts.append(_entries(report.ledger, net.transmission))
    return element(
        "section", element("h2", "Ledger of the overhead", id="ledger"), show(parts), aria_labelledby="ledger"
    )


def _entries(entries: Sequence[LedgerEntry], preset: TransmissionPreset) -> Table:
    shown = entries[:NEWEST_ENTRIES]
    failed = Counter(entry.kind for entry in shown if entry.failed)
    left = len(entries) - len(shown)
    return Table(
        "Entries, newest first",
        (
            Column("ended (UTC)", is_whole=True),
            Column("spent on"),
            Column("times", is_number=True),
            *((Column("failed", is_number=True),) if failed else ()),
            Column("CO2eq", is_number=True),
            Column("USD", is_number=True),
            Column("assumed, not measured"),
        ),
        tuple(
            (
                datetime.fromtimestamp(entry.at, tz=timezone.utc).strftime("%Y-%m-%d %H:%M"),
                KIND_NAMES[entry.kind],
                str(entry.count),
                *((str(entry.failed),) if failed else ()),
                grams(entry.carbon_gco2eq + copied_gco2eq(entry, preset)),
                dollars(entry.cost_usd),
                ", ".join(ASSUMED_NAMES[name] for name in entry.assumed) or "-",
            )
            for entry in shown
        ),
        note="Cold starts by plans are counted from runs and have no entries."
        + (f" {counted(left, 'older entry')} not shown." if left else ""),
    )
