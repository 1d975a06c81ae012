"""How the exact solver's cost grows with nodes, regions, scenarios and the tightness of a percentile limit.

    python -m benchmarks.solver.growth [--quick] [--output DIRECTORY] [--deadline SECONDS]

Writes `growth.csv` (one row per point and seed), `gap_over_time.csv` (points that the deadline ended, solved again with
shorter ones), `machine.txt`, and both tables as curves. `README.md` beside this file says how to read them.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.machine import Machine
from benchmarks.solver.curves import draw_gap_over_time, draw_growth
from benchmarks.solver.layered import Shape, layered_problem
from benchmarks.solver.measure import Measurement, measure
from multi_x_serverless import _core

BASE = Shape()

AXES: dict[str, tuple[float, ...]] = {
    "nodes": (4, 8, 16, 32, 64, 128, 256),
    "regions": (2, 4, 8, 16, 33),
    "scenarios": (100, 300, 1000, 3000, 10_000),
    "tightness": (1.5, 1.2, 1.1, 1.05, 1.02, 1.01),
}
QUICK_AXES: dict[str, tuple[float, ...]] = {
    "nodes": (4, 8, 16, 32),
    "regions": (2, 4, 8),
    "scenarios": (100, 300, 1000),
    "tightness": (1.5, 1.1, 1.02),
}
SEEDS, QUICK_SEEDS = range(5), range(1)
DEADLINE_S, QUICK_DEADLINE_S = 10.0, 1.0

SHARES_OF_DEADLINE = (0.01, 0.03, 0.1, 0.3)
"""Shorter deadlines at which the gap of what the whole deadline ends is measured."""


def points_of(axes: dict[str, tuple[float, ...]]) -> Iterable[tuple[str, float, Shape]]:
    """Axis, value and shape of every point: one thing varies, the others are as in `BASE`."""
    for value in axes["nodes"]:
        yield "nodes", value, replace(BASE, nodes=int(value))
    for value in axes["regions"]:
        yield "regions", value, replace(BASE, regions=int(value))
    for value in axes["scenarios"]:
        yield "scenarios", value, replace(BASE, scenarios=int(value))
    for value in axes["tightness"]:
        yield "tightness", value, replace(BASE, tightness=value)


def write_rows(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Rows of equal keys as CSV; nothing if there are none."""
    if not rows:
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def machine() -> str:
    """What the numbers were taken on."""
    engine = f"engine {_core.__version__} ({_core.build_profile})"
    return f"{Machine.here()}, {engine}, load before {os.getloadavg()[0]:.1f}"


def run(output: Path, *, is_quick: bool, deadline_s: float) -> None:
    """Measure every point, and write tables and curves."""
    output.mkdir(parents=True, exist_ok=True)
    title = machine()
    (output / "machine.txt").write_text(title + "\n", encoding="utf-8")
    points: dict[tuple[str, float], list[Measurement]] = {}
    rows: list[dict[str, object]] = []
    gaps: list[dict[str, object]] = []
    for axis, value, shape in points_of(QUICK_AXES if is_quick else AXES):
        for seed in QUICK_SEEDS if is_quick else SEEDS:
            found = measure(layered_problem(shape, seed, deadline_s))
            points.setdefault((axis, value), []).append(found)
            key: dict[str, object] = {"axis": axis, "value": value, "seed": seed}
            rows.append({**key, **asdict(shape), **asdict(found)})
            print(
                f"{axis} {value:g}, seed {seed}: {found.solve_s:.3f} s, {found.status}, gap {found.gap:.2%}", flush=True
            )
            if found.status == "timed_out":
                gaps.append({**key, "deadline_s": deadline_s, "gap": found.gap})
                for share in SHARES_OF_DEADLINE:
                    shorter = measure(layered_problem(shape, seed, share * deadline_s))
                    gaps.append({**key, "deadline_s": share * deadline_s, "gap": shorter.gap})
            # After every point: whoever stops the run keeps what there is.
            write_rows(output / "growth.csv", rows)
            write_rows(output / "gap_over_time.csv", gaps)
    draw_growth(points, output / "growth", title)
    if gaps:
        draw_gap_over_time(gaps, output / "gap_over_time", title)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Growth curves of the exact solver.")
    parser.add_argument("--quick", action="store_true", help="few small points, one seed, a deadline of 1 s")
    parser.add_argument("--output", type=Path, default=Path(".curves"), help="directory of tables and curves")
    parser.add_argument("--deadline", type=float, help=f"seconds per solve; {DEADLINE_S:g} by default")
    arguments = parser.parse_args()
    default = QUICK_DEADLINE_S if arguments.quick else DEADLINE_S
    run(arguments.output, is_quick=arguments.quick, deadline_s=arguments.deadline or default)


if __name__ == "__main__":
    main()
