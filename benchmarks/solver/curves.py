"""Draws what `growth` measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.solver.measure import Measurement

ROWS: list[tuple[str, Callable[[Measurement], float], bool]] = [
    ("read [s]", lambda found: found.read_s, True),
    ("solve [s]", lambda found: found.solve_s, True),
    ("explored", lambda found: max(1, found.explored), True),
    ("memory [MB]", lambda found: found.peak_mb - found.idle_mb, False),
    ("gap [%]", lambda found: 100.0 * found.gap, False),
]
"""Label, quantity, and whether its axis is logarithmic."""


def draw_growth(points: Mapping[tuple[str, float], Sequence[Measurement]], output: Path, title: str) -> None:
    """Time, nodes explored, memory and gap over each axis: the median over seeds, and their range.

    Args:
        points: (axis, value) -> one measurement per seed.
        output: File without suffix; an SVG and a PNG are written.
        title: What it was measured on.
    """
    axes = list(dict.fromkeys(axis for axis, _ in points))
    figure = Figure(figsize=(4 * len(axes), 2.4 * len(ROWS)), layout="constrained")
    # The rows share their scale: else a line that hardly moves looks as steep as one that explodes.
    grid = figure.subplots(len(ROWS), len(axes), squeeze=False, sharey="row")
    for column, axis in enumerate(axes):
        values = [value for name, value in points if name == axis]
        for row, (label, read, is_logarithmic) in enumerate(ROWS):
            plot = grid[row][column]
            found = [[read(measurement) for measurement in points[axis, value]] for value in values]
            places = _scale(plot, axis, values)
            plot.plot(places, [median(entries) for entries in found], marker="o")
            plot.fill_between(places, list(map(min, found)), list(map(max, found)), alpha=0.2)
            if is_logarithmic:
                plot.set_yscale("log")
            if column == 0:
                plot.set_ylabel(label)
            if row == len(ROWS) - 1:
                plot.set_xlabel("limit over home" if axis == "tightness" else axis)
    for cells, (_, read, is_logarithmic) in zip(grid, ROWS, strict=True):
        if not is_logarithmic:
            highest = max(read(measurement) for found in points.values() for measurement in found)
            cells[0].set_ylim(0.0, max(1.0, 1.05 * highest))
    figure.suptitle(title, fontsize="small")
    _save(figure, output)


def _scale(plot: Axes, axis: str, values: Sequence[float]) -> list[float]:
    """Lay out the axis from easy to hard; where its values are. Tightness is spaced by the room that is left."""
    places = [value - 1.0 for value in values] if axis == "tightness" else list(values)
    plot.set_xscale("log")
    plot.set_xticks(places, [f"{value:g}" for value in values])
    plot.minorticks_off()
    if axis == "tightness":
        plot.invert_xaxis()
    return places


def draw_gap_over_time(rows: Sequence[Mapping[str, object]], output: Path, title: str) -> None:
    """One line per point and seed that the deadline ended; rows are those of `gap_over_time.csv`."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    plot = figure.subplots()
    lines: dict[tuple[object, ...], list[tuple[float, float]]] = {}
    for row in rows:
        key = (row["axis"], row["value"], row["seed"])
        lines.setdefault(key, []).append((float(str(row["deadline_s"])), 100.0 * float(str(row["gap"]))))
    for (axis, value, seed), line in lines.items():
        ordered = sorted(line)
        label = f"{axis} {value}, seed {seed}"
        plot.plot([time for time, _ in ordered], [gap for _, gap in ordered], marker=".", label=label)
    plot.set_xscale("log")
    plot.set_ylim(bottom=0)
    plot.set_xlabel("deadline [s]")
    plot.set_ylabel("gap [%]")
    plot.set_title(title, fontsize="small")
    plot.legend(fontsize="xx-small", ncols=2)
    _save(figure, output)


def _save(figure: Figure, output: Path) -> None:
    for suffix in (".svg", ".png"):
        figure.savefig(output.with_suffix(suffix))
