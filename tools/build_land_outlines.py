"""Build the embedded outlines of land, for maps, from Natural Earth's as the npm package world-atlas ships them.

    npm pack world-atlas@2.0.2 && tar -xzf world-atlas-2.0.2.tgz
    python tools/build_land_outlines.py package/land-110m.json            write the table
    python tools/build_land_outlines.py package/land-110m.json --check    exit 1 if the written table would differ

A ring is a list of whole tenths of degrees: longitude and latitude of its first point, then the steps to each next one.
Rings have no jump at 180 degrees: one that crosses it goes on beyond, and is there a second time 360 degrees to the
west or east, so that whoever draws from -180 to 180 sees both halves. What lies south of 60 degrees south is left out.
The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "python/multi_x_serverless/data/tables/land_outlines.json"

TENTHS = 10
SOUTHERN_END = -60.0
"""Degrees north; no region of a cloud is near Antarctica."""
SHORTEST_STEP = 2
"""Tenths of a degree: points nearer to the one before, in both directions, are left out; a map of 640 pixels has half
of a degree in each."""

Point = tuple[float, float]


def main(arguments: list[str] | None = None) -> int:
    """Build or check the table; return the exit code."""
    parser = argparse.ArgumentParser(description="Build the embedded outlines of land.")
    parser.add_argument("source", type=Path, help="land-110m.json of the npm package world-atlas")
    parser.add_argument("--output", type=Path, default=TABLE, help="the table that is written")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if the table would change")
    options = parser.parse_args(arguments)
    content = build_outlines(options.source.read_bytes())
    if options.check:
        if not options.output.exists() or options.output.read_bytes() != content:
            print(f"{options.output.name} differs from what {options.source} gives")
            return 1
        return 0
    options.output.write_bytes(content)
    print(f"{options.output.name}: {len(content)} bytes")
    return 0


def build_outlines(text: bytes) -> bytes:
    """Return the content of the table.

    Raises:
        ValueError: The source is no topology with one collection of land.
    """
    topology = json.loads(text)
    if topology.get("type") != "Topology" or "land" not in topology.get("objects", {}):
        raise ValueError("the source is no TopoJSON document with an object 'land'")
    arcs = _decode_arcs(topology)
    rings = [
        ring
        for geometry in topology["objects"]["land"]["geometries"]
        for polygon in (geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]])
        for indices in polygon
        for ring in _placed(_unbroken(_join(arcs, indices)))
    ]
    packed = [steps for ring in rings if (steps := _pack(ring))]
    lines = ",\n".join(json.dumps(ring, separators=(",", ":")) for ring in packed)
    return f'{{"unit":"tenths of degrees","rings":[\n{lines}\n]}}\n'.encode()


def _decode_arcs(topology: dict[str, object]) -> list[list[Point]]:
    """Arcs in degrees: whole steps, scaled and moved."""
    transform = topology["transform"]
    (scale_x, scale_y), (from_x, from_y) = transform["scale"], transform["translate"]  # type: ignore[index]
    decoded = []
    for arc in topology["arcs"]:  # type: ignore[attr-defined]
        x = y = 0
        points = []
        for step_x, step_y in arc:
            x, y = x + step_x, y + step_y
            points.append((x * scale_x + from_x, y * scale_y + from_y))
        decoded.append(points)
    return decoded


def _join(arcs: Sequence[Sequence[Point]], indices: Sequence[int]) -> list[Point]:
    """A ring of arcs; a negative index is the complement of one that is run through backwards."""
    ring: list[Point] = []
    for index in indices:
        arc = list(arcs[index]) if index >= 0 else list(reversed(arcs[~index]))
        ring += arc[1:] if ring else arc
    return ring


def _unbroken(ring: Sequence[Point]) -> list[Point]:
    """The ring without jumps of a whole turn."""
    points = [ring[0]]
    for longitude, latitude in ring[1:]:
        before = points[-1][0]
        turns = round((before - longitude) / 360.0)
        points.append((longitude + 360.0 * turns, latitude))
    return points


def _placed(ring: Sequence[Point]) -> list[list[Point]]:
    """The ring, and a whole turn away again if it reaches beyond the edge of the map; none if it is too far south."""
    if max(latitude for _, latitude in ring) < SOUTHERN_END:
        return []
    west, east = min(longitude for longitude, _ in ring), max(longitude for longitude, _ in ring)
    turns = [0.0]
    if east > 180.0:
        turns.append(-360.0)
    if west < -180.0:
        turns.append(360.0)
    return [[(longitude + turn, latitude) for longitude, latitude in ring] for turn in turns]


def _pack(ring: Sequence[Point]) -> list[int]:
    """Whole tenths: the first point, then steps; empty if too little is left to be seen."""
    points = [(round(longitude * TENTHS), round(latitude * TENTHS)) for longitude, latitude in ring]
    kept = [points[0]]
    for point in points[1:-1]:
        if max(abs(point[0] - kept[-1][0]), abs(point[1] - kept[-1][1])) > SHORTEST_STEP:
            kept.append(point)
    if len(kept) < 3:
        return []
    packed = list(kept[0])
    for before, after in pairwise(kept):
        packed += [after[0] - before[0], after[1] - before[1]]
    return packed


if __name__ == "__main__":
    raise SystemExit(main())
