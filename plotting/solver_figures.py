"""Draws the solver benchmarks: a figure for each quantity, a panel for each axis, a line for each solver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from benchmarks.solver_benchmarks.cases import (
    BASE,
    FULL_NODES,
    FULL_REGIONS,
    FULL_SYNC_SHARES,
    AxisName,
    with_nodes,
)
from benchmarks.solver_benchmarks.results import Entry, Results
from multi_x_serverless.solving.engine import SOLVERS
from plotting.solver_comparison import (
    EXACT,
    Quantity,
    axes_in,
    evaluations,
    excess_percent,
    line_of,
    optima,
    own_gap_percent,
    peak_mb,
    places_on,
    processor_seconds,
    spread_of,
)

DPI = 130
PANELS_IN_A_ROW = 3
PANEL_INCHES = (3.4, 3.0)
DODGE = 0.16
"""Distance between the solvers at one place, where places are 1 apart: ranges must not hide each other."""


@dataclass(frozen=True)
class Look:
    """How a solver is drawn. Colours are Okabe and Ito's, which the colour-blind can tell apart; so do the shapes."""

    color: str
    marker: str
    dash: Literal["-", "--", "-."]


LOOKS = {
    "fine-grained": Look("#0072B2", "o", "-"),
    "coarse-grained": Look("#E69F00", "s", "--"),
    "heuristic": Look("#009E73", "^", "-."),
}

SEARCHING = ("fine-grained", "heuristic")
"""The other one evaluates no placement over the scenarios: it adds up sums."""

TITLES: dict[AxisName, str] = {
    "nodes": "nodes (a quarter are sync nodes)",
    "sync_nodes": f"sync nodes, of {BASE.nodes}",
    "regions": "regions",
    "pinned_share": "share of nodes pinned home [%]",
    "tail_limit": "limit on the tail of run time [x home]",
}


def draw_all(results: Results, directory: Path) -> tuple[Path, ...]:
    """Draw every figure that there are measurements for; returns the files.

    Raises:
        InvalidDocumentError: Solvers were given different problems.
    """
    entries = results.of_last_run()
    directory.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    axes = axes_in(entries)
    if axes:
        proven = len(optima(entries))
        problems = len({(entry.case.shape, entry.case.seed) for entry in entries if entry.case.solver == EXACT})
        above = tuple(solver for solver in SOLVERS if solver != EXACT)
        note = f"problems with a proven optimum: {proven} of {problems}"
        written = [
            _draw(results, Panels(axes, processor_seconds, "processor time of a solve [s]", "log"), directory / "time"),
            _draw(
                results,
                Panels(axes, excess_percent(entries), "carbon above the optimum [%]", "percent", above, note),
                directory / "gap",
            ),
            _draw(results, Panels(axes, own_gap_percent, "gap proven by itself [%]", "percent"), directory / "own-gap"),
            _draw(results, Panels(axes, peak_mb, "peak memory of the process [MB]"), directory / "memory"),
            _draw(
                results, Panels(axes, evaluations, "placements evaluated", "log", SEARCHING), directory / "evaluations"
            ),
        ]
    crossed = _draw_crossed(results, directory / "grid")
    return (*written, crossed) if crossed else tuple(written)


@dataclass(frozen=True)
class Panels:
    """What a figure shows.

    Attributes:
        scale: ``percent``: linear up to 1 and logarithmic above, so that nothing, little and much can be told apart.
        note: A line below the title.
    """

    axes: Sequence[AxisName]
    quantity: Quantity
    label: str
    scale: Literal["linear", "log", "percent"] = "linear"
    solvers: Sequence[str] = SOLVERS
    note: str = ""


def _draw(results: Results, shown: Panels, output: Path) -> Path:
    entries = results.of_last_run()
    rows = -(-len(shown.axes) // PANELS_IN_A_ROW)
    figure = Figure(figsize=(PANEL_INCHES[0] * PANELS_IN_A_ROW, PANEL_INCHES[1] * rows + 0.9), layout="constrained")
    panels = figure.subplots(rows, PANELS_IN_A_ROW, sharey=True, squeeze=False).ravel()
    for panel, axis in zip(panels, shown.axes, strict=False):
        places = places_on(axis, entries)
        for number, solver in enumerate(shown.solvers):
            shift = (number - (len(shown.solvers) - 1) / 2) * DODGE
            _draw_line(panel, axis, solver, shift, shown.quantity, entries)
        panel.set_xticks(range(len(places)), [_name(axis, place) for place in places])
        panel.set_xlim(-0.5, len(places) - 0.5)
        panel.set_xlabel(TITLES[axis])
        panel.grid(axis="y", alpha=0.3)
    for panel in panels[len(shown.axes) :]:
        panel.set_axis_off()
    drawn = [panel.dataLim for panel in panels[: len(shown.axes)]]
    # Nothing is drawn where nothing is known; such a panel's limits are infinite.
    _scale(panels[0], shown.scale, min(0.0, *(box.y0 for box in drawn)), max(1.0, *(box.y1 for box in drawn)))
    for row in range(rows):
        panels[row * PANELS_IN_A_ROW].set_ylabel(shown.label)
    handles = _legend(shown.solvers, entries)
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize="small", frameon=False)
    figure.suptitle("\n".join(filter(None, (_what(results), shown.note))), fontsize="small")
    return _save(figure, output)


def _scale(panel: Axes, scale: str, low: float, high: float) -> None:
    """Of all panels: they share it. `low` and `high` enclose 0, 1 and what is drawn."""
    if scale == "log":
        panel.set_yscale("log")
    elif scale == "linear":
        panel.set_ylim(low, 1.05 * high)
    else:
        panel.set_yscale("symlog", linthresh=1.0, linscale=0.6)
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.set_ylim(low - 0.15, 1.3 * high)


