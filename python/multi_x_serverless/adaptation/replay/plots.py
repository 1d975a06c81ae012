"""Draws a replay: carbon by day of every policy, and where nodes are by hour of the day.

Needs matplotlib, which nothing else of the package does; it is imported when something is drawn.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import numpy as np

from multi_x_serverless.adaptation.replay.results import HOME, ORACLE, REPLAY_SCHEMA, SINGLE, STATIC, SYSTEM
from multi_x_serverless.errors import UnsupportedError, UsageError
from multi_x_serverless.model.units import HOURS_PER_DAY

if TYPE_CHECKING:
    from pathlib import Path

    from multi_x_serverless.adaptation.replay.results import Replay

FORMATS = (".png", ".svg")

COLORS = {HOME: "#777777", STATIC: "#b8860b", SINGLE: "#56b4e9", SYSTEM: "#009e73", ORACLE: "#000000"}
"""Told apart by people who are colour-blind, too (Okabe and Ito)."""

REGION_COLORS = ("#999999", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
SHOWN_REGIONS = len(REGION_COLORS) - 1
"""Regions with the largest shares; the others are drawn as one."""


def require_plots(path: Path) -> None:
    """Refuse what could not be drawn, before anything is computed.

    Raises:
        UnsupportedError: matplotlib is not installed.
        UsageError: The file's name ends in none of `FORMATS`.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: the name of a plot ends in {' or '.join(FORMATS)}.")
    if importlib.util.find_spec("matplotlib") is None:
        raise UnsupportedError(
            "plots need matplotlib, which is not installed: pip install 'multi-x-serverless[plots]'."
        )


def draw(replay: Replay, path: Path) -> None:
    """Write the plot to a file, as PNG or SVG by its name.

    Raises:
        UnsupportedError: matplotlib is not installed.
        UsageError: The file cannot be written, or is of another format.
    """
    require_plots(path)
    from matplotlib import rc_context  # noqa: PLC0415 - only who draws needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(10, 7), layout="constrained")
    above, below = np.asarray(figure.subfigures(2, 1, height_ratios=(1.1, 1.0))).tolist()
    carbon = above.subplots()
    days = range(1, replay.stretch.days + 1)
    for policy in replay.policies:
        net = policy.hours.carbon_gross_gco2eq + policy.hours.carbon_overhead_gco2eq
        by_day = net.reshape(-1, HOURS_PER_DAY).sum(axis=1)
        label = f"{policy.name} ({replay.static_region})" if policy.name == STATIC else policy.name
        style = ":" if policy.name == ORACLE else "-"
        marker = "o" if replay.stretch.days == 1 else None
        carbon.plot(days, by_day, style, color=COLORS[policy.name], linewidth=1.3, marker=marker, label=label)
    carbon.set_ylim(bottom=0.0)
    carbon.set_xlabel(f"day of the stretch (1 is {replay.stretch.first_day})")
    carbon.set_ylabel("gCO2eq per day, net")
    carbon.grid(alpha=0.3)
    above.legend(loc="outside upper center", fontsize="small", ncols=len(replay.policies))
    shown = _largest_regions(replay)
    for axes, name in zip(below.subplots(1, 3, sharey=True), (SINGLE, SYSTEM, ORACLE), strict=True):
        shares = replay.shares_by_hour_of_day(name)
        parts = [shares[:, replay.regions.index(region)] for region in shown]
        labels = list(shown)
        if len(shown) < len(replay.regions):
            parts.append(1.0 - np.sum(parts, axis=0))
            labels.append("others")
        axes.stackplot(range(HOURS_PER_DAY), *parts, labels=labels, colors=REGION_COLORS, step="mid")
        axes.set_title(name, fontsize="medium")
        axes.set_xlabel("hour of the day, UTC")
        axes.set_xlim(0, HOURS_PER_DAY - 1)
        axes.set_ylim(0.0, 1.0)
    below.axes[0].set_ylabel("share of the nodes")
    handles, labels = below.axes[0].get_legend_handles_labels()
    below.legend(handles, labels, loc="outside lower center", ncols=5, fontsize="small")
    figure.suptitle(
        f"{replay.workflow}, {replay.stretch.first_day} to {replay.stretch.last_day}: simulated", fontsize="medium"
    )
    try:
        # Without a date and with ids that are not drawn by lot, so that equal replays give equal files.
        with rc_context({"svg.hashsalt": REPLAY_SCHEMA}):
            figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}.") from error


def _largest_regions(replay: Replay) -> tuple[str, ...]:
    """Home first, then those with the largest shares in any of the policies drawn."""
    sizes = {
        region: max(replay.policy(name).region_shares.get(region, 0.0) for name in (SINGLE, SYSTEM, ORACLE))
        for region in replay.regions
        if region != replay.home
    }
    used = [region for region in sorted(sizes, key=lambda region: (-sizes[region], region)) if sizes[region] > 0]
    return (replay.home, *used[: SHOWN_REGIONS - 1])
