"""Statistics of workflows as tables: a line for each, and with ``-v`` its nodes, edges, data and what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multi_x_serverless.cli.output import (
    Column,
    counted,
    percent,
    seconds,
    size,
    write_table,
    write_text,
    write_wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multi_x_serverless.cli.session import Settings
    from multi_x_serverless.model.statistics import Gap, GapKind, NodeStatistics, Spread, WorkflowStatistics


def show_statistics(settings: Settings, workflows: Sequence[WorkflowStatistics]) -> None:
    """A line for each workflow; with ``-v``, tables of each."""
    if not workflows:
        write_text("No workflow is deployed.")
        return
    columns = _columns(Column("workflow", is_whole=True), "runs", "failed", "per day", "cold", "p50", "p95", "gaps")
    rows = [
        [
            workflow.workflow_id,
            str(workflow.runs),
            str(workflow.failed),
            "-" if workflow.runs_per_day is None else f"{workflow.runs_per_day:.3g}",
            "-" if workflow.cold_share is None else f"{workflow.cold_share * 100:.0f} %",
            *_median_and_tail(workflow.runtime),
            str(len(workflow.gaps)),
        ]
        for workflow in workflows
    ]
    note = "p50 and p95 are run times. Nodes, edges, data and gaps: 'multi_x_serverless -v data_collect workflow'."
    write_table(
        settings, "Workflows: runs of the last 30 days", columns, rows, note=note if settings.verbosity < 1 else ""
    )
    if settings.verbosity >= 1:
        for workflow in workflows:
            _show_workflow(settings, workflow)


def describe_gaps(gaps: Sequence[Gap]) -> list[str]:
    """What the history does not tell, and what is done about it; what is the same of several nodes is said once."""
    subjects: dict[tuple[GapKind, tuple[str, ...]], list[str]] = {}
    for gap in gaps:
        subjects.setdefault((gap.kind, gap.regions), []).append(gap.subject)
    return [_describe_gap(kind, regions, found) for (kind, regions), found in subjects.items()]


def _describe_gap(kind: GapKind, regions: Sequence[str], subjects: Sequence[str]) -> str:
    where = ", ".join(regions)
    match kind:
        case "no_runs":
            return "There is no complete run yet: 'multi_x_serverless data_sync' reads the logs."
        case "node_never_ran":
            what = "Never ran, so that nothing is known of it"
        case "edge_never_called":
            what = "Never called, so that it counts as if it never were"
        case "region_never_seen":
            what = f"Never ran in {where}, so that its time there is estimated from elsewhere"
        case "few_samples":
            what = f"Ran fewer than 20 times in {where}, so that its time there is partly estimated from elsewhere"
    return f"{what}: {', '.join(subjects)}."


def _columns(subject: Column, *numbers: str) -> list[Column]:
    """What a line is about, and then numbers."""
    return [subject, *(Column(name, is_number=True) for name in numbers)]


def _median_and_tail(spread: Spread | None) -> list[str]:
    return ["-", "-"] if spread is None else [seconds(spread.p50), seconds(spread.p95)]


def _show_workflow(settings: Settings, workflow: WorkflowStatistics) -> None:
    if workflow.runs:
        _show_nodes(settings, workflow)
        _show_edges(settings, workflow)
        _show_data(settings, workflow.nodes)
    if workflow.gaps:
        write_wrapped(f"What the history of {workflow.workflow_id} does not tell:")
        for line in describe_gaps(workflow.gaps):
            write_wrapped(f"- {line}", hanging="  ")
    if workflow.other_runs:
        write_wrapped(f"Left out: {counted(workflow.other_runs, 'run')} of earlier graphs.")


def _show_nodes(settings: Settings, workflow: WorkflowStatistics) -> None:
    """A line for each node, and one for each region that it ran in."""
    rows: list[list[str]] = []
    for node in workflow.nodes:
        rows.append([node.name, str(node.count), "", "", str(node.cold_count), "", ""])
        rows += [
            [
                f"  {region.region}",
                str(region.count),
                *_median_and_tail(region.warm),
                str(0 if region.cold is None else region.cold.count),
                "-" if region.cold is None else seconds(region.cold.p50),
                "-" if region.cpu_utilization is None else f"{region.cpu_utilization * 100:.0f} %",
            ]
            for region in node.regions
        ]
    columns = _columns(Column("node / region", is_name=True), "runs", "p50", "p95", "cold", "p50", "CPU")
    write_table(settings, f"Nodes of {workflow.workflow_id}: warm times, cold ones apart", columns, rows)


def _show_edges(settings: Settings, workflow: WorkflowStatistics) -> None:
    """A line for each edge, and one for each pair of regions that it was called between."""
    rows: list[list[str]] = []
    for edge in workflow.edges:
        probability = edge.call_probability
        called = "-" if probability is None else percent(probability)
        payload = ["-", "-"] if edge.payload is None else [size(edge.payload.mean), size(edge.payload.p95)]
        rows.append([f"{edge.source} -> {edge.target}", str(edge.called), called, *payload, ""])
        rows += [
            [f"  {latency.from_region} -> {latency.to_region}", str(latency.count), "", "", "", seconds(latency.p50_s)]
            for latency in edge.latencies
        ]
    columns = _columns(Column("edge / regions", is_name=True), "calls", "called", "mean", "p95", "latency")
    write_table(settings, f"Edges of {workflow.workflow_id}: payloads, median latencies", columns, rows)


def _show_data(settings: Settings, nodes: Sequence[NodeStatistics]) -> None:
    rows: list[list[str]] = []
    for node in nodes:
        places: list[tuple[str, ...]] = [
            (place.region, size(place.moved_bytes), f"{place.share * 100:.0f} %", place.basis)
            for place in node.data_places
        ]
        if node.unknown_bytes:
            known = sum(place.share for place in node.data_places)
            places.append(("?", size(node.unknown_bytes), f"{(1 - known) * 100:.0f} %", "not known"))
        rows += [[node.name if position == 0 else "", *place] for position, place in enumerate(places)]
    if rows:
        columns = [
            Column("node", is_name=True),
            Column("data in"),
            Column("per run", is_number=True),
            Column("share", is_number=True),
            Column("as"),
        ]
        write_table(settings, "Where data lies", columns, rows)
