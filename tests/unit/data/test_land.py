from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from multi_x_serverless import data

sys.path.append(str(Path(__file__).parents[3] / "tools"))

from build_land_outlines import build_outlines


def contains(longitude: float, latitude: float) -> bool:
    """Whether a place is on land, by the even-odd rule."""
    inside = False
    for ring in data.land_outlines():
        for (x, y), (next_x, next_y) in zip(ring, (*ring[1:], ring[0]), strict=True):
            crosses = (y > latitude) != (next_y > latitude)
            if crosses and longitude < (next_x - x) * (latitude - y) / (next_y - y) + x:
                inside = not inside
    return inside


@pytest.mark.parametrize(
    ("place", "is_land"),
    [
        ((-77.5, 38.9), True),  # Virginia
        ((-40.0, 40.0), False),  # the Atlantic
        ((134.0, -25.0), True),  # Australia
        ((-175.5, 66.5), True),  # Chukotka, beyond 180 degrees
        ((178.0, 66.5), True),  # its other half
        ((0.0, -85.0), False),  # Antarctica is left out
    ],
)
def test_land_is_where_it_is(place: tuple[float, float], is_land: bool) -> None:
    assert contains(*place) is is_land


def test_the_table_is_small() -> None:
    size = (Path(data.__file__).parent / "tables" / "land_outlines.json").stat().st_size
    assert size < 60_000


def topology(arcs: list[list[list[int]]], polygons: list[list[list[int]]]) -> bytes:
    """A topology in whole degrees."""
    return json.dumps(
        {
            "type": "Topology",
            "transform": {"scale": [1.0, 1.0], "translate": [-180.0, -90.0]},
            "arcs": arcs,
            "objects": {"land": {"geometries": [{"type": "MultiPolygon", "arcs": polygons}]}},
        }
    ).encode()


def test_arcs_are_joined_also_backwards() -> None:
    arcs = [[[180, 90], [10, 0]], [[180, 90], [0, 10], [10, 0], [0, -10]]]
    rings = json.loads(build_outlines(topology(arcs, [[[0, -2]]])))["rings"]
    assert rings == [[0, 0, 100, 0, 0, 100, -100, 0]]


def test_a_ring_over_180_degrees_is_there_twice() -> None:
    arcs = [[[355, 90], [-345, 0], [0, 10], [345, 0], [0, -10]]]
    rings = json.loads(build_outlines(topology(arcs, [[[0]]])))["rings"]
    assert [ring[:2] for ring in rings] == [[1750, 0], [-1850, 0]]
    assert rings[0][2:] == rings[1][2:] == [150, 0, 0, 100, -150, 0]


def test_what_is_too_small_or_too_far_south_is_left_out() -> None:
    arcs = [[[180, 10], [5, 0], [0, 5], [-5, -5]], [[180, 90], [0, 0], [0, 0]]]
    assert json.loads(build_outlines(topology(arcs, [[[0]], [[1]]])))["rings"] == []


def test_another_document_is_refused() -> None:
    with pytest.raises(ValueError, match="no TopoJSON"):
        build_outlines(b"{}")
