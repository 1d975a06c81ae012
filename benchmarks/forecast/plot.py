"""Draws what `evaluate` found."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.forecast.results import ANY_TWO, DAYS, Results

SHOWN_SETS = ("US", "Europe", ANY_TWO)


def draw(results: Results, output: Path) -> None:
    """Regret by days ahead, above, and by days that a plan is held, below, for some sets of grids."""
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    grid = figure.subplots(2, len(SHOWN_SETS), sharex=True, squeeze=False)
    for column, name in enumerate(SHOWN_SETS):
        for forecaster, scores in results.scores.items():
            is_default = forecaster == results.default
            for row, values in enumerate((scores.regret_of_best[name], scores.held_of_best[name])):
                grid[row][column].plot(
                    list(DAYS),
                    values,
                    marker="o",
                    markersize=4 if is_default else 3,
                    linewidth=2.5 if is_default else 1.2,
                    label=f"{forecaster} (in use)" if is_default else forecaster,
                )
        grid[0][column].set_title(name, fontsize="medium")
        grid[0][column].set_xlabel("days ahead")
        grid[1][column].set_xlabel("days that the plan of the first day is held")
        for row in range(2):
            grid[row][column].set_ylim(bottom=0.0)
            grid[row][column].grid(alpha=0.3)
            grid[row][column].tick_params(labelbottom=True)
    for row in range(2):
        grid[row][0].set_ylabel("regret [% of the best]")
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small")
    figure.suptitle(f"Regret of placements by forecast, traces of 2023, {results.origins} origins", fontsize="medium")
    figure.savefig(output, dpi=110)
