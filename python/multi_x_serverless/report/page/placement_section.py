"""The part of the page that says where nodes run: slider, map, graph, legend and table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from multi_x_serverless.model.units import HOURS_PER_DAY
from multi_x_serverless.report.page.graph_drawing import draw_graph
from multi_x_serverless.report.page.hour_states import clock, hour_sentence
from multi_x_serverless.report.page.intensity_chart import further_regions
from multi_x_serverless.report.page.map_drawing import Pair, draw_map
from multi_x_serverless.report.page.markup import Markup, element
from multi_x_serverless.report.page.region_keys import RegionKey
from multi_x_serverless.report.page.report_data import ReportData
from multi_x_serverless.report.page.scroll_box import scroll_box
from multi_x_serverless.report.page.table_markup import table
from multi_x_serverless.report.tables import Column, Table
from multi_x_serverless.report.wording import hour_ranges

MOST_COLUMNS = 6
"""Columns of hours for which a sheet of paper is wide enough beside the names of nodes."""


def placement_section(report: ReportData, keys: Sequence[RegionKey], pairs: Sequence[Pair]) -> Markup:
    """Where the nodes run, at the hour in which the report was made; the script shows the others."""
    hour = report.hour_made
    by_region = {key.region: key for key in keys}
    return element(
        "section",
        element("h2", "Where nodes run", id="placement"),
        _controls(hour),
        element("p", hour_sentence(report, hour), id="hour-sentence", class_="state", aria_live="polite"),
        legend(report, keys),
        element("h3", "Map"),
        element("div", draw_map(report, keys, pairs, hour), class_="picture"),
        _map_note(report, keys),
        element("h3", "Graph"),
        scroll_box(
            draw_graph(report.graph, report.placement(hour), by_region), "Graph of the workflow", style="picture"
        ),
        _graph_note(report),
        element("h3", "All hours"),
        *(table(part, is_matrix=True) for part in placement_tables(report)),
        aria_labelledby="placement",
    )


def _controls(hour: int) -> Markup:
    """Hidden until the script that they need shows them."""
    return element(
        "div",
        element("label", "Hour of the day (UTC)", for_="hour"),
        element(
            "input",
            type="range",
            id="hour",
            min=0,
            max=HOURS_PER_DAY - 1,
            step=1,
            value=hour,
            aria_valuetext=clock(hour),
            autocomplete="off",
        ),
        element("output", clock(hour), id="hour-clock", for_="hour"),
        element("button", "Play", type="button", id="play"),
        id="controls",
        class_="controls",
        hidden=True,
    )


def legend(report: ReportData, keys: Sequence[RegionKey]) -> Markup:
    """Letter, colour and name of each region."""
    items = []
    for key in keys:
        region = report.region(key.region)
        roles = []
        if key.region == report.home:
            roles.append("home")
        if key.region == report.plan.best_static_region:
            roles.append("best single region for all hours")
        if key.region not in report.plan.regions:
            roles.append("not used by the plan")
        items.append(
            element(
                "li",
                element(
                    "svg",
                    element("rect", width=26, height=26, rx=5, class_="chip"),
                    element("text", key.letter, x=13, y=18, class_="letter"),
                    class_=f"sample {key.style_class}",
                    viewBox="0 0 26 26",
                    width=26,
                    height=26,
                    aria_hidden="true",
                ),
                element(
                    "svg",
                    element(
                        "path", d="M0 13H34", class_=f"line {key.style_class}", stroke_dasharray=key.dashes or None
                    ),
                    class_=f"sample {key.style_class}",
                    viewBox="0 0 34 26",
                    width=34,
                    height=26,
                    aria_hidden="true",
                ),
                element(
                    "span",
                    element("span", f"{key.letter}: ", class_="hidden"),
                    element("b", key.region),
                    f" {region.name}" if region.name else None,
                    f" ({', '.join(roles)})" if roles else None,
                ),
            )
        )
    return element("ul", *items, class_="legend", aria_label="Regions")


def _graph_note(report: ReportData) -> Markup | None:
    graph = report.graph
    if not graph.edges:
        return None
    declined = ", dashed ones may be declined" if any(edge.conditional for edge in graph.edges) else ""
    joined = " A double frame is a join." if any(node.sync for node in graph.nodes) else ""
    return element("p", f"Arrows are calls{declined}.{joined}", class_="note")


def _map_note(report: ReportData, keys: Sequence[RegionKey]) -> Markup | None:
    named = {key.region for key in keys}
    notes = []
    if any(region.code not in named and region.latitude is not None for region in report.regions):
        notes.append("Small dots are further regions that the workflow may use.")
    lost = [region.code for region in report.regions if region.latitude is None]
    if lost:
        notes.append(f"Where {', '.join(lost)} is, is not known: not on the map.")
    return element("p", " ".join(notes), class_="note") if notes else None


def placement_tables(report: ReportData) -> tuple[Table, ...]:
    """Region of every node at all hours; hours that place alike share a column. As many tables as paper is wide for."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for hour in range(HOURS_PER_DAY):
        groups.setdefault(report.placement(hour), []).append(hour)
    columns = list(groups.items())
    parts = [columns[start : start + MOST_COLUMNS] for start in range(0, len(columns), MOST_COLUMNS)]
    return tuple(
        Table(
            "Region per node and hours (UTC)" + (f", part {number} of {len(parts)}" if len(parts) > 1 else ""),
            (Column("node", is_name=True), *(Column(hour_ranges(hours), is_whole=True) for _, hours in part)),
            tuple(
                (node.name, *(placement[index] for placement, _ in part))
                for index, node in enumerate(report.graph.nodes)
            ),
        )
        for number, part in enumerate(parts, start=1)
    )


def intensity_table(report: ReportData, keys: Sequence[RegionKey]) -> Table:
    """Carbon intensity of all regions at all hours, the named ones first."""
    regions = (*(key.region for key in keys), *(region.code for region in further_regions(report, keys)))
    known: Mapping[str, tuple[float, ...]] = {
        code: values for code in regions if (values := report.region(code).intensity_gco2eq_per_kwh)
    }
    return Table(
        "Carbon intensity by hour (UTC), gCO2eq/kWh",
        (Column("hour", is_whole=True), *(Column(region, is_number=True) for region in known)),
        tuple(
            (f"{hour:02}:00", *(f"{values[hour]:.0f}" for values in known.values())) for hour in range(HOURS_PER_DAY)
        ),
    )