def _draw_line(
    panel: Axes, axis: AxisName, solver: str, shift: float, quantity: Quantity, entries: Sequence[Entry]
) -> None:
    look = LOOKS[solver]
    places = places_on(axis, entries)
    line = line_of(axis, solver, quantity, entries)
    at = [places.index(place) + shift for place in line.spreads]
    spreads = list(line.spreads.values())
    panel.vlines(
        at, [one.least for one in spreads], [one.most for one in spreads], color=look.color, linewidth=2.5, alpha=0.45
    )
    panel.plot(at, [one.middle for one in spreads], look.dash, color=look.color, linewidth=1.2)
    for x, one in zip(at, spreads, strict=True):
        filling = look.color if one.is_whole else "white"
        panel.plot(x, one.middle, look.marker, color=look.color, markerfacecolor=filling, markersize=5.5)


def _name(axis: AxisName, place: float | None) -> str:
    if place is None:
        return "none"
    return f"{100.0 * place:.0f}" if axis == "pinned_share" else f"{place:g}"


def _legend(solvers: Sequence[str], entries: Sequence[Entry]) -> list[Line2D]:
    handles = [
        Line2D([], [], color=look.color, marker=look.marker, linestyle=look.dash, markersize=5.5, label=solver)
        for solver, look in ((solver, LOOKS[solver]) for solver in solvers)
    ]
    handles.append(Line2D([], [], color="gray", linewidth=2.5, alpha=0.45, label="least to most"))
    if any(entry.measurement.status == "timed_out" for entry in entries if entry.case.solver in solvers):
        handles.append(
            Line2D(
                [],
                [],
                color="gray",
                marker="o",
                markerfacecolor="white",
                linestyle="",
                label="the deadline ended some",
            )
        )
    return handles


def _what(results: Results) -> str:
    """What was measured, and on what."""
    settings = results.settings
    graphs = len({entry.case.seed for entry in results.of_last_run()})
    threads = "1 thread" if settings.threads == 1 else f"{settings.threads} threads"
    return (
        f"median of {graphs} random graphs; unless varied: {BASE}; deadline {settings.deadline_s:g} s, {threads}\n"
        f"multi-x-serverless {results.build.package}; {results.machine}"
    )


def _draw_crossed(results: Results, output: Path) -> Path | None:
    """Median processor time of nodes x regions by solver and share of sync nodes; `None` without the large grid."""
    entries = results.of_last_run()
    shapes = {
        with_nodes(nodes, sync_share=share, regions=regions)
        for nodes, share, regions in product(FULL_NODES, FULL_SYNC_SHARES, FULL_REGIONS)
    }
    if not shapes <= {entry.case.shape for entry in entries}:
        return None
    tables = {
        (solver, share): _table([entry for entry in entries if entry.case.solver == solver], share)
        for solver in SOLVERS
        for share in FULL_SYNC_SHARES
    }
    scale = LogNorm(
        min(float(np.nanmin(table)) for table in tables.values()),
        max(float(np.nanmax(table)) for table in tables.values()),
    )
    figure = Figure(figsize=(4.0 * len(FULL_SYNC_SHARES), 3.0 * len(SOLVERS)), layout="constrained")
    grid = figure.subplots(len(SOLVERS), len(FULL_SYNC_SHARES), sharex=True, sharey=True, squeeze=False)
    for row, solver in zip(grid, SOLVERS, strict=True):
        for panel, share in zip(row, FULL_SYNC_SHARES, strict=True):
            table = tables[solver, share]
            image = panel.imshow(table, norm=scale, cmap="cividis", origin="lower", aspect="auto")
            for (y, x), seconds in np.ndenumerate(table):
                is_dark = scale(seconds) < 0.5
                color = "white" if is_dark else "black"
                panel.text(x, y, _short(seconds), ha="center", va="center", color=color, fontsize="small")
            panel.set_title(f"{solver}, {100.0 * share:.0f} % sync nodes", fontsize="medium")
            panel.set_xticks(range(len(FULL_REGIONS)), [str(count) for count in FULL_REGIONS])
            panel.set_yticks(range(len(FULL_NODES)), [str(count) for count in FULL_NODES])
        row[0].set_ylabel("nodes")
    for panel in grid[-1]:
        panel.set_xlabel("regions")
    figure.colorbar(image, ax=grid, label="processor time of a solve [s]", format=FuncFormatter(lambda s, _: f"{s:g}"))
    figure.suptitle(_what(results), fontsize="small")
    return _save(figure, output)


def _table(entries: Sequence[Entry], sync_share: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Median processor seconds by number of nodes (rows) and of regions (columns); NaN where there is none."""
    table = np.full((len(FULL_NODES), len(FULL_REGIONS)), np.nan)
    for row, nodes in enumerate(FULL_NODES):
        for column, regions in enumerate(FULL_REGIONS):
            shape = with_nodes(nodes, sync_share=sync_share, regions=regions)
            spread = spread_of(processor_seconds, [entry for entry in entries if entry.case.shape == shape])
            if spread is not None:
                table[row, column] = spread.middle
    return table


def _short(seconds: float) -> str:
    if np.isnan(seconds):
        return ""
    amount, unit = (seconds, "s") if seconds >= 0.9995 else (1000.0 * seconds, "ms")
    return f"{amount:.{0 if amount >= 10.0 else 1}f} {unit}"


def _save(figure: Figure, output: Path) -> Path:
    path = output.with_suffix(".png")
    figure.savefig(path, dpi=DPI)
    return path
